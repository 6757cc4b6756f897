"""The console's page of archived activity."""

from datetime import date

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from audit.models import Activity
from audit.seal import retention, search
from tests.accounts.people import make_user
from tests.audit.sealed import make_old_activity
from tests.audit.test_retention import MONTH, day

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def archived(settings, tmp_path, test_database):
    settings.AUDIT_ARCHIVE = str(tmp_path)
    make_old_activity(test_database, MONTH, rows=5)
    person = Activity.objects.filter(action="user.login").first().actor_id
    retention.keep(now=day(40))
    return person


def test_only_who_may_see_the_log_may_search_the_archive(client):
    for role, status in {"admin": 200, "developer": 200, "executor": 403, "viewer": 403, "member": 403}.items():
        client.force_login(make_user(role=role))
        assert client.get(reverse("admin:audit_archive")).status_code == status, role


def test_archived_activity_is_found_by_person_action_and_address(client, archived):
    from django.contrib.auth import get_user_model

    client.force_login(make_user(role="admin"))
    address = get_user_model().objects.get(pk=archived).email
    for query, count in {"": 5, str(archived): 5, address: 5, "user.log": 5, "user.created": 0, "203.0.113.77": 0}.items():
        response = client.get(reverse("admin:audit_archive"), {"month": "2025-03-01", "q": query})
        assert response.context["found"].total == count, query
    assert b"user.login" in client.get(reverse("admin:audit_archive"), {"month": "2025-03-01"}).content
    recorded = Activity.objects.filter(action="audit.archive_searched").first()
    assert recorded.details["month"] == "2025-03"


def test_a_month_that_is_not_there_is_refused(client, archived, settings, tmp_path):
    client.force_login(make_user(role="admin"))
    response = client.get(reverse("admin:audit_archive"), {"month": "2020-01-01"})
    assert response.status_code == 200 and response.context["found"] is None
    (tmp_path / "2025-03" / "rows.copy.gz").unlink()
    response = client.get(reverse("admin:audit_archive"), {"month": "2025-03-01"})
    assert response.context["found"] is None and response.context["form"].non_field_errors()


def test_a_search_of_the_archive_gives_activities_as_the_log_would(archived):
    found = search.search_archive(date(2025, 3, 1), limit=2)
    assert (found.total, found.looked_at, len(found.activities)) == (5, 5, 2)
    newest = found.activities[0]
    assert newest.action == "user.login" and newest.actor_id == archived and newest.recorded_at.month == 3


@pytest.mark.browser
def test_the_page_is_accessible_and_breaks_no_rule(page, live_server, login, axe, archived):
    login(make_user(role="admin"))
    page.goto(f"{live_server.url}{reverse('admin:audit_archive')}?month=2025-03-01")
    expect(page.get_by_text("5 activities of 5")).to_be_visible()
    assert axe(preload=False) == []  # preloading copies style sheets into an inline one, which the policy refuses
