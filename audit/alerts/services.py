"""Everything written about alerts: opened, seen again, handled. Each in one transaction with its activity record."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.alerts.models import AlertNote, SecurityAlert
from audit.alerts.waking import mail_at_once
from audit.detectors import MAILED, REPORTED_COOL_DOWN, By, Severity, worse
from audit.services import record

MANAGE = "operations.manage_alerts"
LONGEST_NOTE = 2000
What = AlertNote.What


@dataclass(frozen=True)
class Sighting:
    """What a detector saw, or somebody reported."""

    kind: str
    by: By
    subject: str
    severity: Severity
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    window: int = 0
    details: dict[str, Any] = field(default_factory=dict)


# --- opening -------------------------------------------------------------------------------------------------------------


def latest(kind: str, subject: str) -> SecurityAlert | None:
    """The last alert of this kind and subject, locked: whoever resolves it meanwhile has done so when this returns."""
    return SecurityAlert.objects.select_for_update().filter(kind=kind, subject=subject).order_by("-opened_at").first()


def open_alert(seen: Sighting) -> SecurityAlert | None:
    """A new alert, or None when another process opened it first: the index on what is not resolved decides."""
    now = timezone.now()
    mail = SecurityAlert.Mail.DUE if seen.severity in MAILED else SecurityAlert.Mail.NONE
    alert = SecurityAlert(**vars(seen), opened_at=now, mail=mail)
    with transaction.atomic():
        SecurityAlert.objects.bulk_create([alert], ignore_conflicts=True)
        if not SecurityAlert.objects.filter(pk=alert.pk).exists():
            return None
        _note(alert, What.OPENED)
        record("alert.opened", alert, kind=alert.kind, severity=str(alert.severity), count=alert.count)
        if alert.mail == SecurityAlert.Mail.DUE:
            mail_at_once(alert)
    return alert


def see_again(alert: SecurityAlert, *, more: int, last_seen_at: datetime, severity: str) -> None:
    """It goes on: count it, and mail it where it has become severe. The caller holds the row's lock."""
    alert.count += more
    alert.last_seen_at = max(alert.last_seen_at, last_seen_at)
    if (now_severity := worse(alert.severity, severity)) != alert.severity:
        alert.severity = now_severity
        _note(alert, What.ESCALATED, text=str(now_severity))
        record("alert.escalated", alert, severity=str(now_severity), count=alert.count)
        if alert.severity in MAILED and alert.mail == SecurityAlert.Mail.NONE:
            alert.mail = SecurityAlert.Mail.DUE
            mail_at_once(alert)
    alert.save(update_fields=["count", "last_seen_at", "severity", "mail"])


@transaction.atomic
def report(
    kind: str, *, severity: Severity, count: int = 1, subject: str = "", cool_down: timedelta = REPORTED_COOL_DOWN, **details: Any
) -> None:
    """For those who notice something themselves: the sealer, the verification, the inventory of secrets. Ids and numbers only."""
    now = timezone.now()
    before = latest(kind, subject)
    if before and before.state != SecurityAlert.State.RESOLVED:
        see_again(before, more=max(0, count - before.count), last_seen_at=now, severity=severity)
    elif before is None or before.resolved_at is None or before.resolved_at + cool_down <= now:
        open_alert(Sighting(kind, By.INSTANCE, subject, severity, count, now, now, details=details))


def _note(alert: SecurityAlert, what: str, *, author: models.Model | None = None, text: str = "") -> None:
    AlertNote.objects.create(alert=alert, what=what, author_id=author.pk if author else None, text=text, written_at=timezone.now())


# --- handling ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def acknowledge(alert: SecurityAlert, *, actor: Any, request: HttpRequest | None = None) -> SecurityAlert:
    """Somebody has seen it and looks into it. Raises PermissionDenied."""
    alert = _to_handle(alert, actor)
    if alert.state == SecurityAlert.State.OPEN:
        alert.state, alert.acknowledged_at, alert.acknowledged_by = SecurityAlert.State.ACKNOWLEDGED, timezone.now(), actor.pk
        alert.assigned_to = alert.assigned_to or actor.pk
        alert.save(update_fields=["state", "acknowledged_at", "acknowledged_by", "assigned_to"])
        _note(alert, What.ACKNOWLEDGED, author=actor)
        record("alert.acknowledged", alert, actor=actor, request=request)
    return alert


@transaction.atomic
def assign(alert: SecurityAlert, person: Any, *, actor: Any, request: HttpRequest | None = None) -> SecurityAlert:
    """Whose it is now: somebody who may handle alerts. Raises PermissionDenied, ValidationError."""
    alert = _to_handle(alert, actor)
    if not (person.is_active and person.erasure_requested_at is None and person.has_perm(MANAGE)):
        raise ValidationError(_("They may not handle alerts."))
    if alert.assigned_to != person.pk:
        alert.assigned_to = person.pk
        alert.save(update_fields=["assigned_to"])
        _note(alert, What.ASSIGNED, author=actor, text=str(person.pk))
        record("alert.assigned", alert, actor=actor, request=request, person_id=str(person.pk))
    return alert


@transaction.atomic
def resolve(alert: SecurityAlert, *, note: str, actor: Any, request: HttpRequest | None = None) -> SecurityAlert:
    """It is over; the same may open anew after its cool-down, from what happens from now on. Raises PermissionDenied, ValidationError."""
    alert = _to_handle(alert, actor)
    alert.state, alert.resolved_at, alert.resolved_by = SecurityAlert.State.RESOLVED, timezone.now(), actor.pk
    alert.save(update_fields=["state", "resolved_at", "resolved_by"])
    _note(alert, What.RESOLVED, author=actor, text=_checked(note))
    record("alert.resolved", alert, actor=actor, request=request, count=alert.count)
    return alert


@transaction.atomic
def add_note(alert: SecurityAlert, text: str, *, actor: Any, request: HttpRequest | None = None) -> None:
    """To a resolved one too: what was learnt afterwards. Raises PermissionDenied, ValidationError."""
    _require(actor)
    _note(alert, What.NOTE, author=actor, text=_checked(text))
    record("alert.noted", alert, actor=actor, request=request)


@transaction.atomic
def mail_again(alert: SecurityAlert, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Send what nobody knows whether it went out, with the same Message-ID; a person decides. Raises PermissionDenied."""
    _require(actor)
    unknown = SecurityAlert.objects.filter(pk=alert.pk, mail=SecurityAlert.Mail.UNKNOWN)
    if unknown.update(mail=SecurityAlert.Mail.DUE, mail_until=None):
        record("alert.mail_repeated", alert, actor=actor, request=request)
        mail_at_once(alert)


@transaction.atomic
def note_containment(alert: SecurityAlert, *, act: str, actor: Any, request: HttpRequest | None = None, **details: Any) -> None:
    """What was done because of it: the act's own service has judged and recorded the act."""
    _note(alert, What.CONTAINED, author=actor, text=act)
    record("alert.contained", alert, actor=actor, request=request, act=act, **details)


def _require(actor: Any) -> None:
    if not actor.has_perm(MANAGE):
        raise PermissionDenied


def _to_handle(alert: SecurityAlert, actor: Any) -> SecurityAlert:
    _require(actor)
    row = SecurityAlert.objects.select_for_update().get(pk=alert.pk)
    if row.state == SecurityAlert.State.RESOLVED:
        raise ValidationError(_("This alert is resolved already."))
    return row


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValidationError(_("Say what was found."))
    if len(text) > LONGEST_NOTE:
        raise ValidationError(_("At most %(n)d characters.") % {"n": LONGEST_NOTE})
    return text
