"""Studios with people, for tests."""

import re

from django.test import Client

from accounts.models import Membership, Organization, User
from tests.accounts.people import make_user, step_up

Role = Membership.Role


def make_studio(name: str = "Atelier Morel", **people: str) -> tuple[Organization, dict[str, User]]:
    """`make_studio(anna="owner", ben="manager")`: everybody has a studio of their own beside this one, and works in this one."""
    studio = Organization.objects.create(name=name)
    users = {}
    for person, role in people.items():
        user = make_user(email=f"{person}@{name.split()[0].lower()}.example", name=person.title(), organization=None)
        Membership.objects.create(organization=studio, user=user, role=role)
        User.objects.filter(pk=user.pk).update(organization=studio)
        user.organization = studio
        users[person] = user
    return studio, users


def place(studio: Organization, user: User) -> Membership:
    """Somebody's current membership."""
    return Membership.objects.current().get(organization=studio, user=user)


def browser_of(user: User, *, proved: bool = False) -> Client:
    """Signed in; `proved`: with a fresh step-up."""
    client = Client()
    client.force_login(user)
    if proved:
        step_up(client, user)
    return client


def link_in(body: str) -> str:
    """The path of the invitation's link in a mail."""
    found = re.search(r"https?://[^/\s]+(/invitations/[\w-]+/)", body)
    assert found, body
    return found[1]
