"""One connection to a mail server, as far as the last byte: which failure is definite, and which leaves a doubt."""

import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from requests import RequestException
from requests_hardened.ip_filter import get_ip_address

from aaperture.lib import safe_http
from aaperture.lib.redaction import redact_text
from mailing.mime import ADDRESS

TIMEOUT = 30.0  # seconds for each answer; below the lease of a mail that is being sent
LONGEST_REPLY = 200


class NotSent(Exception):
    """Definitely not accepted. `code` is of `mailing.errors`; `again` whether trying later may help."""

    def __init__(self, code: str, *, again: bool, reply: str = "", broken: bool = False) -> None:
        self.code, self.again, self.reply, self.broken = code, again, reply, broken
        super().__init__(code)


class InDoubt(Exception):
    """Handed over whole, and no answer."""


@dataclass(frozen=True)
class Server:
    """`own`: named by a studio, so only a public address will do, always encrypted. Its repr shows no credentials."""

    host: str
    port: int
    security: str  # tls, starttls or none
    username: str = ""
    password: str = ""
    own: bool = False

    def __repr__(self) -> str:
        return f"<Server {self.host}:{self.port}>"


def instance_server() -> Server:
    """The operator's, of EMAIL_URL."""
    security = "tls" if settings.EMAIL_USE_SSL else "starttls" if settings.EMAIL_USE_TLS else "none"
    return Server(settings.EMAIL_HOST, settings.EMAIL_PORT, security, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)


