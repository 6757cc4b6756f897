"""One's own, a stranger's, the instance's: what each may see and do (R-083, R-094, DESIGN "Permissions")."""

from pathlib import Path

import pytest
import yaml

from accounts.models import Membership, Session
from accounts.roles import Role
from audit.models import Activity
from integrations.models import Connection, Pipeline, Run, Transformation
from tests.accounts.people import make_user
from tests.api.caller import with_key, with_token
from tests.api.things import someones_things

pytestmark = pytest.mark.django_db
MATRIX = yaml.safe_load((Path(__file__).parent.parent / "accounts" / "rbac.yaml").read_text())
STAFF = ["admin", "developer", "designer", "executor", "executive", "viewer"]


def yes(cell: object) -> bool:
    return cell is True or (isinstance(cell, str) and cell.startswith(("yes", "ro")))


@pytest.mark.parametrize("role", [*STAFF, "coach", "member"])
def test_permissions_me_is_the_matrix(role):
    body = with_token(make_user(role=role)).get("/api/v1/permissions/me").body
    assert body["role"] == role
    assert body["navigation"] == {page: yes(row.get(role)) for page, row in MATRIX["navigation"].items()}
    assert body["features"] == {
        area: {operation: yes(row.get(role)) for operation, row in operations.items()} for area, operations in MATRIX["resources"].items()
    }


# --- a stranger's things do not exist, on every verb ----------------------------------------------------------------------


def paths_of(owner) -> list[str]:
    things = someones_things(owner)
    key = with_key(owner).key
    session = with_token(owner).get("/api/v1/sessions").body["results"][0]["id"]
    studio = Membership.objects.get(user=owner)
    ids = {
        "connections": things.connection.pk, "pipelines": things.pipeline.pk, "runs": things.run.pk, "opportunities": things.opportunity.pk,
        "api-keys": key.pk, "sessions": session, "studios": studio.organization_id,
    }  # fmt: skip
    found = [f"/api/v1/{noun}/{pk}" for noun, pk in ids.items()]
    found += [f"/api/v1/connections/{things.connection.pk}/test", f"/api/v1/pipelines/{things.pipeline.pk}/run"]
    found += [f"/api/v1/pipelines/{things.pipeline.pk}/cancel", f"/api/v1/runs/{things.run.pk}/cancel"]
    found.append(f"/api/v1/runs/{things.run.pk}/events")
    found += [f"/api/v1/api-keys/{key.pk}/rotate-secret", f"/api/v1/studios/{studio.organization_id}/members"]
    return [*found, f"/api/v1/studios/{studio.organization_id}/members/{studio.pk}"]


def test_a_strangers_things_are_404_on_every_verb():
    paths, stranger = paths_of(make_user()), with_token(make_user(), stepped_up=True)
    bodies = {"PATCH": {"name": "x"}, "PUT": {}, "POST": {}, "DELETE": None, "GET": None}
    for path in paths:
        answers = {method: stranger.send(method, path, body).status_code for method, body in bodies.items()}
        assert set(answers.values()) <= {404, 405} and 404 in answers.values(), (path, answers)
    lists = ["connections", "pipelines", "runs", "opportunities", "api-keys"]
    assert [stranger.get(f"/api/v1/{noun}").body["count"] for noun in lists] == [0] * 5


def test_the_owner_sees_all_of_it():
    owner = make_user()
    caller = with_token(owner, stepped_up=True)
    for path in paths_of(owner):
        assert caller.get(path).status_code in {200, 405}, path


# --- staff: the instance's by the matrix, of members' status and counts ------------------------------------------------------


