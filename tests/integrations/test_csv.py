"""Files of records: however they are written, streamed, sealed while they wait, read from wherever a run stopped, and gone afterwards."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aaperture.lib.csv_safe import csv_lines
from integrations import csv_table, engine, tasks
from integrations.connectors import csv_upload
from integrations.csv_table import BadTable, Sniffer, Table
from integrations.engine.ledger import Ledger
from integrations.models import Pipeline, Run, RunEvent, SourceFile, SourcePiece, Transformation
from integrations.services import arrivals, configured, connections, datasets, pipelines, uploads
from tests import processes
from tests.accounts.people import make_user

CANARY = "Zanzibar-Quokka"


def table(data: bytes, *, piece: int = 7, wanted: str = "auto") -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Headings and numbered rows, read in pieces that cut characters and line ends in two."""
    sniffer = Sniffer()
    for start in range(0, len(data), piece):
        sniffer.look(data[start : start + piece])
    found = Table((data[start : start + piece] for start in range(0, len(data), piece)), sniffer.end(wanted))
    return found.headings(), [(found.row, cells) for cells in found.rows()]


TEXT = 'name;town;note\r\nÉlodie;Liège;"two\r\nlines; and ""words"""\r\n\r\nZoë;€5;\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_whatever_encoding_a_spreadsheet_writes_is_read(encoding):
    data = TEXT.encode(encoding)
    headings, rows = table(data, piece=10 if encoding.startswith("utf-16") else 7)
    assert headings == ["name", "town", "note"]
    assert rows == [(2, ["Élodie", "Liège", 'two\nlines; and "words"']), (4, ["Zoë", "€5", ""])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_whatever_stands_between_cells_is_found_out(delimiter):
    assert table(f"a{delimiter}b\n1{delimiter}2".encode()) == (["a", "b"], [(2, ["1", "2"])])
    assert table(f'sep={delimiter}\n"a, ; b"{delimiter}b\n1{delimiter}2\n'.encode())[0] == ["a, ; b", "b"]


BAD = {
    "empty": (b"", "csv_empty", ""), "blank": (b"\n \n", "csv_empty", ""), "workbook": (b"PK\x03\x04....", "csv_workbook", ""),
    "binary": (b"name\n\x00\x01", "csv_no_text", ""), "same heading": (b"a,b,a\n1,2,3", "csv_same_heading", "1:3"),
    "heading of ours": (b",column_1\n1,2", "csv_same_heading", "1:2"),
    "open quote": (b'a,b\n1,2\n3,"4\n5,6', "csv_quotes", "3"), "after a quote": (b'a,b\n"1"x,2\n', "csv_quotes", "2"),
    "old line ends": (b"a,b\r1,2\r3,4", "csv_line_ends", "1"), "endless": (b"a,b\n" + b"x" * (1 << 20) + b"yy", "csv_endless", "2"),
    "long cell": (b'a,b\n1,"' + b"xx\n" * 50_000 + b'"\n', "csv_cell_long", "2"), "no headings": (b",,\n1,2,3", "csv_no_headings", ""),
    "columns": (b",".join(b"c%d" % n for n in range(201)) + b"\n", "csv_columns", "200"),
    "heading": (b"a," + b"x" * 201 + b"\n", "csv_heading", "1:2"),
    "one row over many lines": (b'a,b\n"' + b'x\n","' * 500_000 + b'"\n', "csv_endless", "2"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "code", "place"), BAD.values(), ids=BAD)
def test_what_is_no_table_is_refused_with_the_place(data, code, place):
    with pytest.raises(BadTable) as caught:
        table(data, piece=1 << 16)
    assert (caught.value.code, caught.value.place) == (code, place)


def test_empty_lines_without_end_are_no_table(monkeypatch):
    monkeypatch.setattr(csv_table, "LONGEST_ROW", 50)
    assert len(table(b"a,b\n" + b"1,2\n\n\n" * 40)[1]) == 40
    with pytest.raises(BadTable, match="csv_endless"):
        table(b"a,b\n1,2\n" + b"\n" * 60 + b"3,4\n")


def test_reading_goes_on_at_any_row_of_any_encoding():
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        data = ("id,é\n" + "".join(f'{n},"ü{n}\n€"\n' for n in range(20))).encode(encoding)
        sniffer = Sniffer()
        sniffer.look(data)
        whole = Table(iter([data]), sniffer.end())
        whole.headings()
        places = [(whole.row, whole.place, cells) for cells in whole.rows()]
        row, place, _cells = places[7]
        rest = Table(iter([data[place:]]), sniffer.end(), delimiter=",", place=place, row=row)
        assert [(rest.row, rest.place, cells) for cells in rest.rows()] == places[8:] and places[-1][1] == len(data)


# --- in the database


@pytest.fixture
def designer(db):
    return make_user(role="designer")


@pytest.fixture
def source(designer):
    return configured.add("csv_upload", "Posts", {"id": "id"}, actor=designer)


def pipeline_over(connection, steps=None, **options):
    steps = steps or [{"do": "filter", "when": "open == 'yes'"}, {"do": "map", "fields": {"title": "title", "town": "town"}}]
    transformation = Transformation.objects.create(name=f"Rows {connection.pk}", steps=steps)
    made = Pipeline(name="Posts", connection=connection, transformation=transformation, destination="dataset", **options)
    made.full_clean()
    made.save()
    return made


def rows(count, *, start=0, **more):
    said = {"id": "{n}", "title": f"Post {{n}} {CANARY}", "open": "yes", "town": "Liège"} | more
    lines = [";".join(value.format(n=n) for value in said.values()) for n in range(start, start + count)]
    return "\r\n".join([";".join(said), *lines]).encode("utf-8-sig")


def bring(source, data, actor, *, piece=1000):
    intake = uploads.Intake(source, actor=actor)
    for start in range(0, len(data), piece):
        intake.write(data[start : start + piece])
    return intake.end()


def finish(run):
    engine.execute(run.pk)
    run.refresh_from_db()
    return run


def test_a_file_is_sealed_read_and_gone(source, designer, monkeypatch):
    monkeypatch.setattr(uploads, "PIECE", 64)
    pipeline = pipeline_over(source)
    odd = ["10;more;yes;Lyon;cells", ";no id;yes;Lyon", '5;"=HYPERLINK(1)";yes;+32 4 12', "11;closed;no;Namur", "12;a;yes;"]
    data = rows(10) + ("\r\n" + "\r\n".join(odd)).encode()
    (run,) = bring(source, data, designer)
    pieces = list(SourcePiece.objects.values_list("content", flat=True))
    assert len(pieces) > 5 and not any(CANARY.encode() in bytes(piece) for piece in pieces)
    assert connections.check_connection(source, actor=designer) == ""
    finish(run)
    assert (run.status, run.trigger, run.counts["created"], run.counts["not_kept"]) == ("succeeded", "arrival", 11, {"filtered": 1})
    assert pipeline.rows.get(item_id="5").data == {"title": "=HYPERLINK(1)", "town": "+32 4 12"}  # as it was; harmless when exported
    assert '"\'=HYPERLINK(1)"' in "".join(csv_lines(["id"], datasets.lines(pipeline)))
    events = dict(RunEvent.objects.filter(run=run).values_list("code", "text"))
    assert events == {"csv_too_many_cells": "12:5", "csv_no_id": "13:1", "csv_formulas": "1"}
    assert not SourceFile.objects.exists() and not SourcePiece.objects.exists()
    assert connections.check_connection(source, actor=designer) == "file_missing"
    assert CANARY not in str(list(Run.objects.values_list("cursor_after", "counts")))


def test_two_pipelines_read_one_file_and_two_files_wait_for_one_pipeline(source, designer):
    first = pipeline_over(source)
    second = Pipeline.objects.create(name="Too", connection=source, transformation=first.transformation, destination="dataset")
    runs = bring(source, rows(3), designer)
    bring(source, rows(4, start=2), designer)
    assert {run.pipeline_id for run in runs} == {first.pk, second.pk} and Run.objects.count() == 2
    finish(runs[0])
    assert SourceFile.objects.count() == 2
    finish(runs[1])
    assert SourceFile.objects.count() == 1 and first.rows.count() == second.rows.count() == 3
    for pk in arrivals.queue_waiting():
        engine.execute(pk)
    assert not SourceFile.objects.exists() and first.rows.count() == second.rows.count() == 6 and not arrivals.queue_waiting()


def test_a_broken_file_ends_the_run_with_its_row_and_is_gone(source, designer, monkeypatch):
    monkeypatch.setattr(csv_upload, "BATCH", 2)
    pipeline = pipeline_over(source)
    (run,) = bring(source, rows(5) + b'\r\n9;"never closed;yes;x\r\n', designer)
    finish(run)
    assert (run.status, run.stop_reason) == ("partial", "csv_quotes") and pipeline.rows.count() == 4
    assert RunEvent.objects.get(run=run).text == "7" and not SourceFile.objects.exists()
    (run,) = bring(source, rows(5), designer)  # the next file is read from its beginning
    assert finish(run).status == "succeeded" and pipeline.rows.count() == 5


def test_a_run_that_died_goes_on_at_its_row(source, designer, monkeypatch):
    monkeypatch.setattr(csv_upload, "BATCH", 2)
    pipeline = pipeline_over(source)
    (made,) = bring(source, rows(7), designer)
    commit, pages = Ledger.commit, []

    def dies(self, page):
        if len(pages) == 2:
            raise KeyboardInterrupt
        commit(self, page)
        pages.append(page)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Ledger, "commit", dies)
        engine.execute(made.pk)
    Run.objects.filter(pk=made.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    pipelines.reap_lost()
    pipeline.refresh_from_db()
    assert pipeline.cursor["mark"] and "title" not in str(pipeline.cursor)  # in a file without headings these are somebody's name
    again = finish(pipeline.runs.live().get())
    assert (again.counts["read"], again.counts["duplicates"], pipeline.rows.count()) == (3, 0, 7) and not SourceFile.objects.exists()


def test_who_stops_a_run_that_waits_or_goes_on_stops_the_reading_of_its_file(source, designer, monkeypatch):
    monkeypatch.setattr(csv_upload, "BATCH", 2)
    pipeline = pipeline_over(source)
    (waiting,) = bring(source, rows(7), designer)
    bring(source, rows(9, start=20), designer)
    pipelines.cancel_run(waiting, actor=designer)
    assert SourceFile.objects.count() == 1 and not arrivals.queue_waiting()  # the next file may wait a little
    Run.objects.update(finished_at=timezone.now() - arrivals.REST)
    (next_one,) = arrivals.queue_waiting()
    commit = Ledger.commit

    def stopped(self, page):
        commit(self, page)
        pipelines.cancel_run(self.run, actor=designer)

    monkeypatch.setattr(Ledger, "commit", stopped)
    engine.execute(next_one)
    assert Run.objects.get(pk=next_one).status == "cancelled" and 0 < pipeline.rows.count() < 9
    assert not SourceFile.objects.exists() and not arrivals.queue_waiting()


def test_a_run_without_a_file_has_nothing_to_read(source, designer):
    pipeline = pipeline_over(source)
    Pipeline.objects.update(next_run_at=timezone.now())
    pipelines.queue_due()
    run = finish(pipeline.runs.get())
    source.refresh_from_db()
    assert (run.status, run.stop_reason, source.error_code) == ("succeeded", "nothing_new", "")


def test_a_file_that_is_swept_while_it_is_read_has_not_been_read(source, designer, monkeypatch):
    monkeypatch.setattr(csv_upload, "BATCH_BYTES", 200)  # long rows are fewer at a time, too
    monkeypatch.setattr(uploads, "PIECE", 100)
    pipeline = pipeline_over(source)
    (run,) = bring(source, rows(40), designer)
    commit = Ledger.commit

    def meanwhile(self, page):
        commit(self, page)
        SourceFile.objects.all().delete()

    monkeypatch.setattr(Ledger, "commit", meanwhile)
    finish(run)
    assert (run.status, run.stop_reason) == ("partial", "file_missing") and 0 < pipeline.rows.count() < 10


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "csv_empty"), (b"name,open\n1,2", "csv_no_id_column"), (b"id,open\n", "csv_no_rows"), (b"PK\x03\x04", "csv_workbook")],
)
def test_what_cannot_be_read_is_refused_when_it_is_brought(source, designer, data, code):
    pipeline_over(source)
    with pytest.raises(uploads.FileRefused) as caught:
        bring(source, data, designer)
    assert caught.value.code == code and not Run.objects.exists()


