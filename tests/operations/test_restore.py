"""The rehearsal: back up, erase somebody, restore the older backup elsewhere. They stay erased, the log verifies (R-196)."""

from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone

from audit.models import Activity, AuditSeal
from audit.seal import heads
from audit.services import record
from mailing.services.emails import schedule_emails
from operations.backups import shelf, snapshot
from operations.models import Erasure
from operations.services import erasures
from tests.accounts.people import make_user
from tests.audit.sealed import seal_all
from tests.audit.test_kill import SET_UP
from tests.documents.papers import make_invoice, make_job
from tests.integrations import leaks
from tests.mailing.post import contacts_named, make_template
from tests.operations.instances import empty_instance
from tests.operations.test_erasure import CANARY, person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
KEY = "backups-of-tests-" + "q7" * 20


@pytest.fixture
def places(settings, store, tmp_path):
    """Everything outside the database, as settings and as the environment of a process."""
    names = {
        "BACKUPS": "s3://backups/aaperture", "BACKUP_KEY": KEY, "AUDIT_HEADS": str(tmp_path / "heads"),
        "ERASURE_LEDGER": str(tmp_path / "ledger"),
    }  # fmt: skip
    for name, value in names.items():
        setattr(settings, name, value)
    ours = ("S3_ENDPOINT_URL", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
    return names | {name: getattr(settings, name) for name in ours}


def erase(user) -> None:
    erasure = Erasure.objects.create(account_id=user.pk, due_at=timezone.now() + Erasure.GRACE, status="waiting")
    with time_machine.travel(timezone.now() + timedelta(days=30.1), tick=True):
        assert erasures.finish(erasure.pk)


DYING = """
import sys
from django.db import connection
from audit import grants
from operations.backups import shelf, target
from operations.services import restoring

def attempt(point, *where):
    connection.close()
    child = os.fork()
    if not child:
        if point:
            die_at(*point)
        restoring.restore(shelf.shelf(), sys.argv[1])
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with target.as_owner():
        print(status, grants.is_closed(), accounts(), flush=True)
    try:
        accounts()
        print("open", flush=True)
    except Exception as error:
        print(type(error.__cause__).__name__, flush=True)

def accounts():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_user")
        return cursor.fetchone()[0]

attempt((target, "_load", 12))
attempt((restoring.erasures, "replay"))
attempt((restoring, "verify", 1, True))
attempt(None)
attempt(None)
"""


def without_migration(facts: dict, name: str) -> dict:
    kept = [row for row in facts["migrations"] if row[1] != name]
    assert len(kept) == len(facts["migrations"]) - 1
    return facts | {"migrations": kept}


def test_a_restore_that_dies_begins_anew_or_goes_on_and_opens_nothing_half_done(settings, test_database, tmp_path, monkeypatch):
    """Into a database without any table, from a time with fewer migrations: killed while rows are loaded, before erasures are done
    again, and before it opens."""
    names = {"BACKUPS": str(tmp_path / "shelf"), "BACKUP_KEY": KEY, "ERASURE_LEDGER": str(tmp_path / "ledger")}
    for name, value in names.items():
        setattr(settings, name, value)
    user, other = make_user(), make_user()
    record("user.updated", other, actor=other)
    seal_all()
    later = "axes_accessattemptexpiration"  # the table that the last migration of axes makes
    monkeypatch.setitem(snapshot.LEFT_OUT, later, "not there yet")
    facts = snapshot.Snapshot.facts
    monkeypatch.setattr(snapshot.Snapshot, "facts", lambda self: without_migration(facts(self), f"0010_{later.partition('_')[2]}"))
    call_command("backup")
    erase(user)
    with empty_instance(test_database, migrated=False, **names) as restored:
        done = restored.run(SET_UP + DYING, shelf.whole(shelf.shelf())[-1])
        closed = "InsufficientPrivilege"
        assert done.stdout.splitlines() == [
            "-9 False 0", closed, "-9 True 2", closed, "-9 True 1", closed, "0 False 1", "open", "1 False 1", "open"
        ], done.stdout + done.stderr  # fmt: skip
        assert "in use" in done.stderr, "not over an instance that is in use"
        assert restored.rows("SELECT id FROM accounts_user") == [(other.pk,)]
        assert restored.rows(f"SELECT count(*) FROM {later}") == [(0,)], "migrations of later were run"


def test_an_older_backup_brings_everything_back_but_the_erased(places, store, test_database, monkeypatch):
    monkeypatch.setattr("integrations.google_oauth.revoke", lambda token: True)
    user, other = person(), make_user(name="Zoé")
    invoice = make_invoice(make_job(other), other)
    studio = invoice.organization
    schedule_emails(studio, template=make_template(studio, other), targets=contacts_named(studio, ["nina"]), actor=other)
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")
    request.user = other
    for _ in range(3):
        record("user.updated", other, request=request, note="line\nbreak \\ tab\t é")
    seal_all()
    heads.publish()
    document = {"Body": b"%PDF" * 400_000, "ContentType": "application/pdf", "Metadata": {"a": "b"}}
    store.client.put_object(Bucket="aaperture", Key="quotes/1.pdf", **document)
    store.write("aaperture/tmp/attachment", CANARY.encode())
    call_command("backup")
    name = shelf.whole(shelf.shelf())[-1]
    before = AuditSeal.objects.count()
    kept = b"".join(store.read(one) for one in store.names() if one.startswith("backups/"))
    assert not any(word in kept for word in (CANARY.encode(), b"%PDF", b"accounts_user", b"INSERT", other.email.encode()))
    erase(user)
    seal_all()
    heads.publish()
    assert AuditSeal.objects.count() > before
    for lost in ("quotes/1.pdf", "tmp/attachment"):
        store.client.delete_object(Bucket="aaperture", Key=lost)
    with empty_instance(test_database, **places) as restored:
        done = restored.manage("restore", name)
        assert done.returncode == 0, done.stdout + done.stderr
        for line in ("Erased once more, by the ledger: 1 accounts.", "were given up", "The instance is open.", "sealed fields opened"):
            assert line in done.stdout, done.stdout
        assert "proof: 0" not in done.stdout
        monkeypatch.setenv("MIGRATION_DATABASE_URL", restored.owner_url)
        assert [place for place in leaks.found(CANARY) if place.startswith("table")] == []
        assert not [one for one in store.names() if CANARY.encode() in store.read(one)]
        assert not restored.rows("SELECT 1 FROM accounts_user WHERE id = %s", user.pk)
        assert restored.rows("SELECT name FROM accounts_user WHERE id = %s", other.pk) == [("Zoé",)]
        assert restored.rows("SELECT number FROM documents_invoice") == [(invoice.number,)] and invoice.number
        assert restored.rows("SELECT status, error FROM mailing_scheduledemail") == [("unknown", "restored")]
        for statement in ("DELETE FROM audit_activity", "UPDATE documents_invoice SET subject = 'x'"):
            with pytest.raises(psycopg.DatabaseError):  # triggers are there again, for the owner too
                restored.rows(statement)
        assert restored.rows("SELECT wrapped, destroyed_at IS NULL FROM vault_datakey WHERE owner_id = %s", user.pk) == [(b"", False)]
        again = restored.manage("verify_audit")
        assert again.returncode == 0 and "Intact." in again.stdout and "Restored from a backup" in again.stdout, again.stdout
        refused = restored.manage("restore", name)
        assert refused.returncode == 1 and "in use" in refused.stderr
    found = store.client.get_object(Bucket="aaperture", Key="quotes/1.pdf")
    assert {**document, "Body": found["Body"].read(), "Metadata": found["Metadata"]} == document and found[
        "ContentType"
    ] == "application/pdf"
    assert Activity.objects.filter(action="backup.made").exists()
