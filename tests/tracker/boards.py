"""Boards for tests: opportunities with their mails, quickly and many."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from integrations.models import Connection, Run
from tests.tracker.mailboxes import make_run
from tracker.models import Opportunity, Signal, StageMove
from tracker.stages import EFFECTS, Ball, Kind, Stage, Task

LABELS = list(EFFECTS)
COMPANIES = ["Atelier Faure", "Théâtre des Célestins", "Orchard Labs", "Halden & Co", "Maison Perrin", "Ville de Lyon", ""]
ROLES = ["Mariage au domaine", "Portraits d’équipe", "Photographe de collections", "Reportage", ""]


def make_opportunity(owner: User, **fields: Any) -> Opportunity:
    """One opportunity, saved, findable by its words."""
    opportunity = Opportunity(owner=owner, **fields)
    opportunity.search_text = opportunity.build_search_text(fields.get("last_subject", ""))
    opportunity.save(force_insert=True)
    return opportunity


def add_signal(
    opportunity: Opportunity, mailbox: Connection, *, days_ago: float = 1, label: str = "client_enquiry", **fields: Any
) -> Signal:
    number = opportunity.signals.count()
    values = {
        "message_id": f"{opportunity.pk.hex}-{number}",
        "thread_id": f"thread-{opportunity.pk.hex[:12]}",
        "sender": "Jeanne Faure <jeanne@atelier-faure.example>",
        "subject": "Photographe pour notre mariage",
        "received_at": timezone.now() - timedelta(days=days_ago),
        "label": label,
        "confidence": 0.86,
        "reasons": ["Asks for a quote", "Names a date and a place"],
    }
    return Signal.objects.create(opportunity=opportunity, connection=mailbox, **(values | fields))


def fill_board(owner: User, count: int) -> Connection:
    """`count` opportunities over all stages, each with one mail, one in five with a next step that is due; returns the mailbox."""
    run = make_run(owner)
    run.status, run.counts = Run.Status.SUCCEEDED, {"read": 3 * count, "kept": count, "not_kept": {"not_relevant": 2 * count}}
    run.save(update_fields=["status", "counts"])
    mailbox, now = run.pipeline.connection, timezone.now()
    opportunities, signals, moves = [], [], []
    for n in range(count):
        label, stage = LABELS[n % len(LABELS)], Stage.values[n % len(Stage.values)]
        at = now - timedelta(hours=7 * n + 1)
        opportunity = Opportunity(
            owner=owner, kind=Kind.values[n % 3], stage=stage, company=COMPANIES[n % 7], role=ROLES[n % 5], contact_name=f"Person {n}",
            contact_email=f"person{n}@mail.example", ball=Ball.US if n % 2 else Ball.THEM, task=Task.REPLY if n % 2 else Task.NONE,
            task_due_on=(now + timedelta(days=n % 9 - 2)).date() if n % 10 == 1 else None, first_signal_at=at, last_signal_at=at,
            last_subject=f"Votre demande de devis n° {n}, pour le samedi 12 juin", last_label=label,
        )  # fmt: skip
        opportunity.search_text = opportunity.build_search_text()
        opportunities.append(opportunity)
        signals.append(
            Signal(
                opportunity=opportunity, connection=mailbox, message_id=f"m{n}", thread_id=f"t{n}", sender=f"Person {n} <p{n}@x.example>",
                subject=opportunity.last_subject, received_at=at, label=label, confidence=0.5 + n % 50 / 100, reasons=["Asks for a quote"],
            )
        )  # fmt: skip
        if stage != Stage.NEW:
            moves.append(StageMove(opportunity=opportunity, from_stage=Stage.NEW, to_stage=stage, label=label, at=at))
    Opportunity.objects.bulk_create(opportunities)
    Signal.objects.bulk_create(signals)
    StageMove.objects.bulk_create(moves)
    return mailbox