@pytest.mark.parametrize("role", STAFF)
def test_of_a_members_things_staff_see_status_and_counts_only(role):
    member = make_user(email="very.private@example.test")
    things = someones_things(member)
    staff = with_token(make_user(role=role), stepped_up=True)
    for noun, row in (("connections", things.connection), ("pipelines", things.pipeline), ("runs", things.run)):
        answer = staff.get(f"/api/v1/{noun}/{row.pk}")
        cell = {"connections": ("connectors", "view"), "pipelines": ("pipelines", "view"), "runs": ("pipelines", "view_logs")}[noun]
        assert answer.status_code == (200 if yes(MATRIX["resources"][cell[0]][cell[1]][role]) else 404), noun
        for text in (answer.content, staff.get(f"/api/v1/{noun}").content):
            assert b"very.private" not in text and b"Maison" not in text
    assert staff.get(f"/api/v1/opportunities/{things.opportunity.pk}").status_code == 404
    refusals = [staff.post(f"/api/v1/pipelines/{things.pipeline.pk}/run"), staff.post(f"/api/v1/connections/{things.connection.pk}/test")]
    refusals += [staff.delete(f"/api/v1/connections/{things.connection.pk}"), staff.delete(f"/api/v1/pipelines/{things.pipeline.pk}")]
    refusals.append(staff.patch(f"/api/v1/pipelines/{things.pipeline.pk}", {"name": "Mine now"}))
    assert {answer.status_code for answer in refusals} <= {403, 404}


PIPELINE = {"name": "x", "connection": "{source}", "transformation": "{records}", "destination": "dataset"}
CELLS = [
    ("connectors", "view", "GET", "/api/v1/connections/{connection}", None, 200),
    ("connectors", "create", "POST", "/api/v1/connections", {"provider": "gmail", "account_email": "a@example.test"}, 201),
    ("connectors", "edit", "PATCH", "/api/v1/connections/{connection}", {"account_email": "b@example.test"}, 409),
    ("connectors", "delete", "DELETE", "/api/v1/connections/{connection}", None, 200),
    ("connectors", "test_connection", "POST", "/api/v1/connections/{connection}/test", None, 200),
    ("pipelines", "view", "GET", "/api/v1/pipelines/{pipeline}", None, 200),
    ("pipelines", "create", "POST", "/api/v1/pipelines", PIPELINE, 201),
    ("pipelines", "edit", "PATCH", "/api/v1/pipelines/{pipeline}", {"enabled": False}, 200),
    ("pipelines", "delete", "DELETE", "/api/v1/pipelines/{pipeline}", None, 204),
    ("pipelines", "execute", "POST", "/api/v1/pipelines/{pipeline}/run", None, 202),
    ("pipelines", "view_logs", "GET", "/api/v1/runs/{run}/events", None, 200),
    ("transformations", "view", "GET", "/api/v1/transformations/{free}", None, 200),
    ("transformations", "create", "POST", "/api/v1/transformations", {"name": "n", "steps": [{"do": "classify"}, {"do": "redact"}]}, 201),
    ("transformations", "edit", "PATCH", "/api/v1/transformations/{free}", {"name": "m"}, 200),
    ("transformations", "delete", "DELETE", "/api/v1/transformations/{free}", None, 204),
    ("transformations", "execute", "POST", "/api/v1/transformations/{used}/run", None, 202),
    ("transformations", "test", "POST", "/api/v1/transformations/{free}/test", {"sender": "a@b.test", "subject": "Hi", "text": "Hi"}, 200),
    ("users", "view", "GET", "/api/v1/users", None, 200),
    ("users", "create", "POST", "/api/v1/users", {"email": "new@example.test"}, 201),
    ("users", "edit", "PATCH", "/api/v1/users/{member}", {"name": "Sam"}, 200),
    ("users", "delete", "DELETE", "/api/v1/users/{member}", None, 204),
    ("users", "change_role", "POST", "/api/v1/users/{member}/change-role", {"role": "viewer"}, 200),
    ("users", "activate_deactivate", "POST", "/api/v1/users/{member}/deactivate", None, 200),
    ("users", "reset_password", "POST", "/api/v1/users/{member}/reset-password", None, 204),
    ("system", "settings", "PATCH", "/api/v1/settings", {"registration_open": False}, 200),
    ("system", "view_activity_logs", "GET", "/api/v1/activity-logs", None, 200),
]


