"""The documentation's answers: every endpoint lists the errors it can really give."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny
from rest_framework.serializers import CharField

from aaperture.lib.api.serializers import ErrorSerializer, InvalidSerializer, Strict

Direction = Literal["request", "response"]
WORDS = {
    "400": "Something about the input is not valid.",
    "401": "No valid token or key, or a signature that is missing or does not fit.",
    "403": "Your role or the key's scope does not allow it, or you must confirm who you are first.",
    "404": "There is no such thing, or it is not yours to see.",
    "409": "Not possible in the present state.",
    "413": "The body is larger than 1,000,000 bytes.",
    "415": "The body is not application/json.",
    "429": "Too many requests; Retry-After says when to come back.",
    "502": "The other system did not answer.",
    "503": "Something we cannot do without does not answer; Retry-After says when to come back.",
}


class Schema(AutoSchema):
    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        found = super()._map_basic_serializer(serializer, direction)
        if direction == "request" and isinstance(serializer, Strict):
            found |= {"additionalProperties": False, **serializer.bounds}
        return found

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> dict[str, Any]:
        found = super()._map_serializer_field(field, direction, bypass_extensions)
        if direction == "request" and type(field) is CharField and not field.allow_blank and field.trim_whitespace:
            found = found | {"pattern": r"\S"}  # blanks alone are nothing
        return found

    def _get_request_body(self, direction: str = "request") -> Any:
        """A body that is described is needed: nothing here takes one now and then."""
        found = super()._get_request_body(direction)
        return found | {"required": True} if found else found

    def get_tags(self) -> list[str]:
        parts = [part for part in self.path.split("/") if part and "{" not in part]
        return ["auth"] if "auth" in parts else [parts[2] if len(parts) > 2 else parts[-1]]

    def get_operation_id(self) -> str:
        match = getattr(self.view, "schema_name", "") or type(self.view).__name__
        return f"{match}_{self.method.lower()}"

    def _get_response_bodies(self, direction: Direction = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        if direction != "response":
            return responses
        for status in self._errors():
            if status not in responses:
                serializer = InvalidSerializer if status == "400" else ErrorSerializer
                responses[status] = self._get_response_for_code(serializer, status) | {"description": WORDS[status]}
        return responses

    def _errors(self) -> list[str]:
        view: Any = self.view
        found = {"400", "429", *(str(status) for status in getattr(view, "answers", ()))}
        if AllowAny not in view.permission_classes:
            found |= {"401", "403"}
        if "{" in self.path or self._is_list_view():
            found.add("404")
        if self.method not in {"GET", "HEAD"}:
            found |= {"413", "415", "503"}
        return sorted(found)
