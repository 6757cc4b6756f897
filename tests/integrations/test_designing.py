"""Designing in the console: steps as forms, the bench on which they are tried, versions, dry runs, schedules."""

import json
import time

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from audit.models import Activity
from integrations import engine
from integrations.models import Connection, DatasetRow, Pipeline, Run, Transformation, TransformationVersion
from integrations.normalising import WAYS
from integrations.services import configured, datasets, definitions, pipelines, sampling
from integrations.step_forms import Draft
from integrations.step_kinds import lines
from tests.accounts.people import make_user
from tests.api.caller import with_token
from tests.processes import outputs, start

pytestmark = pytest.mark.django_db
EDITOR = {"chain": "records", "name": "Posts", "steps": "2", "s0-do": "filter", "s0-when": "open", "s1-do": "map"}
FIELDS = {"s1-fields-name": ["title", "town", ""], "s1-fields-at": ["name", "place.town", ""]}
STEPS = [{"do": "filter", "when": "open"}, {"do": "map", "fields": {"title": "name", "town": "place.town"}}]
SECRET = "s3cret-Value"


@pytest.fixture
def designer(db):
    return make_user(role="designer", name="Dominique", timezone="UTC")


def staff(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def of_role(role: str) -> Client:
    return staff(make_user(role=role, timezone="UTC"))


def url(model: str, what: str, *args) -> str:
    return reverse(f"admin:integrations_{model}_{what}", args=args)


def text(response) -> str:
    return response.content.decode()


def test_steps_are_written_as_forms_added_moved_taken_away_and_saved(designer):
    web = staff(designer)
    assert "For records" in text(web.get(url("transformation", "add")))
    first = web.get(url("transformation", "add") + "?chain=records")
    assert [form.kind.do for form in first.context["draft"].forms] == ["map"]
    sent = {"chain": "records", "name": "Posts", "steps": "1", "s0-do": "map", "s0-fields-name": ["title"], "s0-fields-at": ["name"]}
    added = web.post(url("transformation", "add"), sent | {"act": "add", "add": "filter"}).context["draft"]
    assert [form.kind.do for form in added.forms] == ["filter", "map"] and added.touched == 0
    assert added.forms[1].told() == {"fields": [("title", "name")]}  # nothing that was written is lost
    moved = web.post(url("transformation", "add"), EDITOR | FIELDS | {"act": "down:0"}).context["draft"]
    assert [form.kind.do for form in moved.forms] == ["map", "filter"] and moved.touched == 1
    gone = web.post(url("transformation", "add"), EDITOR | FIELDS | {"act": "remove:0"}).context["draft"]
    assert [form.kind.do for form in gone.forms] == ["map"]
    assert not Transformation.objects.filter(name="Posts").exists()
    done = web.post(url("transformation", "add"), EDITOR | FIELDS | {"act": "save", "note": "The first"})
    row = Transformation.objects.get(name="Posts")
    assert done.url == url("transformation", "change", row.pk) and row.steps == STEPS
    kept = row.versions.get()
    assert (kept.number, kept.note, kept.created_by, kept.steps) == (1, "The first", designer, STEPS)
    assert Activity.objects.get(action="transformation.created").details == {"version": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"s0-when": "]["}, "Step 1 (Keep only some)</a>: This is no JMESPath expression: ]["),
        ({"s0-when": ""}, "Step 1 (Keep only some)</a>: This field is required."),
        ({"s1-fields-at": ["name", "", ""]}, "Step 2 (Choose what is kept)</a>: Row 2: Give the field a name, and say where it is found."),
        ({"s1-fields-name": ["a", "a", ""]}, "Step 2 (Choose what is kept)</a>: Row 2: “a” stands here twice."),
        ({"s1-fields-at": ["name", "((", ""]}, "Row 2: This is no JMESPath expression: (("),
        ({"s1-fields-name": [], "s1-fields-at": []}, "Name at least one field"),
        ({"name": ""}, "Name</a>: This field is required."),
        ({"name": "Gmail → opportunities"}, "There is a transformation of that name already."),
        ({"s0-do": "map", "s1-do": "filter", "s0-fields-name": ["a"], "s0-fields-at": ["b"], "s1-when": "a"}, "The last step"),
    ],
)
def test_what_is_wrong_is_said_with_its_step_and_field(designer, changes, words):
    answer = staff(designer).post(url("transformation", "add"), EDITOR | FIELDS | changes | {"act": "save"})
    assert words in text(answer).replace("&#x27;", "'") and answer.status_code == 200
    assert not Transformation.objects.filter(name="Posts").exists()


