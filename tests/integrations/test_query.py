"""The one question asked of a mailbox (R-075): narrow, nested correctly, and wide enough for what people write."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from integrations.connectors.gmail_query import build, narrow_query
from sandbox.gmail.mailbox import Mailbox
from sandbox.gmail.query import compile_query

CORPUS = Path(__file__).parent.parent / "corpus"
PRIVATE = [
    ("Sunday lunch?", "Hello dear, shall we have lunch on Sunday? Dad makes his gratin. Kisses, Mum"),
    ("Your sign-in code", "Your code is 402 118. It is valid for ten minutes."),
    ("Votre colis est en route", "Bonjour, votre colis sera livré demain. L'équipe Lumen"),
    ("Your receipt from Orchard", "Thank you for your purchase. The amount was 24.90 EUR."),
    ("The Orchard newsletter", "Here is what happened at Orchard this week. Unsubscribe at any time."),
    ("Résultats d'analyses", "Bonjour, vos résultats sont en ligne sur le site du laboratoire."),
]


def finds(raw: bytes, labels: tuple[str, ...] = ("INBOX",)) -> bool:
    mailbox = Mailbox("owner@example.test")
    predicate, _hidden = compile_query(narrow_query(), {})
    return predicate(mailbox.add(raw, labels=list(labels)).entry)


def mail(subject: str, text: str, sender: str = "Somebody <somebody@example.net>") -> bytes:
    return f"From: {sender}\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n".encode()


def test_brackets_close_and_every_alternative_stands_inside_them():
    query = narrow_query()
    assert query.count("{") == query.count("}") and query.count("(") == query.count(")") and query.count('"') % 2 == 0
    outside = query[query.rindex("}") + 1 :]
    assert query.startswith("{from:") and outside.split() == ["-in:drafts", "-in:chats", "-in:sent"]


def test_words_are_quoted_only_where_they_are_several():
    data = {"senders": ["a.example"], "phrases": ["two words"], "words": ["one", "l'autre"], "exclude": ["in:sent"]}
    assert build(data) == '{from:a.example "two words" ({one "l\'autre"} -category:promotions -category:social)} -in:sent'


def test_the_query_fits_into_an_address():
    assert len(quote_plus(narrow_query())) < 6_000


def test_the_watermark_is_asked_for_to_the_second():
    assert narrow_query(after=datetime(2026, 11, 22, 3, tzinfo=UTC)).endswith(" after:1795316400")


@pytest.mark.parametrize(("subject", "text"), PRIVATE)
def test_private_mail_is_not_found(subject, text):
    assert not finds(mail(subject, text))


def test_promotions_are_found_only_for_what_is_certain():
    promotions = ("INBOX", "CATEGORY_PROMOTIONS")
    assert not finds(mail("Wedding photos 20% off", "Our photographer's offer"), promotions)
    assert finds(mail("Call for entries", "Prints until May"), promotions)
    assert finds(mail("Hi", "Hello", sender="x@mail.greenhouse.io"), promotions)


def test_what_the_owner_wrote_is_not_read():
    assert not finds(mail("Your application", "interview"), ("SENT",)) and not finds(mail("Your application", ""), ("DRAFT",))


@pytest.mark.parametrize(("part", "share"), [("tune", 0.95), ("held_out", 0.90)])
def test_labelled_mail_that_matters_is_found(part, share):
    with (CORPUS / part / "labels.csv").open() as file:
        relevant = [row["file"] for row in csv.DictReader(file) if row["label"] != "not_relevant"]
    found = sum(finds((CORPUS / part / name).read_bytes()) for name in relevant)
    assert found >= share * len(relevant), f"{found} of {len(relevant)}"
