"""Pages by number, or by a cursor where counting would cost too much; what is out of bounds is said, not bent."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request

PAGE_SIZE, LARGEST_PAGE, LAST_PAGE = 25, 100, 100_000


def asked_size(request: Request) -> int:
    """`page_size`, from 1 to 100. Raises ValidationError."""
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
        raise ValidationError({"page_size": ["Must be from 1 to 100."]})
    return int(text)


class NumberedPages(PageNumberPagination):
    parameters = frozenset({"page", "page_size"})
    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = LARGEST_PAGE

    def get_page_size(self, request: Request) -> int:
        return asked_size(request)

    def get_page_number(self, request: Request, paginator: Any) -> Any:
        text = request.query_params.get(self.page_query_param, "1")
        if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LAST_PAGE):
            raise ValidationError({"page": ["Must be from 1 to 100000."]})
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter("page", "Which page, from 1; one behind the last is 404.", 1, LAST_PAGE),
            _parameter("page_size", "How many a page holds.", 1, LARGEST_PAGE, default=PAGE_SIZE),
        ]


class CursorPages(CursorPagination):
    parameters = frozenset({"cursor", "page_size"})
    page_size = PAGE_SIZE
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        return asked_size(request)

    def decode_cursor(self, request: Request) -> Any:
        """DRF's own lets a made-up position reach the database."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            self.check_position(str(cursor.position))
        return cursor

    def check_position(self, position: str) -> None:
        """For subclasses: raise NotFound for one the ordering's column cannot hold."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        words = "From `next` or `previous` of a page; a made-up one is 404."
        text = {"name": "cursor", "in": "query", "required": False, "description": words}
        return [
            text | {"schema": {"type": "string", "maxLength": 500}},
            _parameter("page_size", "How many a page holds.", 1, LARGEST_PAGE, default=PAGE_SIZE),
        ]


def _parameter(name: str, description: str, least: int, most: int, **schema: Any) -> dict[str, Any]:
    number = {"type": "integer", "minimum": least, "maximum": most, **schema}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": number}