def test_a_page_that_no_page_of_ours_sent_is_not_found(designer):
    web = staff(designer)
    for changes in ({"steps": "21"}, {"steps": "x"}, {"s0-do": "classify"}, {"s0-do": "shell"}):
        assert web.post(url("transformation", "add"), EDITOR | changes | {"act": "save"}).status_code == 404, changes


def test_the_chain_for_mail_keeps_its_ends():
    draft = Draft.of("mail")
    assert [form.kind.do for form in draft.forms] == ["classify", "filter", "redact"]
    for act in ("remove:0", "remove:2", "up:1", "down:1", "down:0", "up:2", "add:classify", "remove:9", "nonsense", "up:²"):
        assert [form.kind.do for form in draft.changed(act).forms] == ["classify", "filter", "redact"], act
    assert [form.kind.do for form in draft.changed("add:filter").forms] == ["classify", "filter", "filter", "redact"]


def test_the_bench_shows_what_each_step_makes_of_a_sample_saved_or_not(designer):
    web, path = staff(designer), url("transformation", "add")
    sample = [{"name": "Wedding", "open": True, "place": {"town": "Lyon"}}, {"name": "Closed", "open": False}, {"open": "yes"}]
    tried = web.post(path, EDITOR | FIELDS | {"act": "try", "record": json.dumps(sample)}).context["editor"].tried
    assert [one.kept for one in tried] == [True, False, True]
    assert '"town": "Lyon"' in tried[0].rows[1].output and "“open” finds true" in tried[0].rows[0].why
    assert tried[1].why == "1. Keep only some: “open” finds nothing here: false."
    same = EDITOR | FIELDS | {"s0-do": "dedupe", "s0-by": "name"}
    tried = (
        web.post(path, same | {"act": "try", "record": '[{"name": "A"}, {"name": "A", "place": {"town": "Nice"}}]'}).context["editor"].tried
    )
    assert [one.kept for one in tried] == [False, True] and tried[0].why == "Record 2 is the same and comes later: that one is kept."
    wrong = EDITOR | FIELDS | {"s0-when": "length(name)"}
    tried = web.post(path, wrong | {"act": "try", "record": '{"name": 5}'}).context["editor"].tried
    assert not tried[0].kept and "It could not be worked out: " in tried[0].why and tried[0].rows[0].outcome[1] == "danger"
    for bad, words in (("[1]", "object in braces"), ("{", "no JSON"), (json.dumps([{}] * 21), "too much")):
        assert words in text(web.post(path, EDITOR | FIELDS | {"act": "try", "record": bad}))
    mail = {"chain": "mail", "steps": "3", "s0-do": "classify", "s1-do": "filter", "s1-drop_labels": ["not_relevant"], "s2-do": "redact"}
    page = web.post(path, mail | {"act": "try", "sender": "a@b.test", "subject": "Sale", "text": "-20 %"})
    assert "“Not relevant” is left out." in text(page) and page.context["editor"].tried[0].kept is False
    assert not DatasetRow.objects.exists() and not Transformation.objects.filter(name="Posts").exists()


