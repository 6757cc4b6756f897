"""Allots numbers. Whoever asks waits for the one before: that is what makes them gapless."""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from documents.models import Identity, NumberSeries
from documents.zones import today_in


class Allotted(NamedTuple):
    number: str
    on: date


def allot(identity: Identity, kind: str) -> Allotted:
    """The next number of today's year, and the day it stands for, never before that of the one before.

    Only in a transaction: the row stays locked until it ends, and a rollback gives the number back.
    """
    assert connection.in_atomic_block
    series = _locked(identity.organization_id, kind, today_in(identity.country).year)
    today = today_in(identity.country)  # again: midnight may have passed while waiting
    on = max(today, series.last_on or today) if today.year == series.year else date(series.year, 12, 31)
    series.last_number += 1
    series.last_on = on
    series.save(update_fields=["last_number", "last_on"])
    prefix = getattr(identity, f"{kind}_prefix")
    return Allotted(f"{prefix}{series.year}-{series.last_number:04d}", on)


def _locked(organization_id: UUID, kind: str, year: int) -> NumberSeries:
    NumberSeries.objects.bulk_create([NumberSeries(organization_id=organization_id, kind=kind, year=year)], ignore_conflicts=True)
    return NumberSeries.objects.select_for_update().get(organization_id=organization_id, kind=kind, year=year)
