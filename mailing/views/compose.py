"""`/emails/new/?quote=…`: one e-mail to one client, with a template now or at a time, or written by hand and sent at once."""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from accounts.models import Membership, Organization
from accounts.studio_roles import may
from documents.models import Contract, Invoice, Quote
from mailing import object_store, previewing
from mailing.errors import in_words
from mailing.forms import FreeTextForm, SendForm
from mailing.message_ids import message_id
from mailing.models import AddedFile, EmailTemplate, ScheduledEmail
from mailing.services import emails, files, free_text
from mailing.services.templates import newest_version
from mailing.tasks import send_due_emails
from studio.access import found, here
from studio.models import Contact
from studio.views.pages import page_of

BY_HAND = "none"
KEPT = timedelta(hours=20)  # that an added file may wait; the bucket itself deletes it after a day
PER_CHOICE = 20
MODELS: dict[str, Any] = {"quote": Quote, "contract": Contract, "invoice": Invoice, "contact": Contact}
NEEDS = {"quote": "documents.view", "contract": "documents.view", "invoice": "invoices.view", "contact": "contacts.view"}
Status = ScheduledEmail.Status


class Target(NamedTuple):
    """What an e-mail is about, and to whom."""

    name: str
    row: Any
    contact: Contact | None
    mine: Membership

    @property
    def document(self) -> Any:
        return None if self.name == "contact" else self.row

    @property
    def query(self) -> str:
        return f"{self.name}={self.row.pk}"

    @property
    def page(self) -> str:
        return reverse("studio:contact_detail" if self.name == "contact" else f"documents:{self.name}", args=[self.row.pk])

    @property
    def kinds(self) -> list[str]:
        """Of templates, the likeliest first."""
        if self.name == "contact":
            return ["message"]
        if self.name == "invoice":
            return ["invoice"] if not self.row.balance or self.row.balance <= 0 else ["invoice", "reminder"]
        return [self.name]

    @property
    def organization(self) -> Organization:
        return self.mine.organization

    @property
    def obstacle(self) -> str:
        """Why nothing can be sent yet."""
        if self.contact is None:
            return _("It has no client yet. Choose one first.")
        if not self.contact.email:
            return _("We know no e-mail address of this client. Add it to the contact first.")
        if self.name == "invoice" and self.row.is_draft:
            return _("The invoice is a draft. Issue it first; then it has its number and can go out.")
        if self.name in {"quote", "contract"} and self.row.state not in {"draft", "sent"}:
            return _("It is answered or no longer valid, so it cannot be sent any more.")
        return ""


def target_of(request: UserRequest) -> Target | None:
    """What `?quote=`, `?contract=`, `?invoice=` or `?contact=` names. Raises Http404, PermissionDenied, BadRequest."""
    name = next((name for name in MODELS if request.GET.get(name)), "")
    if not name:
        return None
    try:
        pk = UUID(request.GET[name])
    except ValueError:
        raise BadRequest("no such id") from None
    rows = MODELS[name].objects.all()
    if name == "contact":
        rows = rows.defer("search_text", "notes", "phone")
    else:
        rows = (
            (rows.with_balance() if name == "invoice" else rows).select_related("contact", "project", "organization").defer("search_text")
        )
    row, mine = found(request, rows, pk, "emails.edit")
    if not may(mine.role, NEEDS[name]):
        raise PermissionDenied
    return Target(name, row, row if name == "contact" else row.contact, mine)


@require_http_methods(["GET", "POST"])
def new(request: UserRequest) -> HttpResponse:
    target = target_of(request)
    if target is None:
        return _choose(request)
    language = (target.contact.language if target.contact else "") or request.user.language
    offered = list(EmailTemplate.objects.for_organization(target.organization).offered(target.kinds, language=language))
    chosen = request.GET.get("template", "")
    template = next((one for one in offered if str(one.pk) == chosen), None) if chosen else (offered[0] if offered else None)
    context: dict[str, Any] = {
        "target": target, "offered": offered, "template": template, "obstacle": target.obstacle,
        "by_hand": BY_HAND, "sees_settings": may(target.mine.role, "settings.view"),
    }  # fmt: skip
    if target.obstacle:
        return _page(request, context)
    added = chosen_files(request, target)
    context |= {"takes_files": object_store.is_configured(), "files": added}
    if len(added) < len(set(request.POST.getlist("file"))):
        context["file_fault"] = files_gone()
    try:
        return _with_template(request, target, template, context) if template else _written(request, target, context)
    except files.NotTaken:  # in this moment
        return _page(request, context | {"files": chosen_files(request, target), "file_fault": files_gone()}, status=422)


def files_gone() -> str:
    return _("Files that you added are no longer here. Add them again, or send it without them.")