def test_files_that_nobody_reads_are_swept_and_disconnecting_takes_them_along(source, designer):
    pipeline_over(source)
    uploads.Intake(source, actor=designer).write(rows(3))  # never ended: the browser went away
    bring(source, rows(3), designer)
    SourceFile.objects.filter(arrived_at=None).update(created_at=timezone.now() - timedelta(minutes=61))
    tasks.keep_datasets()
    assert SourceFile.objects.count() == 1
    SourceFile.objects.update(created_at=timezone.now() - timedelta(hours=25))
    tasks.keep_datasets()
    assert not SourceFile.objects.exists() and not SourcePiece.objects.exists()
    bring(source, rows(3), designer)
    connections.disconnect(source, actor=designer)
    assert not SourceFile.objects.exists()


def test_only_so_many_bytes_and_files_are_taken(source, designer, monkeypatch):
    pipeline_over(source)
    monkeypatch.setattr(uploads, "LARGEST", 5000)
    with pytest.raises(uploads.FileRefused, match="file_too_large"):
        bring(source, rows(500), designer)
    SourceFile.objects.all().delete()
    for _ in range(uploads.MOST_WAITING):
        bring(source, rows(1), designer)
    with pytest.raises(uploads.FileRefused, match="file_too_many"):
        bring(source, rows(1), designer)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("guarded", [True, False])
