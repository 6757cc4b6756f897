"""What people decide about their own data: objections, consents, the details of their mail."""

from collections.abc import Iterable

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Consent, User
from accounts.objections import Objection
from audit.services import record
from integrations.grant_kinds import KINDS
from integrations.models import Connection
from integrations.services import connections


@transaction.atomic
def change_objections(user: User, chosen: Iterable[str], *, request: HttpRequest | None = None) -> bool:
    """Store what a person objects to; False when nothing changed. Raises ValueError for an unknown word."""
    wanted = sorted({Objection(word).value for word in chosen})
    row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if row.objections == wanted:
        return False
    row.objections = wanted
    row.save(update_fields=["objections"])
    record("objection.changed", row, actor=user, request=request, objections=wanted)
    return True


def withdraw_consent(consent: Consent, *, request: HttpRequest | None = None) -> None:
    """Take an agreement back; what rests on it, every mailbox or every calendar, is disconnected, and with the last one it ends."""
    user = consent.user
    resting = [kind.provider for kind in KINDS.values() if kind.purpose == consent.purpose]
    live = Connection.objects.visible_to(user).filter(provider__in=resting).exclude(status=Connection.Status.REVOKED)
    for connection in live:
        connections.disconnect(connection, actor=user, request=request)
    with transaction.atomic():
        Consent.objects.filter(pk=consent.pk, withdrawn_at=None).update(withdrawn_at=timezone.now())
        record("consent.withdrawn", consent, actor=user, request=request, purpose=consent.purpose)
