"""The OpenAPI description and a page that reads well, drawn by us: no script, no other host. Neither exists in production."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.views import ApiView
from aaperture.lib.once import once

METHODS = ("get", "post", "put", "patch", "delete")


@once
def description() -> dict[str, Any]:
    """The whole API as OpenAPI 3.1; the same for everybody."""
    return SchemaGenerator().get_schema(request=None, public=True)


class ApiDescription(ApiView):
    authentication_classes: list = []
    permission_classes = [AllowAny]
    schema = None

    def get(self, request: Request) -> Response:
        """The API described for machines."""
        require_documented_instance()
        return Response(description())


@login_not_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    require_documented_instance()
    found = description()
    return render(request, "docs.html", {"info": found["info"], "groups": groups(found)})


def require_documented_instance() -> None:
    """Raises Http404 in production."""
    if settings.PRODUCTION:
        raise Http404


def groups(found: dict[str, Any]) -> list[dict[str, Any]]:
    """[{name, operations}] in the order of the addresses."""
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in found["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                by_tag.setdefault(operation["tags"][0], []).append(_operation(found, path, method, operation))
    first = {"auth": 0, "me": 1, "permissions": 2}
    names = sorted(by_tag, key=lambda name: (first.get(name, 9), name))
    return [{"name": name, "operations": by_tag[name]} for name in names]


def _operation(found: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = []
    for status, answer in sorted(operation["responses"].items()):
        content = answer.get("content", {}).get("application/json", {}).get("schema")
        fields = _fields(found, content) if content and status.startswith("2") else []
        answers.append({"status": status, "words": answer.get("description", ""), "fields": fields})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "words": operation.get("description", ""),
        "parameters": [one | {"kind": _kind(found, one["schema"])} for one in operation.get("parameters", [])],
        "sent": _fields(found, sent) if sent else [],
        "answers": answers,
    }


def _fields(found: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The members of an object; of a page of them, those of one."""
    schema = _resolved(found, schema)
    inner = schema.get("properties", {})
    if "results" in inner:
        schema = _resolved(found, inner["results"]["items"])
        inner = schema.get("properties", {})
    needed = schema.get("required", [])
    return [
        {"name": name, "kind": _kind(found, one), "words": _resolved(found, one).get("description", ""), "needed": name in needed}
        for name, one in inner.items()
    ]


def _resolved(found: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    parts = schema.get("allOf") or schema.get("oneOf") or []
    return _resolved(found, parts[0]) | {key: value for key, value in schema.items() if key not in {"allOf", "oneOf"}} if parts else schema


def _kind(found: dict[str, Any], schema: dict[str, Any]) -> str:
    """A type in a few words."""
    schema = _resolved(found, schema)
    kinds = schema.get("type", "object")
    plain = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
    words = schema.get("format") or (plain[0] if plain else "null")
    if "enum" in schema:
        words = " | ".join(str(value) for value in schema["enum"] if value is not None)
    if words == "array":
        words = f"list of {_kind(found, schema['items'])}"
    bounds = [f"{schema[name]}" for name in ("minimum", "maximum") if name in schema]
    if len(bounds) == 2:
        words += f", {bounds[0]} to {bounds[1]}"
    if "maxLength" in schema and "enum" not in schema:
        words += f", at most {schema['maxLength']} characters"
    return words + (" or null" if "null" in (kinds if isinstance(kinds, list) else []) else "")
