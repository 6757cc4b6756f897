"""Reads the activity log by its indexes, in windows, and says what stands out. Run side by side it opens nothing twice."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_network
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import BigIntegerField, Count, Max, Min, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from aaperture.lib.client_address import canonical
from audit.alerts import services
from audit.alerts.models import SecurityAlert
from audit.alerts.services import Sighting
from audit.detectors import COLUMNS, DETECTORS, By, Detector, detectors_of, severity_of
from audit.models import Activity
from audit.services import opened_or_empty
from vault.services import keyed_hash

logger = logging.getLogger(__name__)
MOST_OPENED = 500  # sealed addresses opened in one look for networks
SHOWN = 50
MOST_OPEN = 50  # alerts of one kind that wait: more attackers than that are one attack, which another detector counts as a whole


@dataclass(frozen=True)
class Group:
    """What one subject did, or what was done to it, within a window."""

    subject: str
    count: int
    first: datetime
    last: datetime


def detect() -> list[SecurityAlert]:
    """Look with every detector; what was opened."""
    opened = []
    for detector in DETECTORS:
        try:
            opened += _detect(detector)
        except DatabaseError:
            logger.exception("detector failed", extra={"kind": detector.kind})
    return opened


def _detect(detector: Detector) -> list[SecurityAlert]:
    since = timezone.now() - detector.window
    told = set(SecurityAlert.objects.unresolved().filter(kind=detector.kind).values_list("subject", flat=True))
    room = MOST_OPEN - len(told)
    opened: list[SecurityAlert] = []
    for group in sorted(_groups(detector, _rows(detector, since)), key=lambda group: -group.count):
        if (group.subject in told or len(opened) < room) and (alert := _sight(detector, group, since)):
            opened.append(alert)
    return opened


def activity_behind(alert: SecurityAlert) -> list[Activity]:
    """The newest activity that an alert tells of; none where somebody reported it."""
    rows = Activity.objects.none()
    for detector in detectors_of(alert.kind):
        rows |= _of_subject(_rows(detector, alert.first_seen_at).filter(recorded_at__lte=alert.last_seen_at), detector.by, alert.subject)
    newest = rows.order_by("-recorded_at", "-id").defer("canonical")
    if alert.by == By.NETWORK:
        return [row for row in newest[:MOST_OPENED] if _network_hash(row) == alert.subject][:SHOWN]
    return list(newest[:SHOWN])


# --- reading ---------------------------------------------------------------------------------------------------------------


def _rows(detector: Detector, since: datetime) -> QuerySet[Activity]:
    rows = Activity.objects.filter(action__in=detector.actions, recorded_at__gte=since, **detector.where)
    if detector.by in COLUMNS:
        rows = rows.exclude(**({"target_id": ""} if detector.by == By.TARGET else {COLUMNS[detector.by]: None}))
    return rows


def _measure(detector: Detector) -> Any:
    if not detector.weight:
        return Count("id")
    return Sum(Coalesce(*(Cast(KT(f"details__{name}"), BigIntegerField()) for name in detector.weight), 1))


def _groups(detector: Detector, rows: QuerySet[Activity]) -> list[Group]:
    """Whoever is at the first threshold or above."""
    if detector.by == By.NETWORK:
        return _networks(detector, rows)
    figures = {"n": _measure(detector), "first": Min("recorded_at"), "last": Max("recorded_at")}
    if detector.by == By.INSTANCE:
        total = rows.aggregate(**figures)
        return [Group("", total["n"], total["first"], total["last"])] if (total["n"] or 0) >= detector.threshold else []
    column = COLUMNS[detector.by]
    found = rows.order_by().values(column).annotate(**figures).filter(n__gte=detector.threshold)
    return [Group(_as_text(row[column]), row["n"], row["first"], row["last"]) for row in found]


def _networks(detector: Detector, rows: QuerySet[Activity]) -> list[Group]:
    """By /24 or /48: the log has whole addresses only, sealed; of the newest they are opened."""
    by_network: dict[str, list[Activity]] = defaultdict(list)
    for row in rows.order_by("-recorded_at").defer("canonical")[:MOST_OPENED]:
        by_network[_network_hash(row)].append(row)
    groups = []
    for subject, some in by_network.items():
        accounts = {row.account_hash and bytes(row.account_hash) for row in some}
        if subject and len(accounts) >= detector.threshold:
            groups.append(Group(subject, len(accounts), some[-1].recorded_at, some[0].recorded_at))
    return groups


def network_of(address: str) -> str:
    """The neighbourhood of an address, or ""."""
    parsed = canonical(address)
    if parsed is None:
        return ""
    return str(ip_network((parsed, 48 if isinstance(parsed, IPv6Address) else 24), strict=False))


def _network_hash(row: Activity) -> str:
    network = network_of(opened_or_empty(row, "address"))
    return keyed_hash("network", network).hex() if network else ""


def _as_text(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)


def _as_value(by: str, subject: str) -> Any:
    if by in {By.ADDRESS, By.ACCOUNT}:
        return bytes.fromhex(subject)
    return UUID(subject) if by == By.ACTOR else subject


def _of_subject(rows: QuerySet[Activity], by: str, subject: str) -> QuerySet[Activity]:
    return rows.filter(**{COLUMNS[By(by)]: _as_value(by, subject)}) if by in COLUMNS else rows


# --- deciding ----------------------------------------------------------------------------------------------------------------


@transaction.atomic
def _sight(detector: Detector, group: Group, since: datetime) -> SecurityAlert | None:
    """Counts it in the alert that tells of it already, else opens one."""
    before = services.latest(detector.kind, group.subject)
    if before and before.state != SecurityAlert.State.RESOLVED:
        _go_on(detector, before, group)
        return None
    if before and before.resolved_at:
        if before.resolved_at + detector.cool_down > timezone.now():
            return None
        since = max(since, before.resolved_at)  # what it told of is dealt with
    new = _not_told_yet(detector, group, since)
    if new is None:
        return None
    severity = severity_of(detector.steps, new.count)
    window = int(detector.window.total_seconds())
    return services.open_alert(
        Sighting(
            detector.kind, detector.by, new.subject, severity, new.count, new.first, new.last, window, {"threshold": detector.threshold}
        )
    )


def _go_on(detector: Detector, alert: SecurityAlert, group: Group) -> None:
    severity = severity_of(detector.steps, group.count)
    if detector.by == By.NETWORK:  # accounts, not tries
        more = max(0, group.count - alert.count)
    else:
        later = _of_subject(_rows(detector, alert.last_seen_at), detector.by, group.subject)
        later = later.filter(recorded_at__gt=alert.last_seen_at, recorded_at__lte=group.last)  # what came since is the next look's
        if detector.by == By.INSTANCE:  # the whole is what no alert of its parts tells of
            later = _without_siblings(detector, later, alert.first_seen_at)
        more = later.aggregate(n=_measure(detector))["n"] or 0
    if more:
        services.see_again(alert, more=more, last_seen_at=group.last, severity=severity)


def _not_told_yet(detector: Detector, group: Group, since: datetime) -> Group | None:
    """The group without what stands in a sibling's alert, or None when the rest is below the threshold."""
    rows = _without_siblings(detector, _of_subject(_rows(detector, since), detector.by, group.subject), since)
    return next((one for one in _groups(detector, rows) if one.subject == group.subject), None)


def _without_siblings(detector: Detector, rows: QuerySet[Activity], since: datetime) -> QuerySet[Activity]:
    for sibling in detector.siblings:
        told = SecurityAlert.objects.filter(kind=sibling, last_seen_at__gte=since).values_list("by", "subject")
        for by in {one for one, _ in told}:
            subjects = [_as_value(by, subject) for one, subject in told if one == by]
            rows = rows.exclude(**{f"{COLUMNS[By(by)]}__in": subjects})
    return rows
