"""HTTP to hosts that users name: https only, public addresses only, no redirects, bounded answers (SSRF).

Hosts that the operator configures (Google, Stripe, S3) are reached by their own client libraries instead.
"""

from urllib.parse import urlsplit

from requests_hardened import Config, HTTPSession

ALLOWED_PORTS = {None, 443, 8443}
LONGEST_ANSWER = 10 * 1024 * 1024


class UnsafeAddress(Exception):
    """The address was refused or did not answer; one message for every reason, so that nothing can be probed."""

    def __init__(self) -> None:
        super().__init__("This address cannot be reached from here.")


def session() -> HTTPSession:
    """A requests session that resolves once, connects only to public addresses and never follows a redirect."""
    config = Config(
        default_timeout=(3, 10),
        never_redirect=True,
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=False,
    )
    http = HTTPSession(config)
    http.trust_env = False
    return http


def fetch(url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """The answer's body, at most 10 MB.

    Raises UnsafeAddress when the address is not https, not public, redirects, fails or answers too much.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme != "https" or parts.username or parts.password or parts.port not in ALLOWED_PORTS:
            raise UnsafeAddress
        with session() as http, http.request(method, url, headers=headers, data=body, stream=True) as answer:
            if not 200 <= answer.status_code < 300:
                raise UnsafeAddress
            content = bytearray()
            for chunk in answer.iter_content(64 * 1024):
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise UnsafeAddress
            return bytes(content)
    except UnsafeAddress:
        raise
    except Exception:  # noqa: BLE001 - whatever went wrong, the caller learns one thing only
        raise UnsafeAddress from None
