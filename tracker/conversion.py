"""A won opportunity becomes work: its client a contact, itself a project, and its date a photo session, in one transaction."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest

from accounts.models import Organization, User
from audit.services import record
from studio.models import Contact, Project
from studio.services import contacts, projects, sessions
from studio.session_types import suggested_type
from tracker.destination import lock_board
from tracker.models import Opportunity
from tracker.stages import Stage


class NotWon(Exception):
    """It is not won, or not any more."""


def proposal(opportunity: Opportunity) -> dict[str, Any]:
    """What is known of the client and the job, for the form: names as far as the mail told them."""
    given, _space, family = opportunity.contact_name.strip().rpartition(" ")
    alone = bool(opportunity.company) and not opportunity.contact_name
    return {
        "kind": Contact.Kind.COMPANY if alone else Contact.Kind.PERSON,
        "given_name": given or family,
        "family_name": family if given else "",
        "company_name": opportunity.company,
        "email": opportunity.contact_email,
        "project_title": opportunity.title[:200],
    }


def session_proposal(opportunity: Opportunity) -> dict[str, Any]:
    """The type of session that the opportunity's words speak of, if they speak of one."""
    return {"type": suggested_type(opportunity.role, opportunity.last_subject, opportunity.notes)}


@transaction.atomic
def convert(
    opportunity: Opportunity,
    organization: Organization,
    *,
    client: dict[str, Any],
    title: str,
    session: dict[str, Any] | None = None,
    actor: User,
    request: HttpRequest | None = None,
) -> Project:
    """Make the contact (or take the one with this address), the project and, with `session`, its first session: all or nothing.

    An opportunity that has become a project already gives that one. Raises NotWon, `studio.services.sessions.TimeTaken`, and
    Opportunity.DoesNotExist when it was deleted or merged since it was read.
    """
    lock_board(opportunity.owner_id)
    opportunity = Opportunity.objects.select_for_update(of=("self",)).select_related("project").get(pk=opportunity.pk, merged_into=None)
    if opportunity.project is not None:
        return opportunity.project
    if opportunity.stage != Stage.WON:
        raise NotWon
    contact = contacts.known(organization, client.get("email", ""))
    if contact is None:
        contact = contacts.create_contact(organization, fields=client, actor=actor, request=request, cause="opportunity")
    status = Project.Status.BOOKED if session else Project.Status.OPEN
    project = projects.create_project(
        organization, title=title, contact=contact, actor=actor, request=request, line="project.converted", status=status
    )  # fmt: skip
    if session:
        sessions.book_session(project, fields=session, actor=actor, request=request)
    opportunity.project = project
    opportunity.save(update_fields=["project"])
    details: dict[str, Any] = {"project_id": str(project.pk), "session": bool(session)}
    record("opportunity.converted", opportunity, actor=actor, request=request, organization_id=organization.pk, **details)
    return project
