"""`/contracts/…`: written from a template, sent, answered, voided."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.forms.acts import AnswerForm, DeclineForm
from documents.forms.contracts import ContractForm
from documents.forms.filters import ContractFilterForm
from documents.models import Contract, ContractTemplate, Quote
from documents.services import acts, contracts
from documents.services.errors import NotPossible
from documents.services.identities import identity_of
from documents.views.lists import Listing, list_page
from documents.views.pdfs import pdf_response
from documents.views.possible import asked_for, asked_of_draft, attempt, choose, delete_page, gone_is_404, refuse
from documents.views.sidebar import common
from studio.access import found, here

Status = Contract.Status


def _rows() -> Any:
    return Contract.objects.select_related("contact", "project", "quote").defer("search_text")


@require_GET
@vary_on_headers("HX-Request")
def contract_list(request: UserRequest) -> HttpResponse:
    mine = here(request, "documents.view")
    own = Contract.objects.for_organization(mine.organization)
    return list_page(request, mine, Listing("contract", own, ContractFilterForm, [], identity_of(mine.organization_id), "documents.edit"))


@require_http_methods(["GET", "POST"])
def contract_add(request: UserRequest) -> HttpResponse:
    """For a project or client, or from an accepted quote; `?template=` fills the text in to begin with."""
    mine = here(request, "documents.edit")
    quote = _quote(request, mine)
    asked = (quote.project, quote.contact) if quote else asked_for(request, mine)
    if asked is None:
        return choose(request, mine, kind="contract")
    project, contact = asked
    language = quote.language if quote else contact.language if contact else request.user.language
    draft = Contract(organization=mine.organization, project=project, contact=contact, quote=quote, language=language)
    draft.subject = quote.subject if quote else project.title if project else ""
    template = _template(request, mine, language)
    text = contracts.written(template, contracts.placeholder_values(draft)) if template else ""
    initial = {"subject": draft.subject, "language": template.language if template else language, "text": text}
    form = ContractForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        fields = {**form.cleaned_data, "project": project, "contact": contact, "quote": quote}
        contract = contracts.create_contract(
            mine.organization, fields=fields, template=template, actor=request.user, request=request
        )  # fmt: skip
        messages.success(request, _("The contract is drafted. Read it through, then make it ready."))
        return redirect("documents:contract", pk=contract.pk)
    context = {
        "form": form, "project": project, "contact": contact, "quote": quote, "template": template,
        "templates": ContractTemplate.objects.for_organization(mine.organization).order_by("name", "language"),
        "asked": {"quote": quote.pk} if quote else {"project": project.pk} if project else {"contact": contact.pk if contact else ""},
        "may_settings": may(mine.role, "settings.edit"),
    }  # fmt: skip
    return render(request, "documents/contract_form.html", context, status=422 if form.is_bound else 200)


def _quote(request: UserRequest, mine: Membership) -> Quote | None:
    if not request.GET.get("quote"):
        return None
    try:
        pk = UUID(request.GET["quote"])
    except ValueError:
        raise BadRequest("no such quote") from None
    rows = Quote.objects.for_organization(mine.organization).select_related("project__contact", "contact")
    return get_object_or_404(rows.filter(status=Quote.Status.ACCEPTED), pk=pk)


def _template(request: UserRequest, mine: Membership, language: str) -> ContractTemplate | None:
    """The one that the address names, or the studio's only one in the client's language."""
    rows = ContractTemplate.objects.for_organization(mine.organization)
    named = request.GET.get("template")
    if named:
        try:
            return rows.filter(pk=UUID(named)).first()
        except ValueError:
            return None
    fitting = list(rows.filter(language=language)[:2])
    return fitting[0] if len(fitting) == 1 and named is None else None


@require_http_methods(["GET", "POST"])
@gone_is_404
def contract_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "documents.edit")
    if not row.is_draft:
        refuse(request, NotPossible("sent"))
        return redirect("documents:contract", pk=pk)
    asked = asked_of_draft(request, mine, row)
    if asked is None:
        return choose(request, mine, kind="contract", draft=row)
    project, contact = asked
    initial = {name: getattr(row, name) for name in ("subject", "language", "valid_until", "text")}
    form = ContractForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid():
        fields = {**form.cleaned_data, "project": project, "contact": contact}
        try:
            contracts.edit_contract(row, fields=fields, actor=request.user, request=request)
        except NotPossible as fault:
            refuse(request, fault)
        else:
            messages.success(request, _("Saved."))
        return redirect("documents:contract", pk=pk)
    other = row.contact_id is not None and contact != row.contact
    context = {"form": form, "document": row, "project": project, "contact": contact, "other_client": other}
    return render(request, "documents/contract_form.html", context, status=422 if form.is_bound else 200)


@require_GET
def contract(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "documents.view")
    return _page(row, mine, request)


def _page(row: Contract, mine: Membership, request: UserRequest, *, answer: AnswerForm | None = None, status: int = 200) -> HttpResponse:
    context = {
        **common(row, mine, may_edit=may(mine.role, "documents.edit")),
        "contract": row,
        "answer": answer or AnswerForm(initial={"name": row.contact.person_name if row.contact else ""}),
        "decline": DeclineForm(),
        "may_void": row.status in {Status.SENT, Status.ACCEPTED} and may(mine.role, "documents.edit"),
    }
    return render(request, "documents/contract_detail.html", context, status=status)


@require_GET
def contract_pdf(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.view")
    return pdf_response(request, row)


@require_POST
@gone_is_404
def contract_ready(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    said = _("The contract is ready: send it by e-mail, or hand it over and mark it as sent.")
    return attempt(request, row, lambda: contracts.make_ready(row, actor=request.user, request=request), said)


@require_POST
@gone_is_404
def contract_sent(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    said = _("Marked as sent. From now on it does not change.")
    return attempt(request, row, lambda: contracts.mark_sent(row, actor=request.user, request=request), said)


@require_POST
@gone_is_404
def contract_accepted(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "documents.edit")
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _page(row, mine, request, answer=form, status=422)
    act = acts.Act(form.cleaned_data["name"], recorded_by=request.user)
    return attempt(request, row, lambda: contracts.accept_contract(row, act, request=request), _("The acceptance is recorded."))


@require_POST
@gone_is_404
def contract_declined(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    reason = request.POST.get("reason", "").strip()[:1_000]
    said = _("The refusal is recorded.")
    return attempt(request, row, lambda: acts.decline(row, reason=reason, actor=request.user, request=request), said)


@require_http_methods(["GET", "POST"])
@gone_is_404
def contract_void(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    if request.method == "GET":
        return render(request, "documents/contract_void.html", {"document": row})
    said = _("The contract is voided.")
    return attempt(request, row, lambda: contracts.void_contract(row, actor=request.user, request=request), said)


@require_http_methods(["GET", "POST"])
@gone_is_404
def contract_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    return delete_page(request, row, acts.delete_draft)
