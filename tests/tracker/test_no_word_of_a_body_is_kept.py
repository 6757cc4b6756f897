"""What reaches a row is the rule that spoke, never the words of the mail it matched."""

import pytest

from aaperture.lib.mime import mail_from_bytes
from integrations.items import Item
from integrations.steps import compile_steps
from tests.accounts.people import make_user
from tests.tracker.mailboxes import MORNING, make_run, store
from tracker.models import Signal

CANARY = "zanzibarcanary"
RAW = f"""From: Ruth Keller <jobs@halden.example>
To: camille@example.test
Subject: Your application
Content-Type: text/plain; charset=utf-8

Hello Camille,

Thank you for your application. We have decided {CANARY} to move forward with another {CANARY} candidate.
Unfortunately {CANARY} we will not be taking your {CANARY} application further at this {CANARY} time.

{CANARY} regards
""".encode()


@pytest.mark.django_db
def test_a_stored_signal_holds_no_word_of_the_text():
    from django.db import connection

    transform = compile_steps([{"do": "classify"}, {"do": "filter", "drop_labels": ["not_relevant"]}, {"do": "redact"}])
    kept = transform(Item(id="m1", thread_id="t1", received_at=MORNING, mail=mail_from_bytes(RAW)))
    store(make_run(make_user()), kept)
    assert Signal.objects.get().label == "rejection" and Signal.objects.get().reasons
    with connection.cursor() as cursor:
        cursor.execute("SELECT s::text || o::text FROM tracker_signal s JOIN tracker_opportunity o ON o.id = s.opportunity_id")
        assert CANARY not in cursor.fetchone()[0].lower()