class Connection:
    """Opened when first used. After `NotSent` with `broken`, or `InDoubt`, it opens anew for the next mail."""

    def __init__(self, server: Server, *, timeout: float | None = None) -> None:
        self.server, self.timeout = server, timeout or TIMEOUT
        self._smtp: smtplib.SMTP | None = None

    @property
    def is_open(self) -> bool:
        return self._smtp is not None

    def envelope(self, sender: str, recipient: str) -> None:
        """MAIL and RCPT, in one go where the server can. Raises NotSent."""
        smtp = self._open()
        if not (ADDRESS.fullmatch(sender) and ADDRESS.fullmatch(recipient)):
            raise ValueError("no address")  # `mailing.mime` writes no mail with such a one
        first, second = f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"
        if not smtp.has_extn("pipelining"):
            self._command(lambda: smtp.docmd(first), "sender", smtp)
            self._command(lambda: smtp.docmd(second), "recipient", smtp)
            return
        code, reply = self._answer(lambda: _both(smtp, first, second), smtp)
        further_code, further = self._answer(smtp.getreply, smtp) if code != 421 else (code, reply)
        if code != 250:
            raise self._refused("sender", code, reply, smtp)
        if further_code not in {250, 251}:
            raise self._refused("recipient", further_code, further, smtp)

    def data(self, message: bytes) -> None:
        """DATA, the message, and the answer. Raises NotSent, InDoubt."""
        smtp = self._open()
        code, reply = self._answer(lambda: smtp.docmd("DATA"), smtp)
        if code != 354:
            raise self._refused("content", code, reply, smtp)
        assert smtp.sock is not None
        try:
            smtp.sock.sendall(_stuffed(message))
        except OSError:
            self.close()  # the last line never left, so the server cannot have taken it
            raise NotSent("connect", again=True, broken=True) from None
        try:
            code, reply = smtp.getreply()
        except (OSError, smtplib.SMTPException):
            self.close()
            raise InDoubt from None
        if code != 250:
            raise self._refused("content", code, reply, smtp)

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp:
            smtp.close()

    def quit(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp:
            try:
                smtp.quit()
            except (OSError, smtplib.SMTPException):
                smtp.close()

    def _open(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._smtp = _connected(self.server, self.timeout)
        return self._smtp

    def _command(self, command: Callable[[], tuple[int, bytes]], what: str, smtp: smtplib.SMTP) -> None:
        code, reply = self._answer(command, smtp)
        if code not in {250, 251}:
            raise self._refused(what, code, reply, smtp)

    def _answer(self, command: Callable[[], tuple[int, bytes]], smtp: smtplib.SMTP) -> tuple[int, bytes]:
        try:
            return command()
        except (OSError, smtplib.SMTPException):
            self.close()
            raise NotSent("connect", again=True, broken=True) from None

    def _refused(self, what: str, code: int, reply: bytes, smtp: smtplib.SMTP) -> NotSent:
        again = 400 <= code < 500
        if code == 421:
            self.close()
            return NotSent("greeting", again=True, reply=_said(code, reply), broken=True)
        try:
            smtp.rset()
        except (OSError, smtplib.SMTPException):
            self.close()
        known = {"sender": "greeting" if again else "sender", "recipient": "recipient_later" if again else "recipient"}
        name = known.get(what, "content_later" if again else "content")
        return NotSent(name, again=again, reply=_said(code, reply))


def _both(smtp: smtplib.SMTP, first: str, second: str) -> tuple[int, bytes]:
    """Two commands in one go (RFC 2920); the answer to the first."""
    if "\n" in first + second or "\r" in first + second:
        raise ValueError("a command is one line")
    smtp.send(f"{first}\r\n{second}\r\n")
    return smtp.getreply()


def _connected(server: Server, timeout: float) -> smtplib.SMTP:
    """Raises NotSent, always `broken`."""
    try:
        return _greeted(server, timeout)
    except NotSent:
        raise
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent("auth", again=False, reply=_said(error.smtp_code, b""), broken=True) from None
    except (ssl.SSLError, smtplib.SMTPNotSupportedError):
        raise NotSent("tls", again=True, broken=True) from None
    except smtplib.SMTPResponseException as error:
        raise NotSent("greeting", again=True, reply=_said(error.smtp_code, error.smtp_error), broken=True) from None
    except (OSError, smtplib.SMTPException):
        raise NotSent("connect", again=True, broken=True) from None


def _greeted(server: Server, timeout: float) -> smtplib.SMTP:
    kind: type[Any] = _TLS if server.security == "tls" else _Plain
    smtp: smtplib.SMTP = kind(server, timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            code, _reply = smtp.starttls(context=_context(server))
            if code != 220:
                raise smtplib.SMTPNotSupportedError
            smtp.ehlo()
        if server.username:
            smtp.login(server.username, server.password)
    except BaseException:
        smtp.close()
        raise
    if smtp.sock is not None:
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return smtp


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if server.own and isinstance(safe_http.REACH.authorities, str):  # tests: a certificate authority of their own
        context.load_verify_locations(safe_http.REACH.authorities)
    return context


def _socket(server: Server, timeout: float) -> socket.socket:
    """To the address that was checked: the name is looked up once."""
    if not server.own:
        return socket.create_connection((server.host, server.port), timeout)
    try:
        address, port = get_ip_address(server.host, server.port, allow_loopback=safe_http.REACH.loopback)
    except (RequestException, UnicodeError):
        raise NotSent("address_refused", again=False, broken=True) from None
    return socket.create_connection((str(address), port), timeout)


class _Plain(smtplib.SMTP):
    def __init__(self, server: Server, timeout: float) -> None:
        self.server = server
        super().__init__(server.host, server.port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _socket(self.server, timeout)


class _TLS(_Plain):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _context(self.server).wrap_socket(_socket(self.server, timeout), server_hostname=self.server.host)


def _stuffed(message: bytes) -> bytes:
    """With the dots doubled that begin a line, and the last line."""
    stuffed = message.replace(b"\r\n.", b"\r\n..") if b"\r\n." in message else message
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _said(code: int, reply: bytes | str) -> str:
    text = reply.decode("ascii", "replace") if isinstance(reply, bytes) else reply
    return redact_text(f"{code} {text}".strip())[:LONGEST_REPLY]
