"""The demo mailbox: varied, recent, and nobody's real address."""

import re
import time
from collections import Counter
from email import message_from_bytes
from email.utils import parsedate_to_datetime

import pytest

from aaperture.lib.mime import mail_from_bytes, mail_from_gmail
from sandbox.demo import FOLDER, manifest
from sandbox.world import World

DAY = 86400
RESERVED = re.compile(r"@(?:[\w-]+\.)*(?:example(?:\.(?:test|com|net|org))?|test)\b", re.IGNORECASE)
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\w")


@pytest.fixture(scope="module")
def world() -> World:
    return World("http://127.0.0.1:1")


def test_every_file_is_in_the_manifest_once():
    files = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.eml"))
    assert sorted(mail.file for mail in manifest()) == files


def test_the_mailboxes_are_big_enough_and_one_is_empty(world: World):
    counts = {email: len(account.mailbox.messages) for email, account in world.accounts.items()}
    assert counts["camille@example.test"] >= 160
    assert counts["sam@example.test"] >= 30
    assert counts["alex@example.test"] == 0


def test_the_mail_always_looks_recent(world: World):
    messages = world.accounts["camille@example.test"].mailbox.messages.values()
    ages = sorted((time.time() - message.internal_date / 1000) / DAY for message in messages)
    assert ages[0] < 0.25 and 300 < ages[-1] < 370
    for message in messages:
        date = message_from_bytes(message.raw)["Date"]
        if date:
            assert abs(parsedate_to_datetime(str(date)).timestamp() - message.internal_date / 1000) < 2


def test_encodings_and_structures_are_varied():
    raw = b"\n".join(path.read_bytes().lower() for path in FOLDER.rglob("*.eml"))
    for charset in (b"utf-8", b"iso-8859-1", b"windows-1252", b"utf-16", b"koi8-r", b"x-inconnu-42"):
        assert b'charset="' + charset in raw
    kinds = (b"multipart/alternative", b"multipart/mixed", b"multipart/related", b"message/rfc822", b"text/calendar", b"format=flowed")
    encodings = (b"quoted-printable", b"base64", b"8bit", b"x-unknown-enc")
    assert all(word in raw for word in (*kinds, *encodings))


def test_every_mail_can_be_shown_and_searched(world: World):
    for account in world.accounts.values():
        for message in account.mailbox.messages.values():
            assert message.payload.tree["mimeType"]
            assert message.entry.text
    camille = world.accounts["camille@example.test"].mailbox
    assert len(camille.search("from:(roussel OR gite) tarif")) == 1
    assert camille.search("фотосессия")


def test_the_product_reads_the_same_from_gmail_as_from_the_raw_mail(world: World):
    for account in world.accounts.values():
        for message in account.mailbox.messages.values():
            raw = mail_from_bytes(message.raw)
            served = mail_from_gmail({"id": message.id, "payload": message.payload.tree})
            assert (served.sender, served.subject) == (raw.sender, raw.subject)
            assert served.text.split() == raw.text.split()


def test_threads_hold_answers(world: World):
    messages = world.accounts["camille@example.test"].mailbox.messages.values()
    assert Counter(message.thread_id for message in messages).most_common(1)[0][1] >= 3


def test_no_address_could_belong_to_anybody():
    for path in FOLDER.rglob("*.eml"):
        for part in message_from_bytes(path.read_bytes()).walk():
            content = part.get_payload(decode=True)
            text = (content if isinstance(content, bytes) else b"").decode("utf-8", "replace")
            headers = " ".join(str(value) for name, value in part.raw_items() if name.lower() not in ("message-id", "references"))
            for address in ADDRESS.findall(f"{headers} {text}"):
                assert RESERVED.search(address), f"{path.name}: {address}"


def test_a_demo_mail_keeps_its_id_from_one_start_to_the_next():
    boxes = [World("http://127.0.0.1:1").accounts["camille@example.test"].mailbox for _ in range(2)]
    assert boxes[0].messages.keys() == boxes[1].messages.keys()
