"""The panels of e-mail on the page of today: what did not go out, and what goes out soon."""

from django.db.models import Count
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.studio_roles import may
from accounts.today import Need, Thing
from accounts.views.today import needs_panel, panel
from mailing.models import ScheduledEmail
from studio.access import here

Status = ScheduledEmail.Status
FIRST, NEXT = 3, 5


@require_GET
@vary_on_headers("HX-Request")
def needs(request: UserRequest) -> HttpResponse:
    troubled = ScheduledEmail.objects.for_member(here(request, "emails.view")).in_trouble()
    counts = dict(troubled.order_by().values_list("status").annotate(Count("pk")))
    rows = list(troubled.for_lists().order_by("send_at", "pk")[:FIRST]) if counts else []
    things = [Thing(reverse("mailing:email", args=[row.pk]), row.subject or row.recipient, row.get_status_display()) for row in rows]
    total = sum(counts.values())
    title = ngettext("%(n)d e-mail failed or is in doubt", "%(n)d e-mails failed or are in doubt", total) % {"n": total}
    tone = "danger" if counts.get(Status.FAILED) else "warn"
    need = Need(tone, "mail-warning", title, _("See what to do"), reverse("mailing:email_list"), things)
    return needs_panel(request, _("E-mails"), [need] if total else [])


@require_GET
@vary_on_headers("HX-Request")
def soon(request: UserRequest) -> HttpResponse:
    mine = here(request, "emails.view")
    rows = ScheduledEmail.objects.for_member(mine).filter(status=Status.SCHEDULED)
    found = list(rows.for_lists().order_by("send_at", "pk")[: NEXT + 1])
    context = {"emails": found[:NEXT], "more": len(found) > NEXT, "may_edit": may(mine.role, "emails.edit")}
    return panel(request, "mailing/_today_soon.html", _("Going out soon"), context)
