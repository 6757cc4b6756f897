"""Contracts: written from a template, sent, answered, voided."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Organization, User
from audit.services import record
from documents.content import contract_content, quote_deposit
from documents.models import Acceptance, Contract, ContractTemplate
from documents.placeholders import filled
from documents.printing import Writing
from documents.services.acts import Act, accept, freeze
from documents.services.errors import Incomplete, NotPossible
from documents.services.identities import complete_identity, identity_of
from documents.services.links import revoke_links
from documents.services.sheets import take
from documents.services.telling import tell
from documents.zones import today_in
from studio.models import PhotoSession

FIELDS = ("project", "contact", "quote", "subject", "language", "text", "valid_until")
DAYS = 30
Status = Contract.Status


def placeholder_values(contract: Contract) -> dict[str, str]:
    """What the placeholders of a template say for this contract's client, project and quote; missing ones are absent."""
    contact, project, quote = contract.contact, contract.project, contract.quote
    identity = identity_of(contract.organization_id)
    writing = Writing({"language": contract.language, "currency": quote.currency if quote else identity.currency})
    values = {
        "studio.name": identity.legal_name,
        "studio.address": ", ".join(identity.address_lines),
        "studio.company_number": identity.company_number,
        "today": writing.day(today_in(identity.country).isoformat()),
    }
    if contact:
        values |= {"client.name": contact.name, "client.address": ", ".join(contact.address_lines)}
    if project:
        values["project.title"] = project.title
        session = PhotoSession.objects.filter(project=project, ends_at__gte=timezone.now()).expected().in_order().first()
        if session:
            values |= {"session.date": writing.days(session.local_start.date(), session.last_day), "session.place": session.place}
    if quote:
        deposit = quote_deposit(quote)
        values |= {"quote.number": quote.number, "quote.total": writing.money(quote.gross), "quote.deposit": writing.money(deposit)}
    return values


def written(template: ContractTemplate, values: dict[str, str]) -> str:
    return filled(template.text, values)


@transaction.atomic
def create_contract(
    organization: Organization,
    *,
    fields: dict[str, Any],
    template: ContractTemplate | None = None,
    actor: User,
    request: HttpRequest | None = None,
) -> Contract:
    """A draft; with a template and no text of its own, its text is the template's, filled in."""
    contract = Contract(organization=organization, created_by=actor)
    take(contract, fields, FIELDS)
    if template and not contract.text:
        contract.text = written(template, placeholder_values(contract))
        contract.template_name, contract.template_version = template.name, template.version
    contract.derive_search()
    contract.save(force_insert=True)
    tell(contract, "contract.created", actor=actor, request=request)
    return contract


@transaction.atomic
def edit_contract(contract: Contract, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None) -> Contract:
    """A draft only. Raises NotPossible("sent")."""
    contract = _locked(contract)
    if not contract.is_draft:
        raise NotPossible("sent")
    changed = take(contract, fields, FIELDS)
    contract.derive_search()
    contract.content, contract.content_digest, contract.updated_at = None, "", timezone.now()
    contract.save(update_fields=[*changed, "search_text", "content", "content_digest", "updated_at"])
    if "contact" in changed:
        revoke_links(contract, actor=actor, request=request)  # whoever has them is not the client any more
    record(
        "contract.updated", contract, actor=actor, request=request, organization_id=contract.organization_id, fields=sorted(changed)
    )  # fmt: skip
    return contract


@transaction.atomic
def make_ready(contract: Contract, *, actor: User | None, request: HttpRequest | None = None) -> Contract:
    """Give a draft its number, date and content. Nothing to do the second time. Raises Incomplete."""
    contract = _locked(contract)
    if not contract.is_draft or contract.content:
        return contract
    missing = [name for name in ("contact", "text") if not getattr(contract, name)]
    if missing:
        raise Incomplete(missing)
    identity = complete_identity(contract.organization_id)
    freeze(contract, contract_content, identity=identity, days=DAYS, actor=actor, request=request)
    return contract


@transaction.atomic
def mark_sent(contract: Contract, *, actor: User | None, request: HttpRequest | None = None) -> Contract:
    """From now on it does not change. Nothing to do the second time. Raises Incomplete."""
    contract = make_ready(contract, actor=actor, request=request)
    if contract.is_draft:
        contract.status, contract.sent_at = Status.SENT, timezone.now()
        contract.save(update_fields=["status", "sent_at"])
        tell(contract, "contract.sent", actor=actor, request=request, number=contract.number, digest=contract.content_digest)
    return contract


@transaction.atomic
def accept_contract(contract: Contract, act: Act, *, request: HttpRequest | None = None) -> Acceptance:
    """Raises NotPossible with the state it is in instead of `sent`."""
    contract = _locked(contract)
    if contract.state != Status.SENT:
        raise NotPossible(contract.state)
    return accept(contract, act, request=request)


@transaction.atomic
def void_contract(contract: Contract, *, actor: User, request: HttpRequest | None = None) -> Contract:
    """Take back one that was sent or accepted, by agreement with the client. Raises NotPossible for any other."""
    contract = _locked(contract)
    if contract.status not in {Status.SENT, Status.ACCEPTED}:
        raise NotPossible(contract.state)
    contract.status = Status.VOIDED
    contract.save(update_fields=["status"])
    tell(contract, "contract.voided", actor=actor, request=request, number=contract.number)
    return contract


def _locked(contract: Contract) -> Contract:
    related = ("contact", "project", "quote", "organization")
    return Contract.objects.select_for_update(of=("self",)).select_related(*related).get(pk=contract.pk)
