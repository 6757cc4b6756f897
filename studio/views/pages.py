"""What lists of this app share: a page of rows, and links that keep the filters."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import QueryDict

from accounts.http import UserRequest

PER_PAGE = 50


def asked_without_blanks(form: Any) -> dict[str, str]:
    """The filters an address asks for; what it does not know it passes over."""
    form.is_valid()
    return {name: value for name, value in form.cleaned_data.items() if value}


def page_of(request: UserRequest, rows: Any, filters: dict[str, Any], *, per_page: int = PER_PAGE) -> tuple[Page, dict[str, str]]:
    """The page asked for, and the queries of the pages before and after it."""
    page = Paginator(rows, per_page).get_page(request.GET.get("page"))
    before = query(filters, page=page.previous_page_number()) if page.has_previous() else ""
    after = query(filters, page=page.next_page_number()) if page.has_next() else ""
    return page, {"previous": before, "next": after}


def query(filters: dict[str, Any], **changes: Any) -> str:
    wanted = QueryDict(mutable=True)
    wanted.update({name: str(value) for name, value in {**filters, **changes}.items() if value})
    return wanted.urlencode()


def wants_rows(request: UserRequest, target: str) -> bool:
    """Whether htmx asks for the list alone."""
    return bool(request.htmx and request.htmx.target == target and not request.htmx.history_restore_request)
