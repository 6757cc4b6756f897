"""Contacts, projects and sessions for tests: one with a word, many quickly."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Organization, User
from accounts.services import studios
from studio.models import Contact, PhotoSession, Project
from studio.services import sessions

YEAR = timezone.now().year + 1  # to come, whenever this runs
DAY = datetime(YEAR, 6, 12, 12, tzinfo=UTC)


def studio_of(user: User) -> Organization:
    return studios.current_organization(user)


def make_contact(organization: Organization, **fields: Any) -> Contact:
    values = {"given_name": "Claire", "family_name": "Faure", "email": "claire@faure.example", "language": "fr"} | fields
    contact = Contact(organization=organization, **values)
    contact.derive()
    contact.save(force_insert=True)
    return contact


def make_project(organization: Organization, **fields: Any) -> Project:
    project = Project(organization=organization, **{"title": "Mariage Claire & Marc"} | fields)
    project.derive()
    project.save(force_insert=True)
    return project


def make_session(project: Project, photographer: User, *, at: datetime = DAY, hours: float = 2, **fields: Any) -> PhotoSession:
    """Booked through the service, confirmed unless told otherwise."""
    values = {
        "status": "confirmed", "type": "wedding", "photographer": photographer, "starts_at": at, "ends_at": at + timedelta(hours=hours),
        "timezone": "Europe/Paris", "place": "Domaine des Vignes", "address": "12 chemin des Vignes\n69400 Gleizé",
    }  # fmt: skip
    return sessions.book_session(project, fields=values | fields, actor=photographer)


def many_contacts(organization: Organization, count: int) -> list[Contact]:
    rows = []
    for n in range(count):
        contact = Contact(
            organization=organization, given_name=f"Prénom{n % 97}", family_name=f"Nom{n}", email=f"person{n}@mail.example",
            city="Lyon" if n % 3 else "Brussels", country="FR" if n % 3 else "BE", language="fr" if n % 2 else "en",
        )  # fmt: skip
        contact.derive()
        rows.append(contact)
    return Contact.objects.bulk_create(rows, batch_size=2000)
