"""The board's panels on the page of today: whose turn it is, how many stand where, and a coach's clients."""

from django.db.models import F
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.today import Need, Thing
from accounts.views.today import needs_panel, panel
from tracker.charts import stages_chart
from tracker.coaching import links_of
from tracker.models import LATEST, Opportunity
from tracker.stages import BOARD, OPEN, Ball
from tracker.templatetags.ages import age
from tracker.views.board import mailboxes_of, reading
from tracker.views.coach import coaches_only

FIRST = 3


@require_GET
@vary_on_headers("HX-Request")
def needs(request: UserRequest) -> HttpResponse:
    """Open ones whose next step is the owner's: first those with a day, then who wrote last."""
    waiting = Opportunity.objects.visible_to(request.user).filter(stage__in=OPEN, ball=Ball.US)
    count = waiting.count()
    rows = waiting.for_lists().order_by(F("task_due_on").asc(nulls_last=True), LATEST.desc(), "-pk")[:FIRST] if count else []
    things = [Thing(reverse("tracker:opportunity_detail", args=[row.pk]), row.title, _note(row)) for row in rows]
    title = ngettext("%(n)d opportunity waits for your answer", "%(n)d opportunities wait for your answer", count) % {"n": count}
    tone = "danger" if any(row.is_overdue for row in rows) else "info"
    need = Need(tone, "kanban", title, _("Open the board"), reverse("tracker:board") + "?stage=open&turn=us", things)
    return needs_panel(request, _("Opportunities"), [need] if count else [])


def _note(row: Opportunity) -> str:
    when = age(row.latest_at)
    if row.task_due_on:
        day = date_format(row.task_due_on, "j N")
        when = _("was due on %(day)s") % {"day": day} if row.is_overdue else _("due on %(day)s") % {"day": day}
    return " · ".join(part for part in (row.next_step, when) if part)


@require_GET
@vary_on_headers("HX-Request")
def stages(request: UserRequest) -> HttpResponse:
    counts = Opportunity.objects.visible_to(request.user).counts_by_stage()
    context = {"total": sum(counts.values()), "today": timezone.localdate()}
    if context["total"]:
        context["chart"] = stages_chart([(stage, counts[stage]) for stage in BOARD])
    else:
        context |= reading(request, mailboxes_of(request))
    return panel(request, "tracker/_today_stages.html", _("Opportunities"), context)


@require_GET
@vary_on_headers("HX-Request")
@coaches_only
def clients(request: UserRequest) -> HttpResponse:
    """How many, and no word about any of them: looking at one's figures is put on record."""
    return panel(request, "tracker/_today_clients.html", _("Clients"), {"count": links_of(request.user).count()})
