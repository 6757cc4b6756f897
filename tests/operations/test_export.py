"""A copy of everything: complete, without secrets, safe in a spreadsheet, sealed while it lies here, gone after a day (R-182, R-187)."""

import csv
import io
import json
import signal
import zipfile
from datetime import timedelta

import pytest
import time_machine
from django.core import mail as outbox
from django.utils import timezone

from accounts.models import User
from accounts.services import api_keys
from audit.models import Activity
from audit.services import record
from integrations.models import Connection
from operations.data_classification import tables
from operations.models import DataExport, ExportChunk
from operations.privacy import archive, own_data
from operations.services import exports
from tests import processes
from tests.accounts.people import make_user, step_up
from tests.operations.belongings import give_everything
from tests.tracker.boards import fill_board, make_opportunity
from vault.errors import SealedDataError

PAGE = "/settings/privacy/"
WORD = "canary-camille-5b1d"


@pytest.fixture
def camille(db):
    user = make_user(email="camille@example.test", password="Correct-Horse-7")
    fill_board(user, 12)
    return user


@pytest.fixture
def web(client, camille):
    client.force_login(camille)
    step_up(client, camille)
    return client


def asked(web) -> DataExport:
    assert web.post(f"{PAGE}export/").status_code == 302
    return DataExport.objects.latest("requested_at")


def built(web) -> DataExport:
    export = asked(web)
    assert exports.build(export.pk)
    export.refresh_from_db()
    return export


def unzipped(answer) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert found.testzip() is None
    return found


def test_it_is_asked_for_built_in_the_background_and_downloaded(web, camille, django_capture_on_commit_callbacks):
    export = asked(web)
    panel = web.get(f"{PAGE}export/status/").content.decode()
    assert "about to be put together" in panel and 'hx-trigger="every 2s"' in panel
    assert web.get(f"{PAGE}export/{export.pk}/download/").status_code == 404, "not yet"
    assert exports.build(export.pk) and not exports.build(export.pk), "once"
    panel = web.get(f"{PAGE}export/status/").content.decode()
    assert "is ready" in panel and "every 2s" not in panel
    assert [message.to for message in outbox.outbox] == [[camille.email]] and "24 hours" in outbox.outbox[0].body
    answer = web.get(f"{PAGE}export/{export.pk}/download/")
    assert answer["Content-Type"] == "application/zip" and "attachment" in answer["Content-Disposition"]
    names = unzipped(answer).namelist()
    assert {"index.html", "json/account.json", "csv/opportunities.csv", "json/activity.json"} <= set(names)
    actions = Activity.objects.filter(actor_id=camille.pk).values_list("action", flat=True)
    assert {"data.export_requested", "data.exported"} <= set(actions)


def test_it_holds_every_field_but_secrets(web, camille):
    _key, raw, secret = api_keys.create(camille, name="Nightly", scopes=["read"], days=3)
    mailbox = Connection.objects.get(owner=camille)
    mailbox.access_token, mailbox.refresh_token = "canary-access-token", "canary-refresh-token"
    mailbox.save()
    give_everything(camille, WORD)
    export = built(web)
    found = unzipped(web.get(f"{PAGE}export/{export.pk}/download/"))
    text = {name: found.read(name).decode() for name in found.namelist()}
    for part in own_data.PARTS:
        rows = json.loads(text[f"json/{part.name}.json"])
        assert len(rows) == own_data.rows_of(part, camille).count() or part.name == "activity", part.name
        assert rows, f"{part.name}: `belongings` gives nothing of it"
        levels = {name: field.level for name, field in tables()[part.label].fields.items()}
        assert set(rows[0]) == {name for name, level in levels.items() if level != "secret"} - part.without - {"canonical"}
    everything = "".join(text.values())
    for canary in (f"secret-{WORD}", "canary-access", "canary-refresh", raw, secret, camille.password, web.session.session_key):
        assert canary not in everything
    assert json.loads(text["json/account.json"])[0]["email"] == camille.email
    assert len(text["csv/opportunities.csv"].splitlines()) == 1 + 12 + 3
    worded = {
        "contacts", "contact_imports", "projects", "photo_sessions", "timeline", "document_identities", "quotes", "invoice_lines",
        "acceptances", "email_templates", "scheduled_emails", "added_files", "dataset_rows", "deliveries", "sending_accounts",
    }  # fmt: skip
    assert [name for name in sorted(worded) if WORD not in text[f"json/{name}.json"]] == []
    sessions = json.loads(text["json/sessions.json"])
    assert len(sessions) == 1 and sessions[0]["user"] == str(camille.pk)


def test_what_others_did_is_there_without_where_they_were(web, camille, rf):
    staff = make_user(role="admin")
    request = rf.get("/", REMOTE_ADDR="203.0.113.77", headers={"User-Agent": "Staffs-browser"})
    request.user = staff
    record("user.updated", camille, actor=staff, request=request, fields=["name"])
    found = unzipped(web.get(f"{PAGE}export/{built(web).pk}/download/"))
    text = "".join(found.read(name).decode() for name in found.namelist())
    assert (
        "203.0.113.77" not in text
        and "Staffs-browser" not in text
        and str(staff.pk) not in found.read("json/activity_about_you.json").decode()
    )
    (row,) = [row for row in json.loads(found.read("json/activity_about_you.json")) if row["action"] == "user.updated"]
    assert row["details"] == {"fields": ["name"]}