def test_a_sample_is_fetched_from_a_source_of_the_instances_and_from_no_other(feed, designer):
    source = configured.add("http_json", "Jobs", {"url": feed.url + "/feed", "auth": "bearer", "secret": SECRET}, actor=designer)
    theirs = Connection.objects.create(provider="http_json", owner=make_user(), name="Theirs", provider_subject="x", status="active")
    feed.pages["/feed"] = [{"id": n, "name": f"Post {n}", "open": n != 2} for n in range(1, 9)]
    web, path = staff(designer), url("transformation", "add")
    offered = text(web.get(path + "?chain=records"))
    assert str(source.pk) in offered and str(theirs.pk) not in offered
    page = web.post(path, EDITOR | FIELDS | {"act": "fetch", "connection": str(source.pk)})
    assert [one.kept for one in page.context["editor"].tried] == [True, False, True, True, True]
    assert "Post 5" in text(page) and "Post 6" not in text(page) and SECRET not in text(page)
    assert Activity.objects.get(action="connection.sampled").details == {"records": 5}
    assert "Choose a connection" in text(web.post(path, EDITOR | FIELDS | {"act": "fetch", "connection": str(theirs.pk)}))
    with pytest.raises(PermissionDenied):  # nor where a page forgot to ask
        sampling.records(theirs, actor=designer)
    feed.statuses.append(500)
    asked = len(feed.asked)
    assert "did not answer" in text(web.post(path, EDITOR | FIELDS | {"act": "fetch", "connection": str(source.pk)}))
    assert len(feed.asked) == asked + 1  # somebody waits: nothing is tried again
    assert not DatasetRow.objects.exists() and not Run.objects.exists()


ODD = [  # what is in no column's power to hold, or hard to show; and whether it is kept
    ('{"name": "half: \\ud83d"}', False), ('{"name": "\\u0000"}', False), ('{"name": 1e400}', False), ('{"name": "nan"}', True),
    ('{"name": ' + '{"a":' * 400 + "1" + "}" * 401, True), ('{"name": "\\\\u0000 \\ud83d\\ude00"}', True),
]  # fmt: skip


def test_a_broken_sample_is_told_from_a_good_one_on_the_bench_by_machines_and_in_a_run(feed, designer):
    """What the bench would keep a run keeps, and what it would not is the fault of nobody else's record."""
    web, path = staff(designer), url("transformation", "add")
    keeping = EDITOR | FIELDS | {"s0-when": "name", "s1-fields-at": ["name", "@.name", ""]}
    for sample, kept in ODD:
        page = web.post(path, keeping | {"act": "try", "record": sample})
        assert [one.kept for one in page.context["editor"].tried] == [kept] and page.content.decode(), sample
        assert kept or "cannot be stored: half" in page.context["editor"].tried[0].why
    source = configured.add("http_json", "Odd", {"url": feed.url + "/feed"}, actor=designer)
    feed.pages["/feed"] = f'[{",".join(one[:-1] + f""", "id": "{n}"}}""" for n, (one, _kept) in enumerate(ODD))}]'.encode()
    page = web.post(path, keeping | {"act": "fetch", "connection": str(source.pk)})
    assert [one.kept for one in page.context["editor"].tried] == [kept for _one, kept in ODD[:4]] and "\\ud83d" in text(
        page
    )  # the fifth is too long
    steps = [{"do": "map", "fields": {"name": "name"}}]
    chain = Transformation.objects.create(name="Odd", steps=steps)
    pipeline = Pipeline.objects.create(name="Odd", connection=source, transformation=chain, destination="dataset")
    assert staff(designer).post(url("run", "dry", pipeline.pk)).context["found"].created == 3
    engine.execute(pipelines.start_run(pipeline, actor=designer, trigger=Run.Trigger.MANUAL).pk)
    run = Run.objects.get()
    assert (run.status, run.counts["quarantined"], set(pipeline.rows.values_list("item_id", flat=True))) == (
        "succeeded",
        3,
        {"3", "4", "5"},
    )
    chain.steps = [{"do": "filter", "when": "to_number(name)"}, {"do": "map", "fields": {"half": '`"\\ud83d"`'}}]
    chain.save()
    told = with_token(designer).post(f"/api/v1/transformations/{chain.pk}/test", {"record": {"name": "nan"}})
    assert told.status_code == 200 and told.body["kept"] is False
    assert [one["output"] for one in told.body["steps"]] == [{"found": "NaN"}, {"error": "NotStorable"}]


