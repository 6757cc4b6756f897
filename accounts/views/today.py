"""`/`, the page of today, and what the views behind its panels have in common."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.http import UserRequest
from accounts.services import studios
from accounts.today import Need, panels_of


@require_safe
def today(request: UserRequest) -> HttpResponse:
    mine = studios.current_membership(request.user)
    return render(request, "today/today.html", {"places": panels_of(request.user, mine)})


def panel(request: UserRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """The fragment for htmx; for whoever opens its address, a page around it. Its view says `vary_on_headers("HX-Request")`."""
    if request.htmx:
        return render(request, template, context)
    return render(request, "today/panel.html", context | {"panel": template, "title": title})


def needs_panel(request: UserRequest, title: str, needs: Sequence[Need]) -> HttpResponse:
    return panel(request, "today/_needs.html", title, {"needs": needs, "alone": not request.htmx})
