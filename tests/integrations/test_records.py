"""Records of any JSON source: told by staff, read batch by batch, filtered and mapped, kept as a dataset."""

import time
from datetime import timedelta
from importlib import import_module

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connections as databases
from django.utils import timezone

from aaperture.lib import safe_http
from audit.models import Activity
from integrations import engine, record_steps, tasks
from integrations.connectors import http_json
from integrations.engine.ledger import Ledger
from integrations.expressions import Budget, Expression, TooMuch, TooSlow
from integrations.models import Connection, DatasetRow, Pipeline, Run, RunEvent, Transformation
from integrations.services import configured, connections, datasets, pipelines
from integrations.trial import try_record
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
STEPS = [{"do": "filter", "when": "open"}, {"do": "map", "fields": {"title": "name", "town": "place.town"}}]
SECRET = "s3cret-Value"


def item(number, **more):
    return {"id": number, "name": f"Post {number}", "open": True, "place": {"town": "Lyon"}, "extra": "not kept"} | more


def told(feed, path="/feed", **config):
    return {"url": feed.url + path, "auth": "bearer", "secret": SECRET} | config


def pipeline_over(connection, steps=STEPS, **options):
    transformation = Transformation.objects.create(name=f"Records {connection.pk}", steps=steps)
    made = Pipeline(name="Posts", connection=connection, transformation=transformation, destination="dataset", **options)
    made.full_clean()
    made.save()
    return made


@pytest.fixture
def designer(db):
    return make_user(role="designer")


@pytest.fixture
def source(feed, designer):
    return configured.add("http_json", "Jobs", told(feed), actor=designer)


def run(pipeline, actor):
    made = pipelines.start_run(pipeline, actor=actor, trigger=Run.Trigger.MANUAL)
    engine.execute(made.pk)
    made.refresh_from_db()
    return made


def test_what_staff_named_is_kept_and_nothing_else(feed, source, designer):
    feed.pages["/feed"] = [item(1), item(2, open=False), item("three", place=None), {"name": "no id"}, "no object"]
    pipeline = pipeline_over(source)
    done = run(pipeline, designer)
    assert (done.status, done.stop_reason) == ("succeeded", "")
    kept = {row.item_id: row.data for row in pipeline.rows.all()}
    assert kept == {"1": {"title": "Post 1", "town": "Lyon"}, "three": {"title": "Post three", "town": None}}
    assert (done.counts["read"], done.counts["created"], done.counts["quarantined"]) == (3, 2, 2)
    assert done.counts["not_kept"] == {"filtered": 1} and RunEvent.objects.filter(run=done, code="quarantined").count() == 2
    assert feed.asked[0][1]["Authorization"] == f"Bearer {SECRET}"
    assert DatasetRow.objects.filter(owner=None).count() == 2 and not DatasetRow.objects.visible_to(designer).exists()


def test_a_second_run_changes_what_has_changed_and_adds_what_is_new(feed, source, designer):
    pipeline = pipeline_over(source)
    feed.pages["/feed"] = [item(1), item(2)]
    run(pipeline, designer)
    first = pipeline.rows.get(item_id="1")
    feed.pages["/feed"] = [item(1), item(2, name="Renamed"), item(3)]
    done = run(pipeline, designer)
    assert (done.counts["created"], done.counts["updated"], done.counts["duplicates"]) == (1, 1, 1)
    assert pipeline.rows.get(item_id="2").data["title"] == "Renamed" and pipeline.rows.get(item_id="1").pk == first.pk
    assert run(pipeline, designer).stop_reason == "nothing_new"


