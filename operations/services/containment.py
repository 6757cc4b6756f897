"""What keeps an attacker out: networks blocked, a person's sessions, keys and connections ended, an account suspended.

Each asks for a fresh proof of who is at the keyboard, is judged by the same rules as everything else done to accounts, and is on
record by the service that does it.
"""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from aaperture.lib.client_address import client_address
from accounts import protections
from accounts.models import ApiKey, User
from accounts.services import api_keys, users
from accounts.services.users import step_up
from audit.services import record
from integrations.services import connections
from operations.containment import blocklist
from operations.containment.models import BlockedNetwork

BLOCK = "operations.block_network"
WIDEST = {4: 16, 6: 32}  # prefix lengths: more than that is not a neighbourhood but half of a country
LONGEST = timedelta(days=90)
REMEMBERED = timedelta(days=30)  # ended blocks, before their addresses are forgotten
Network = IPv4Network | IPv6Network


# --- networks ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def block_network(text: str, *, hours: int, reason: str, actor: User, request: HttpRequest, alert_id: UUID | None = None) -> BlockedNetwork:
    """Refuse an address or network everywhere within seconds. Raises PermissionDenied, StepUpRequired, ValidationError.

    Never this machine, our own proxies, or the address of whoever asks.
    """
    if not actor.has_perm(BLOCK):
        raise PermissionDenied
    step_up(request)
    network = parse_network(text)
    _refuse_own_goals(network, client_address(request))
    if not timedelta(0) < timedelta(hours=hours) <= LONGEST:
        raise ValidationError({"hours": _("From one hour to %(n)d days.") % {"n": LONGEST.days}})
    now = timezone.now()
    BlockedNetwork.objects.filter(network=str(network), lifted_at=None, ends_at__lte=now).update(lifted_at=now)
    row = BlockedNetwork(
        network=str(network), reason=reason.strip(), ends_at=now + timedelta(hours=hours), created_by=actor.pk, alert_id=alert_id
    )
    row.clean_fields(exclude={"alert_id", "lifted_at", "lifted_by"})
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise ValidationError({"network": _("This network is blocked already.")}) from None
    record("network.blocked", row, actor=actor, request=request, hours=hours, prefix=network.prefixlen)
    transaction.on_commit(blocklist.publish)
    return row


@transaction.atomic
def unblock_network(row: BlockedNetwork, *, actor: User, request: HttpRequest) -> bool:
    """Answer it again; False when it was lifted before. Raises PermissionDenied, StepUpRequired."""
    if not actor.has_perm(BLOCK):
        raise PermissionDenied
    step_up(request)
    done = BlockedNetwork.objects.filter(pk=row.pk, lifted_at=None).update(lifted_at=timezone.now(), lifted_by=actor.pk)
    if done:
        record("network.unblocked", row, actor=actor, request=request)
        transaction.on_commit(blocklist.publish)
    return bool(done)


def keep_blocklist() -> int:
    """For the tick: every process sees the table's state, and blocks long over are forgotten."""
    BlockedNetwork.objects.filter(ends_at__lt=timezone.now() - REMEMBERED).delete()
    return blocklist.publish()


def parse_network(text: str) -> Network:
    """Raises ValidationError for what is no address or network, or too wide a one."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValidationError({"network": _("Enter an address such as 203.0.113.66 or a network such as 203.0.113.0/24.")}) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise ValidationError({"network": _("Enter it as an IPv4 address.")})
    if network.prefixlen < WIDEST[network.version]:
        raise ValidationError({"network": _("At most a /%(n)d at once.") % {"n": WIDEST[network.version]}})
    return network


def why_never(address: str, own: str) -> str:
    """Why this address cannot be blocked by whoever is at `own`; empty where it can."""
    try:
        _refuse_own_goals(parse_network(address), own)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _refuse_own_goals(network: Network, own: str) -> None:
    if network.network_address.is_loopback or network.network_address.is_unspecified or ip_address("0.0.0.0") in network:  # nosec B104 - compared with, not listened at
        raise ValidationError({"network": _("This machine itself cannot be blocked.")})
    if ip_address(own) in network:
        raise ValidationError({"network": _("You are in this network yourself.")})
    proxies = [ip_network(one, strict=False) for one in settings.TRUSTED_PROXIES]
    if any(one.version == network.version and one.overlaps(network) for one in proxies):
        raise ValidationError({"network": _("One of our own proxies is in this network.")})


# --- people --------------------------------------------------------------------------------------------------------------


def end_sessions(actor: User, user: User, request: HttpRequest) -> int:
    """Out of every browser and program on the next request. Raises Refused, StepUpRequired."""
    step_up(request)
    return users.end_sessions(actor, user, request)


def revoke_access(actor: User, user: User, request: HttpRequest) -> int:
    """Every API key and every connection; how many there were. Raises Refused, StepUpRequired."""
    step_up(request)
    with transaction.atomic():
        actor, user = protections.lock(actor, user)
        protections.check(actor, user, "edit", request)
        keys = sum(api_keys.revoke(key, actor=actor, request=request) for key in ApiKey.objects.filter(user=user, revoked_at=None))
    return keys + connections.disconnect_all(user, actor=actor, request=request)


def suspend(actor: User, user: User, request: HttpRequest) -> int:
    """No sign-in, no session, no key, until somebody activates the account again. Raises Refused, StepUpRequired."""
    step_up(request)
    users.deactivate(actor, user, request)
    return 1


class Act(NamedTuple):
    operation: str  # the row of the matrix
    label: Any
    question: Any
    done: Any
    do: Callable[[User, User, HttpRequest], int]


ACTS = {
    "end_sessions": Act(
        "edit", gettext_lazy("End all sessions"),
        gettext_lazy("They are signed out in every browser and every program. They can sign in again."),
        gettext_lazy("Sessions ended."), end_sessions,
    ),
    "revoke_access": Act(
        "edit", gettext_lazy("Revoke keys and connections"),
        gettext_lazy("Their API keys stop at once, and the mailboxes they connected are disconnected. They can make new ones."),
        gettext_lazy("Keys and connections revoked."), revoke_access,
    ),
    "suspend": Act(
        "activate_deactivate", gettext_lazy("Suspend the account"),
        gettext_lazy(
            "They are signed out everywhere at once, their API keys stop, and they cannot sign in until somebody activates them again."
            " A monthly contribution is charged all the same, until it is ended."
        ),
        gettext_lazy("Account suspended."), suspend,
    ),
}  # fmt: skip
NAMES = {name: act.label for name, act in ACTS.items()} | {"block_network": gettext_lazy("Block a network")}
