"""Payment reminders: the studio's rules, and the tick that makes one e-mail of each occasion, never two."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, Min, OuterRef
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Membership, Organization, User
from audit.services import record
from documents.models import Invoice
from documents.zones import ZONES
from mailing.models import EmailTemplate, ReminderRule, ReminderStop, ScheduledEmail
from mailing.services.emails import NotPossible, cancel_emails, schedule_email

LATE = 7  # days for which an occasion is still one: a new rule reminds nobody of last year's invoices
HOUR = time(9)  # on the studio's own clock
BATCH = 500


def occurrence(invoice_id: UUID, days: int) -> str:
    return f"reminder:{invoice_id}:{days}"


@transaction.atomic
def add_rule(
    organization: Organization, *, days: int, template: EmailTemplate, actor: User, request: HttpRequest | None = None
) -> ReminderRule:
    """Raises NotPossible("kind") for a template that is no reminder, NotPossible("twice") for a rule that exists."""
    if template.kind != EmailTemplate.Kind.REMINDER or template.organization_id != organization.pk or template.is_archived:
        raise NotPossible("kind")
    rule, made = ReminderRule.objects.get_or_create(organization=organization, days=days, template=template)
    if not made:
        raise NotPossible("twice")
    record("reminder_rule.created", rule, actor=actor, request=request, organization_id=organization.pk, days=days)
    return rule


@transaction.atomic
def remove_rule(rule: ReminderRule, *, actor: User, request: HttpRequest | None = None) -> None:
    record("reminder_rule.deleted", rule, actor=actor, request=request, organization_id=rule.organization_id, days=rule.days)
    rule.delete()


@transaction.atomic
def stop_reminders(invoice: Invoice, *, actor: User, request: HttpRequest | None = None) -> None:
    """Also those that wait already."""
    _row, made = ReminderStop.objects.get_or_create(
        invoice=invoice, defaults={"organization_id": invoice.organization_id, "stopped_by": actor}
    )
    if made:
        record("reminder.stopped", invoice, actor=actor, request=request, organization_id=invoice.organization_id)
    waiting = ScheduledEmail.objects.filter(invoice=invoice, occurrence__startswith="reminder:").waiting()
    cancel_emails(list(waiting), actor=actor, request=request)


@transaction.atomic
def resume_reminders(invoice: Invoice, *, actor: User, request: HttpRequest | None = None) -> None:
    if ReminderStop.objects.filter(invoice=invoice).delete()[0]:
        record("reminder.resumed", invoice, actor=actor, request=request, organization_id=invoice.organization_id)


def schedule_due_reminders(*, limit: int = BATCH) -> int:
    """Make the e-mails of today's occasions; conditions are looked at again when each is sent."""
    rules = _rules()
    found = [(invoice, _rule_for(invoice, rules[invoice.organization_id])) for invoice in (_late_invoices(rules) if rules else ())]
    wanted = {occurrence(invoice.pk, rule.days): (invoice, rule) for invoice, rule in found if rule}
    rows = ScheduledEmail.objects.filter(organization__in=list(rules), occurrence__in=list(wanted))
    for name in rows.values_list("occurrence", flat=True):
        del wanted[name]
    return sum(_schedule(invoice, rule, name) for name, (invoice, rule) in list(wanted.items())[:limit])


def _rules() -> dict[UUID, list[ReminderRule]]:
    """Of studios in which somebody works: in the name of one whose last account is being erased nobody is reminded."""
    found: dict[UUID, list[ReminderRule]] = defaultdict(list)
    people = Membership.objects.current().filter(organization=OuterRef("organization"), user__erasure_requested_at=None)
    for rule in ReminderRule.objects.filter(Exists(people), template__is_archived=False).select_related("template"):
        found[rule.organization_id].append(rule)
    return found


def _late_invoices(rules: Iterable[UUID]) -> list[Invoice]:
    today = timezone.localdate()
    span = ReminderRule.objects.aggregate(least=Min("days"), most=Max("days"))
    earliest, latest = today - timedelta(days=span["most"] + LATE + 1), today - timedelta(days=span["least"] - 1)
    rows = Invoice.objects.outstanding().filter(organization__in=list(rules), due_on__range=(earliest, latest), reminder_stop=None)
    rows = rows.exclude(contact=None).exclude(contact__email="").select_related("contact", "project", "organization__identity")
    return list(rows.defer("content", "search_text").order_by("due_on", "pk"))


def _rule_for(invoice: Invoice, rules: list[ReminderRule]) -> ReminderRule | None:
    """The last occasion that has come, and only that one: who was away is not reminded three times at once."""
    assert invoice.due_on is not None
    overdue = (_now_there(invoice).date() - invoice.due_on).days
    days = max((rule.days for rule in rules if rule.days <= overdue <= rule.days + LATE), default=None)
    fitting = [rule for rule in rules if rule.days == days]
    return min(fitting, key=lambda rule: (rule.template.language != invoice.language, str(rule.pk)), default=None)


def _now_there(invoice: Invoice) -> datetime:
    identity = getattr(invoice.organization, "identity", None)
    city = ZONES.get(identity.country if identity else "")
    return timezone.localtime(timezone=ZoneInfo(f"Europe/{city}")) if city else timezone.localtime()


def _schedule(invoice: Invoice, rule: ReminderRule, name: str) -> bool:
    there = _now_there(invoice)
    at = max(there, datetime.combine(there.date(), HOUR, tzinfo=there.tzinfo))
    try:
        schedule_email(invoice.organization, template=rule.template, document=invoice, send_at=at, occurrence=name, actor=None)
    except (IntegrityError, NotPossible):  # another worker was quicker; or the address went meanwhile
        return False
    return True
