"""The base of every view of the API."""

from typing import Any, NoReturn

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib import logs
from aaperture.lib.api.answers import plain
from aaperture.lib.api.parsers import MOST_BYTES, TooLarge, check_text
from aaperture.lib.api.throttling import limit_request


class ApiView(GenericAPIView):
    """Counts, then authenticates, then asks for permission; refuses query parameters it does not know.

    `operations`, `filters`, `orderings` are read by `HasOperation` and `AllowList`; `critical` marks what a key must sign.
    """

    operations: dict[str, str] = {}
    filters: dict[str, Any] = {}
    orderings: dict[str, str] = {}
    parameters: frozenset[str] = frozenset()
    critical = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        token = logs.user_id.set("")  # `initial` knows who it is
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            logs.user_id.reset(token)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.format_kwarg = self.get_format_suffix(**kwargs)
        request.accepted_renderer, request.accepted_media_type = self.get_renderers()[0], "application/json"
        try:
            self.perform_authentication(request)
        except exceptions.APIException:
            limit_request(plain(request))  # guessing tokens is counted too
            raise
        limit_request(plain(request), request.user)
        logs.user_id.set(str(request.user.pk or ""))
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            raise TooLarge
        self.check_permissions(request)
        self.check_query(request)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """Always JSON, whatever a browser would rather have."""
        return self.get_renderers()[0], "application/json"

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        if not request.user.is_authenticated:
            raise exceptions.NotAuthenticated
        raise exceptions.PermissionDenied(detail=message, code=code or "forbidden")

    def check_query(self, request: Request) -> None:
        for name, values in request.query_params.lists():
            for text in (name, *values):
                check_text(text)
            if name not in self.known_parameters(request):
                raise exceptions.ValidationError({name[:80]: ["There is no such parameter here."]})
            if len(values) > 1:
                raise exceptions.ValidationError({name: ["May be given once only."]})

    def known_parameters(self, request: Request) -> set[str]:
        if request.method not in {"GET", "HEAD"}:
            return set(self.parameters)
        pages = getattr(self.paginator, "parameters", ())
        return {*self.parameters, *self.filters, *pages, *(["ordering"] if self.orderings else [])}

    def listed(self, rows: Any, make: Any = None) -> Response:
        """One page of `rows`, filtered and ordered by the allow-lists."""
        page = self.paginate_queryset(self.filter_queryset(rows))
        serialize = make or (lambda row: self.get_serializer(row).data)
        return self.get_paginated_response([serialize(row) for row in page or []])

    def validated(self, request: Request, serializer_class: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The body's fields, checked. Raises ValidationError."""
        serializer = (serializer_class or self.get_serializer_class())(data=request.data, **kwargs)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