@pytest.mark.parametrize(("area", "operation", "method", "path", "body", "status"), CELLS, ids=[f"{row[0]}.{row[1]}" for row in CELLS])
@pytest.mark.parametrize("role", [*STAFF, "coach", "member"])
def test_every_cell_by_api(role, area, operation, method, path, body, status):
    things = someones_things(None)
    free = Transformation.objects.create(name="Free", steps=[{"do": "classify"}, {"do": "redact"}])
    names = {"connection": things.connection.pk, "pipeline": things.pipeline.pk, "run": things.run.pk, "free": free.pk}
    names |= {"member": make_user(email="member@example.test").pk, "used": things.pipeline.transformation_id}
    source = Connection.objects.create(provider="http_json", name="Feed", status="active", config={"url": "https://feed.example.com/"})
    records = Transformation.objects.create(name="Records", steps=[{"do": "map", "fields": {"title": "name"}}])
    names |= {"source": source.pk, "records": records.pk}
    sent = {key: value.format(**names) if isinstance(value, str) else value for key, value in body.items()} if body else None
    allowed = yes(MATRIX["resources"][area][operation].get(role))
    if (role, operation) == ("developer", "reset_password"):
        allowed = False  # rbac.yaml: dev_reset
    answer = with_token(make_user(role=role), stepped_up=True).send(method, path.format(**names), sent)
    if allowed:
        assert answer.status_code == status, answer.body
        if operation == "execute":
            assert Run.objects.live().filter(pipeline=things.pipeline).count() == 1
    else:
        assert answer.status_code in {403, 404}, answer.body
        if answer.status_code == 403:
            assert Activity.objects.filter(action="permission.denied").count() == 1


def test_every_operation_that_has_a_call_has_a_cell():
    """Monitoring and analytics, cleanup and backups have calls of their own, tested where they stand."""
    elsewhere = {"monitoring_analytics": set(MATRIX["resources"]["monitoring_analytics"]), "system": {"cleanup", "backup_restore"}}
    for area, operations in MATRIX["resources"].items():
        assert set(operations) - elsewhere.get(area, set()) == {row[1] for row in CELLS if row[0] == area}, area


def test_a_source_of_records_by_api_from_its_address_to_its_rows():
    designer, viewer = with_token(make_user(role="designer")), with_token(make_user(role="viewer"))
    config = {"url": "https://feed.example.com/jobs", "auth": "bearer", "secret": "s3cret-Value"}
    for wrong in ({"config": config}, {"name": "x", "config": config | {"odd": "1"}}, {"name": "x", "config": {"url": "http://a.test"}}):
        assert designer.post("/api/v1/connections", {"provider": "http_json"} | wrong).status_code == 400
    made = designer.post("/api/v1/connections", {"provider": "http_json", "name": "Jobs", "config": config})
    assert made.status_code == 201 and made.body["status"] == "active" and b"s3cret" not in made.content
    path = f"/api/v1/connections/{made.body['id']}"
    assert designer.post("/api/v1/connections", {"provider": "http_json", "name": "Again", "config": config}).status_code == 409
    changed = designer.patch(path, {"config": {"items": "rows"}})
    assert changed.status_code == 200 and changed.body["config"]["items"] == "rows" and changed.body["name"] == "Jobs"
    assert designer.patch(path, {"config": {"url": "https://thief.example.com/"}}).status_code == 400
    assert Connection.objects.get().secret == "s3cret-Value" and viewer.patch(path, {"name": "x"}).status_code == 403
    steps = [{"do": "filter", "when": "open"}, {"do": "map", "fields": {"title": "name"}}]
    chain = designer.post("/api/v1/transformations", {"name": "Open posts", "steps": steps}).body["id"]
    tried = designer.post(f"/api/v1/transformations/{chain}/test", {"record": {"name": "Photographer", "open": True, "more": 1}}).body
    assert tried["kept"] and [step["outcome"] for step in tried["steps"]] == ["went_on"] * 2
    assert tried["steps"][-1]["output"] == {"title": "Photographer"}
    dropped = designer.post(f"/api/v1/transformations/{chain}/test", {"record": {"name": "Photographer"}}).body
    assert not dropped["kept"] and [step["outcome"] for step in dropped["steps"]] == ["dropped"]
    assert designer.post(f"/api/v1/transformations/{chain}/test", {"sender": "a", "subject": "b", "text": "c"}).status_code == 400
    new = {"name": "Posts", "connection": made.body["id"], "transformation": chain, "destination": "dataset", "keep_days": 30}
    assert designer.post("/api/v1/pipelines", new | {"destination": "opportunities"}).status_code == 400
    pipeline = designer.post("/api/v1/pipelines", new)
    assert pipeline.status_code == 201 and pipeline.body["keep_days"] == 30
    Pipeline.objects.get().rows.create(item_id="1", data={"title": "Photographer"})
    rows = f"/api/v1/pipelines/{pipeline.body['id']}/rows"
    assert designer.get(rows).body["results"][0]["data"] == {"title": "Photographer"}
    assert viewer.get(rows).status_code == viewer.delete(rows).status_code == 403
    assert with_token(make_user()).get(rows).status_code == 404
    assert designer.delete(rows).body == {"deleted": 1} and designer.get(rows).body["count"] == 0


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/activity-logs", "/api/v1/settings", "/api/v1/transformations"])
def test_asking_for_the_head_alone_needs_the_same_permission(path):
    member = with_token(make_user())
    assert member.client.head(path, headers=member.headers).status_code == 403
    admin = with_token(make_user(role="admin"))
    assert admin.client.head(path, headers=admin.headers).status_code == 200


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("developer", 403)])
def test_some_settings_are_for_administrators_only(role, status):
    answer = with_token(make_user(role=role)).patch("/api/v1/settings", {"dev_role_hours": 48})
    assert answer.status_code == status


