"""Mailboxes and mails for the tracker's tests."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import User
from integrations.items import KeptItem, StoreResult
from integrations.models import Connection, Pipeline, Run, Transformation
from tracker.destination import OpportunityDestination

MORNING = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_run(owner: User, *, email: str = "camille@example.test") -> Run:
    """A run of a Gmail pipeline of `owner`'s."""
    mailbox = Connection.objects.create(
        owner=owner, provider="gmail", provider_subject=f"subject-{next(_numbers)}", account_email=email, status=Connection.Status.ACTIVE
    )
    transformation = Transformation.objects.order_by("-version").first() or Transformation.objects.create(name="t", steps=[])
    pipeline = Pipeline.objects.create(name="Gmail", connection=mailbox, transformation=transformation)
    return Run.objects.create(pipeline=pipeline, status=Run.Status.RUNNING)


def mail(label: str = "client_enquiry", *, days: float = 0, **fields: Any) -> KeptItem:
    """A kept mail, `days` after a Monday morning."""
    number = next(_numbers)
    values = {
        "id": f"m{number}",
        "thread_id": f"t{number}",
        "received_at": MORNING + timedelta(days=days),
        "sender": "Jeanne Faure <jeanne@atelier-faure.example>",
        "subject": f"About number {number}",
        "reply_references": (f"<{number}@mail.example>",),
        "label": label,
        "confidence": 0.9,
        "reasons": ("Asks for a quote",),
        "company": "",
        "role": "",
    }
    return KeptItem(**(values | fields))


def store(run: Run, *items: KeptItem) -> StoreResult:
    from django.db import transaction

    with transaction.atomic():
        return OpportunityDestination().store_page(run, list(items))
