"""`/emails/bulk/`: one template to several clients. All of it is shown before anything is written; what was picked travels in the form."""

from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.models import Invoice
from mailing import previewing
from mailing.forms import SendForm
from mailing.models import EmailTemplate
from mailing.services import emails
from mailing.services.templates import newest_version
from mailing.tasks import send_due_emails
from studio.access import here
from studio.models import Contact

MOST = 200
KINDS = {"message": ["message"], "invoice": ["reminder", "invoice"]}


class Planned(NamedTuple):
    """`ready` pairs each target with how its mail will read; `left_out` names those that get none, with the reason."""

    ready: list[tuple[Any, previewing.Preview]]
    left_out: list[tuple[Any, str]]


@require_http_methods(["GET", "POST"])
def bulk(request: UserRequest) -> HttpResponse:
    mine = here(request, "emails.edit")
    sees_invoices = may(mine.role, "invoices.view")
    what = request.GET.get("what", "") or ("invoice" if sees_invoices else "message")
    if what not in KINDS:
        raise BadRequest("no such kind")
    if what == "invoice" and not sees_invoices:
        raise PermissionDenied
    offered = list(EmailTemplate.objects.for_organization(mine.organization).offered(KINDS[what], language=request.user.language))
    form = SendForm(request.POST or None, zone=request.user.timezone, with_document=what == "invoice")
    context = {
        "what": what, "offered": offered, "form": form, "sees_invoices": sees_invoices,
        "sees_settings": may(mine.role, "settings.view"), "search": request.GET.get("q", "")[:200],
    }  # fmt: skip
    if request.method == "POST":
        return _posted(request, mine, context)
    return _pick(request, mine, context)


def _pick(request: UserRequest, mine: Membership, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    rows = list(_rows(mine, context["what"]).search(context["search"])[: MOST + 1])
    context |= {"rows": rows[:MOST], "more": len(rows) > MOST}
    return render(request, "mailing/bulk.html", context, status=status)


def _rows(mine: Membership, what: str) -> Any:
    if what == "message":
        return Contact.objects.for_organization(mine.organization).exclude(email="").for_lists().in_order()
    rows = Invoice.objects.for_organization(mine.organization).outstanding().select_related("contact", "project")
    return rows.defer("content", "search_text", "contact__search_text", "contact__notes", "contact__phone").order_by("due_on", "pk")


def _posted(request: UserRequest, mine: Membership, context: dict[str, Any]) -> HttpResponse:
    """The preview of all, and, with the button there, all of it."""
    form, what = context["form"], context["what"]
    template = next((one for one in context["offered"] if str(one.pk) == request.POST.get("template", "")), None)
    picked = _picked(request)
    if template is None or not picked or not form.is_valid():
        if template is None or not picked:
            messages.error(request, _("Pick a template and at least one recipient."))
        context["picked"] = {str(pk) for pk in picked}
        return _pick(request, mine, context, status=422)
    targets = list(_rows(mine, what).filter(pk__in=picked))
    planned = _plan(mine, template, targets)
    if "send" not in request.POST or not planned.ready:
        context |= {"template": template, "planned": planned}
        return render(request, "mailing/bulk_preview.html", context)
    return _scheduled(request, mine, template, [target for target, _preview in planned.ready], form.cleaned_data)


def _picked(request: UserRequest) -> list[UUID]:
    try:
        return [UUID(pk) for pk in request.POST.getlist("pick")[:MOST]]
    except ValueError:
        raise BadRequest("no such id") from None


def _plan(mine: Membership, template: EmailTemplate, targets: list[Any]) -> Planned:
    version = newest_version(template)
    drafts, left_out = [], []
    for target in targets:
        try:
            drafts.append((target, emails.unsaved(mine.organization, version, template, target, at=timezone.now())))
        except emails.NotPossible:
            left_out.append((target, _("No e-mail address is known.")))
    shown = previewing.previews([draft for _target, draft in drafts], subject=version.subject, text=version.text)
    ready = []
    for (target, _draft), preview in zip(drafts, shown, strict=True):
        if preview.missing:
            names = ", ".join(name for name, _words in preview.missing)
            left_out.append((target, _("Nothing is known for %(names)s.") % {"names": names}))
        else:
            ready.append((target, preview))
    return Planned(ready, left_out)


def _scheduled(
    request: UserRequest, mine: Membership, template: EmailTemplate, targets: list[Any], fields: dict[str, Any]
) -> HttpResponse:  # fmt: skip
    rows = emails.schedule_emails(
        mine.organization, template=template, targets=targets, send_at=fields["send_at"], attach=fields.get("attach", False),
        actor=request.user, request=request,
    )  # fmt: skip
    count = len(rows)
    if fields["send_at"]:
        said = ngettext("%(n)d e-mail goes out on %(moment)s.", "%(n)d e-mails go out on %(moment)s.", count)
        moment = date_format(timezone.localtime(fields["send_at"]), "DATETIME_FORMAT").removesuffix(".")  # of "9 a.m."
        messages.success(request, said % {"n": count, "moment": moment})
    else:
        nudge(send_due_emails, rows[0].pk)
        messages.success(request, ngettext("%(n)d e-mail goes out now.", "%(n)d e-mails go out now.", count) % {"n": count})
    return redirect("mailing:email_list")