def test_every_save_is_a_version_that_stays_and_can_come_back(designer):
    web = staff(designer)
    row = definitions.save_transformation(Transformation(name="Posts", steps=STEPS), actor=designer)
    change = url("transformation", "change", row.pk)
    other = EDITOR | FIELDS | {"s0-when": "price > `100`", "act": "save", "note": "Dear ones", "based_on": "1"}
    assert web.post(change, other).status_code == 302
    row.refresh_from_db()
    assert row.version == 2 and row.steps[0]["when"] == "price > `100`"
    late = web.post(change, other | {"s0-when": "late"})
    assert "Somebody has saved another version meanwhile" in text(late) and 'value="2"' in text(late) and row.versions.count() == 2
    assert web.post(change, other | {"based_on": "2"}).status_code == 302 and row.versions.count() == 2  # the same steps again
    history = text(web.get(url("transformation", "versions", row.pk)))
    assert "Dominique" in history and "Dear ones" in history
    assert "<del>    Go on when: open</del>" in history and "<ins>    Go on when: price &gt; `100`</ins>" in history
    assert "?old=" not in history and "Choose two versions" in text(web.get(url("transformation", "versions", row.pk) + "?new=1"))
    assert json.loads(web.get(url("transformation", "json", row.pk, 1)).content) == STEPS
    restore = url("transformation", "restore", row.pk, 1)
    for role in ("viewer", "executor"):
        assert of_role(role).post(restore).status_code == 403
    assert web.get(restore).status_code == 200 and web.post(restore).status_code == 302
    row.refresh_from_db()
    assert (row.version, row.steps, row.versions.newest_first()[0].note) == (3, STEPS, "Version 1 again")
    with pytest.raises(IntegrityError), transaction.atomic():
        TransformationVersion.objects.filter(number=1).update(steps=[])
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE integrations_transformationversion SET note = 'other'")
    designer.delete()
    assert row.versions.get(number=3).created_by is None


def test_steps_for_something_else_are_refused_while_pipelines_run_them(designer):
    row = definitions.save_transformation(Transformation(name="Posts", steps=STEPS), actor=designer)
    source = Connection.objects.create(provider="http_json", name="Jobs", status="active")
    Pipeline.objects.create(name="Jobs", connection=source, transformation=row, destination="dataset")
    row.steps = [{"do": "classify"}, {"do": "redact"}]
    with pytest.raises(definitions.KindChanged):
        definitions.save_transformation(row, actor=designer)


def test_steps_travel_as_json(designer):
    web, path = staff(designer), url("transformation", "add")
    page = web.post(path, EDITOR | FIELDS | {"act": "load", "json": json.dumps([STEPS[1]])})
    assert [form.told() for form in page.context["draft"].forms] == [{"fields": [("title", "name"), ("town", "place.town")]}]
    for bad, words in (
        ("{", "no JSON"),
        ('[{"do": "classify"}, {"do": "redact"}]', "something else"),
        ('[{"do": "x"}]', "names what to do"),
    ):
        assert words in text(web.post(path, EDITOR | FIELDS | {"act": "load", "json": bad})), bad
    assert lines("records", STEPS)[:2] == ["1. Keep only some", "    Go on when: open"]


