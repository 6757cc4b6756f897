"""`/settings/studio/emails/`: templates, the studio's own sending account, payment reminders."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.models import Contract, Invoice, Quote
from mailing import previewing
from mailing.errors import TESTED, in_words
from mailing.forms import ReminderForm, SendingAccountForm, TemplateForm
from mailing.message_ids import message_id
from mailing.models import EmailTemplate, ReminderRule, ScheduledEmail, SendingAccount, TemplateVersion
from mailing.placeholders import KNOWN
from mailing.services import sending_accounts, templates
from studio.access import found, here
from studio.models import Contact, Project

Kind = EmailTemplate.Kind


@require_GET
def settings(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.view")
    rows = EmailTemplate.objects.for_organization(mine.organization).offered(Kind.values, language=request.user.language)
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in Kind.values}
    context = {
        "groups": [(Kind(kind).label, some) for kind, some in by_kind.items() if some],
        "rules": ReminderRule.objects.for_organization(mine.organization).select_related("template").order_by("days", "pk"),
        "reminder_form": ReminderForm(organization=mine.organization, language=request.user.language, initial={"days": 7})
        if by_kind[Kind.REMINDER]
        else None,
        "account": SendingAccount.objects.filter(pk=mine.organization_id).first(),
        "may_change": may(mine.role, "settings.edit"),
    }
    return render(request, "settings/emails.html", context)


@require_POST
def templates_first(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit")
    if templates.add_first_templates(mine.organization, actor=request.user, request=request):
        messages.success(request, _("The templates are yours now. Read them through and change what does not fit."))
    return redirect("mailing:settings")


@require_http_methods(["GET", "POST"])
def template_add(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit")
    asked = request.GET.get("kind", "")
    initial = {"kind": asked if asked in Kind.values else Kind.MESSAGE, "language": request.user.language}
    return _form(request, mine, TemplateForm(request.POST or None, initial=initial), None)


@require_http_methods(["GET", "POST"])
def template_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, EmailTemplate.objects.filter(is_archived=False), pk, "settings.edit")
    newest = templates.newest_version(row)
    initial = {"name": row.name, "subject": newest.subject, "text": newest.text}
    return _form(request, mine, TemplateForm(request.POST or None, template=row, initial=initial), row)


def _form(request: UserRequest, mine: Membership, form: TemplateForm, row: EmailTemplate | None) -> HttpResponse:
    """Saved, or, with the button "Preview", shown filled in with a real client's values and kept nowhere."""
    only_looking = "preview" in request.POST or (request.htmx and request.htmx.target == "preview")
    valid = form.is_bound and form.is_valid()
    if valid and not only_looking and _saved(request, mine, form, row):
        messages.success(request, _("Saved. What is scheduled already keeps the words it was scheduled with."))
        return redirect("mailing:settings")
    values = form.cleaned_data if form.is_bound else form.initial
    words = {name: str(values.get(name, "")) for name in ("subject", "text")}
    context: dict[str, Any] = {
        "form": form, "template": row, "placeholders": list(KNOWN[form.kind_of_text].items()),
        "versions": list(row.versions.select_related("created_by").order_by("-number")[:50]) if row else [],
        "preview": _preview(mine, form, row, words) if any(words.values()) and not (form.is_bound and form.errors) else None,
    }  # fmt: skip
    if request.htmx and request.htmx.target == "preview":
        return render(request, "mailing/_preview.html", context)
    refused = form.is_bound and not only_looking and bool(form.errors)
    return render(request, "settings/email_template_form.html", context, status=422 if refused else 200)


def _saved(request: UserRequest, mine: Membership, form: TemplateForm, row: EmailTemplate | None) -> bool:
    who: dict[str, Any] = {"actor": request.user, "request": request}
    try:
        if row:
            templates.change_template(row, fields=form.cleaned_data, **who)
        else:
            templates.create_template(mine.organization, fields=form.cleaned_data, **who)
    except templates.NameTaken:
        form.add_error("name", _("Another template of this kind and language is called so."))
        return False
    return True


def _preview(mine: Membership, form: TemplateForm, row: EmailTemplate | None, words: dict[str, str]) -> previewing.Preview:
    """With the newest document of the kind, or the newest contact."""
    email = _example(mine, form.kind_of_text)
    language = row.language if row else str(form["language"].value() or "en")
    email.template_version = TemplateVersion(template=EmailTemplate(language=language))
    return previewing.previews([email], **words)[0]


def _example(mine: Membership, kind: str) -> ScheduledEmail:
    email = ScheduledEmail(organization=mine.organization, kind=kind, recipient="", send_at=timezone.now())
    email.message_id = message_id(email.pk)
    models: dict[str, Any] = {"quote": Quote, "contract": Contract, "invoice": Invoice, "reminder": Invoice}
    if kind in models:
        rows = models[kind].objects.for_organization(mine.organization).select_related("contact", "project").exclude(contact=None)
        sees = may(mine.role, "invoices.view" if models[kind] is Invoice else "documents.view")
        document = rows.newest_first().defer("content", "search_text").first() if sees else None
        if document:
            setattr(email, str(document._meta.model_name), document)
            email.contact, email.project = document.contact, document.project
    if email.contact is None:
        projects = Project.objects.for_organization(mine.organization).exclude(contact=None).select_related("contact")
        email.project = projects.newest_first().first()
        email.contact = email.project.contact if email.project else Contact.objects.for_organization(mine.organization).first()
    return email


@require_http_methods(["GET", "POST"])
def template_archive(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, EmailTemplate.objects.filter(is_archived=False), pk, "settings.edit")
    if request.method == "GET":
        return render(request, "settings/email_template_archive.html", {"template": row})
    templates.archive_template(row, actor=request.user, request=request)
    messages.success(request, _("The template is put away. What is scheduled with it still goes out."))
    return redirect("mailing:settings")


@require_http_methods(["GET", "POST"])
def account(request: UserRequest) -> HttpResponse:
    """Entered, and tried at once with a message to whoever enters it; in use only when that went through."""
    mine = here(request, "settings.edit")
    stored = SendingAccount.objects.filter(pk=mine.organization_id).first()
    form = SendingAccountForm(request.POST or None, instance=stored)
    trouble = in_words(stored.last_error, first=TESTED) if stored and stored.last_error and not form.is_bound else ""
    if request.method == "POST" and form.is_valid():
        fields = dict(form.cleaned_data)
        row = sending_accounts.save_account(
            mine.organization, fields=fields, password=fields.pop("password"), actor=request.user, request=request
        )
        code = sending_accounts.try_account(row, to=request.user.email, actor=request.user, request=request)
        if not code:
            messages.success(request, _("It works: a test message is on its way to %(address)s.") % {"address": request.user.email})
            return redirect("mailing:settings")
        trouble, stored = in_words(code, first=TESTED), row
    context = {"form": form, "account": stored, "trouble": trouble, "address": request.user.email}
    return render(request, "settings/sending_account.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(["GET", "POST"])
def account_remove(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit")
    row = get_object_or_404(SendingAccount, pk=mine.organization_id)
    if request.method == "GET":
        return render(request, "settings/sending_account_remove.html", {"account": row})
    sending_accounts.remove_account(row, actor=request.user, request=request)
    messages.success(request, _("E-mails go out through this instance’s own server again."))
    return redirect("mailing:settings")
