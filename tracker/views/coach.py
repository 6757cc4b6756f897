"""`/coach/clients…`: for coaches only, what clients agreed to show, read-only; each look is on record where the client can read it."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from accounts.models import CoachLink
from accounts.roles import Role
from accounts.services import coaching
from tracker.coaching import board_of, counts_of, links_of, seen
from tracker.stages import OPEN, Stage

PER_PAGE = 50


def coaches_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def guarded(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.role != Role.COACH:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


@require_GET
@coaches_only
def clients(request: UserRequest) -> HttpResponse:
    page = Paginator(links_of(request.user), PER_PAGE).get_page(request.GET.get("page"))
    links = list(page.object_list)
    counts = counts_of(link.client_id for link in links)
    coaching.record_seen(links, coach=request.user, what="counts", request=request)
    rows = [_row(link, counts[link.client_id]) for link in links]
    waiting = CoachLink.objects.open().filter(coach=request.user, accepted_at=None).count()
    return render(request, "tracker/coach_clients.html", {"page": page, "rows": rows, "waiting": waiting})


def _row(link: CoachLink, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "link": link,
        "open": sum(counts[stage] for stage in OPEN),
        "all": sum(counts.values()),
        "stages": [(Stage(stage).label, count) for stage, count in counts.items() if count],
    }


@require_GET
@coaches_only
def client(request: UserRequest, pk: UUID) -> HttpResponse:
    """404 for whoever is not, not yet or no longer a client, and for another coach's."""
    link = get_object_or_404(links_of(request.user), client_id=pk)
    found = board_of(link)
    stage = request.GET.get("stage", "")
    if stage in Stage.values:
        found = found.filter(stage=stage)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    coaching.record_seen([link], coach=request.user, what="subjects" if link.shows_subjects else "opportunities", request=request)
    counts = counts_of([link.client_id])[link.client_id]
    context = {
        "link": link,
        "page": page,
        "opportunities": [seen(row) for row in page.object_list],
        "stage": stage if stage in Stage.values else "",
        "stages": [(value, Stage(value).label, count) for value, count in counts.items() if count],
        "total": sum(counts.values()),
    }
    return render(request, "tracker/coach_client.html", context)
