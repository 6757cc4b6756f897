"""HTTP to hosts that users name: https only, public addresses only, no redirects, bounded answers (SSRF).

Hosts that the operator configures (Google, Stripe, S3) are reached by their own client libraries instead.
"""

import io
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from requests_hardened import Config, HTTPSession
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

LONGEST_ANSWER = 10 * 1024 * 1024
CONNECT, SILENCE, WHOLE = 3, 10, 30  # seconds: to connect, between two bytes, for the whole answer
PIECE = 64 * 1024
# `ipaddress` takes these for global, or may, and none is a public host's: translated and tunnelled IPv4, site-local, carrier's own, and
# what a host at Azure is told by its machine
NOT_PUBLIC = tuple(
    map(
        ip_network,
        ("100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "::/8", "64:ff9b::/32", "100::/8", "2001::/23",
         "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
)  # fmt: skip


class Reach(NamedTuple):
    """What may be reached; only tests widen it, to a server of their own on this machine."""

    loopback: bool = False
    ports: frozenset[int | None] = frozenset({None, 443, 8443})
    authorities: bool | str = True  # whose certificates are believed
    patience: float = CONNECT + 1.0  # seconds before a failure is told: no sooner for a private address than for a silent one


REACH = Reach()


class UnsafeAddress(Exception):
    """The address was refused or did not answer; one message for every reason, so that nothing can be probed."""

    def __init__(self) -> None:
        super().__init__("This address cannot be reached from here.")


class Answer(NamedTuple):
    """What a public host said. A redirect is an answer like another: nobody follows it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"


class _Timely(io.RawIOBase):
    """What a server sends, until the whole answer's time is over: its status line, headers, body and trailers alike."""

    def __init__(self, sock: Any, raw: Any) -> None:
        self.sock, self.raw, self.until = sock, raw, time.monotonic() + WHOLE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(min(SILENCE, left))
        found: int | None = self.raw.readinto(buffer)
        return found

    def close(self) -> None:
        self.raw.close()
        super().close()


class _TimelyResponse(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timely(sock, self.fp.detach()))


class _TimelyConnection(HTTPSConnection):
    response_class = _TimelyResponse

    def _new_conn(self) -> Any:
        """The address that was resolved, and is pinned, is looked at once more, by rules of our own."""
        if not is_public(ip_address(self.host.strip("[]"))):
            raise UnsafeAddress
        return super()._new_conn()


class _TimelyPool(HTTPSConnectionPool):
    ConnectionCls = _TimelyConnection


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a host of the public internet's; an IPv4 address within another is judged by itself, or refused."""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return REACH.loopback
    if any(address in network for network in NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def may_be_asked(url: str) -> bool:
    """Whether the address is of a form that may be reached at all; where its name leads is found out when it is asked."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port in REACH.ports
    except ValueError:
        return False


def session() -> HTTPSession:
    """A requests session that resolves once, connects only to public addresses and never follows a redirect."""
    config = Config(
        default_timeout=(CONNECT, SILENCE),
        never_redirect=True,
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=REACH.loopback,
    )
    http = HTTPSession(config)
    http.trust_env = False
    http.verify = REACH.authorities
    http.get_adapter("https://").poolmanager.pool_classes_by_scheme = {"https": _TimelyPool}
    return http


def ask(
    url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None, http: HTTPSession | None = None
) -> Answer:
    """The answer, its body at most 10 MB; `http` is a `session()` to be used again.

    Raises UnsafeAddress when the address is not https, not public, fails, answers too much or takes too long over it. Whether its name
    is unknown, private or silent nobody can tell by the time that takes.
    """
    if not may_be_asked(url):
        raise UnsafeAddress
    begun = time.monotonic()
    try:
        if http is None:
            with session() as own:
                return _answer(own, method, url, headers, body)
        return _answer(http, method, url, headers, body)
    except Exception:  # noqa: BLE001 - whatever went wrong, the caller learns one thing only
        time.sleep(max(0.0, REACH.patience - (time.monotonic() - begun)))
        raise UnsafeAddress from None


def _answer(http: HTTPSession, method: str, url: str, headers: dict[str, str] | None, body: bytes | None) -> Answer:
    with http.request(method, url, headers=headers, data=body, stream=True) as answer:
        content, raw = bytearray(), answer.raw
        while piece := _piece(raw):
            content += piece
            if len(content) > LONGEST_ANSWER:
                raise UnsafeAddress
        return Answer(answer.status_code, answer.headers, bytes(content))


def _piece(raw: Any) -> bytes:
    """What has come so far, not a whole piece: one byte every nine seconds must not keep us for days."""
    return raw.read1(PIECE, decode_content=True) or b""


def fetch(url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """The body of a good answer. Raises UnsafeAddress as `ask` does, and for every answer that is none, redirects among them."""
    answer = ask(url, method=method, headers=headers, body=body)
    if not 200 <= answer.status < 300:
        raise UnsafeAddress
    return answer.body