def test_two_that_come_at_once_do_not_both_take_the_last_place(tmp_path, guarded):
    designer = make_user(role="designer")
    source = configured.add("csv_upload", "Table", {}, actor=designer)
    for _ in range(uploads.MOST_WAITING - 1):
        SourceFile.objects.create(connection=source)
    code = """
from accounts.models import User
from django.db.models import QuerySet
from integrations.models import Connection
from integrations.services import uploads
from tests.processes import meet
connection, actor = Connection.objects.get(), User.objects.get()
counted = QuerySet.count
def count(self):  # both have counted before either goes on, unless one is kept from it
    found = counted(self)
    meet(os.environ["DOOR"], str(os.getpid()), patience=float(os.environ["PATIENCE"]))
    return found
QuerySet.count = count
if os.environ["GUARDED"] == "False":
    QuerySet.select_for_update = lambda self, **_options: self
try:
    uploads.Intake(connection, actor=actor)
    print("taken")
except uploads.FileRefused as refused:
    print(refused.code)
"""
    wanted = {"DOOR": str(tmp_path), "GUARDED": str(guarded), "PATIENCE": "0.5" if guarded else "20"}
    printed = sorted(processes.outputs(processes.start(code, times=2, **wanted)))
    assert printed == (["file_too_many", "taken"] if guarded else ["taken", "taken"])