def _page(request: UserRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    alone = request.htmx and request.htmx.target in {"compose", "preview"} and not request.htmx.history_restore_request
    return render(request, f"mailing/_{request.htmx.target}.html" if alone else "mailing/new.html", context, status=status)


def _choose(request: UserRequest) -> HttpResponse:
    """To whom."""
    mine = here(request, "emails.edit")
    search = request.GET.get("q", "")[:200]
    rows = Contact.objects.for_organization(mine.organization).exclude(email="").search(search).for_lists().in_order()
    page, pages = page_of(request, rows, {"q": search}, per_page=PER_CHOICE)
    return render(request, "mailing/choose.html", {"page": page, "pages": pages, "search": search, "list_url": reverse("mailing:new")})


def _with_template(request: UserRequest, target: Target, template: EmailTemplate, context: dict[str, Any]) -> HttpResponse:
    form = SendForm(request.POST or None, zone=request.user.timezone, with_document=target.document is not None)
    version = newest_version(template)
    draft = emails.unsaved(target.organization, version, template, target.row, at=timezone.now())
    [preview] = previewing.previews([draft], subject=version.subject, text=version.text)
    context |= {"form": form, "preview": preview}
    added = context["files"]
    if form.is_bound and form.is_valid() and added and form.cleaned_data["send_at"]:
        _soon_enough(form)
    if request.method != "POST" or not form.is_valid() or preview.missing or "file_fault" in context:
        return _page(request, context, status=422 if request.method == "POST" else 200)
    email = emails.schedule_email(
        target.organization, template=template, contact=target.contact, document=target.document, send_at=form.cleaned_data["send_at"],
        attach=form.cleaned_data.get("attach", False), files=added, actor=request.user, request=request,
    )  # fmt: skip
    if at := form.cleaned_data["send_at"]:
        said = date_format(timezone.localtime(at), "DATETIME_FORMAT").removesuffix(".")  # of "9 a.m."
        messages.success(request, _("Scheduled: it goes out on %(moment)s.") % {"moment": said})
    else:
        nudge(send_due_emails, email.pk)
        messages.success(request, _("It goes out now. Its page says when it has gone."))
    return redirect(target.page)


def _soon_enough(form: SendForm) -> None:
    if form.cleaned_data["send_at"] > timezone.now() + KEPT:
        form.add_error("day", _("With files of your own it has to go out within 20 hours: we keep them a day at most."))


def _written(request: UserRequest, target: Target, context: dict[str, Any]) -> HttpResponse:
    """By hand. What was written stays in the form until it has gone; nothing else keeps it."""
    only_looking = "preview" in request.POST or (request.htmx and request.htmx.target == "preview")
    data: QueryDict | None = request.POST if request.method == "POST" else None
    links = target.document is not None and not (target.name == "invoice" and target.row.kind == Invoice.Kind.CREDIT_NOTE)
    form = FreeTextForm(data, with_document=target.document is not None, with_link=links)
    context["form"] = form
    if data is None:
        return _page(request, context)
    valid = form.is_valid()
    fields = form.cleaned_data
    if valid or only_looking:
        draft = _by_hand(target)
        context["preview"] = previewing.by_hand(
            draft, subject=fields.get("subject", ""), text=fields.get("text", ""), link=fields.get("link", False)
        )
    if not valid or only_looking or "file_fault" in context:
        return _page(request, context, status=200 if only_looking else 422)
    written = free_text.Written(fields["subject"], fields["text"], link=fields.get("link", False))
    assert target.contact is not None
    email = free_text.send_now(
        target.organization, written, contact=target.contact, document=target.document, attach=fields.get("attach", False),
        files=context["files"], actor=request.user, request=request,
    )  # fmt: skip
    if email.status == Status.SENT:
        messages.success(request, _("Sent."))
        return redirect(target.page)
    if email.status in {Status.UNKNOWN, Status.SENDING}:  # the latter: nobody could write down what became of it
        messages.warning(request, _("It may have arrived, or not: %(why)s") % {"why": in_words(email.error or "lost")})
        return redirect("mailing:email", pk=email.pk)
    context |= {"failed": email, "files": [], "file_fault": files_gone() if context["files"] else ""}
    return _page(request, context, status=502)


def chosen_files(request: UserRequest, target: Target) -> list[AddedFile]:
    """What was uploaded for this e-mail, as its form names it."""
    try:
        ids = [UUID(pk) for pk in request.POST.getlist("file")]
    except ValueError:
        raise BadRequest("no such id") from None
    return files.waiting_files(target.organization, ids, owner=request.user) if ids else []


def _by_hand(target: Target) -> ScheduledEmail:
    """An unsaved row, for the preview."""
    email = ScheduledEmail(organization=target.organization, contact=target.contact, kind="message", recipient="")
    email.message_id = message_id(email.pk)
    return email
