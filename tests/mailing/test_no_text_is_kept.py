"""What a mail says is nowhere but in memory and on its way (R-013, R-153): looked for everywhere, at every stage."""

import logging
import os
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from psycopg import sql
from redis import Redis

from mailing import tasks
from mailing.models import ScheduledEmail
from mailing.services import emails, files
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of
from tests.mailing.post import contacts_named, mail_server, make_template, use_server
from tests.studio.trade import studio_of

pytestmark = pytest.mark.django_db(transaction=True)
# Half of it stands in the template, half in the contact; together they are only in the text of a mail.
TEXT, CANARY = "Un zanzi{{ client.first_name }}.", "zanziCanari"
BY_HAND = "motsdecanari"


def in_the_database(words):
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
        for (table,) in cursor.fetchall():
            name = sql.Identifier(table)
            cursor.execute(sql.SQL("SELECT count(*) FROM {} t WHERE t::text ILIKE ANY(%s)").format(name), [[f"%{word}%" for word in words]])
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def in_valkey(words):
    """Every key of every database, the broker's too, in whatever form it is kept."""
    found, read = [], {"string": "get", "list": ("lrange", 0, -1), "hash": "hgetall", "set": "smembers", "zset": ("zrange", 0, -1)}
    for number in range(4):
        client = Redis.from_url(settings.REDIS_URL, db=number)
        for key in client.scan_iter():
            command, *rest = [*(one if isinstance(one := read[client.type(key).decode()], tuple) else [one])]
            content = str(getattr(client, command)(key, *rest)).lower()
            found += [f"{number}:{key!r}" for word in words if word.lower() in content]
        client.close()
    return found


def in_files(words, since):
    """Whatever this process or the database's log wrote since the test began, below our own folders."""
    found = []
    for folder in {Path(settings.STATE), Path(os.environ.get("TMPDIR", "/tmp")) / "aaperture-uploads"}:
        for file in (path for path in folder.rglob("*") if path.is_file() and "pg/base" not in str(path) and "pg_wal" not in str(path)):
            try:
                if file.stat().st_mtime >= since and any(word.encode() in file.read_bytes() for word in words):
                    found.append(str(file))
            except OSError:
                continue
    return found


@pytest.fixture
def look(caplog, store):
    """Where the words stand; empty when nowhere."""
    caplog.set_level(logging.DEBUG)
    since, words = time.time() - 1, [CANARY, BY_HAND]

    def everywhere():
        said = " ".join(record.getMessage() for record in caplog.records if record.name != "mail.log")  # the test's own mail server
        objects = [name for name in store.names() if any(word.encode() in store.read(name) for word in words)]
        return [*in_the_database(words), *in_valkey(words), *in_files(words, since), *objects, *(w for w in words if w in said)]

    return everywhere


def test_the_text_of_a_mail_is_nowhere_at_any_stage(look, store):
    anna = make_user(name="Anna", language="en")
    organization = studio_of(anna)
    names = ["fine", "failed", "unknown", "again", "held"]
    targets = contacts_named(organization, names)
    type(targets[0]).objects.update(given_name="Canari")
    for target in targets:
        target.refresh_from_db()
    template = make_template(organization, anna, text=TEXT)
    web = browser_of(anna)
    assert CANARY in web.get(reverse("mailing:new", query={"contact": targets[0].pk, "template": template.pk})).text
    seen = []
    with mail_server() as (told, port):
        use_server(port)
        told.contents |= {"failed": "554 Spam", "unknown": "drop", "again": "452 Full"}

        def while_sending():
            seen.append((ScheduledEmail.objects.filter(status="sending").exists(), look()))
            connection.close()

        for contact in targets:
            web.post(reverse("mailing:new", query={"contact": contact.pk, "template": template.pk}), {"when": "now"})
        emails.hold_emails(ScheduledEmail.objects.filter(recipient__startswith="held"), actor=anna)
        file = files.add_file(organization, name="a.pdf", content=b"%PDF-1", beside=(), actor=anna)
        files.attach([file], ScheduledEmail.objects.get(recipient__startswith="fine"))
        assert look() == []  # scheduled, and held
        told.while_sending = while_sending
        tasks.send_due_emails()
        assert dict(ScheduledEmail.objects.values_list("recipient", "status")) == {
            "fine@clients.example": "sent", "failed@clients.example": "failed", "unknown@clients.example": "unknown",
            "again@clients.example": "scheduled", "held@clients.example": "held",
        }  # fmt: skip
        assert any(CANARY.encode() in message for _to, message in told.taken)
        assert len(seen) == 4 and all(found == (True, []) for found in seen) and look() == []

        seen.clear()
        written = {"subject": "Bonjour", "text": f"Des {BY_HAND} {CANARY}."}
        for contact, status in zip(targets[:3], (302, 502, 302), strict=True):
            answer = web.post(reverse("mailing:new", query={"contact": contact.pk, "template": "none"}), written)
            assert answer.status_code == status
        assert len(seen) == 3 and all(found == (True, []) for found in seen) and look() == []
    assert ScheduledEmail.objects.filter(send_at__lte=timezone.now()).count() == 8


def test_what_is_kept_would_be_found(look, store, caplog):
    """Each of the places, with the words in it."""
    anna = make_user(name=CANARY)
    store.write("aaperture/tmp/x", CANARY.encode())
    Redis.from_url(settings.REDIS_URL, db=0).lpush("made-by-this-test", CANARY)
    file = Path(settings.STATE) / "made-by-this-test"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(BY_HAND)
    logging.getLogger("mailing").warning(BY_HAND)
    try:
        found = look()
    finally:
        file.unlink()
        Redis.from_url(settings.REDIS_URL, db=0).delete("made-by-this-test")
    assert {"accounts_user", "0:b'made-by-this-test'", str(file), "aaperture/tmp/x", BY_HAND} <= set(found), (anna.pk, found)
