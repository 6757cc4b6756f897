"""`/opportunities/`: the board and the table, with their figures."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import BigIntegerField, Count, F, Func, Q, Sum
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from integrations.models import Connection, Run
from tracker import services
from tracker.charts import answers_chart, funnel_chart
from tracker.forms import MoveForm
from tracker.listing import Listing
from tracker.models import Opportunity, Signal
from tracker.stages import ASIDE, BOARD, Stage
from tracker.views.gone import gone_is_404

PER_COLUMN = 12
PER_PAGE = 50


class NotKept(Func):
    """How many messages a run read and kept nothing of: the sum over the labels in its counts."""

    template = "(SELECT COALESCE(SUM(value::bigint), 0) FROM jsonb_each_text(%(expressions)s))"
    output_field = BigIntegerField()


@require_GET
@vary_on_headers("HX-Request")
def board(request: UserRequest) -> HttpResponse:
    mailboxes = mailboxes_of(request)
    listing = Listing(request.user, request.GET, mailboxes)
    if request.htmx and request.htmx.target == "board" and not request.htmx.history_restore_request:
        response = render(request, "tracker/_board_found.html", _shown(listing))
        response["HX-Push-Url"] = listing.url  # without the empty fields of the form
        return response
    context = _shown(listing) | _tiles(request) | reading(request, mailboxes) | _charts(request)
    return render(request, "tracker/board.html", context)


@require_POST
@gone_is_404
def opportunity_move(request: UserRequest, pk: UUID) -> HttpResponse:
    """Move by hand; answers the board to htmx, goes back to where it was asked otherwise."""
    opportunity = get_object_or_404(Opportunity.objects.visible_to(request.user), pk=pk)
    form = MoveForm(request.POST)
    if not form.is_valid():
        raise BadRequest("no such stage")
    to = form.cleaned_data["to"]
    opportunity = services.move_opportunity(opportunity, to=to, actor=request.user, request=request)
    if "query" not in request.POST:
        return redirect("tracker:opportunity_detail", pk=pk)
    listing = Listing(request.user, QueryDict(request.POST["query"][:2000]), mailboxes_of(request))
    if not request.htmx:
        return redirect(listing.url)
    said = _("%(title)s moved to %(stage)s.") % {"title": opportunity.title, "stage": Stage(to).label}
    return render(request, "tracker/_board_moved.html", _shown(listing, moved=pk) | _tiles(request) | {"said": said, "moved_pk": pk})


def mailboxes_of(request: UserRequest) -> list[Connection]:
    mine = Connection.objects.visible_to(request.user).mailboxes()
    return list(mine.for_pages().exclude(status=Connection.Status.PENDING).order_by("created_at"))


def _shown(listing: Listing, *, moved: UUID | None = None) -> dict[str, Any]:
    counts = listing.opportunities().counts_by_stage()
    context = {
        "listing": listing,
        "filters": listing.form,
        "query": listing.query(),
        "total": sum(counts.values()),
        "stages": Stage.choices,
    }
    return context | (_table(listing) if listing.is_table else _columns(listing, counts, moved))


def _columns(listing: Listing, counts: dict[str, int], moved: UUID | None) -> dict[str, Any]:
    cards: dict[str, list[Opportunity]] = {stage: [] for stage in Stage.values}
    for opportunity in listing.opportunities().for_lists().first_of_each_stage(PER_COLUMN, certainly=moved):
        cards[opportunity.stage].append(opportunity)
    columns = {
        stage: {
            "stage": stage,
            "label": Stage(stage).label,
            "count": counts[stage],
            "cards": cards[stage],
            "more": listing.query(view="table", stage=stage) if counts[stage] > PER_COLUMN else "",
        }
        for stage in Stage.values
    }
    aside = [columns[stage] for stage in ASIDE]
    return {"columns": [columns[stage] for stage in BOARD], "aside": aside, "aside_count": sum(column["count"] for column in aside)}


def _table(listing: Listing) -> dict[str, Any]:
    page = Paginator(listing.ordered().for_lists(), PER_PAGE).get_page(listing.page)
    pages = {
        "previous": listing.query(page=page.previous_page_number()) if page.has_previous() else "",
        "next": listing.query(page=page.next_page_number()) if page.has_next() else "",
    }
    return {"page": page, "pages": pages, "headings": {heading["name"]: heading for heading in listing.headings()}}


def _tiles(request: UserRequest) -> dict[str, Any]:
    return {"figures": Opportunity.objects.visible_to(request.user).figures(since=timezone.now() - timedelta(days=7))}


def reading(request: UserRequest, mailboxes: list[Connection]) -> dict[str, Any]:
    """Where reading the mailboxes stands: which can be read, whether one is being read, how much was let go."""
    runs = Run.objects.visible_to(request.user).aggregate(
        any=Count("id"), live=Count("id", filter=Q(status__in=Run.LIVE)), not_kept=Sum(NotKept(F("counts__not_kept")))
    )
    live = [mailbox for mailbox in mailboxes if mailbox.is_live]
    return {
        "connected": [mailbox for mailbox in live if mailbox.status == Connection.Status.ACTIVE],
        "waiting": [mailbox for mailbox in live if mailbox.status != Connection.Status.ACTIVE],
        "runs": runs,
    }


def _charts(request: UserRequest) -> dict[str, Any]:
    reached = Opportunity.objects.visible_to(request.user).reached()
    weeks = Signal.objects.visible_to(request.user).per_week(weeks=12)
    return {"funnel": funnel_chart(reached), "answers": answers_chart(weeks)}