def test_a_viewer_reads_the_steps_and_presses_nothing(designer):
    row = definitions.save_transformation(Transformation(name="Posts", steps=STEPS), actor=designer)
    viewer, change = of_role("viewer"), url("transformation", "change", row.pk)
    shown = text(viewer.get(change))
    assert "town ← place.town" in shown and 'name="act"' not in shown and "Delete" not in shown
    assert "Restore" not in text(viewer.get(url("transformation", "versions", row.pk)))
    for act in ("save", "try", "fetch", "add"):
        assert viewer.post(change, EDITOR | FIELDS | {"act": act}).status_code == 403
    for path in (change, url("transformation", "versions", row.pk), url("transformation", "json", row.pk, 1)):
        assert of_role("executor").get(path).status_code == 403, path


@pytest.fixture
def chain(designer):
    return definitions.save_transformation(Transformation(name="Posts", steps=STEPS), actor=designer)


@pytest.fixture
def source(feed, designer):
    told = {"url": feed.url + "/feed", "auth": "header", "header": "X-Api-Key", "secret": SECRET}
    feed.pages["/feed"] = [{"id": n, "name": f"Post {n}", "open": n % 3 > 0, "place": {"town": "Lyon"}} for n in range(1, 10)]
    return configured.add("http_json", "Jobs", told, actor=designer)


def form_of(source, chain, **more) -> dict:
    return {
        "name": "Jobs", "connection": source.pk, "transformation": chain.pk, "destination": "dataset", "enabled": "on", "rhythm": "",
        "schedule": "04:30", "max_messages": 1000, "max_seconds": 60, "keep_days": 30,
    } | more  # fmt: skip


def test_a_pipeline_is_designed_with_a_version_a_rhythm_and_caps(designer, source, chain):
    web, add = staff(designer), url("pipeline", "add")
    chain.steps = [STEPS[1]]
    definitions.save_transformation(chain, actor=designer)
    first = chain.versions.get(number=1)
    assert "Every 12 hours" in text(web.get(add))
    refused = text(web.post(add, form_of(source, chain, schedule="25:00")))
    assert "Write times of day in UTC" in refused and not Pipeline.objects.exists()
    told = form_of(source, chain, rhythm="00:00,12:00", schedule="nonsense", pinned=first.pk, max_per_day=5)
    assert web.post(add, told).status_code == 302
    row = Pipeline.objects.get()
    assert (row.schedule, row.pinned, row.steps, row.max_per_day) == ("00:00,12:00", first, STEPS, 5)
    assert row.next_run_at and row.next_run_at.hour in (0, 12)
    change = url("pipeline", "change", row.pk)
    shown = text(web.get(change))
    assert "Every day at 00:00 and 12:00 UTC." in shown and "Next, in your time zone:" in shown and "Posts v1" in shown
    assert web.post(change, form_of(source, chain, rhythm="never")).status_code == 302
    row.refresh_from_db()
    assert (row.schedule, row.next_run_at, row.pinned, row.steps) == ("", None, None, [STEPS[1]])
    untouched = {name: value for name, value in form_of(source, chain, name="As it comes").items() if name != "schedule"}
    assert web.post(add, untouched | {"schedule": Pipeline._meta.get_field("schedule").default}).status_code == 302
    assert Pipeline.objects.get(name="As it comes").next_run_at.hour in (3, 15)
    assert web.post(add, untouched | {"name": "Off", "schedule": "03:00,15:00", "enabled": ""}).status_code == 302
    assert Pipeline.objects.get(name="Off").next_run_at is None
    assert set(Activity.objects.filter(action="pipeline.updated").latest("recorded_at").details["fields"]) >= {"schedule", "pinned"}
    other = definitions.save_transformation(Transformation(name="Others", steps=STEPS), actor=designer)
    assert "a version of another transformation" in text(web.post(change, form_of(source, other, pinned=first.pk)))
    for role, status in (("viewer", 403), ("executor", 403)):
        assert of_role(role).post(change, form_of(source, chain)).status_code == status
    assert "rhythm" not in text(of_role("viewer").get(change)) and of_role("viewer").get(change).status_code == 200


