"""What becomes of a studio's documents when nobody is there any more: some go, some stay as long as the law wants (`documents.keeping`)."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db import models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, Organization
from audit.services import record
from documents.keeping import kept_on, kept_until
from documents.models import Acceptance, Contract, Invoice, Payment, Quote
from documents.services.archiving import forget
from studio.services.contacts import references_to
from vault import services as vault

STAYS: tuple[Any, ...] = (Quote, Contract, Invoice, Payment, Acceptance)
NAMELESS = "–"  # a studio's name once nobody is there
NAMES = {Quote: _("Accepted quotes"), Contract: _("Accepted contracts"), Invoice: _("Invoices and their payments")}


class Kept(NamedTuple):
    """What stays of one kind, and until when the last of it does."""

    words: Any
    number: int
    until: date


def kept_of(organizations: Iterable[Organization]) -> list[Kept]:
    """What would stay of these studios if they were closed now."""
    found = []
    for model, stays in kept_on(timezone.localdate()).items():
        rows = list(model.objects.filter(stays, organization__in=list(organizations)).defer("content", "search_text"))
        if rows:
            found.append(Kept(NAMES[model], len(rows), max(kept_until(row) for row in rows)))
    return found


def forget_copies(organization: Organization) -> None:
    """Delete the archive's copies of what is about to go, before its rows. Raises one of `audit.seal.places.FAILURES`."""
    for document in _going(organization):
        forget(document)


@transaction.atomic
def close_studio(organization: Organization) -> bool:
    """Delete a studio with all that is its own, but for documents that must be kept; whether it is gone.

    With something kept, its row stays without a name and without members, and so does the key that seals who agreed to what.
    """
    for document in _going(organization):
        if isinstance(document, Invoice):
            Payment.objects.filter(invoice=document).exclude(reverses=None).delete()
            Payment.objects.filter(invoice=document).delete()
        document.delete()
    if not _has_documents(organization.pk):
        organization.delete()
        return True
    _delete_rest(organization)
    Organization.objects.filter(pk=organization.pk).update(name=NAMELESS)
    return False


def _delete_rest(organization: Organization) -> None:
    """Rows of every app that belong to it; those that others protect come after those others."""
    waiting = [one for one in references_to(Organization) if one.on_delete is models.CASCADE and one.related_model not in STAYS]
    while waiting:
        left = []
        for relation in waiting:
            rows = relation.related_model._base_manager.filter(**{relation.field.name: organization})
            try:
                with transaction.atomic():
                    rows.delete()
            except (models.ProtectedError, models.RestrictedError):
                left.append(relation)
        if len(left) == len(waiting):
            raise RuntimeError(f"rows of a closed studio protect each other: {[one.related_model.__name__ for one in left]}")
        waiting = left


def _going(organization: Organization) -> Iterator[Quote | Contract | Invoice]:
    """What the law does not want any more, credit notes before the invoices that they credit, which stay as long as they do."""
    stays = kept_on(timezone.localdate())
    kept_notes = Invoice.objects.filter(stays[Invoice], credits=OuterRef("pk"))
    invoices = Invoice.objects.filter(organization=organization).exclude(stays[Invoice]).exclude(Exists(kept_notes))
    yield from invoices.exclude(credits=None)
    yield from invoices.filter(credits=None)
    for model in (Contract, Quote):
        own: Any = model.objects.filter(organization=organization)
        yield from own.exclude(pk__in=own.filter(stays[model]).values("pk"))


def _has_documents(organization_id: UUID) -> bool:
    return any(model.objects.filter(organization=organization_id).exists() for model in (Invoice, Contract, Quote))


def end_closed() -> int:
    """Of studios without anybody: delete what has been kept long enough, and at last the studio and its key; how many went."""
    people = Membership.objects.current().filter(organization=OuterRef("pk"))
    quotes, contracts, invoices = (model.objects.filter(organization=OuterRef("pk")) for model in (Quote, Contract, Invoice))
    empty = Organization.objects.filter(~Exists(people)).filter(Exists(quotes) | Exists(contracts) | Exists(invoices))
    count = 0
    for organization in empty:
        forget_copies(organization)
        with transaction.atomic():
            pk = organization.pk
            if close_studio(organization):
                vault.destroy_key(vault.organization(pk))
                record("studio.retention_ended", organization_id=pk)
                count += 1
    return count
