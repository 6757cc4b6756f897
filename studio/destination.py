"""Where a pipeline puts people and companies: contacts of the studio of whoever it works for, one call per page.

A record's values are taken by the names that people and programs give them (`studio.columns`). Whoever is known already, by this source
or by the address, stays as the studio has them; who was deleted does not come back. What a run brought can be undone like an import.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Lower
from django.utils import timezone, translation

from accounts.models import Organization, User
from accounts.services import studios
from accounts.studio_roles import may
from audit.services import record
from integrations.errors import Refused
from integrations.items import Kept, KeptRecord, StoreResult
from integrations.models import Pipeline, Run
from studio import columns
from studio.models import Contact, ContactImport, ContactOrigin
from studio.services.contacts import address_hash
from vault.services import keyed_hash

PURPOSE = "record of a contact"
OF_WEBSITES = "pipeline"  # why a contact is there, in the log


class ContactDestination:
    """`known_ids()` and `store_page()`, as `settings.PIPELINE_DESTINATIONS` wants them."""

    takes = frozenset({"records"})
    personal = True

    def known_ids(self, pipeline: Pipeline, ids: Iterable[str]) -> set[str]:
        """Those that have become a contact, be it there still or not."""
        return set(_hashes(ids)) - set(_unknown(pipeline, ids))

    def store_page(self, run: Run, items: list[Kept]) -> StoreResult:
        """A few queries, however long the page. Raises Refused when there is no studio to put them in."""
        person = run.pipeline.connection.owner or run.pipeline.recipient
        if person is None:
            raise Refused("contacts_no_studio")
        studio = _studio_of(person)
        with database.cursor() as cursor:  # one writer at a time for each studio: no address is added twice
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"contacts|{studio.pk}"])
        unknown = _unknown(run.pipeline, [item.id for item in items])
        fresh = [item for item in {item.id: item for item in items}.values() if item.id in unknown and isinstance(item, KeptRecord)]
        with translation.override(person.language):
            rows = {item.id: columns.row_of(0, item.data, language=person.language) for item in fresh}
        sound = {name: row for name, row in rows.items() if not row.fault}
        made, unusable = _written(run, studio, person, sound, unknown), len(rows) - len(sound)
        return StoreResult(made, 0, len(items) - made - unusable, unusable)


def _hashes(ids: Iterable[str]) -> dict[str, bytes]:
    return {name: keyed_hash(PURPOSE, name) for name in ids}


def _unknown(pipeline: Pipeline, ids: Iterable[str]) -> dict[str, bytes]:
    """Which of `ids` have not become a contact, with the hash each is remembered by."""
    hashes = _hashes(ids)
    stored = ContactOrigin.objects.filter(pipeline_id=pipeline.pk, record_hash__in=list(hashes.values()))
    known = {bytes(value) for value in stored.values_list("record_hash", flat=True)}
    return {name: value for name, value in hashes.items() if value not in known}


def _studio_of(person: User) -> Organization:
    """The one they work in. Raises Refused where they may not add contacts."""
    mine = studios.current_membership(person)
    if not person.is_active or not may(mine.role, "contacts.edit"):
        raise Refused("contacts_no_studio")
    return mine.organization


def _written(run: Run, studio: Organization, person: User, rows: dict[str, columns.Row], hashes: dict[str, bytes]) -> int:
    """Store those whose address nobody has, and remember which record each came from; how many."""
    addresses = {row.fields["email"] for row in rows.values() if row.fields.get("email")}
    own = Contact.objects.for_organization(studio).annotate(lower=Lower("email")).filter(lower__in=addresses)
    by_address: dict[str, UUID] = _deleted(run, studio, addresses) | dict(own.order_by("-created_at").values_list("lower", "pk"))
    now, contacts, origins = timezone.now(), [], []
    for name, row in rows.items():
        email = row.fields.get("email", "")
        contact_id = by_address.get(email) if email else None
        if contact_id is None:
            contact = Contact(organization=studio, created_at=now, updated_at=now, **row.fields)
            contact.derive()
            contacts.append(contact)
            contact_id = contact.pk
            by_address |= {email: contact_id} if email else {}
        origins.append(ContactOrigin(organization=studio, pipeline_id=run.pipeline_id, record_hash=hashes[name], contact_id=contact_id))
    if contacts:
        brought = _import_of(run, studio, person)
        for contact in contacts:
            contact.contact_import = brought
        Contact.objects.bulk_create(contacts)
        _count(brought, len(contacts), len(rows) - len(contacts))
        record("contacts.imported", brought, actor=person, organization_id=studio.pk, count=len(contacts), cause=OF_WEBSITES)
    ContactOrigin.objects.bulk_create(origins, ignore_conflicts=True)
    return len(contacts)


def _deleted(run: Run, studio: Organization, addresses: set[str]) -> dict[str, UUID]:
    """By their address those whom this pipeline had brought and the studio deleted."""
    hashes = {address_hash(email): email for email in addresses}
    found = ContactOrigin.objects.filter(organization=studio, pipeline_id=run.pipeline_id, record_hash__in=list(hashes))
    return {hashes[bytes(known)]: contact_id for known, contact_id in found.values_list("record_hash", "contact_id")}


def _import_of(run: Run, studio: Organization, person: User) -> ContactImport:
    """What this run brought, which the studio can undo in one go."""
    said = {"imported_by": person, "status": ContactImport.Status.DONE, "source": run.pipeline.name, "language": person.language}
    brought, _made = ContactImport.objects.get_or_create(
        run_id=run.pk, organization=studio, defaults=said | {"imported_at": timezone.now()}
    )  # fmt: skip
    return brought


def _count(brought: ContactImport, created: int, known: int) -> None:
    rows = ContactImport.objects.filter(pk=brought.pk)
    rows.update(created_count=F("created_count") + created, known_count=F("known_count") + known)