def test_what_a_schedule_means_is_told_while_it_is_written(designer):
    web = staff(designer)
    for asked, words in (
        ({"schedule": "03:00,15:00"}, "Every day at 03:00 and 15:00 UTC."), ({"schedule": "03:00"}, "Every day at 03:00 UTC."),
        ({"rhythm": "00:00,06:00,12:00,18:00", "schedule": "x"}, "Every 6 hours, from 00:00 UTC on."),
        ({"schedule": "00:30,12:30,20:30"}, "Every day at 00:30, 12:30 and 20:30 UTC."),
        ({"rhythm": "never"}, "Only when somebody runs it."),
        ({"schedule": "3 o’clock"}, "Write times of day in UTC"), ({"rhythm": "unknown", "schedule": ""}, "Only when somebody runs it."),
    ):  # fmt: skip
        assert words in text(web.get(url("pipeline", "when"), asked)), asked
    assert of_role("executor").get(url("pipeline", "when")).status_code == 403


def test_nobody_fills_a_strangers_board(designer, source):
    mapped = [{"do": "map", "fields": {"role": "name", "company": "place.town"}}]
    chain = definitions.save_transformation(Transformation(name="To the board", steps=mapped), actor=designer)
    stranger, web, add = make_user(), staff(designer), url("pipeline", "add")
    to_board = form_of(source, chain, destination="opportunities")
    assert "say for whom" in text(web.post(add, to_board))
    assert "Select a valid choice" in text(web.post(add, to_board | {"recipient": stranger.pk})) and not Pipeline.objects.exists()
    assert web.post(add, to_board | {"recipient": designer.pk}).status_code == 302
    colleague = staff(make_user(role="designer"))
    change = url("pipeline", "change", Pipeline.objects.get().pk)
    assert "Dominique" in text(colleague.get(change))  # whoever it is for already stays a choice
    assert colleague.post(change, to_board | {"recipient": designer.pk, "name": "Renamed"}).status_code == 302
    assert Pipeline.objects.get().recipient == designer


def test_a_dry_run_tells_what_would_be_and_writes_nothing(feed, designer, source, chain):
    row = Pipeline.objects.create(name="Jobs", connection=source, transformation=chain, destination="dataset")
    row.rows.create(item_id="1", data={"title": "Post 1", "town": "Lyon"})
    row.rows.create(item_id="2", data={"title": "Before", "town": "Lyon"})
    path, before = url("run", "dry", row.pk), list(row.rows.values())
    assert "nothing is written" in text(of_role("executor").get(path)) and not feed.asked
    page = of_role("executor").post(path)
    found = page.context["found"]
    assert (found.read, found.kept, found.created, found.updated, found.duplicates, found.complete) == (9, 6, 4, 1, 1, True)
    assert "Step 1, Keep only some: “open” finds nothing: 3" in text(page) and "Post 1" in text(page)
    assert list(row.rows.values()) == before and not Run.objects.exists()
    row.refresh_from_db()
    assert row.cursor == {} and Activity.objects.get(action="pipeline.dry_run").details == {"read": 9, "kept": 6}
    feed.statuses.append(401)
    assert "refuses our secret" in text(of_role("designer").post(path))
    source.refresh_from_db()
    assert source.status == "active"  # a dry run changes nothing of the connection either
    Connection.objects.update(owner=make_user())
    for role in ("viewer", "executive", "member"):
        assert of_role(role).post(path).status_code == 403
    assert of_role("admin").post(path).status_code == 403  # a member's own is nobody's to look into


