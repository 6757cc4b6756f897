"""The same mails in each queue, and each queue emptied by the package it belongs to."""

import json
import time
import uuid
from typing import Any

SUBJECT = "Pour {name}"
TEXT = "Bonjour {name},\n\nVoici le lien vers votre document, avec tous les détails.\n\nÀ bientôt,\nStudio Lumière"


def fill(kind: str, count: int) -> None:
    {"ours": _fill_ours, "post_office": _fill_post_office, "mailer": _fill_mailer}[kind](count)


def _fill_ours(count: int) -> None:
    from accounts.models import Organization, User
    from mailing.services import emails, templates
    from studio.models import Contact

    tag = uuid.uuid4().hex[:12]
    anna = User.objects.create(email=f"{tag}@example.test")
    studio = Organization.objects.create(name="Studio Lumière")
    rows = []
    for n in range(count):
        contact = Contact(organization=studio, given_name=f"Client {n}", email=f"c{n}@clients.example", language="fr")
        contact.derive()
        rows.append(contact)
    targets = Contact.objects.bulk_create(rows, batch_size=2000)
    name = "{{ client.first_name }}"
    words = {"kind": "message", "language": "fr", "name": tag, "subject": SUBJECT.format(name=name), "text": TEXT.format(name=name)}
    template = templates.create_template(studio, fields=words, actor=anna)
    emails.schedule_emails(studio, template=template, targets=targets, actor=anna)


def _words(n: int) -> tuple[str, str, str]:
    text = TEXT.format(name=f"Client {n}")
    return SUBJECT.format(name=f"Client {n}"), text, "<p>" + text.replace("\n\n", "</p><p>").replace("\n", "<br>") + "</p>"


def _fill_post_office(count: int) -> None:
    from post_office import mail

    wanted = []
    for n in range(count):
        subject, text, html = _words(n)
        wanted.append(
            {"recipients": [f"c{n}@clients.example"], "sender": "a@example.test", "subject": subject, "message": text, "html_message": html}
        )
    mail.send_many(wanted)


def _fill_mailer(count: int) -> None:
    import mailer

    for n in range(count):
        subject, text, html = _words(n)
        mailer.send_html_mail(subject, text, html, "a@example.test", [f"c{n}@clients.example"])


def empty(kind: str) -> None:
    """Run as a process of its own; says how long it took, on the clock and of the processor."""
    work: Any = {"ours": _ours, "post_office": _post_office, "mailer": _mailer}[kind]
    begun, cpu = time.perf_counter(), time.process_time()
    sent = work()
    print(json.dumps({"sent": sent, "seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}))


def _ours() -> int:
    from mailing.sending import batch

    return batch.send_due(seconds=300).get("sent", 0)


def _post_office() -> int:
    """Until nothing is queued; one process of it, with its threads."""
    from django.db import connection
    from post_office import mail

    total = 0
    while True:
        sent, _failed, _requeued = mail.send_queued(processes=1, log_level=0)
        connection.close_if_unusable_or_obsolete()
        if not sent:
            return total
        total += sent


def _mailer() -> int:
    from mailer.engine import send_all
    from mailer.models import MessageLog

    before = MessageLog.objects.count()
    send_all()
    return MessageLog.objects.count() - before