# --- a few rules of their own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("developer", 403), ("designer", 403), ("member", 403)])
def test_only_an_administrator_admits_developers_in_production(role, status):
    put = with_token(make_user(role=role), stepped_up=True).put
    answer = put("/api/v1/admin/settings/dev-role-production", {"allow": True, "duration_hours": 24})
    assert answer.status_code == status
    if status == 200:
        assert answer.body["allow"] and answer.body["expires_at"]
        assert put("/api/v1/admin/settings/dev-role-production", {"allow": False}).body == {"allow": False, "expires_at": None}


HOURS = [{"allow": True, "duration_hours": hours} for hours in (0, -1, 169, 10**9, "x", 1.5, True)]


@pytest.mark.parametrize("body", [{"duration_hours": 1}, {"allow": "yes"}, *HOURS])
def test_the_hours_are_bounded(body):
    answer = with_token(make_user(role="admin"), stepped_up=True).put("/api/v1/admin/settings/dev-role-production", body)
    assert answer.status_code == 400 and answer.body["errors"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/v1/users/{}", None),
        ("POST", "/api/v1/users/{}/change-role", {"role": "viewer"}),
        ("PUT", "/api/v1/admin/settings/dev-role-production", {"allow": True}),
    ],
)
def test_sensitive_operations_ask_for_a_fresh_proof_and_take_no_key(method, path, body):
    admin, member = make_user(role="admin"), make_user()
    for caller in (with_token(admin), with_key(admin)):
        answer = caller.send(method, path.format(member.pk), body)
        assert answer.status_code == 403 and answer.body["code"] == "step_up_required"


def test_a_developer_cannot_touch_an_administrator():
    admin = make_user(role=Role.ADMIN)
    developer = with_token(make_user(role="developer"), stepped_up=True)
    answer = developer.patch(f"/api/v1/users/{admin.pk}", {"name": "x"})
    assert answer.status_code == 403 and answer.body["detail"] == "Developer role cannot modify admin user"
    assert Activity.objects.filter(action="admin_user.modification_attempted").count() == 1


def test_whoever_became_an_administrator_without_a_second_factor_is_stopped():
    user = make_user()
    caller, machine = with_token(user), with_key(user)
    user.role = Role.ADMIN
    user.save(update_fields=["role"])
    for answer in (caller.get("/api/v1/me"), machine.get("/api/v1/me")):
        assert answer.status_code == 403 and answer.body["code"] == "mfa_enrolment_required"