@pytest.mark.parametrize("style", ["number", "number to the last", "token", "link"])
def test_pages_are_followed_to_the_end(feed, designer, style):
    if style.startswith("number"):
        config = told(feed, "/feed?q=a", paging="number", page_parameter="p", items="rows")
        feed.pages |= {f"/feed?q=a&p={n}": {"rows": [item(n)]} for n in (1, 2)}
        if style == "number":
            feed.pages["/feed?q=a&p=3"] = {"rows": []}
    elif style == "token":
        config = told(feed, "/feed?q=a", paging="token", page_parameter="after", next="meta.next", items="rows")
        feed.pages |= {"/feed?q=a": {"rows": [item(1)], "meta": {"next": "a+b/c=="}}}
        feed.pages |= {"/feed?q=a&after=a%2Bb%2Fc%3D%3D": {"rows": [item(2)], "meta": {"next": ""}}}
    else:
        config = told(feed, paging="link", next="next", items="rows")
        feed.pages |= {"/feed": {"rows": [item(1)], "next": "/more"}, "/more": {"rows": [item(2)], "next": None}}
    pipeline = pipeline_over(configured.add("http_json", "Jobs", config, actor=designer))
    assert run(pipeline, designer).status == "succeeded" and pipeline.rows.count() == 2
    asked = [path for path, _headers in feed.asked]
    assert asked == list(feed.pages) + ["/feed?q=a&p=3"] * (style == "number to the last")  # which says 404 there
    connector = http_json.HttpJsonConnector(config, "", stopping=lambda _seconds: False)
    assert connector.marks_are_secret is (style in ("token", "link"))


def test_a_first_page_that_is_missing_is_no_end(feed, designer):
    source = configured.add("http_json", "Jobs", told(feed, "/feed", paging="number", page_parameter="p"), actor=designer)
    assert run(pipeline_over(source), designer).stop_reason == "feed_refused"


def test_a_run_that_is_cut_off_goes_on_where_it_stopped(feed, source, designer, monkeypatch):
    monkeypatch.setattr(http_json, "BATCH", 2)
    feed.pages["/feed"] = [item(n) for n in range(7)]
    pipeline = pipeline_over(source, max_messages=3)
    reads = []
    for caps in ({}, {}, {}, {"max_messages": 100, "max_seconds": 0}):
        Pipeline.objects.update(**caps) if caps else None
        made = pipeline.runs.live().first() or pipelines.queue_run(pipeline, trigger=Run.Trigger.MANUAL)[0]
        engine.execute(made.pk)
        made.refresh_from_db()
        reads.append((made.counts["read"], made.stop_reason))
    # complete after the second, so the third began anew
    assert reads == [(4, "message_cap"), (3, ""), (4, "message_cap"), (2, "time_cap")]
    assert pipeline.rows.count() == 7


def test_the_link_to_the_next_page_is_read_by_nobody_else(feed, designer):
    feed.pages |= {"/feed": {"rows": [item(1)], "next": "/more?token=Kangaroo"}, "/more?token=Kangaroo": {"rows": [item(2)]}}
    source = configured.add("http_json", "Jobs", told(feed, paging="link", next="next", items="rows"), actor=designer)
    pipeline = pipeline_over(source, max_messages=1)
    first = run(pipeline, designer)
    pipeline.refresh_from_db()
    places = [pipeline.cursor, first.cursor_after, pipeline.runs.live().get().cursor_before]
    assert first.stop_reason == "message_cap" and "Kangaroo" not in str(places) and pipeline.cursor["mark"].startswith("sealed:")
    run(pipeline, designer)
    assert [path for path, _headers in feed.asked] == list(feed.pages) and pipeline.rows.count() == 2
    in_clear = f'["{feed.url}/more?token=Kangaroo", 0]'
    Pipeline.objects.update(cursor={"mark": in_clear, "complete": False})
    Run.objects.update(cursor_before={"mark": '["", 4]'}, cursor_after={"mark": in_clear})
    with databases["default"].cursor() as database:
        for statement in import_module("integrations.migrations.0010_forget_links_in_clear").FORGET:
            database.execute(statement)
    assert Pipeline.objects.get().cursor == {"mark": "", "complete": False}
    assert set(Run.objects.values_list("cursor_before__mark", "cursor_after__mark")) == {('["", 4]', "")}
    for lost in (in_clear, "sealed:AAAA", "sealed:?"):  # an older release's; of a key that is gone
        Pipeline.objects.update(cursor={"mark": lost})
        feed.asked.clear()
        run(Pipeline.objects.get(), designer)
        assert feed.asked[0][0] == "/feed"


