"""Projects: adding, changing, moving, deleting."""

from typing import Any

from django.db import transaction
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, User
from audit.services import record
from studio.calendar.outbox import want_all_of
from studio.models import Contact, Project
from studio.services.contacts import InUse, reindex_projects
from studio.services.timeline import add_entry
from studio.timeline import Kind, register

EDITABLE = ("contact", "title", "deliver_on", "notes")

register(
    {
        "project.created": Kind(_("Project begun"), "folder-plus"),
        "project.converted": Kind(_("Begun from a won opportunity"), "folder-plus"),
        "project.moved": Kind(_("Project: %(status)s"), "flag", {"status": dict(Project.Status.choices)}),
    }
)


class ForeignContact(ValueError):
    """The client belongs to another studio."""


def _own(organization_id: Any, contact: Contact | None) -> None:
    if contact is not None and contact.organization_id != organization_id:
        raise ForeignContact


@transaction.atomic
def create_project(
    organization: Organization,
    *,
    title: str,
    contact: Contact | None = None,
    actor: User,
    request: HttpRequest | None = None,
    line: str = "project.created",
    **fields: Any,
) -> Project:
    """`fields` may hold status, deliver_on and notes; `line` is the timeline's first. Raises ForeignContact."""
    _own(organization.pk, contact)
    project = Project(organization=organization, title=title, contact=contact, **fields)
    project.derive()
    project.save(force_insert=True)
    add_entry(project, line, actor=actor)
    record("project.created", project, actor=actor, request=request, organization_id=organization.pk, status=str(project.status))
    return project


def locked_project(project: Project) -> Project:
    """The row as it is now, changed by nobody else until the transaction ends. Raises Project.DoesNotExist."""
    return Project.objects.select_for_update(of=("self",)).select_related("contact").get(pk=project.pk)


@transaction.atomic
def edit_project(project: Project, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None) -> Project:
    """Store changed fields; the record says which. Raises ForeignContact, Project.DoesNotExist."""
    project = locked_project(project)
    _own(project.organization_id, fields.get("contact"))
    changed = [name for name in EDITABLE if name in fields and getattr(project, name) != fields[name]]
    if not changed:
        return project
    for name in changed:
        setattr(project, name, fields[name])
    project.derive()
    project.save(update_fields=[*changed, "search_text"])
    if {"contact", "title"} & set(changed):
        reindex_projects([project])
    if "title" in changed:
        want_all_of(project)
    record(
        "project.updated", project, actor=actor, request=request, organization_id=project.organization_id, fields=sorted(changed)
    )  # fmt: skip
    return project


@transaction.atomic
def move_project(project: Project, *, to: str, actor: User | None, request: HttpRequest | None = None) -> Project:
    """To any other status, by hand or because of what happened. Raises ValueError for no status, Project.DoesNotExist."""
    status = Project.Status(to)
    project = locked_project(project)
    before = project.status
    if before == status:
        return project
    project.status, project.status_changed_at = status, timezone.now()
    project.save(update_fields=["status", "status_changed_at"])
    add_entry(project, "project.moved", actor=actor, status=str(status))
    details = {"from_status": str(before), "to_status": str(status)}
    record("project.moved", project, actor=actor, request=request, organization_id=project.organization_id, **details)
    return project


@transaction.atomic
def delete_project(project: Project, *, actor: User, request: HttpRequest | None = None) -> None:
    """Delete it with its sessions and its timeline. Raises InUse when something that must be kept refers to it."""
    project = locked_project(project)
    sessions = project.photo_sessions.count()
    record("project.deleted", project, actor=actor, request=request, organization_id=project.organization_id, sessions=sessions)
    try:
        project.delete()
    except (ProtectedError, RestrictedError):
        raise InUse from None