def test_own_sessions_are_listed_without_their_keys_and_ended(client):
    user = make_user()
    client.force_login(user)
    caller, other = with_token(user), with_token(user)
    rows = caller.get("/api/v1/sessions").body["results"]
    assert sorted(row["kind"] for row in rows) == ["api", "api", "web"] and [row["current"] for row in rows].count(True) == 1
    assert Session.objects.get().pk not in str(rows)
    ended = next(row["id"] for row in rows if row["kind"] == "api" and not row["current"])
    assert caller.delete(f"/api/v1/sessions/{ended}").status_code == 204 and other.get("/api/v1/me").status_code == 401
    web = next(row["id"] for row in rows if row["kind"] == "web")
    assert caller.delete(f"/api/v1/sessions/{web}").status_code == 204 and not Session.objects.exists()


def test_the_activity_log_is_paged_by_cursor_and_filtered():
    admin = make_user(role="admin")
    caller = with_token(admin)
    for _ in range(3):
        with_token(admin)
    first = caller.get("/api/v1/activity-logs?action=user.login&page_size=3").body
    second = caller.get(first["next"].partition("testserver")[2]).body
    rows = [*first["results"], *second["results"]]
    assert len(rows) == 4 and len({row["id"] for row in rows}) == 4 and {row["username"] for row in rows} == {admin.email}
    assert [row["timestamp"] for row in rows] == sorted((row["timestamp"] for row in rows), reverse=True)
    assert rows[0]["ip_address"] == "127.0.0.1"
    far_east = "cD0yMDI2LTAxLTAxVDAwJTNBMDAlM0EwMCUyQjIzJTNBNTk%3D"  # +23:59, an offset that PostgreSQL does not know
    for query in ("cursor=x", "cursor=cD1ub3RhZGF0ZQ%3D%3D", f"cursor={far_east}"):
        assert caller.get(f"/api/v1/activity-logs?{query}").status_code == 404
    assert caller.get("/api/v1/activity-logs?action=no.such").status_code == 400


def test_versions_and_dry_runs_by_api():
    designer = with_token(make_user(role="designer"))
    steps = [{"do": "map", "fields": {"title": "name"}}]
    made = designer.send("POST", "/api/v1/transformations", {"name": "Posts", "steps": steps, "note": "The first"})
    path = f"/api/v1/transformations/{made.body['id']}"
    other = [{"do": "map", "fields": {"title": "title"}}]
    assert designer.send("PATCH", path, {"steps": other}).body["version"] == 2
    versions = designer.send("GET", path + "/versions").body["results"]
    assert [(one["number"], one["note"], one["steps"]) for one in versions] == [(2, "", other), (1, "The first", steps)]
    assert with_token(make_user(role="executive")).send("GET", path + "/versions").status_code == 403
    source = Connection.objects.create(provider="http_json", name="Feed", status="active", config={"url": "https://feed.example.com/"})
    told = {"name": "Jobs", "connection": str(source.pk), "transformation": made.body["id"], "destination": "dataset"}
    assert designer.send("POST", "/api/v1/pipelines", told | {"version": 9}).status_code == 400
    assert designer.send("POST", "/api/v1/pipelines", told | {"destination": "opportunities"}).status_code == 400
    mine = designer.send("POST", "/api/v1/pipelines", told | {"destination": "opportunities", "for_me": True})
    assert mine.status_code == 201 and Pipeline.objects.get().recipient.role == "designer"
    row = designer.send("POST", "/api/v1/pipelines", told | {"version": 1, "max_per_day": 5}).body
    assert (row["version"], row["is_pinned"], row["max_per_day"]) == (1, True, 5)
    row = designer.send("PATCH", f"/api/v1/pipelines/{row['id']}", {"version": None}).body
    assert (row["version"], row["is_pinned"]) == (2, False)
    assert designer.send("POST", f"/api/v1/pipelines/{row['id']}/dry-run").status_code == 409  # nobody is at feed.example.com
    for role in ("viewer", "executive", "member"):
        answer = with_token(make_user(role=role)).send("POST", f"/api/v1/pipelines/{row['id']}/dry-run")
        assert answer.status_code == (404 if role == "member" else 403), role
