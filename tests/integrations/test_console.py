"""The operator console: who sees what of connections and pipelines, and what nobody sees."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from audit.models import Activity
from integrations.models import Connection, Pipeline, Run, RunEvent, Transformation
from integrations.schedule import next_after
from integrations.services import pipelines
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
LISTS = {
    "connection": {Role.ADMIN, Role.DEVELOPER, Role.DESIGNER, Role.VIEWER},
    "pipeline": {Role.ADMIN, Role.DEVELOPER, Role.DESIGNER, Role.VIEWER},
    "transformation": {Role.ADMIN, Role.DEVELOPER, Role.DESIGNER, Role.VIEWER},
    "run": {Role.ADMIN, Role.DEVELOPER, Role.DESIGNER, Role.EXECUTOR},
}


def staff(role: str) -> Client:
    client = Client()
    client.force_login(make_user(role=role, timezone="UTC"))
    return client


def page(model: str, what: str = "changelist", *args) -> str:
    return reverse(f"admin:integrations_{model}_{what}", args=args)


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("role", Role.values)
def test_who_sees_which_list(sandbox, model, role):
    assert staff(role).get(page(model)).status_code == (200 if role in LISTS[model] else 403)


def test_no_page_shows_a_token_or_whose_mailbox_it_is(sandbox, connect, member):
    row = connect()
    pipeline, run = row.pipelines.get(), Run.objects.get()
    admin = staff("admin")
    paths = [page(model) for model in LISTS] + [
        page("connection", "change", row.pk), page("pipeline", "change", pipeline.pk), page("run", "change", run.pk),
    ]  # fmt: skip
    for path in paths:
        response = admin.get(path)
        text = response.content.decode()
        assert response.status_code == 200
        for secret in (row.access_token, row.refresh_token, row.account_email, row.provider_subject, member.email):
            assert secret not in text, path


def test_the_next_run_of_the_instances_can_be_edited_and_leaves_a_record(sandbox, connect):
    row = Connection.objects.create(provider="gmail", provider_subject="desk", status="active")
    shipped = Transformation.objects.get()
    pipeline = Pipeline.objects.create(name="Desk", connection=row, transformation=shipped, destination="dataset")
    form = {
        "name": pipeline.name, "transformation": pipeline.transformation_id, "enabled": "on", "schedule": "04:30",
        "next_run_at_0": "2030-01-02", "next_run_at_1": "04:30:00", "max_messages": 100, "max_seconds": 60, "keep_days": 30,
    }  # fmt: skip
    designer = staff("designer")
    assert "Mails read per run at most." in designer.get(page("pipeline", "change", pipeline.pk)).content.decode()
    response = designer.post(page("pipeline", "change", pipeline.pk), form)
    assert response.status_code == 302, response.context["errors"]
    pipeline.refresh_from_db()
    assert pipeline.next_run_at.isoformat() == "2030-01-02T04:30:00+00:00" and pipeline.schedule == "04:30"
    assert Activity.objects.get(action="pipeline.updated").target_id == str(pipeline.pk)


def test_when_a_members_own_runs_next_staff_cannot_say_but_a_new_schedule_counts_at_once(sandbox, connect):
    pipeline = connect().pipelines.get()
    form = {"enabled": "on", "schedule": "04:30", "next_run_at_0": "2030-01-02", "next_run_at_1": "04:30:00"}
    assert (
        staff("designer").post(page("pipeline", "change", pipeline.pk), form | {"max_messages": 100, "max_seconds": 60}).status_code == 302
    )
    pipeline.refresh_from_db()
    assert pipeline.schedule == "04:30" and pipeline.next_run_at == next_after("04:30", timezone.now())


def test_why_a_run_ended_is_said_in_words_for_whoever_reads_them(sandbox, connect):
    pipeline = connect().pipelines.get()
    Run.objects.update(status="cancelled", stop_reason="cancelled")
    run = pipeline.runs.get()
    RunEvent.objects.create(run=run, code="quarantined")
    console = [staff("admin").get(path).content.decode() for path in (page("run"), page("run", "change", run.pk))]
    for html in console:
        assert "Stopped by hand" in html and "by you" not in html and "You stopped" not in html
    assert "could not be read" in console[1]


def test_a_dataset_on_the_console(sandbox):
    source = Connection.objects.create(provider="http_json", name="Jobs", status="active", config={"url": "https://feed.example.com/"})
    records = Transformation.objects.create(name="Records", steps=[{"do": "map", "fields": {"title": "name", "town": "town"}}])
    pipeline = Pipeline.objects.create(name="Posts", connection=source, transformation=records, destination="dataset")
    mine = Connection.objects.create(provider="gmail", owner=make_user(), status="active")
    theirs = Pipeline.objects.create(name="Theirs", connection=mine, transformation=records, destination="dataset")
    pipeline.rows.create(item_id="1", data={"title": "=HYPERLINK(1)", "town": "Lyon"})
    theirs.rows.create(item_id="9", owner=mine.owner, data={"title": "Private"})
    designer = staff("designer")
    listed = designer.get(page("datasetrow")).content.decode()
    assert "Lyon" in listed and "Private" not in listed and "Theirs" not in listed
    assert "<pre>" in designer.get(page("datasetrow", "change", pipeline.rows.get().pk)).content.decode()
    assert designer.get(page("datasetrow", "change", theirs.rows.get().pk)).status_code == 302
    csv = b"".join(designer.get(page("pipeline", "export", pipeline.pk)).streaming_content).decode()
    assert csv.splitlines()[0] == '"Id","Kept since","title","town"' and '"\'=HYPERLINK(1)"' in csv
    for role, what in (("viewer", "export"), ("viewer", "empty"), ("executor", "export")):
        assert staff(role).get(page("pipeline", what, pipeline.pk)).status_code == 403, (role, what)
    assert (
        designer.get(page("pipeline", "export", theirs.pk)).status_code
        == designer.get(page("pipeline", "empty", theirs.pk)).status_code
        == 404
    )
    assert "Delete the rows" in designer.get(page("pipeline", "empty", pipeline.pk)).content.decode()
    designer.post(page("pipeline", "empty", pipeline.pk))
    assert not pipeline.rows.exists() and theirs.rows.exists()
    assert staff("viewer").get(page("datasetrow")).status_code == 403


def test_a_source_of_records_is_added_changed_and_tried_on_the_console(sandbox):
    designer = staff("designer")
    assert designer.post(page("connection", "add"), {"provider": "http_json"}).url == page("connection", "configure", "http_json")
    assert "whose mailbox" in designer.post(page("connection", "add"), {"provider": "gmail"}).content.decode()
    form = {"name": "Jobs", "url": "http://feed.example.com/", "id": "id", "auth": "bearer", "paging": "none"}
    refused = designer.post(page("connection", "configure", "http_json"), form).content.decode()
    assert "names a public host" in refused and "Give the secret" in refused
    form |= {"url": "https://feed.example.com/", "secret": "s3cret-Value"}
    row_page = designer.post(page("connection", "configure", "http_json"), form).url
    row = Connection.objects.get()
    assert row.secret == "s3cret-Value" and row_page == page("connection", "change", row.pk)
    settings_page = page("connection", "settings", row.pk)
    assert "Added. Test it" in designer.get(row_page).content.decode()
    rows = Pipeline.objects.create(name="Rows", connection=row, transformation=Transformation.objects.get(), destination="dataset")
    assert "Records read per run at most." in designer.get(page("pipeline", "change", rows.pk)).content.decode()
    assert settings_page in designer.get(row_page).content.decode() and "s3cret" not in designer.get(settings_page).content.decode()
    designer.post(settings_page, form | {"name": "Posts", "secret": ""})
    row.refresh_from_db()
    assert (row.name, row.secret) == ("Posts", "s3cret-Value")
    assert "Give the secret" in designer.post(settings_page, form | {"url": "https://thief.example.com/", "secret": ""}).content.decode()
    assert (
        staff("viewer").get(settings_page).status_code
        == staff("viewer").get(page("connection", "configure", "http_json")).status_code
        == 403
    )
    assert designer.get(page("connection", "configure", "gmail")).status_code == 404


def test_a_viewer_changes_nothing(sandbox, connect):
    pipeline = connect().pipelines.get()
    viewer = staff("viewer")
    assert viewer.post(page("pipeline", "change", pipeline.pk), {"name": "x"}).status_code == 403
    assert viewer.get(page("pipeline", "add")).status_code == 403


def test_nobody_runs_or_tests_what_belongs_to_a_member(sandbox, connect):
    row = connect()
    Run.objects.all().delete()
    admin = staff("admin")
    chosen = {"_selected_action": [str(row.pipelines.get().pk)], "action": "execute"}
    assert "run by its owner only" in admin.post(page("pipeline"), chosen, follow=True).content.decode()
    sandbox.control("DELETE", "/requests")
    admin.post(page("connection"), {"_selected_action": [str(row.pk)], "action": "test"})
    for role in ("admin", "executor"):  # nor where a page or the API forgot to ask
        with pytest.raises(PermissionDenied):
            pipelines.require_execute(row.pipelines.get(), make_user(role=role))
    assert not Run.objects.exists() and not sandbox.control("GET", "/requests")["total"]


def test_a_pipeline_of_the_instance_is_run_by_whoever_the_matrix_allows(sandbox):
    granted = sandbox.control("POST", "/grant", {})
    row = Connection(provider="gmail", provider_subject=granted["sub"], status="active", renewable=True)
    row.access_token, row.refresh_token = granted["access_token"], granted["refresh_token"]
    row.expires_at = timezone.now() + timedelta(hours=1)
    row.save()
    shipped = Transformation.objects.get()
    pipeline = Pipeline.objects.create(name="Studio inbox", connection=row, transformation=shipped, destination="dataset")
    chosen = {"_selected_action": [str(pipeline.pk)], "action": "execute"}
    staff("viewer").post(page("pipeline"), chosen)
    assert not Run.objects.exists()
    staff("designer").post(page("pipeline"), chosen)
    from integrations import engine

    engine.execute(Run.objects.get().pk)
    assert Run.objects.get().status == "succeeded"


def test_steps_that_would_keep_a_body_are_refused(sandbox):
    row = Transformation(name="Careless", steps=[{"do": "classify"}])
    with pytest.raises(Exception, match="The last step is redact"):
        row.full_clean()
    for steps in ([], [{"do": "redact"}], [{"do": "classify", "how": 1}, {"do": "redact"}], [{"do": "mail"}], "classify"):
        row.steps = steps
        with pytest.raises(Exception, match=r"steps|Steps"):
            row.full_clean()


def test_a_pipeline_without_a_connection_is_asked_for_one(sandbox):
    response = staff("designer").post(page("pipeline", "add"), {"name": "Theirs", "destination": "opportunities", "connection": ""})
    assert response.status_code == 200 and not Pipeline.objects.exists()


def test_of_a_members_own_pipeline_staff_change_the_schedule_only(connect):
    pipeline = connect().pipelines.get()
    other = Transformation.objects.create(name="Everything", steps=[{"do": "classify"}, {"do": "redact"}])
    form = {"name": "Mine now", "transformation": other.pk, "enabled": "on", "schedule": "05:00", "max_messages": 10, "max_seconds": 10}
    designer = staff("designer")
    designer.post(page("pipeline", "change", pipeline.pk), form)
    before = (pipeline.name, pipeline.transformation_id)
    pipeline.refresh_from_db()
    assert (pipeline.name, pipeline.transformation_id) == before and pipeline.schedule == "05:00"
    assert designer.post(page("pipeline", "delete", pipeline.pk), {"post": "yes"}).status_code == 403


def test_staff_cannot_put_a_pipeline_on_a_members_mailbox(connect):
    row = connect()
    form = {"name": "Spy", "connection": str(row.pk), "transformation": str(Transformation.objects.first().pk)}
    form |= {"destination": "opportunities", "enabled": "on", "schedule": "", "max_messages": 10, "max_seconds": 10}
    staff("designer").post(page("pipeline", "add"), form)
    assert Pipeline.objects.filter(connection=row).count() == 1
