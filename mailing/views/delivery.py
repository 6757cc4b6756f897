"""`/emails/`: what needs somebody, what goes out when, and what went."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from aaperture.lib.charts import Point, bar_chart
from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from mailing.forms import EmailFilterForm, MomentForm
from mailing.models import ScheduledEmail
from mailing.services import emails
from mailing.tasks import send_due_emails
from mailing.views.compose import KEPT
from studio.access import found, here
from studio.views.pages import asked_without_blanks, page_of, query, wants_rows

MOST_TROUBLED = 20
DAYS = 14


@require_GET
@vary_on_headers("HX-Request")
def email_list(request: UserRequest) -> HttpResponse:
    mine = here(request, "emails.view")
    own = ScheduledEmail.objects.for_member(mine)
    filters = asked_without_blanks(EmailFilterForm(request.GET))
    equal = {name: filters[name] for name in ("status", "kind") if name in filters}
    rows = own.search(mine, filters.get("q", "")).filter(**equal)
    page, pages = page_of(request, rows.for_lists().order_by("-send_at", "-pk"), filters)
    context = {
        "filters": EmailFilterForm(initial=filters),
        "filtered": bool(filters),
        "page": page,
        "pages": pages,
        "total": page.paginator.count,
        "may_edit": may(mine.role, "emails.edit"),
    }
    if wants_rows(request, "emails"):
        response = render(request, "mailing/_email_rows.html", context)
        response["HX-Push-Url"] = reverse("mailing:email_list") + (f"?{query(filters)}" if filters else "")
        return response
    troubled = list(own.need_somebody().for_lists().order_by("send_at", "pk")[: MOST_TROUBLED + 1])
    context |= {
        "any": bool(context["total"]) or own.exists(),
        "troubled": troubled[:MOST_TROUBLED],
        "more_troubled": len(troubled) > MOST_TROUBLED,
        "chart": _chart(own),
        "sees_settings": may(mine.role, "settings.view"),
    }
    return render(request, "mailing/email_list.html", context)


def _chart(own: Any) -> SafeString:
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    rows = own.filter(status=ScheduledEmail.Status.SENT, sent_at__gte=timezone.now() - timedelta(days=DAYS + 1))
    counts = dict(rows.order_by().annotate(_day=TruncDate("sent_at")).values_list("_day").annotate(Count("pk")))
    points = [Point(date_format(day, "j"), date_format(day, "DATE_FORMAT"), counts.get(day, 0)) for day in days]
    return bar_chart(
        "sent", title=_("Sent per day"), description=_("E-mails that went out on each of the last fourteen days."),
        columns=(_("Day"), _("E-mails")), points=points,
    )  # fmt: skip


def found_email(request: UserRequest, pk: UUID, operation: str) -> tuple[ScheduledEmail, Membership]:
    """Raises Http404 to a stranger, PermissionDenied to a colleague without the right to it or to its invoice."""
    email, mine = found(request, ScheduledEmail.objects.for_lists().select_related("created_by"), pk, operation)
    if email.invoice_id and not may(mine.role, "invoices.view"):
        raise PermissionDenied
    return email, mine


@require_GET
def email_detail(request: UserRequest, pk: UUID) -> HttpResponse:
    email, mine = found_email(request, pk, "emails.view")
    return _page(request, email, mine, _moment(request, email))


def _moment(request: UserRequest, email: ScheduledEmail) -> MomentForm:
    local = timezone.localtime(email.send_at)
    return MomentForm(request.POST or None, zone=request.user.timezone, initial={"day": local.date(), "time": local.time()})


def _page(request: UserRequest, email: ScheduledEmail, mine: Membership, moment: MomentForm, *, status: int = 200) -> HttpResponse:
    context = {"email": email, "files": email.files.order_by("created_at"), "moment": moment, "may_edit": may(mine.role, "emails.edit")}
    return render(request, "mailing/email_detail.html", context, status=status)


@require_http_methods(["POST"])
def email_reschedule(request: UserRequest, pk: UUID) -> HttpResponse:
    email, mine = found_email(request, pk, "emails.edit")
    form = _moment(request, email)
    if form.is_valid() and form.cleaned_data["send_at"] > timezone.now() + KEPT and email.files.exists():
        form.add_error("day", _("With files of your own it has to go out within 20 hours: we keep them a day at most."))
    if not form.is_valid():
        return _page(request, email, mine, form, status=422)
    try:
        emails.reschedule_email(email, send_at=form.cleaned_data["send_at"], actor=request.user, request=request)
    except emails.NotPossible:
        messages.error(request, _too_late())
    else:
        said = date_format(timezone.localtime(form.cleaned_data["send_at"]), "DATETIME_FORMAT").removesuffix(".")  # of "9 a.m."
        messages.success(request, _("It goes out on %(moment)s.") % {"moment": said})
    return redirect("mailing:email", pk=pk)


@require_POST
def email_hold(request: UserRequest, pk: UUID) -> HttpResponse:
    email, _mine = found_email(request, pk, "emails.edit")
    return _done(request, email, emails.hold_emails([email], actor=request.user, request=request), _("It is on hold until you release it."))


@require_POST
def email_release(request: UserRequest, pk: UUID) -> HttpResponse:
    email, _mine = found_email(request, pk, "emails.edit")
    count = emails.release_emails([email], actor=request.user, request=request)
    nudge(send_due_emails, email.pk)
    return _done(request, email, count, _("It is released and goes out at its time, or at once when that has passed."))


@require_POST
def email_cancel(request: UserRequest, pk: UUID) -> HttpResponse:
    email, _mine = found_email(request, pk, "emails.edit")
    return _done(request, email, emails.cancel_emails([email], actor=request.user, request=request), _("It is cancelled."))


@require_POST
def email_retry(request: UserRequest, pk: UUID) -> HttpResponse:
    email, _mine = found_email(request, pk, "emails.edit")
    count = emails.retry_emails([email], actor=request.user, request=request)
    nudge(send_due_emails, email.pk)
    return _done(request, email, count, _("It goes out again now."))


@require_POST
def email_resolve(request: UserRequest, pk: UUID) -> HttpResponse:
    """Somebody found out: it arrived, or it did not."""
    email, _mine = found_email(request, pk, "emails.edit")
    arrived = "arrived" in request.POST
    try:
        emails.resolve_email(email, arrived=arrived, actor=request.user, request=request)
    except emails.NotPossible:
        return _done(request, email, 0, "")
    return _done(request, email, 1, _("Noted: it arrived.") if arrived else _("Noted: it did not arrive. You can send it again."))


@require_POST
def release_all(request: UserRequest) -> HttpResponse:
    """What is on hold because of the mail server, once that is put right."""
    mine = here(request, "emails.edit")
    held = ScheduledEmail.objects.for_member(mine).filter(status=ScheduledEmail.Status.HELD).exclude(error="")
    count = emails.release_emails(list(held.only("pk")[:1000]), actor=request.user, request=request)
    nudge(send_due_emails, mine.organization_id)
    messages.success(request, ngettext("%(n)d e-mail is released.", "%(n)d e-mails are released.", count) % {"n": count})
    return redirect("mailing:email_list")


def _done(request: UserRequest, email: ScheduledEmail, count: int, said: str) -> HttpResponse:
    if count:
        messages.success(request, said)
    else:
        messages.error(request, _too_late())
    return redirect("mailing:email_list") if request.POST.get("back") == "list" else redirect("mailing:email", pk=email.pk)


def _too_late() -> str:
    return _("That is no longer possible: it has moved on meanwhile.")
