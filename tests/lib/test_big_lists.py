"""Lists of the console that are paged by key: nothing twice, nothing left out, whatever is filtered or searched."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory
from django.urls import reverse

from aaperture.lib.big_lists import estimate
from audit.models import Activity
from audit.services import _insert, record
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/audit/activity/"
TIED = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROW = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def admin(client):
    user = make_user(role="admin", timezone="UTC")
    client.force_login(user)
    return user


def activities(number, *, action="user.updated", apart=timedelta(0), actor=None, target=None):
    """Rows of one past instant, or one after the other."""
    rows = []
    for position in range(number):
        row = Activity(recorded_at=TIED - position * apart, action=action, actor_kind="user" if actor else "system", details={})
        row.actor_id, row.target_id = actor and actor.pk, str(target.pk) if target else ""
        rows.append(row)
    _insert(rows)
    return rows


def ids(response):
    return [str(row.pk) for row in response.context["cl"].result_list]


def link(response, words):
    found = re.search(rf'<a href="([^"]*)"[^>]*>{words}</a>', response.content.decode())
    return found and found[1].replace("&amp;", "&")


def walk(client, start, words):
    pages, url = [], start
    while url is not None:
        response = client.get(LIST + url)
        assert response.status_code == 200
        pages.append(ids(response))
        url = link(response, words)
    return pages


def test_walking_forward_meets_every_row_once_even_those_of_one_instant(admin, client):
    activities(120)
    pages = walk(client, "?action=user.updated", "Older")
    assert [len(page) for page in pages] == [50, 50, 20]
    flat = [one for page in pages for one in page]
    assert len(set(flat)) == 120 and flat == sorted(flat, reverse=True)


def test_walking_back_from_the_end_meets_the_same_rows(admin, client):
    activities(60, apart=timedelta(minutes=7))
    activities(60)
    first = client.get(LIST + "?action=user.updated")
    forward = [one for page in walk(client, "?action=user.updated", "Older") for one in page]
    backward = [one for page in reversed(walk(client, link(first, "Oldest"), "Newer")) for one in page]
    assert forward == backward and len(forward) == 120


def test_a_day_leads_into_the_middle(admin, client):
    activities(200, apart=timedelta(hours=6))
    response = client.get(LIST + "?action=user.updated&day=2026-04-20")
    rows = response.context["cl"].result_list
    assert rows[0].recorded_at == datetime(2026, 4, 20, 18, tzinfo=UTC) and rows[1].recorded_at.day == 20
    assert link(response, "Newer") and link(response, "Older") and "day" not in link(response, "Newest")
    newer = client.get(LIST + link(response, "Newer")).context["cl"].result_list
    assert newer[-1].recorded_at == datetime(2026, 4, 21, 0, tzinfo=UTC)


def test_an_e_mail_address_finds_what_was_done_by_it_to_it_and_under_its_name(admin, client):
    anna, other = make_user(email="anna@example.test"), make_user()
    by = activities(3, actor=anna, target=anna)
    to = activities(2, actor=other, target=anna, apart=timedelta(minutes=1))
    tried = record("user.login.failed", request=RequestFactory().post("/"), account="Anna@example.test")
    activities(4, actor=other)
    response = client.get(LIST, {"q": " Anna@Example.test "})
    signed_up = Activity.objects.get(action="organization.created", actor_id=anna.pk)
    assert set(ids(response)) == {str(row.pk) for row in [*by, *to, tried, signed_up]}
    assert response.context["cl"].count_text == "7", "what somebody did to themselves counts once"
    assert client.get(LIST, {"q": str(anna.pk)}).context["cl"].count_text == "6"


def test_a_network_address_an_object_and_an_action_can_be_searched_for(admin, client):
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.77")
    row = record("session.expired", request=request)
    assert ids(client.get(LIST, {"q": "203.0.113.77"})) == [str(row.pk)] == ids(client.get(LIST, {"q": "::ffff:203.0.113.77"}))
    assert ids(client.get(LIST, {"q": "session."})) == [str(row.pk)]
    assert ids(client.get(LIST, {"q": "no such thing"})) == []


def test_search_and_filter_hold_on_every_page(admin, client):
    anna = make_user(email="anna@example.test")
    wanted = activities(70, actor=anna) + activities(30, target=anna, apart=timedelta(minutes=1))
    activities(40, actor=anna, action="role.changed")
    pages = walk(client, "?q=anna%40example.test&action=user.updated", "Older")
    flat = [one for page in pages for one in page]
    assert len(flat) == len(set(flat)) == 100 and set(flat) == {str(row.pk) for row in wanted}


def test_counts_are_exact_to_a_thousand_and_capped_above(admin, client):
    activities(1_000)
    text = client.get(LIST + "?action=user.updated").context["cl"].count_text
    assert text in {"1000", "1,000"}
    activities(1)
    assert client.get(LIST + "?action=user.updated").context["cl"].count_text == "more than 1,000"
    assert client.get(LIST).status_code == 200 and estimate("audit_activity") >= 0


def test_a_list_costs_the_same_number_of_queries_whatever_it_holds(admin, client, django_assert_max_num_queries):
    activities(300, actor=admin)
    client.get(LIST)
    with django_assert_max_num_queries(9):  # two of them for the record that this list was read
        client.get(LIST)


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=2026-05-01",
        "after=2026-05-01T00:00:00%2B00:00,x",
        "before=,",
        f"after=2026-05-01T00:00:00%2B23:59,{ROW}",
        f"before=0001-01-01T00:00:00%2B14:00,{ROW}",
        "day=yesterday",
        "day=9999-12-31",
        "last=",
    ],
)
def test_a_made_up_place_leads_back_to_the_beginning(admin, client, query):
    response = client.get(f"{LIST}?{query}")
    assert response.status_code in {200, 302}
    assert response.status_code == 200 or response.url == f"{LIST}?e=1"
    assert client.get(f"{LIST}?e=1").status_code == 200


def test_what_no_longer_orders_or_counts_is_ignored(admin, client):
    activities(3)
    for query in ("o=1.2", "p=3", "all=", "_facets=True"):
        response = client.get(f"{LIST}?action=user.updated&{query}")
        assert response.status_code == 200 and len(ids(response)) == 3, query


def test_the_detail_page_is_reached_and_shows_who(admin, client):
    row = record("user.updated", admin, actor=admin)
    text = client.get(LIST).content.decode()
    assert admin.email in text and reverse("admin:audit_activity_change", args=[row.pk]) in text


def test_runs_are_paged_by_key_too_and_an_action_is_for_what_one_sees(admin, client):
    from integrations.models import Connection, Pipeline, Run, Transformation

    connection = Connection.objects.create(provider="gmail", provider_subject="x", status="active")
    pipeline = Pipeline.objects.create(name="Inbox", connection=connection, transformation=Transformation.objects.get())
    rows = [Run(pipeline=pipeline, status="failed" if n % 2 else "succeeded", queued_at=TIED - timedelta(hours=n // 3)) for n in range(130)]
    Run.objects.bulk_create(rows)
    pages, url = [], "?status__exact=failed"
    while url is not None:
        response = client.get("/admin/integrations/run/" + url)
        pages += ids(response)
        assert "across all pages" not in response.content.decode()
        url = link(response, "Older")
    assert len(pages) == len(set(pages)) == 65 and response.context["cl"].count_text == "65"
