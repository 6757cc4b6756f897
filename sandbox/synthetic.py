"""Makes mail: one from fields, or thousands for a benchmark, the same for the same seed."""

from __future__ import annotations

import base64
import random
import time
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid
from typing import TYPE_CHECKING, Any

from sandbox.gmail.mailbox import Mailbox, StoredMessage, date_of

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = 3600
COMPANIES = (
    "Atelier Nord", "Studio Brise", "Maison Perrin", "Halden & Co",
    "Lumen Works", "Orchard Labs", "Galerie Ouest", "Fern Media",
)  # fmt: skip
ROLES = ["Photographer", "Photo Editor", "Art Director", "Photographe", "Retoucheur", "Studio Manager", "Designer", "Picture Researcher"]
PEOPLE = ["Lena Brandt", "Hugo Petit", "Maya Osei", "Tom Ridley", "Inès Caron", "Noor Haddad", "Paul Vidal", "Ruth Keller"]
# (subject, body) with {company}, {role}, {person}; what the product looks for …
RELEVANT = [
    (
        "Your application for {role} at {company}",
        """Hello,

Thank you for applying for the position of {role} at {company}. We have received your application and our team will
review it.

Kind regards,
{person}, {company}""",
    ),
    (
        "Interview invitation: {role}",
        """Hello,

We would like to invite you to an interview for the {role} position on Tuesday at 10:30. It will take about 45 minutes
by video.

Best,
{person}, {company}""",
    ),
    (
        "Votre candidature au poste de {role}",
        """Bonjour,

Nous avons bien reçu votre candidature au poste de {role} chez {company} et nous vous en remercions.

Cordialement,
{person}""",
    ),
    (
        "Suite à votre candidature chez {company}",
        """Bonjour,

Malgré l'intérêt de votre parcours, nous sommes au regret de ne pas pouvoir donner une suite favorable à votre
candidature au poste de {role}.

Bien à vous,
{person}""",
    ),
    (
        "Demande de devis pour un mariage",
        """Bonjour,

Nous nous marions au printemps et cherchons un photographe. Pourriez-vous nous envoyer un devis pour la journée ?

Merci,
{person}""",
    ),
]
# … and what it should leave alone.
IRRELEVANT = [
    ("The {company} newsletter", "Here is what happened at {company} this week.\n\nUnsubscribe at any time."),
    ("Your receipt from {company}", "Thank you for your purchase. The amount was 24.90 EUR.\n\n{company}"),
    ("Votre colis est en route", "Bonjour,\n\nVotre colis sera livré demain.\n\nL'équipe {company}"),
    ("Your sign-in code", "Your code is 402 118. It is valid for ten minutes.\n\n{company}"),
]


def raw_from(fields: Mapping[str, Any]) -> bytes:
    """Read `raw`: base64 in either alphabet, padded or not."""
    text = str(fields["raw"]).replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4))


def compose(to: str, fields: Mapping[str, Any]) -> bytes:
    """Make a mail from `from`, `to`, `subject`, `text`, `html`, `headers`, `attachments` (name → base64)."""
    mail = EmailMessage()
    mail["From"] = one_line(fields.get("from") or "Somebody <somebody@example.net>")
    mail["To"] = one_line(fields.get("to") or to)
    mail["Subject"] = one_line(fields.get("subject", ""))
    mail["Date"] = formatdate(instant(fields) or time.time())
    mail["Message-ID"] = make_msgid(domain="sandbox.example")
    for name, value in fields.get("headers", {}).items():
        del mail[name]
        mail[name] = value
    mail.set_content(fields.get("text") or "")
    if fields.get("html"):
        mail.add_alternative(fields["html"], subtype="html")
    for name, content in fields.get("attachments", {}).items():
        mail.add_attachment(base64.b64decode(content), "application", "octet-stream", filename=name)
    return mail.as_bytes()


def one_line(text: object) -> str:
    return " ".join(str(text).split())


def instant(fields: Mapping[str, Any]) -> float | None:
    """`internalDate` in milliseconds, or `hours_ago`; None when neither is given."""
    if fields.get("internalDate") is not None:
        return int(fields["internalDate"]) / 1000
    if fields.get("hours_ago") is not None:
        return time.time() - float(fields["hours_ago"]) * HOUR
    return None


def deliver(mailbox: Mailbox, raw: bytes, fields: Mapping[str, Any]) -> StoredMessage:
    when = instant(fields)
    given = int(when * 1000) if when is not None else None
    if given is None and fields.get("dateHeader"):
        given = date_of(raw)
    labels = fields.get("labels", ["INBOX", "UNREAD"])
    return mailbox.add(raw, labels=labels, internal_date=given, thread_id=fields.get("threadId"))


def fill(mailbox: Mailbox, fields: Mapping[str, Any]) -> list[StoredMessage]:
    """Add `count` mails, the newest now, one each `every_minutes` (10); `relevant` (1.0) is the share that matters.

    `body_bytes` pads bodies to a size; `canary` is a text put into each body, to prove that no body is stored.
    """
    chance = random.Random(fields.get("seed", 1))
    count, minutes = int(fields["count"]), float(fields.get("every_minutes", 10))
    now = time.time()
    messages = []
    for number in range(count):
        sent_at = now - (count - 1 - number) * minutes * 60
        raw = synthetic_mail(mailbox.email, number, sent_at, chance, fields)
        labels = fields.get("labels", ["INBOX", "UNREAD"])
        messages.append(mailbox.add(raw, labels=labels, internal_date=int(sent_at * 1000)))
    return messages


def synthetic_mail(to: str, number: int, sent_at: float, chance: random.Random, fields: Mapping[str, Any]) -> bytes:
    matters = chance.random() < float(fields.get("relevant", 1.0))
    subject, body = chance.choice(RELEVANT if matters else IRRELEVANT)
    company, role, person = chance.choice(COMPANIES), chance.choice(ROLES), chance.choice(PEOPLE)
    names = {"company": company, "role": role, "person": person}
    text = body.format(**names)
    if fields.get("canary"):
        text += f"\n\n{fields['canary']} {number}"
    missing = int(fields.get("body_bytes", 0)) - len(text)
    if missing > 0:
        text += "\n\n" + ("We look forward to hearing from you. " * (missing // 37 + 1))[:missing]
    mail = EmailMessage()
    domain = company.lower().replace(" & ", "").replace(" ", "") + ".example"
    mail["From"] = formataddr((person, f"jobs@{domain}" if matters else f"news@{domain}"))
    mail["To"] = to
    mail["Subject"] = f"{subject.format(**names)} #{number}"
    mail["Date"] = formatdate(sent_at)
    mail["Message-ID"] = f"<synthetic-{fields.get('seed', 1)}-{number}@{domain}>"
    mail.set_content(text)
    return mail.as_bytes()
