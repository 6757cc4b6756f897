"""`/settings/studio/documents/`: how the studio appears on paper, and its contract templates."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import UserRequest
from accounts.models import Membership, Organization
from accounts.studio_roles import may
from documents.forms.contracts import TemplateForm
from documents.forms.identity import IdentityForm
from documents.markdown import as_html
from documents.models import Contract, ContractTemplate
from documents.placeholders import KNOWN
from documents.services import contracts, identities, templates
from documents.services.identities import identity_of
from studio.access import found, here
from studio.models import Project


@require_http_methods(["GET", "POST"])
def documents(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit" if request.method == "POST" else "settings.view")
    identity = identity_of(mine.organization_id)
    form = IdentityForm(request.POST or None, instance=identity, label_suffix="")
    if request.method == "POST" and form.is_valid():
        identities.edit_identity(mine.organization, fields=form.cleaned_data, actor=request.user, request=request)
        messages.success(request, _("Saved. Documents that went out keep what they say."))
        return redirect(_next(request))
    context = {
        "form": form,
        "missing": identity_of(mine.organization_id).missing,
        "next": request.POST.get("next") or request.GET.get("next", ""),
        "templates": ContractTemplate.objects.for_organization(mine.organization).order_by("name", "language"),
        "may_change": may(mine.role, "settings.edit"),
    }
    return render(request, "settings/documents.html", context, status=422 if request.method == "POST" else 200)


def _next(request: UserRequest) -> str:
    """Back to the document that asked for the details, or to this page."""
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, None) and wanted.startswith("/") else reverse("documents:settings")


@require_POST
def templates_first(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit")
    made = templates.add_first_templates(mine.organization, actor=request.user, request=request)
    if made:
        messages.success(request, _("The templates are yours now. Read them through and change what does not fit."))
    return redirect(reverse("documents:settings") + "#templates")


@require_http_methods(["GET", "POST"])
def template_add(request: UserRequest) -> HttpResponse:
    mine = here(request, "settings.edit")
    return _form(request, mine, ContractTemplate(organization=mine.organization, language=request.user.language))


@require_http_methods(["GET", "POST"])
def template_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, ContractTemplate.objects, pk, "settings.edit")
    return _form(request, mine, row)


def _form(request: UserRequest, mine: Membership, row: ContractTemplate) -> HttpResponse:
    """Saved, or, with the button "Preview", shown filled in with a real project's values and kept nowhere."""
    form = TemplateForm(request.POST or None, instance=row, label_suffix="")
    valid = request.method == "POST" and form.is_valid()
    if valid and "preview" not in request.POST:
        templates.save_template(form.instance, actor=request.user, request=request)
        messages.success(request, _("Saved."))
        return redirect(reverse("documents:settings") + "#templates")
    text = form.cleaned_data.get("text", "") if form.is_bound and hasattr(form, "cleaned_data") else row.text
    context: dict[str, Any] = {
        "form": form,
        "template": None if row._state.adding else row,
        "placeholders": list(KNOWN.items()),
        "preview": as_html(contracts.written(ContractTemplate(text=text), _example(mine.organization, row.language))) if text else "",
    }
    return render(request, "settings/template_form.html", context, status=422 if form.is_bound and not valid else 200)


def _example(organization: Organization, language: str) -> dict[str, str]:
    """Values of the studio's newest project that has a client; without one only the studio's own."""
    project = Project.objects.for_organization(organization).exclude(contact=None).select_related("contact").newest_first().first()
    draft = Contract(organization=organization, project=project, contact=project.contact if project else None, language=language)
    draft.quote = project.quotes.newest_first().first() if project else None
    return contracts.placeholder_values(draft)


@require_http_methods(["GET", "POST"])
def template_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, ContractTemplate.objects, pk, "settings.edit")
    if request.method == "GET":
        return render(request, "settings/template_delete.html", {"template": row})
    templates.delete_template(row, actor=request.user, request=request)
    messages.success(request, _("The template is deleted. Contracts made of it stay as they are."))
    return redirect(reverse("documents:settings") + "#templates")