def test_every_table_with_personal_fields_is_in_it_or_says_why_not():
    given = {part.label for part in own_data.PARTS}
    missing = []
    for label, table in tables().items():
        personal = [field for field in table.fields.values() if field.level in {"personal", "sensitive"}]
        if personal and label not in given and label not in own_data.NOT_GIVEN:
            missing.append(label)
    assert not missing
    assert not set(own_data.NOT_GIVEN) & given


def test_nothing_in_it_becomes_a_formula(web, camille):
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1"):
        make_opportunity(camille, company=text, notes=text)
    found = unzipped(web.get(f"{PAGE}export/{built(web).pk}/download/"))
    for name in found.namelist():
        if name.endswith(".csv"):
            for row in csv.reader(io.StringIO(found.read(name).decode("utf-8-sig"))):
                assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "＝"))], name


def test_it_lies_here_sealed_and_no_piece_can_be_left_out_or_moved(web, camille, monkeypatch):
    monkeypatch.setattr(archive, "PIECE", 2000)
    export = built(web)
    chunks = list(ExportChunk.objects.filter(export=export).order_by("number"))
    assert len(chunks) > 4 and not any(b"PK" in bytes(chunk.content)[:4] for chunk in chunks)
    assert zipfile.ZipFile(io.BytesIO(b"".join(archive.opened(export)))).testzip() is None
    last = chunks[-1]
    ExportChunk.objects.filter(pk=last.pk).delete()
    with pytest.raises(SealedDataError):
        list(archive.opened(export))
    ExportChunk.objects.create(export=export, number=last.number, content=bytes(chunks[1].content))
    with pytest.raises(SealedDataError):
        list(archive.opened(export))


def test_asking_and_downloading_want_a_fresh_proof(client, camille):
    client.force_login(camille)
    for path, send in ((f"{PAGE}export/", client.post), (f"{PAGE}export/", client.get)):
        answer = send(path)
        assert answer.status_code == 302 and "reauthenticate" in answer["Location"]
    assert not DataExport.objects.exists()
    export = DataExport.objects.create(user=camille)
    exports.build(export.pk)
    answer = client.get(f"{PAGE}export/{export.pk}/download/")
    assert answer.status_code == 302 and "reauthenticate" in answer["Location"]


def test_the_link_ends_after_a_day_and_the_file_goes(web, camille):
    export = built(web)
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        step_up(web, camille)
        assert exports.sweep() == 1 and exports.sweep() == 0
    assert not ExportChunk.objects.exists() and DataExport.objects.get().status == "expired"
    assert web.get(f"{PAGE}export/{export.pk}/download/").status_code == 404


def test_a_strangers_copy_does_not_exist_whoever_asks(client, web, camille):
    export = built(web)
    admin = make_user(role="admin")
    client.logout()
    client.force_login(admin)
    step_up(client, admin)
    assert client.get(f"{PAGE}export/{export.pk}/download/").status_code == 404


def test_asking_twice_makes_one(web):
    first = asked(web)
    assert asked(web).pk == first.pk and DataExport.objects.count() == 1


# --- processes that die ------------------------------------------------------------------------------------------------

SET_UP = """
import os, signal
from uuid import UUID
from operations.privacy import archive
from operations.services import exports
archive.PIECE = 3000
def die_at(module, name, call):
    real, calls = getattr(module, name), [0]
    def dying(*args, **kwargs):
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(module, name, dying)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_builder_killed_anywhere_is_followed_by_one_that_ends_right(transactional_db):
    user = make_user()
    fill_board(user, 40)
    for point in ("'_keep', 1", "'_keep', 3", "'_progress', 9", "'_finish', 1", "'_tell', 1"):
        export = DataExport.objects.create(user=User.objects.get(pk=user.pk))
        code = f"{SET_UP}\ndie_at(exports, {point})\nexports.build(UUID('{export.pk}'))"
        (process,) = processes.start(code)
        assert process.wait(60) == -signal.SIGKILL, (point, process.errors)
        export.refresh_from_db()
        if point != "'_tell', 1":
            assert export.status == "building" and exports.due() == [], "its lease still runs"
            DataExport.objects.filter(pk=export.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
            assert exports.due() == [export.pk]
            assert exports.build(export.pk)
            export.refresh_from_db()
        assert export.status == "ready" and export.done == export.total
        found = zipfile.ZipFile(io.BytesIO(b"".join(archive.opened(export))))
        assert found.testzip() is None and len(json.loads(found.read("json/opportunities.json"))) == 40


@pytest.mark.django_db
def test_a_builder_that_was_taken_for_dead_writes_nothing_more(camille):
    export = DataExport.objects.create(user=camille)
    first = exports._claim(export.pk)
    DataExport.objects.filter(pk=export.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert exports.build(export.pk)
    with pytest.raises(exports.LeaseLost):
        exports._keep(first, 99, b"late")
    with pytest.raises(exports.LeaseLost):
        exports._finish(first)
    assert not ExportChunk.objects.filter(number=99).exists()


@pytest.mark.django_db
def test_what_cannot_be_built_is_given_up_and_said(web, camille):
    export = asked(web)
    DataExport.objects.filter(pk=export.pk).update(
        status="building", attempts=exports.MOST_ATTEMPTS, claimed_until=timezone.now() - timedelta(seconds=1)
    )
    assert not exports.build(export.pk)
    assert "could not be made" in web.get(PAGE).content.decode() and exports.due() == []
