"""Bringing contacts from a file: kept sealed while somebody looks at the preview, then written in one go, and undone in one go."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, F, OuterRef, ProtectedError, RestrictedError
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Organization, User
from audit.services import record
from studio import columns
from studio.columns import FIELDS, Row, Unreadable
from studio.models import Contact, ContactImport, ContactOrigin
from studio.services.contacts import references_to

AT_ONCE = 500
Status = ContactImport.Status


class NotWaiting(Exception):
    """The import was carried out, or is no longer there."""


class Checked(NamedTuple):
    """A file as its columns are read now: its headings, its rows, and whose addresses the studio knows already."""

    headings: list[str]
    rows: list[Row]
    known: frozenset[int]  # row numbers
    examples: list[str]  # of each column the first value

    @property
    def new(self) -> list[Row]:
        return [row for row in self.rows if not row.fault and row.number not in self.known]


def receive(organization: Organization, data: bytes, *, actor: User) -> ContactImport:
    """Keep a file for its preview. Raises `studio.columns.Unreadable`."""
    text = columns.text_of(data)
    headings, _lines = columns.table_of(text)
    return ContactImport.objects.create(
        organization=organization, imported_by=actor, content=text, columns=columns.guess(headings), language=actor.language
    )


def forget_abandoned(organization: Organization) -> None:
    """At the next visit to the page; the nightly cleanup of temporary files finds the others."""
    ContactImport.objects.for_organization(organization).abandoned(timezone.now()).delete()


def check(waiting: ContactImport) -> Checked:
    """Read the kept file again. Raises NotWaiting."""
    if waiting.status != Status.PREVIEW or not waiting.content:
        raise NotWaiting
    headings, lines = columns.table_of(waiting.content)
    rows = list(columns.rows_of(lines, waiting.columns, language=waiting.language))
    return Checked(headings, rows, _known(waiting.organization_id, rows), [_first(lines, place) for place in range(len(headings))])


def _first(lines: list[columns.Line], place: int) -> str:
    return next((line.cells[place].strip() for line in lines if len(line.cells) > place and line.cells[place].strip()), "")


def _known(organization_id: Any, rows: Iterable[Row]) -> frozenset[int]:
    """Rows whose address is a contact's, or an earlier row's."""
    own = Contact.objects.for_organization(organization_id).exclude(email="").annotate(lower=Lower("email"))
    wanted = {row.fields["email"] for row in rows if row.fields.get("email")}
    seen = set(own.filter(lower__in=wanted).values_list("lower", flat=True))
    found = set()
    for row in rows:
        email = "" if row.fault else row.fields.get("email", "")
        if email and email in seen:
            found.add(row.number)
        seen.add(email)
    return frozenset(found)


def set_columns(waiting: ContactImport, chosen: list[str], *, language: str) -> ContactImport:
    """Say which column fills which field; of two that name the same one, the first. Raises NotWaiting."""
    if waiting.status != Status.PREVIEW:
        raise NotWaiting
    fields: list[str] = []
    for field in chosen[: len(waiting.columns)]:
        fields.append(field if field in FIELDS and field not in fields else "")
    waiting.columns = fields + [""] * (len(waiting.columns) - len(fields))
    waiting.language = language
    waiting.save(update_fields=["columns", "language"])
    return waiting


@transaction.atomic
def carry_out(waiting: ContactImport, *, actor: User, request: HttpRequest | None = None) -> ContactImport:
    """Write every row that is new, all or none. Raises NotWaiting, so that a second click imports nothing twice."""
    waiting = ContactImport.objects.select_for_update().get(pk=waiting.pk)
    checked = check(waiting)
    now = timezone.now()
    rows = []
    for row in checked.new:
        contact = Contact(organization_id=waiting.organization_id, contact_import=waiting, created_at=now, updated_at=now, **row.fields)
        contact.derive()
        rows.append(contact)
    Contact.objects.bulk_create(rows, batch_size=AT_ONCE)
    waiting.status, waiting.imported_at, waiting.content = Status.DONE, now, ""
    waiting.created_count, waiting.known_count = len(rows), len(checked.known)
    waiting.refused_count = sum(bool(row.fault) for row in checked.rows)
    waiting.save(update_fields=["status", "imported_at", "content", "created_count", "known_count", "refused_count"])
    record("contacts.imported", waiting, actor=actor, request=request, organization_id=waiting.organization_id, count=len(rows))
    return waiting


@transaction.atomic
def discard(waiting: ContactImport) -> None:
    """Forget a file before anything was written. Raises NotWaiting."""
    if not ContactImport.objects.filter(pk=waiting.pk, status=Status.PREVIEW).delete()[0]:
        raise NotWaiting


def untouched(done: ContactImport) -> Any:
    """What undoing takes away: contacts of this import that nobody has changed, begun a project with or written a document for."""
    rows = Contact.objects.filter(contact_import=done, updated_at=F("created_at"))
    for relation in references_to(Contact):
        rows = rows.exclude(Exists(relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})))
    return rows


@transaction.atomic
def undo(done: ContactImport, *, actor: User, request: HttpRequest | None = None) -> int:
    """Take the import's untouched contacts away again; returns how many. Raises NotWaiting unless it was carried out."""
    done = ContactImport.objects.select_for_update().get(pk=done.pk)
    if done.status != Status.DONE:
        raise NotWaiting
    list(Contact.objects.filter(contact_import=done).order_by("pk").select_for_update().values_list("pk"))  # as they are, until it is done
    pks = list(untouched(done).values_list("pk", flat=True))
    count = _delete(pks)
    if done.run_id:  # the source may bring them again
        still = Contact.objects.filter(pk__in=pks).values_list("pk", flat=True)
        ContactOrigin.objects.filter(contact_id__in=set(pks) - set(still)).delete()
    done.status, done.undone_at, done.removed_count = Status.UNDONE, timezone.now(), count
    done.save(update_fields=["status", "undone_at", "removed_count"])
    record("contacts.import_undone", done, actor=actor, request=request, organization_id=done.organization_id, count=count)
    return count


def _delete(pks: list[Any]) -> int:
    """All at once; where something of another app keeps one of them, one by one, and that one stays."""
    try:
        with transaction.atomic():
            Contact.objects.filter(pk__in=pks).delete()
    except (ProtectedError, RestrictedError):
        return sum(_delete_one(pk) for pk in pks)
    return len(pks)


def _delete_one(pk: Any) -> int:
    try:
        with transaction.atomic():
            Contact.objects.filter(pk=pk).delete()
    except (ProtectedError, RestrictedError):
        return 0
    return 1


__all__ = ["NotWaiting", "Unreadable", "carry_out", "check", "discard", "forget_abandoned", "receive", "set_columns", "undo", "untouched"]
