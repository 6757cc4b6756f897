"""Coaches and their clients: staff appoint, the client accepts what is shown and until when, either ends it at once.

What may not be done raises PermissionDenied; what cannot be done in the state things are in raises ValidationError.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from aaperture.lib.account_mail import send_account_mail
from accounts.models import CoachLink, User
from accounts.roles import Role
from audit.services import record, record_many

logger = logging.getLogger(__name__)
MAY_APPOINT = ("accounts.change_user", "pages.users")


class Ended(ValidationError):
    """The link has been ended, or its date has come."""

    def __init__(self) -> None:
        super().__init__(_("This has ended already."), code="coaching_ended")


def appoint(actor: User, coach: User, client: User, *, request: HttpRequest | None = None) -> CoachLink:
    """Propose a coach to a client, who is told by mail and decides. Nothing is shown before that.

    Raises PermissionDenied, ValidationError when the two cannot be linked or are already.
    """
    if not actor.has_perms(MAY_APPOINT):
        raise PermissionDenied
    with transaction.atomic():
        people = {row.pk: row for row in User.objects.select_for_update(no_key=True).filter(pk__in=[coach.pk, client.pk]).order_by("pk")}
        _check_pair(people.get(coach.pk), people.get(client.pk))
        _close_lapsed(coach, client)
        if CoachLink.objects.filter(coach=coach, client=client, end_date=None).exists():
            raise ValidationError(_("This coach has been appointed to this client already."), code="appointed")
        link = CoachLink.objects.create(coach=coach, client=client, appointed_by=actor)
        record("coach.appointed", link, actor=actor, request=request, coach_id=str(coach.pk), client_id=str(client.pk))
    _tell_client(link)
    return link


def _check_pair(coach: User | None, client: User | None) -> None:
    if coach is None or client is None or coach.pk == client.pk:
        raise ValidationError(_("A coach and a client are two people."), code="same")
    if coach.role != Role.COACH or not coach.is_active:
        raise ValidationError({"coach": ValidationError(_("This person is no coach, or not active."), code="no_coach")})
    if client.is_staff or not client.is_active:
        raise ValidationError({"client": ValidationError(_("Staff and accounts that are not active have no coach."), code="no_client")})


def _close_lapsed(coach: User, client: User) -> None:
    """A link whose date has come ended then; written down when the pair is linked anew, since only one may be open."""
    lapsed = CoachLink.objects.filter(coach=coach, client=client, end_date=None, ends_at__lte=now())
    lapsed.update(end_date=F("ends_at"))


def _tell_client(link: CoachLink) -> None:
    client = link.client
    url = settings.PUBLIC_URL + reverse("settings_coach", args=[link.pk])
    context = {"name": client.get_short_name(), "person": str(link.coach), "url": url}
    try:
        send_account_mail("coach_appointed", to=client.email, language=client.language, context=context)
    except OSError as error:  # they see it in their settings all the same
        logger.warning("client not told", extra={"error": type(error).__name__})


@transaction.atomic
def accept(
    link: CoachLink, *, shows_subjects: bool, ends_at: datetime | None, actor: User, request: HttpRequest | None = None
) -> CoachLink:
    """The client's yes, with what is shown and until when; again later to change either.

    Raises PermissionDenied for anybody but the client, Ended, ValidationError for an end that is not to come.
    """
    link = _locked(link)
    if actor.pk != link.client_id:
        raise PermissionDenied
    if ends_at is not None and ends_at <= now():
        raise ValidationError({"ends_on": ValidationError(_("Choose a day that is still to come."), code="past")})
    action = "coach.scope_changed" if link.accepted_at else "coach.accepted"
    link.accepted_at = link.accepted_at or now()
    link.shows_subjects, link.ends_at = shows_subjects, ends_at
    link.save(update_fields=["accepted_at", "shows_subjects", "ends_at"])
    details: dict[str, Any] = {"shows_subjects": shows_subjects, "ends_at": ends_at}
    record(action, link, actor=actor, request=request, coach_id=str(link.coach_id), client_id=str(link.client_id), **details)
    return link


@transaction.atomic
def end(link: CoachLink, *, actor: User, request: HttpRequest | None = None) -> CoachLink:
    """By the client, the coach or staff; from the next request on nothing is shown. The row is kept. Raises PermissionDenied, Ended."""
    link = _locked(link)
    if actor.pk not in {link.client_id, link.coach_id} and not actor.has_perms(MAY_APPOINT):
        raise PermissionDenied
    declined = link.accepted_at is None and actor.pk == link.client_id
    link.end_date, link.ended_by = now(), actor
    link.save(update_fields=["end_date", "ended_by"])
    action = "coach.declined" if declined else "coach.ended"
    record(action, link, actor=actor, request=request, coach_id=str(link.coach_id), client_id=str(link.client_id))
    return link


def _locked(link: CoachLink) -> CoachLink:
    row = CoachLink.objects.open().select_for_update(of=("self",)).select_related("coach", "client").filter(pk=link.pk).first()
    if row is None:
        raise Ended
    return row


def record_seen(links: Iterable[CoachLink], *, coach: User, what: str, request: HttpRequest | None = None) -> None:
    """That a coach was shown something of these clients: `what` is "counts" or "opportunities". The clients can read it."""
    record_many("coach.client_viewed", links, actor=coach, request=request, what=what)
