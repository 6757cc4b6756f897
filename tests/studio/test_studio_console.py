"""What staff see of a studio's business: how much, never what."""

import pytest
from django.contrib.admin import site
from django.urls import reverse

from accounts.roles import ROLE_PERMISSIONS, STAFF
from studio.models import Contact, ContactImport, PhotoSession, Project, TimelineEntry
from tests.accounts.people import make_user
from tests.studio.trade import make_contact, make_project, make_session, studio_of

pytestmark = pytest.mark.django_db


def test_those_who_monitor_see_counts_and_nothing_else(client):
    owner = make_user(name="Olive Owner")
    studio = studio_of(owner)
    project = make_project(studio, contact=make_contact(studio))
    make_contact(studio, given_name="Jeanne")
    make_session(project, owner)
    listed, one = reverse("admin:studio_studiocount_changelist"), reverse("admin:studio_studiocount_change", args=[studio.pk])
    for role in sorted(STAFF):
        client.force_login(make_user(role=role))
        page = client.get(listed)
        assert page.status_code == (200 if "pages.monitoring" in ROLE_PERMISSIONS[role] else 403), role
        if page.status_code == 200:
            row = next(row for row in page.context["cl"].result_list if row.pk == studio.pk)
            assert (row._contacts, row._projects, row._sessions, row._imports) == (2, 1, 1, 0)
            seen = page.text + client.get(one).text
            assert not [word for word in ("Olive", "Faure", "Jeanne", "Mariage", "Vignes") if word in seen]
    client.force_login(make_user(role="admin"))
    assert client.post(one, {"name": "x"}).status_code == 403


def test_there_is_no_console_page_of_contacts_projects_or_sessions():
    assert not {Contact, ContactImport, PhotoSession, Project, TimelineEntry} & set(site._registry)