def test_an_executor_runs_watches_and_stops_from_monitoring(designer, source, chain):
    row = Pipeline.objects.create(name="Jobs", connection=source, transformation=chain, destination="dataset", max_per_day=4)
    web = of_role("executor")
    work = text(web.get("/admin/integrations/at-work/"))
    start = url("run", "start", row.pk)
    assert start in work and "never" in work and url("pipeline", "change", row.pk) not in work
    assert web.get(url("pipeline", "change", row.pk)).status_code == 403
    queued = web.post(start)
    run = Run.objects.get()
    assert queued.url == url("run", "change", run.pk) and web.post(start).url == queued.url
    cancel = url("run", "cancel", run.pk)
    assert cancel in text(web.get(queued.url)) and cancel in text(web.get("/admin/integrations/at-work/"))
    assert web.get(cancel).status_code == 200 and web.post(cancel).status_code == 302
    run.refresh_from_db()
    assert run.status == "cancelled" and web.get(url("run", "changelist") + f"?pipeline={row.pk}").status_code == 200
    web.post(start)
    engine.execute(Run.objects.get(status="queued").pk)
    done = Run.objects.latest("queued_at")
    assert done.counts["kept"] == 6 and done.transformation_version == 1
    told = text(web.get(url("run", "change", done.pk)))
    assert "kept: 6" in told and "step 1: 3" in told
    again = pipelines.start_run(row, actor=designer, trigger="manual")
    engine.execute(again.pk)
    again.refresh_from_db()
    assert (again.status, again.stop_reason, again.counts["read"]) == ("partial", "day_cap", 0)
    assert "as much as it may in one day" in text(web.get("/admin/integrations/at-work/"))
    for role in ("viewer", "executive", "designer"):
        assert of_role(role).get("/admin/integrations/at-work/").status_code == 403
    for role in ("viewer", "executive"):
        assert of_role(role).post(start).status_code == of_role(role).post(cancel).status_code == 403
    Connection.objects.update(status="error")
    assert "cannot be read at the moment" in text(web.post(start, follow=True))


def test_a_pinned_version_goes_on_when_others_change_the_steps(designer, source, chain):
    row = Pipeline.objects.create(name="Jobs", connection=source, transformation=chain, pinned=chain.versions.get(), destination="dataset")
    chain.steps = [{"do": "map", "fields": {"other": "name"}}]
    definitions.save_transformation(chain, actor=designer)
    run = pipelines.start_run(Pipeline.objects.get(), actor=designer, trigger="manual")
    engine.execute(run.pk)
    assert set(row.rows.first().data) == {"title", "town"} and Run.objects.get().transformation_version == 1
    Pipeline.objects.update(pinned=None, cursor={})
    run = pipelines.start_run(Pipeline.objects.get(), actor=designer, trigger="manual")
    engine.execute(run.pk)
    assert set(row.rows.first().data) == {"other"} and Run.objects.latest("queued_at").transformation_version == 2


SAVES = """
from django.db.models import QuerySet
{without_guard}
from accounts.models import User
from integrations.models import Transformation
from integrations.services import definitions
row = Transformation.objects.get(name="Posts")
for number in range(4):
    row.steps = [{{"do": "map", "fields": {{os.environ["WHO"]: f"field{{number}}"}}}}]
    try:
        definitions.save_transformation(row, actor=User.objects.get(), note=f"{{os.environ['WHO']}} {{number}}")
        print("saved")
    except definitions.NameTaken:
        print("lost")
"""
# each works out the next number for itself
WITHOUT_GUARD = """
from integrations.models import Transformation
from integrations.services import definitions
from tests.processes import meet
QuerySet.select_for_update = lambda self, **_options: self
kind_of = definitions.kind_of
def looked(steps):  # both have read the version before one writes the next
    meet(os.environ["WHERE"], os.environ["WHO"])
    return kind_of(steps)
definitions.kind_of = looked
"""


def saves_at_once(*, without_guard: str = "", where: str = "") -> list[str]:
    code = SAVES.format(without_guard=without_guard)
    return " ".join(outputs(start(code, each=[{"WHO": "left"}, {"WHO": "right"}], WHERE=where))).split()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_who_save_at_once_make_two_versions_and_lose_none(designer):
    row = definitions.save_transformation(Transformation(name="Posts", steps=STEPS), actor=designer)
    assert saves_at_once() == ["saved"] * 8
    row.refresh_from_db()
    assert sorted(row.versions.values_list("number", flat=True)) == list(range(1, 10)) and row.version == 9
    assert row.versions.get(number=9).steps == row.steps


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_a_version_would_be_lost(designer, tmp_path):
    definitions.save_transformation(Transformation(name="Posts", steps=STEPS), actor=designer)
    assert "lost" in saves_at_once(without_guard=WITHOUT_GUARD, where=str(tmp_path))


