"""One answer to "where does this request come from?", used by limits, lock-out, the activity log and the logs."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "0.0.0.0"  # nosec B104 - a word for nobody's address; nothing listens there


@lru_cache(maxsize=4096)
def canonical(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `text`, with its zone stripped and an IPv4-mapped form turned into IPv4."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=64)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def client_address(request: HttpRequest) -> str:
    """`X-Real-IP` when the peer is one of `TRUSTED_PROXIES`, else the peer; never `X-Forwarded-For`, which clients write."""
    return _address(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_REAL_IP", ""), tuple(settings.TRUSTED_PROXIES))


@lru_cache(maxsize=4096)
def _address(remote: str, told: str, proxies: tuple[str, ...]) -> str:
    peer = canonical(remote)
    if peer is not None and any(peer in _network(net) for net in proxies) and (client := canonical(told)) is not None:
        return str(client)
    return str(peer) if peer is not None else UNKNOWN


def address_bucket(address: str) -> str:
    """What limits count: an IPv4 address, or the /64 network of an IPv6 one."""
    parsed = canonical(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed or UNKNOWN)
