"""Analytics tells how the instance is used and never by whom (R-020, R-087, R-188)."""

import csv
import io
from datetime import date, timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.objections import Objection
from audit.models import Activity
from operations.analytics.anonymised import anonymize_user_data, anonymous_people, told
from operations.analytics.tables import tables
from tests.accounts.people import make_user
from tests.pages.look import LANGUAGES, TWO_LOOKS, look_at
from tracker.models import Opportunity
from vault.services import keyed_hash

pytestmark = pytest.mark.django_db
PAGE = "/admin/operations/analytics/"


def crowd(count: int = 8) -> list[User]:
    made = User.objects.bulk_create(User(email=f"canary{n}@example.test", name=f"Canary {n}") for n in range(count))
    Opportunity.objects.bulk_create(Opportunity(owner=user, company="Maison Secret", kind="enquiry") for user in made)
    return made


def client_of(role: str, **fields: str) -> Client:
    client = Client()
    client.force_login(make_user(role=role, **fields))
    return client


def lines(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_a_person_is_a_hash_a_role_and_a_week():
    user = make_user(email="lea@example.test", name="Léa")
    data = anonymize_user_data(user)
    assert set(data) == {"user_id", "role", "created_at"}
    assert data["user_id"] == keyed_hash("analytics", str(user.pk)).hex() and str(user.pk) not in str(data)
    assert data["created_at"].weekday() == 0 and isinstance(data["created_at"], date) and data["role"] == "member"
    assert data == anonymize_user_data(User.objects.get(pk=user.pk))


@pytest.mark.parametrize(
    ("people", "shown"),
    [
        ([9, 9, 9], [9, 9, 9]), ([9, 0, 5], [9, 0, 5]), ([9, 4, 3], [9, None, None]),
        ([9, 7, 4], [9, None, None]),  # one alone could be worked out from the sum
        ([9, 7, 1, 1], [9, None, None, None]),  # of two that are two together, each is one
        ([1, 0, 0], [None, 0, 0]), ([6, 1], [None, None]), ([], []),
    ],
)  # fmt: skip
def test_small_numbers_are_not_told(people, shown):
    assert [cell.value for cell in told([("x", "x", n, n) for n in people])] == shown


def test_what_few_people_have_much_of_is_not_told_either():
    one = make_user()
    Opportunity.objects.bulk_create(Opportunity(owner=one, kind="tender") for _n in range(50))
    crowd()
    kinds = {cell.name: cell.value for table in tables() if table.key == "kinds" for cell in table.cells}
    assert kinds == {"Enquiry": None, "Application": 0, "Tender": None}
    crowd_of_tenders = [Opportunity(owner=user, kind="tender") for user in User.objects.filter(email__startswith="canary")]
    Opportunity.objects.bulk_create(crowd_of_tenders)
    assert {cell.name: cell.value for table in tables() if table.key == "kinds" for cell in table.cells}["Tender"] == 58


def test_the_few_who_have_not_come_so_far_are_not_told_either():
    crowd(12)
    make_user()
    steps = {cell.name: cell.value for table in tables() if table.key == "adoption" for cell in table.cells}
    assert steps == {"Account": None, "Connected": 0, "Opportunity": None, "Project": 0}
    Opportunity.objects.filter(owner__in=User.objects.filter(email__startswith="canary")[:6]).delete()
    steps = {cell.name: cell.value for table in tables() if table.key == "adoption" for cell in table.cells}
    assert steps == {"Account": 13, "Connected": 0, "Opportunity": 6, "Project": 0}


def test_who_came_alone_in_a_week_is_not_told_by_it():
    people = crowd()
    User.objects.filter(pk=people[0].pk).update(created_at=people[0].created_at - timedelta(weeks=30))
    told_weeks = [person["created_at"] for person in anonymous_people()]
    assert told_weeks.count(None) == 1 and len(told_weeks) == len(people)


def test_the_page_and_its_files_name_nobody():
    people = crowd()
    User.objects.filter(pk=people[0].pk).update(objections=[Objection.STATISTICS])
    executive = client_of("executive", email="boss@example.test", name="Boss")
    html = executive.get(PAGE).content.decode()
    main = html[html.index('id="content"') :]
    assert "Accounts by role" in main and "Opportunities by stage" in main
    told_people, figures = lines(executive.get(PAGE + "?export=people")), lines(executive.get(PAGE + "?export=tables"))
    assert told_people[0] == ["user_id", "role", "created_at"] and len(told_people) == 1 + 8  # seven who do not object, and the boss
    assert {row[1] for row in told_people[1:]} == {"member", ""}  # of the only executive not even the role
    assert ["Accounts by role", "Executive", "not told"] in figures and ["Accounts by role", "Member", "not told"] in figures
    for text in (main, str(told_people), str(figures)):
        for secret in ("canary", "Canary", "Maison Secret", "boss@example.test", *(str(one.pk) for one in people)):
            assert secret not in text
    exports = Activity.objects.filter(action="analytics.exported").order_by("recorded_at")
    assert [row.details for row in exports] == [{"what": "people", "rows": 8}, {"what": "tables", "rows": len(figures) - 1}]
    assert executive.get(PAGE + "?export=else").status_code == 404
    assert [person["user_id"] for person in anonymous_people()] == sorted(row[0] for row in told_people[1:])


def test_who_sees_and_exports(monkeypatch):
    for role, status in (("admin", 200), ("developer", 200), ("executive", 200), ("designer", 403), ("executor", 403), ("viewer", 403)):
        client = client_of(role)
        assert [client.get(PAGE + what).status_code for what in ("", "?export=people", "?export=tables")] == [status] * 3, role
    assert "fewer than 5 people" in client_of("executive").get(PAGE).content.decode()
    has_perm = User.has_perm
    monkeypatch.setattr(User, "has_perm", lambda self, name, obj=None: name != "operations.export_data" and has_perm(self, name, obj))
    client = client_of("executive")
    assert "?export=" not in client.get(PAGE).content.decode() and client.get(PAGE + "?export=people").status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_sound(page, axe, live_server, login, language):
    crowd(12)
    login(make_user(role="executive", language=language))
    assert look_at(page, axe, live_server.url + PAGE, looks=TWO_LOOKS, preload=False) == []
    words = {"en": "How far people come", "fr": "Jusqu’où l’on va"}[language]
    page.get_by_role("heading", name=words).wait_for()
