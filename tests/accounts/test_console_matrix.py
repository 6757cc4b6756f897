"""The console obeys the matrix cell by cell, generated from `rbac.yaml` (R-081, R-084 … R-087).

A page of the console asks for the page *and* the operation: an executor sees pipelines through the API and runs them from the
runs' list, but has no page of pipelines.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.test import Client

from accounts.models import InstanceSettings, Organization, User
from accounts.services import developers
from audit.alerts import services as alerts
from audit.detectors import Severity
from audit.models import Activity, SecurityAlert
from integrations.models import Connection, Pipeline, Run, Transformation
from integrations.services.pipelines import SHIPPED
from operations.services import access_reviews
from tests.accounts.people import make_user, step_up
from tests.accounts.test_roles import MATRIX, STAFF_ROLES, allowed
from tests.audit.watching import watch

pytestmark = pytest.mark.django_db
OUTSIDERS = ["coach", "member"]
INTEGRATIONS = "/admin/integrations"
USERS = "/admin/accounts/user"
PAGES = {
    "dashboard": "/admin/",
    "pipelines": f"{INTEGRATIONS}/pipeline/",
    "connectors": f"{INTEGRATIONS}/connection/",
    "transformations": f"{INTEGRATIONS}/transformation/",
    "monitoring": "/admin/operations/monitoring/",
    "analytics": "/admin/operations/analytics/",
    "users": f"{USERS}/",
    "maintenance": "/admin/accounts/instancesettings/",
}


class Things(NamedTuple):
    waiting: Connection
    pipeline: Pipeline
    own: Pipeline  # a member's, of which staff set the schedule
    unused: Transformation
    run: Run
    person: User
    review: Any
    alert: SecurityAlert
    new_pipeline: dict[str, Any]  # over a source of records


@pytest.fixture
def things() -> Things:
    """Objects of the instance, and a member whom everybody outranks."""
    active = Connection.objects.create(provider="gmail", provider_subject="instance", status=Connection.Status.ACTIVE)
    waiting = Connection.objects.create(provider="gmail", account_email="studio@example.test")
    pipeline = Pipeline.objects.create(name="Studio inbox", connection=active, transformation=Transformation.objects.get(name=SHIPPED))
    unused = Transformation.objects.create(name="Spare", steps=[{"do": "classify"}, {"do": "redact"}])
    run = Run.objects.create(pipeline=pipeline, trigger=Run.Trigger.MANUAL, status=Run.Status.SUCCEEDED)
    person, reviewer = make_user(), make_user(role="admin")
    theirs = Connection.objects.create(provider="gmail", provider_subject="theirs", owner=person, status=Connection.Status.ACTIVE)
    own = Pipeline.objects.create(name="Inbox", connection=theirs, transformation=pipeline.transformation)
    alerts.report("secrets_overdue", severity=Severity.LOW)
    alert = SecurityAlert.objects.get()
    source = Connection.objects.create(provider="http_json", name="Feed", provider_subject="feed", status=Connection.Status.ACTIVE)
    records = Transformation.objects.create(name="Records", steps=[{"do": "map", "fields": {"title": "name"}}])
    new = {"name": "Posts", "connection": source.pk, "transformation": records.pk, "destination": "dataset", "keep_days": 30} | SCHEDULE
    return Things(waiting, pipeline, own, unused, run, person, access_reviews.open_review(reviewer), alert, new)


def chosen(action: str, row: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(row.pk)]}


SCHEDULE = {"enabled": "on", "schedule": "04:00", "max_messages": 10, "max_seconds": 10}
STEPS = {"name": "New", "chain": "mail", "steps": "2", "s0-do": "classify", "s1-do": "redact"}
TRIED = {"act": "try", "sender": "a@b.test", "subject": "Hi", "text": "Hi"}
Request = tuple[str, str, dict[str, Any]]  # method, path, form
ROUTES: dict[tuple[str, str], tuple[str, Callable[[Things], Request]]] = {
    # (area, operation): (the page it stands on, what is asked)
    ("pipelines", "view"): ("pipelines", lambda t: ("get", f"{INTEGRATIONS}/pipeline/{t.pipeline.pk}/change/", {})),
    ("pipelines", "create"): ("pipelines", lambda t: ("post", f"{INTEGRATIONS}/pipeline/add/", t.new_pipeline)),
    ("pipelines", "edit"): ("pipelines", lambda t: ("post", f"{INTEGRATIONS}/pipeline/{t.own.pk}/change/", SCHEDULE)),
    ("pipelines", "delete"): ("pipelines", lambda t: ("post", f"{INTEGRATIONS}/pipeline/{t.pipeline.pk}/delete/", {"post": "yes"})),
    ("pipelines", "execute"): ("", lambda t: ("post", f"{INTEGRATIONS}/run/", chosen("run_again", t.run))),
    ("pipelines", "view_logs"): ("", lambda t: ("get", f"{INTEGRATIONS}/run/{t.run.pk}/change/", {})),
    ("connectors", "view"): ("connectors", lambda t: ("get", f"{INTEGRATIONS}/connection/{t.waiting.pk}/change/", {})),
    ("connectors", "create"): (
        "connectors", lambda t: ("post", f"{INTEGRATIONS}/connection/add/", {"provider": "gmail", "account_email": "new@example.test"})
    ),
    ("connectors", "edit"): (
        "connectors", lambda t: ("post", f"{INTEGRATIONS}/connection/{t.waiting.pk}/change/", {"account_email": "other@example.test"})
    ),
    ("connectors", "delete"): ("connectors", lambda t: ("post", f"{INTEGRATIONS}/connection/{t.waiting.pk}/delete/", {})),
    ("connectors", "test_connection"): ("connectors", lambda t: ("post", f"{INTEGRATIONS}/connection/", chosen("test", t.waiting))),
    ("transformations", "view"): ("transformations", lambda t: ("get", f"{INTEGRATIONS}/transformation/{t.unused.pk}/change/", {})),
    ("transformations", "create"): (
        "transformations", lambda t: ("post", f"{INTEGRATIONS}/transformation/add/", STEPS)
    ),
    ("transformations", "edit"): (
        "transformations", lambda t: ("post", f"{INTEGRATIONS}/transformation/{t.unused.pk}/change/", STEPS)
    ),
    ("transformations", "delete"): (
        "transformations", lambda t: ("post", f"{INTEGRATIONS}/transformation/{t.unused.pk}/delete/", {"post": "yes"})
    ),
    ("transformations", "execute"): ("transformations", lambda t: ("post", f"{INTEGRATIONS}/transformation/", chosen("execute", t.unused))),
    ("transformations", "test"): (
        "transformations",
        lambda t: ("post", f"{INTEGRATIONS}/transformation/{t.unused.pk}/change/", STEPS | TRIED),
    ),
    ("users", "view"): ("users", lambda t: ("get", f"{USERS}/{t.person.pk}/change/", {})),
    ("users", "create"): (
        "users", lambda t: ("post", f"{USERS}/add/", {"email": "lou@example.test", "name": "Lou", "role": "member", "language": "fr"})
    ),
    ("users", "edit"): (
        "users", lambda t: ("post", f"{USERS}/{t.person.pk}/change/", {"name": "Lou", "language": "fr", "timezone": "Europe/Paris"})
    ),
    ("users", "delete"): ("users", lambda t: ("post", f"{USERS}/{t.person.pk}/delete/", {})),
    ("users", "change_role"): ("users", lambda t: ("post", f"{USERS}/do/change_role/", {"id": t.person.pk, "role": "viewer"})),
    ("users", "activate_deactivate"): ("users", lambda t: ("post", f"{USERS}/do/deactivate/", {"id": t.person.pk})),
    ("users", "reset_password"): ("users", lambda t: ("post", f"{USERS}/do/send_reset/", {"id": t.person.pk})),
    ("monitoring_analytics", "view_monitoring"): ("monitoring", lambda t: ("get", "/admin/tracker/opportunitycount/", {})),
    ("monitoring_analytics", "view_analytics"): ("analytics", lambda t: ("get", "/admin/operations/analytics/", {})),
    ("monitoring_analytics", "export_data"): ("users", lambda t: ("get", f"/admin/operations/accessreview/{t.review.pk}/export/", {})),
    ("monitoring_analytics", "manage_alerts"): (
        "monitoring", lambda t: ("post", f"/admin/audit/securityalert/{t.alert.pk}/do/acknowledge/", {})
    ),
    ("system", "settings"): (
        "maintenance",
        lambda t: ("post", "/admin/accounts/instancesettings/add/", {"premium_for": "everyone", "dev_role_hours": 24}),
    ),
    ("system", "cleanup"): ("maintenance", lambda t: ("post", "/admin/operations/cleanups/?start=cleanup.all", {})),
    ("system", "backup_restore"): ("maintenance", lambda t: ("post", "/admin/operations/backups/", {})),
    ("system", "view_activity_logs"): ("", lambda t: ("get", "/admin/audit/activity/", {})),
}  # fmt: skip


def expected(area: str, operation: str, role: str) -> bool:
    row, page = MATRIX["resources"][area][operation], ROUTES[area, operation][0]
    if row.get("note") == "dev_reset" and role == "developer":
        return False  # the stricter of the two sources: developers reset nobody's password
    return role in STAFF_ROLES and allowed(row[role]) and (not page or allowed(MATRIX["navigation"][page][role]))


def signed_in(role: str) -> Client:
    client, user = Client(), make_user(role=role)
    client.force_login(user)
    step_up(client, user)
    return client


def asks(client: Client, request: Request) -> Any:
    method, path, form = request
    return client.get(path) if method == "get" else client.post(path, form)


def succeeded(response: Any) -> bool:
    return response.status_code == 200 or (response.status_code == 302 and not response.url.startswith("/accounts/"))


CELLS = [(area, operation, role, expected(area, operation, role)) for area, operation in ROUTES for role in [*STAFF_ROLES, *OUTSIDERS]]


def test_every_operation_has_a_route():
    assert {(area, operation) for area, rows in MATRIX["resources"].items() for operation in rows} == set(ROUTES)


@pytest.mark.parametrize(("area", "operation", "role", "allow"), CELLS)
def test_an_operation_on_the_console(things, area, operation, role, allow, monkeypatch):
    unrecorded = watch(monkeypatch)
    response = asks(signed_in(role), ROUTES[area, operation][1](things))
    assert not unrecorded
    if allow:
        assert succeeded(response), response.status_code
        errors = (response.context or {}).get("errors") if response.status_code == 200 else None
        assert not errors, errors
        assert not Activity.objects.filter(action="permission.denied").exists()
    else:
        assert response.status_code == 403
        assert Activity.objects.filter(action="permission.denied").count() == 1


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("role", [*STAFF_ROLES, *OUTSIDERS])
def test_a_page_of_the_console_typed_by_hand(role, path):
    page = next(name for name, one in PAGES.items() if one == path)
    allow = role in STAFF_ROLES and allowed(MATRIX["navigation"][page][role])
    assert signed_in(role).get(path).status_code == (200 if allow else 403)
    assert Activity.objects.filter(action="permission.denied").count() == (0 if allow else 1)


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_the_side_bar_offers_the_pages_that_one_may_open_and_no_others(role):
    html = signed_in(role).get("/admin/").content.decode()
    for page, path in PAGES.items():
        assert (f'href="{path}"' in html) is allowed(MATRIX["navigation"][page][role]) or page == "dashboard"


@pytest.mark.parametrize(("area", "operation"), ROUTES)
def test_nobody_signed_in_is_led_to_the_sign_in_page(things, area, operation):
    response = asks(Client(), ROUTES[area, operation][1](things))
    assert response.status_code == 302 and response.url.startswith("/accounts/login/")


@pytest.mark.parametrize(("role", "path"), [("viewer", f"{INTEGRATIONS}/pipeline/"), ("executive", f"{USERS}/")])
def test_a_read_only_cell_shows_nothing_to_press(things, role, path):
    client = signed_in(role)
    row = things.pipeline if role == "viewer" else things.person
    for html in (client.get(path).content.decode(), client.get(f"{path}{row.pk}/change/").content.decode()):
        main = html[html.index('id="content"') :]
        for button in ("addlink", "deletelink", 'name="action"', "_save", "/do/"):
            assert button not in main, button


@pytest.mark.parametrize("name", ["organization", "session", "apisession", "apikey", "coachlink"])
@pytest.mark.parametrize("role", [*STAFF_ROLES, *OUTSIDERS])
def test_what_has_no_cell_of_its_own_follows_the_row_of_users(name, role):
    allow = role in STAFF_ROLES and allowed(MATRIX["navigation"]["users"][role])
    assert signed_in(role).get(f"/admin/accounts/{name}/").status_code == (200 if allow else 403)


def test_what_a_model_objects_to_in_a_field_that_is_not_shown_is_said_above_the_form(things):
    response = signed_in("designer").post(f"{INTEGRATIONS}/pipeline/{things.pipeline.pk}/change/", SCHEDULE | {"name": "New"})
    assert response.status_code == 200 and "belongs to the instance" in response.content.decode()


def test_the_history_of_an_object_obeys_too(things):
    assert signed_in("viewer").get(f"{USERS}/{things.person.pk}/history/").status_code == 403
    assert signed_in("admin").get(f"{USERS}/{things.person.pk}/history/").url == f"/admin/audit/activity/?q={things.person.pk}"


def test_autocompletion_is_no_side_door(things):
    query = {"app_label": "accounts", "model_name": "membership", "field_name": "user", "term": "e"}
    for role, status in (("admin", 200), ("executive", 200), ("viewer", 403), ("designer", 403), ("member", 403)):
        assert signed_in(role).get("/admin/autocomplete/", query).status_code == status


def test_studios_are_read_there_and_changed_by_their_owners(things):
    studio = Organization.objects.first()
    client = signed_in("admin")
    assert client.get(f"/admin/accounts/organization/{studio.pk}/change/").status_code == 200
    assert client.post(f"/admin/accounts/organization/{studio.pk}/change/", {"name": "Mine"}).status_code == 403
    assert client.post(f"/admin/accounts/organization/{studio.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_developer_may_not_say_how_long_developers_are_admitted_for():
    form = {"registration_open": "on", "premium_for": "nobody", "dev_role_hours": 168}
    signed_in("developer").post("/admin/accounts/instancesettings/add/", form)
    row = InstanceSettings.current()
    assert row.premium_for == "nobody" and row.dev_role_hours == 24
    assert signed_in("developer").get("/admin/accounts/instancesettings/developers/").status_code == 403
    assert developers.admitted_until() is None


def test_the_settings_open_as_a_form_before_and_after_the_first_change():
    page = "/admin/accounts/instancesettings/"
    client = signed_in("admin")
    fresh = client.get(page).content.decode()
    assert 'name="premium_for"' in fresh and "<h1>Instance settings</h1>" in fresh
    answer = client.post(page, {"registration_open": "on", "premium_for": "nobody", "dev_role_hours": 24})
    assert answer.status_code == 302 and answer.url == page and InstanceSettings.current().premium_for == "nobody"
    assert client.post(page, {"premium_for": "everyone", "dev_role_hours": 24}).status_code == 302
    row = InstanceSettings.current()
    assert row.premium_for == "everyone" and not row.registration_open
    assert 'name="premium_for"' in client.get(page).content.decode()
    assert signed_in("viewer").post(page, {"premium_for": "nobody", "dev_role_hours": 24}).status_code == 403


def test_a_list_is_called_by_what_it_lists():
    client = signed_in("admin")
    assert "<h1>Users</h1>" in client.get("/admin/accounts/user/").content.decode()
    assert "<h1>Activity</h1>" in client.get("/admin/audit/activity/").content.decode()