def test_a_batch_and_its_mark_commit_together(feed, source, designer, monkeypatch):
    monkeypatch.setattr(http_json, "BATCH", 2)
    feed.pages["/feed"] = [item(n) for n in range(6)]
    pipeline = pipeline_over(source)
    made = pipelines.start_run(pipeline, actor=designer, trigger=Run.Trigger.MANUAL)
    commit, pages = Ledger.commit, []

    def dies(self, page):
        if len(pages) == 2:
            raise KeyboardInterrupt  # as a killed process: nothing below may run
        commit(self, page)
        pages.append(page)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Ledger, "commit", dies)
        engine.execute(made.pk)
    pipeline.refresh_from_db()
    assert pipeline.rows.count() == 4 and pipeline.cursor["mark"] == '["", 4]'
    Run.objects.filter(pk=made.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    pipelines.reap_lost()
    engine.execute(pipeline.runs.live().get().pk)
    again = pipeline.runs.latest("queued_at")
    assert again.counts["read"] == 2 and again.counts["duplicates"] == 0 and pipeline.rows.count() == 6


FAULTS = {
    "refused": ([401], {}, "feed_access_refused"), "gone": ([404], {}, "feed_refused"), "redirected": ([302], {}, "feed_refused"),
    "no JSON": ([], b"<html>", "feed_unreadable"), "no list": ([], {"rows": 1}, "feed_unreadable"),
    "not a number": ([], b"[NaN]", "feed_unreadable"),
    "too deep": ([], b"[" * 100_000, "feed_unreadable"), "fails for good": ([503] * 9, [], "feed_unavailable"),
}  # fmt: skip


@pytest.mark.parametrize(("statuses", "answer", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_source_that_misbehaves_ends_the_run_with_a_reason(feed, source, designer, monkeypatch, statuses, answer, reason):
    monkeypatch.setattr(http_json, "FIRST_WAIT", 0.01)
    feed.pages["/feed"], feed.statuses = answer, list(statuses)
    pipeline = pipeline_over(source)
    done = run(pipeline, designer)
    assert (done.status, done.stop_reason) == ("failed", reason)
    source.refresh_from_db()
    assert source.status == ("error" if reason == "feed_access_refused" else "active")
    assert not feed.asked or all("/elsewhere" not in path for path, _headers in feed.asked)
    assert SECRET not in str(list(Activity.objects.values_list("details", flat=True)))


def test_an_answer_that_is_too_long_is_given_up(feed, source, designer):
    feed.pages["/feed"] = b" " * (safe_http.LONGEST_ANSWER + 1)
    assert connections.check_connection(source, actor=designer) == "feed_unreachable"


@pytest.mark.parametrize("part", ["body", "headers", "trailers"])
def test_an_answer_that_drips_is_given_up(feed, source, designer, monkeypatch, part):
    feed.pages["/feed"], feed.pause, feed.slow = b"[]" + b" " * 1000, 0.02, part
    monkeypatch.setattr(safe_http, "WHOLE", 0.1)
    before = time.monotonic()
    assert connections.check_connection(source, actor=designer) == "feed_unreachable"
    assert time.monotonic() - before < 15  # twenty seconds by itself


def test_a_hiccup_is_waited_for(feed, source, designer, monkeypatch):
    monkeypatch.setattr(http_json, "FIRST_WAIT", 0.01)
    feed.pages["/feed"], feed.statuses = [item(1)], [503, 429]
    assert run(pipeline_over(source), designer).status == "succeeded" and len(feed.asked) == 3


def test_the_secret_stays_with_the_host_it_was_given_for(feed, designer):
    config = told(feed, paging="link", next="next", items="rows")
    feed.pages["/feed"] = {"rows": [item(1)], "next": "https://thief.example.test/"}
    source = configured.add("http_json", "Jobs", config, actor=designer)
    done = run(pipeline_over(source), designer)
    assert (done.status, done.stop_reason, len(feed.asked)) == ("partial", "feed_elsewhere", 1)
    with pytest.raises(Exception, match="Give the secret"):
        configured.change(source, "Jobs", source.config | {"url": "https://thief.example.com/"}, actor=designer)
    assert configured.change(source, "Posts", dict(source.config), actor=designer).secret == SECRET
    assert configured.change(source, "Posts", source.config | {"auth": "none"}, actor=designer).secret is None


def test_a_test_tells_what_is_wrong_and_heals_what_works_again(feed, source, designer):
    feed.pages["/feed"], feed.statuses = [item(1)], [403]
    run(pipeline_over(source), designer)
    assert Connection.objects.get().status == "error"
    feed.statuses = [401]
    assert connections.check_connection(source, actor=designer) == "feed_access_refused"
    assert connections.check_connection(source, actor=designer) == "" and Connection.objects.get().status == "active"


def test_what_stands_in_private_is_not_reached(source, designer, feed, monkeypatch):
    monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(ports=safe_http.REACH.ports, patience=0.0))
    assert connections.check_connection(source, actor=designer) == "feed_unreachable" and not feed.asked
    for url in ("http://jobs.example.com/", "https://user:pw@example.com/", "https://example.com:22/", "ftp://example.com/", "jobs"):
        with pytest.raises(Exception, match="public host"):
            configured.add("http_json", "Jobs", {"url": url, "id": "id"}, actor=designer)


def test_the_clock_runs_what_the_instance_owns(feed, source, designer):
    feed.pages["/feed"] = [item(1)]
    pipeline = pipeline_over(source, next_run_at=timezone.now() - timedelta(minutes=1))
    assert pipelines.queue_due() == 1
    engine.execute(pipeline.runs.get().pk)
    assert pipeline.runs.get().status == "succeeded" and pipeline.rows.count() == 1


def test_disconnecting_deletes_the_secret(source, designer):
    connections.disconnect(source, actor=designer)
    source.refresh_from_db()
    assert source.status == "revoked" and source.secret is None


def test_rows_go_when_nobody_has_seen_them_for_the_pipelines_days(feed, source, designer):
    feed.pages["/feed"] = [item(1), item(2), item(3)]
    pipeline = pipeline_over(source, keep_days=30)
    run(pipeline, designer)
    long_ago = timezone.now() - timedelta(days=31)
    pipeline.rows.filter(item_id__in=["1", "2"]).update(seen_at=long_ago, stored_at=long_ago)
    feed.pages["/feed"] = [item(1)]
    run(pipeline, designer)  # sees the first again
    tasks.keep_datasets()
    assert set(pipeline.rows.values_list("item_id", flat=True)) == {"1", "3"}


def test_what_is_the_same_by_its_content_is_one_row(feed, source, designer):
    feed.pages["/feed"] = [item(1, ref="A"), item(2, ref="A"), item(3)]
    pipeline = pipeline_over(source, [{"do": "dedupe", "by": "ref"}, {"do": "map", "fields": {"title": "name"}}])
    run(pipeline, designer)
    assert {row.item_id: row.data["title"] for row in pipeline.rows.all()} == {"A": "Post 2", "3": "Post 3"}


def test_what_no_column_can_hold_keeps_the_next_record_from_nothing(feed, source, designer):
    feed.pages["/feed"] = [item("bad\0id", name=5), item("bad\0too"), item(3)]
    done = run(pipeline_over(source, [{"do": "map", "fields": {"letters": "length(name)"}}]), designer)
    assert (done.status, done.counts["quarantined"], done.counts["created"]) == ("succeeded", 2, 1)


def test_what_is_too_large_is_set_aside(feed, source, designer):
    feed.pages["/feed"] = [item(1), item("ada@example.test", name="x" * 40_000), item(3, name="a\x00b")]
    pipeline = pipeline_over(source)
    done = run(pipeline, designer)
    assert done.status == "succeeded" and done.counts["quarantined"] == 2 and pipeline.rows.count() == 1
    events = set(RunEvent.objects.filter(run=done).values_list("code", "text"))
    assert events == {("quarantined", "2: TooLarge"), ("quarantined", "3: NotStorable")}  # by number: what names a record may be an address


@pytest.mark.parametrize(
    "text",
    [
        "|".join(["[@,@]"] * 14), "|".join(["{a: @, b: @}"] * 14), "|".join(["[@,@][]"] * 14), "|".join(["to_string([@])"] * 14),
        "[*].[@,@]|[*].[@,@]|[*].[@,@]|[*].[@,@]|[*].[@,@]|[*].[@,@]|[*].[@,@]", "join(to_string(@), @)",
        "map(&[@,@,@,@,@,@,@,@], @)|[]|[]",
    ],
)  # fmt: skip
def test_an_expression_that_makes_too_much_of_little_is_given_up(text):
    with pytest.raises(TooMuch):
        Expression(text).search(["x" * 100] * 20, Budget(10_000))


@pytest.mark.parametrize(
    ("text", "data"),
    [("[?@ == `1`]|" * 30 + "@", [1] * 1000), ("[*].[*]", [[1]] * 1000), ("max_by(@, &abs(@))", [1] * 1000), ("[]|" * 30 + "@", [1])],
)
def test_an_expression_that_takes_too_long_is_given_up(text, data):
    with pytest.raises(TooSlow):
        Expression(text).search(data, Budget(seconds=0))
    Expression(text).search(data)


def test_the_time_of_all_steps_together_is_bounded(feed, source, designer, monkeypatch):
    feed.pages["/feed"] = [item(1)]
    monkeypatch.setattr(record_steps, "SECONDS_OF_ONE", 0)
    done = run(pipeline_over(source), designer)
    assert done.counts["quarantined"] == 1 and done.events.get().text == "1: TooSlow"


def test_slow_steps_do_not_lose_their_run_to_another_worker(feed, source, designer, monkeypatch):
    """Each record of one batch takes as long as a worker may be silent; whoever looks for lost runs meanwhile finds none."""
    feed.pages["/feed"] = [item(n) for n in range(4)]
    pipeline, reaped, given = pipeline_over(source), [], []
    one_record = record_steps.run

    def slow(steps, record):
        reaped.append(pipelines.reap_lost())
        given.append(engine.execute(Run.objects.get().pk))  # another worker, woken for the same run: it finds nothing to do
        Run.objects.update(heartbeat_at=timezone.now() - Run.LOST_AFTER)
        return one_record(steps, record)

    monkeypatch.setattr("integrations.engine.ledger.BEAT_EVERY", timedelta(0))
    monkeypatch.setattr(record_steps, "run", slow)
    done = run(pipeline, designer)
    assert (done.status, reaped, pipeline.rows.count(), len(given)) == ("succeeded", [0] * 4, 4, 4) and Run.objects.count() == 1


def test_a_batch_that_takes_too_long_ends_the_run_and_one_that_is_stopped_stores_nothing(feed, source, designer, monkeypatch):
    feed.pages["/feed"] = [item(n) for n in range(4)]
    pipeline = pipeline_over(source)
    with monkeypatch.context() as patched:
        patched.setattr("integrations.engine.records.SECONDS_OF_A_BATCH", 0)
        done = run(pipeline, designer)
    assert (done.status, done.stop_reason, done.counts["read"], pipeline.rows.count()) == ("failed", "steps_too_slow", 0, 0)
    one_record = record_steps.run

    def stopped(steps, record):
        Run.objects.live().update(cancel_requested_at=timezone.now())
        return one_record(steps, record)

    monkeypatch.setattr("integrations.engine.ledger.BEAT_EVERY", timedelta(0))
    monkeypatch.setattr(record_steps, "run", stopped)
    done = run(pipeline, designer)
    assert (done.status, done.counts["read"], pipeline.rows.count()) == ("cancelled", 0, 0)


def test_a_record_that_would_grow_without_end_is_set_aside(feed, source, designer):
    feed.pages["/feed"] = [item(1)]
    steps = [{"do": "filter", "when": "|".join(["[@,@]"] * 18)}, STEPS[-1]]
    done = run(pipeline_over(source, steps), designer)
    assert done.status == "succeeded" and done.counts["quarantined"] == 1
    told = try_record([{"do": "map", "fields": {"a": "@", "b": "@"}}] * 20, item(1))
    assert told.steps[-1].output == {"error": "TooMuch"} and len(told.steps) > 5


def test_source_steps_and_destination_must_fit(source, designer):
    mail = Transformation.objects.create(name="Mail", steps=[{"do": "classify"}, {"do": "redact"}])
    records = Transformation.objects.create(name="Records", steps=STEPS)
    gmail = Connection.objects.create(provider="gmail", provider_subject="desk", status="active")
    for connection, transformation, destination, fits in (
        (source, mail, "dataset", False), (source, records, "opportunities", False), (gmail, records, "dataset", False),
        (gmail, mail, "opportunities", False), (gmail, mail, "dataset", True), (source, records, "dataset", True),
    ):  # fmt: skip
        row = Pipeline(name="x", connection=connection, transformation=transformation, destination=destination)
        if fits:
            row.full_clean()
        else:
            with pytest.raises(Exception, match=r"belong|take|made"):
                row.full_clean()


@pytest.mark.parametrize(
    "steps",
    [
        [{"do": "map", "fields": {}}], [{"do": "map", "fields": {"a": "]["}}], [{"do": "filter", "when": "a"}], [{"do": "map"}],
        [{"do": "map", "fields": {"a": "b"}}, {"do": "filter", "when": "a"}], [{"do": "classify"}, {"do": "map", "fields": {"a": "b"}}],
        [{"do": "dedupe", "by": "(" * 400}, {"do": "map", "fields": {"a": "b"}}], [{"do": "map", "fields": {"a": 1}}],
        [{"do": "map", "fields": {"a": "b"}, "else": 1}], [{"do": "filter", "when": "x" * 501}, {"do": "map", "fields": {"a": "b"}}],
    ],
)  # fmt: skip
def test_steps_for_records_that_make_no_sense_are_refused(steps):
    with pytest.raises(Exception, match="steps"):
        Transformation(name="Odd", steps=steps).full_clean()


def test_a_dataset_is_read_exported_and_emptied_by_whom_the_matrix_allows(feed, source, designer):
    feed.pages["/feed"] = [item(1)]
    pipeline = pipeline_over(source)
    run(pipeline, designer)
    assert next(iter(datasets.lines(pipeline)))[0::2] == ["1", "Post 1"]
    for role in ("executor", "viewer", "member"):
        with pytest.raises(PermissionDenied):
            datasets.empty(pipeline, actor=make_user(role=role))
    with pytest.raises(PermissionDenied):
        datasets.record_export(pipeline, actor=make_user(role="viewer"))
    datasets.record_export(pipeline, actor=make_user(role="executive"))
    assert datasets.empty(pipeline, actor=designer) == 1 and not pipeline.rows.exists()
    assert set(Activity.objects.filter(action__startswith="dataset.").values_list("action", flat=True)) == {
        "dataset.exported",
        "dataset.emptied",
    }