@pytest.mark.parametrize(
    ("way", "told", "written"),
    [
        ("text", "  Léa \n  Roux ", "Léa Roux"), ("text", 5, 5), ("lower", " LYON ", "lyon"), ("lower", None, None),
        ("email", " Lea@Roux.Example ", "lea@roux.example"), ("email", "lea at roux", None), ("email", 5, None),
        ("phone", "+33 6 12 34 56 78", "+33612345678"), ("phone", "0033 (6) 12-34-56-78", "+33612345678"), ("phone", "06 12 34", "061234"),
        ("phone", "12", None), ("phone", True, None), ("number", "1 234,50 €", 1234.5), ("number", "1,234.50", 1234.5),
        ("number", "1.234", 1234),
        ("number", "-3", -3), ("number", 4.5, 4.5), ("number", "many", None), ("number", True, None), ("number", "", None),
        ("number", "1-2", None), ("number", "=1+1", None), ("number", "2 x 500", None), ("number", "CHF 1’234.50", 1234.5),
        ("date", "22/11/2026", "2026-11-22"), ("date", "2026-11-22T09:30:00Z", "2026-11-22"), ("date", "2026-11-22", "2026-11-22"),
        ("date", "31/02/2026", None), ("date", 5, None), ("date", "soon", None),
    ],
)  # fmt: skip
def test_what_is_written_in_many_ways_is_written_in_one(way, told, written):
    assert WAYS[way](told) == written


def test_marks_piled_on_one_letter_are_left_alone_and_others_composed():
    piled = "a" + "\u0300\u0327" * 200_000  # to order them takes minutes
    began = time.thread_time()
    assert WAYS["text"](f" {piled} ") == piled and time.thread_time() - began < 5
    assert WAYS["text"]("E\u0301" * 2000) == "\u00c9" * 2000


def test_normalising_follows_the_choice_of_fields_and_never_adds_one(designer):
    web, path = staff(designer), url("transformation", "add")
    more = {"steps": "3", "s2-do": "normalise", "s2-fields-name": ["town", "missing", ""], "s2-fields-at": ["lower", "email", "text"]}
    sent = EDITOR | FIELDS | more
    tried = web.post(path, sent | {"act": "try", "record": '{"name": "A", "open": 1, "place": {"town": " LYON"}}'}).context["editor"].tried
    assert tried[0].kept and json.loads(tried[0].rows[2].output) == {"title": "A", "town": "lyon"}
    added = web.post(path, EDITOR | FIELDS | {"act": "add", "add": "normalise"})
    assert [form.kind.do for form in added.context["draft"].forms] == ["filter", "map", "normalise"]
    assert "How it is written, row 1" in text(added) and "phone number" in text(added)
    assert "Choose one of those offered" in text(web.post(path, sent | {"act": "save", "s2-fields-at": ["shout", "email", "text"]}))
    assert web.post(path, sent | {"act": "save"}).status_code == 302
    row = Transformation.objects.get(name="Posts")
    assert row.steps[2] == {"do": "normalise", "fields": {"town": "lower", "missing": "email"}}
    assert "    town: small letters" in lines("records", row.steps)
    pipeline = Pipeline(transformation=row)
    assert datasets.columns(pipeline) == ["title", "town"]
    for bad in (
        [row.steps[2]],
        [row.steps[1], STEPS[0]],
        [*row.steps[:2], row.steps[2] | {"fields": {"a": "shout"}}],
        [row.steps[2], STEPS[0]],
    ):
        with pytest.raises(ValidationError):
            Transformation(name="Odd", steps=bad).full_clean()