def test_uploading_in_the_browser(source, designer, monkeypatch):
    page, member = reverse("integrations:file_add", args=[source.pk]), Client()
    member.force_login(make_user())
    assert member.get(page).status_code == member.post(page).status_code == 404
    web = Client(enforce_csrf_checks=True)
    web.force_login(designer)
    assert "CSV file" in web.get(page).content.decode()

    def send(data, token=None):
        token = web.cookies["csrftoken"].value if token is None else token
        return web.post(page, {"csrfmiddlewaretoken": token, "upload": SimpleUploadedFile("x.csv", data)})

    assert "make a pipeline over it" in send(rows(2)).content.decode()
    pipeline_over(source)
    assert send(rows(2), token="x" * 32).status_code == 403 and not SourceFile.objects.exists()
    refused = send(b'id,a,a\n1,"2')
    assert refused.status_code == 422 and "Row 1, column 3." in refused.content.decode() and not SourceFile.objects.exists()
    assert "Choose a file" in web.post(page, {"csrfmiddlewaretoken": web.cookies["csrftoken"].value}).content.decode()
    with monkeypatch.context() as patched:
        patched.setattr(uploads, "LARGEST", 1000)
        assert "too large" in send(rows(100)).content.decode() and not SourceFile.objects.exists()
    done = send(rows(2))
    assert "/connection/" in done.url and SourceFile.objects.get().uploaded_by == designer
    assert finish(Run.objects.get()).counts["created"] == 2
    executor = Client()
    executor.force_login(make_user(role="executor"))
    assert f'href="{page}"' in executor.get("/admin/integrations/at-work/").content.decode()
    brought = executor.post(page, {"upload": SimpleUploadedFile("x.csv", rows(1))})
    assert executor.get(brought.url).status_code == 200  # a page that they may see


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_loses_no_row_and_doubles_none():
    designer = make_user(role="designer")
    source = configured.add("csv_upload", "Posts", {"id": "id"}, actor=designer)
    pipeline = pipeline_over(source)
    (run,) = bring(source, rows(300), designer, piece=100_000)
    (worker,) = processes.start("""
from integrations import engine
from integrations.connectors import csv_upload
from integrations.engine.ledger import Ledger
csv_upload.BATCH, commit, stored = 10, Ledger.commit, iter(range(5))

def five(self, page):
    if next(stored, None) is None:
        print("in the middle", flush=True)
        sys.stdin.readline()
    commit(self, page)

Ledger.commit = five
engine.execute(os.environ["RUN"])
""", RUN=str(run.pk))  # fmt: skip
    assert worker.stdout.readline() == "in the middle\n", worker.errors
    worker.kill()
    worker.wait()
    processes.wait_for_the_dead()
    assert pipeline.rows.count() == 50 and SourceFile.objects.count() == 1
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    pipelines.reap_lost()
    again = finish(pipeline.runs.live().get())
    assert again.counts["read"] + Run.objects.get(pk=run.pk).counts["read"] == 300 and again.counts["duplicates"] == 0
    assert sorted(map(int, pipeline.rows.values_list("item_id", flat=True))) == list(range(300)) and not SourceFile.objects.exists()
