"""Contacts: adding, changing, deleting, and finding again. Activity holds ids and field names, never what they say."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import CASCADE, PROTECT, RESTRICT, ForeignObjectRel, Model, ProtectedError, RestrictedError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst

from accounts.models import Organization, User
from audit.services import record
from studio.models import Contact, ContactOrigin, PhotoSession, Project, TimelineEntry
from studio.models.contacts import DERIVED
from vault.services import keyed_hash

EDITABLE = (
    "kind", "given_name", "family_name", "company_name", "language", "email", "phone", "street", "postcode", "city", "country",
    "vat_number", "company_number", "notes",
)  # fmt: skip
NAMES = frozenset({"kind", "given_name", "family_name", "company_name"})
REINDEXED_AT_ONCE = 500
FATES: dict[Any, str] = {CASCADE: "goes", PROTECT: "keeps", RESTRICT: "keeps"}  # any other way to be deleted: it stays without


class ChangedMeanwhile(Exception):
    """Somebody else has changed the contact since it was read."""


class InUse(Exception):
    """Something that has to be kept refers to it."""


def _same(before: Any, after: Any) -> bool:
    return (before or "") == (after or "")


@transaction.atomic
def create_contact(
    organization: Organization, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None, cause: str = "manual"
) -> Contact:
    """`fields` may hold the editable ones; a name, a company or an e-mail address has to be among them."""
    contact = Contact(organization=organization, **{name: fields[name] for name in EDITABLE if name in fields})
    contact.derive()
    contact.save(force_insert=True)
    record("contact.created", contact, actor=actor, request=request, organization_id=organization.pk, cause=cause)
    return contact


@transaction.atomic
def edit_contact(contact: Contact, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None, seen: str = "") -> Contact:
    """Store changed fields; the record says which. With `seen`, its `updated_at`, only if it is as somebody saw it.

    Raises ChangedMeanwhile, and Contact.DoesNotExist when it was deleted.
    """
    contact = Contact.objects.select_for_update().get(pk=contact.pk)
    if seen and seen != contact.updated_at.isoformat():
        raise ChangedMeanwhile
    changed = [name for name in EDITABLE if name in fields and not _same(getattr(contact, name), fields[name])]
    if not changed:
        return contact
    for name in changed:
        setattr(contact, name, fields[name])
    contact.derive()
    contact.updated_at = timezone.now()
    contact.save(update_fields=[*changed, *DERIVED, "updated_at"])
    if NAMES & set(changed):
        reindex_projects(contact.projects.select_related("contact"))
    record(
        "contact.updated", contact, actor=actor, request=request, organization_id=contact.organization_id, fields=sorted(changed)
    )  # fmt: skip
    return contact


def reindex_projects(projects: Iterable[Project]) -> None:
    """Derive anew what projects and their sessions are found by: their client's name or their title has changed."""
    rows = list(projects)
    for project in rows:
        project.derive()
    Project.objects.bulk_update(rows, ["search_text"], batch_size=REINDEXED_AT_ONCE)
    sessions = list(PhotoSession.objects.filter(project__in=rows).select_related("project__contact"))
    for session in sessions:
        session.derive()
    PhotoSession.objects.bulk_update(sessions, ["search_text"], batch_size=REINDEXED_AT_ONCE)


class Use(NamedTuple):
    """Rows of one table that refer to something: how many, what they are called, and what deleting it means for them."""

    words: str
    number: int
    fate: str  # "goes": with it; "stays": without it; "keeps": and keeps it from being deleted


def references_to(model: type[Model]) -> list[ForeignObjectRel]:
    """The foreign keys that lead to a model, those of other apps too."""
    return [field for field in model._meta.get_fields(include_hidden=True) if isinstance(field, ForeignObjectRel)]


def uses_of(row: Model) -> list[Use]:
    """What refers to a contact or a project, in every app, so that a page can say what deleting it means."""
    found = []
    for relation in references_to(type(row)):
        if count := _count(row, relation):
            fate = FATES.get(relation.on_delete, "stays")
            found.append(Use(capfirst(str(relation.related_model._meta.verbose_name_plural)), count, fate))
    return found


def _count(row: Model, relation: ForeignObjectRel) -> int:
    return relation.related_model._base_manager.filter(**{relation.field.name: row}).count()


@transaction.atomic
def delete_contact(contact: Contact, *, actor: User, request: HttpRequest | None = None) -> None:
    """Delete it for good; projects stay, without their client. Raises InUse when something keeps it."""
    contact = Contact.objects.select_for_update().get(pk=contact.pk)
    projects = list(contact.projects.all())
    _keep_away(contact)
    record("contact.deleted", contact, actor=actor, request=request, organization_id=contact.organization_id, projects=len(projects))
    try:
        contact.delete()
    except (ProtectedError, RestrictedError):
        raise InUse from None
    reindex_projects(Project.objects.filter(pk__in=[project.pk for project in projects]).select_related("contact"))
    _forget_subjects(projects)


def address_hash(email: str) -> bytes:
    """By which a source that brought somebody knows them again, though they are deleted."""
    return keyed_hash("address of a contact", email.lower())


def _keep_away(contact: Contact) -> None:
    """What has brought it does not bring the same person again under another record's name."""
    if not contact.email:
        return
    sources = ContactOrigin.objects.filter(contact_id=contact.pk).values_list("pipeline_id", flat=True).distinct()
    known = {"organization_id": contact.organization_id, "record_hash": address_hash(contact.email), "contact_id": contact.pk}
    ContactOrigin.objects.bulk_create([ContactOrigin(pipeline_id=pk, **known) for pk in sources], ignore_conflicts=True)


def _forget_subjects(projects: list[Project]) -> None:
    """What their timelines say of e-mails to the client may have named them."""
    lines = list(TimelineEntry.objects.filter(project__in=projects, details__has_key="subject"))
    for line in lines:
        line.details["subject"] = "…"
    TimelineEntry.objects.bulk_update(lines, ["details"], batch_size=REINDEXED_AT_ONCE)


def record_export(organization: Organization, *, count: int, actor: User, request: HttpRequest | None = None) -> None:
    record("contacts.exported", organization, actor=actor, request=request, organization_id=organization.pk, count=count)


def known(organization: Organization, email: str) -> Contact | None:
    """The studio's contact with this address, the oldest of several."""
    return Contact.objects.for_organization(organization).with_email(email).order_by("created_at").first() if email else None
