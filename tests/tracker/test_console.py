"""What staff see of opportunities: how many, never which."""

import pytest
from django.urls import reverse

from accounts.roles import ROLE_PERMISSIONS, STAFF
from tests.accounts.people import make_user
from tests.tracker.boards import add_signal, make_opportunity
from tests.tracker.mailboxes import make_run

pytestmark = pytest.mark.django_db
LIST = "admin:tracker_opportunitycount_changelist"


@pytest.fixture
def member():
    user = make_user(email="jo@example.test")
    first = make_opportunity(
        user, company="Atelier Faure", role="Mariage", contact_name="Jeanne", last_subject="Notre mariage", stage="won"
    )
    make_opportunity(user, company="Halden", stage="new")
    make_opportunity(user, company="Halden again", merged_into=first)
    add_signal(first, make_run(user).pipeline.connection)
    return user


@pytest.mark.parametrize("role", sorted(STAFF))
def test_those_who_monitor_see_counts_and_nothing_else(client, member, role):
    client.force_login(make_user(role=role))
    response = client.get(reverse(LIST))
    assert response.status_code == (200 if "pages.monitoring" in ROLE_PERMISSIONS[role] else 403)
    if response.status_code == 200:
        row = next(row for row in response.context["cl"].result_list if row.email == member.email)
        assert (row._total, row._won, row._new, row._lost) == (2, 1, 1, 0)
        pages = response.content + client.get(reverse("admin:tracker_opportunitycount_change", args=[member.pk])).content
        for secret in ("Faure", "Mariage", "mariage", "Jeanne", "Halden"):
            assert secret.encode() not in pages


@pytest.mark.parametrize("role", ["member", "coach"])
def test_people_without_a_staff_role_are_refused(client, role):
    client.force_login(make_user(role=role))
    assert client.get(reverse(LIST)).status_code == 403


def test_nothing_can_be_changed_there(client, member):
    client.force_login(make_user(role="admin"))
    assert client.post(reverse("admin:tracker_opportunitycount_change", args=[member.pk]), {"email": "x@example.test"}).status_code == 403
    assert client.get(reverse("admin:tracker_opportunitycount_add")).status_code == 403
    assert client.post(reverse("admin:tracker_opportunitycount_delete", args=[member.pk]), {"post": "yes"}).status_code == 403


def test_there_is_no_console_page_of_opportunities_or_signals():
    from django.contrib.admin import site

    from tracker.models import Opportunity, Signal, StageMove

    assert not {Opportunity, Signal, StageMove} & set(site._registry)


def test_the_list_asks_as_often_for_many_people_as_for_few(client, django_assert_max_num_queries):
    for _ in range(40):
        make_opportunity(make_user())
    client.force_login(make_user(role="admin"))
    with django_assert_max_num_queries(12):
        assert client.get(reverse(LIST), {"q": "example"}).status_code == 200
