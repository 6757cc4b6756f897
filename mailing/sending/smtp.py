"""One connection to a mail server, as far as the last byte: which failure is definite, and which leaves a doubt."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from requests import RequestException
from requests_hardened.ip_filter import get_ip_address

from aaperture.lib import safe_http
from aaperture.lib.redaction import redact_text
from mailing.mime import ADDRESS, BREAKS, in_ascii
from mailing.sending.line import GOING_AWAY, Answer, Line

TIMEOUT = 30.0  # seconds for each answer; with a text that leaves slowly still below the lease of a mail that is being sent
OPENING = 3  # times that, for all until the first mail
FAREWELL = 2.0  # seconds for the answer to QUIT, on which nothing depends
LONGEST_REPLY = 200
DONE, GO_ON = 250, 354
GOOD = {"sender": {DONE}, "recipient": {DONE, 251}, "content": {GO_ON}}  # the answers to MAIL, RCPT and DATA


Result = TypeVar("Result")
Envelope = tuple[str, str]  # sender and recipient


class NotSent(Exception):
    """Definitely not accepted. `code` is of `mailing.errors`; `again` whether trying later may help.

    `broken`: the connection is. `lasting`: there is none to be had, which whoever comes next will find too. `late`: no answer in time.
    """

    def __init__(self, code: str, *, again: bool, reply: str = "", broken: bool = False, lasting: bool = False, late: bool = False) -> None:
        self.code, self.again, self.reply, self.broken, self.lasting, self.late = code, again, reply, broken, lasting, late
        super().__init__(code)


class InDoubt(Exception):
    """Handed over whole, and no answer. `late`: the connection stands, but none came in time."""

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        super().__init__()


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
        self._line = Line(timeout=self.timeout)
        self._extensions: dict[str, str] = {}  # of the server, with their parameters
        self._ahead: Envelope | None = None  # said behind the text before, and not answered yet
        self._is_heard = True  # false: what was said behind a text was never answered

    @property
    def is_open(self) -> bool:
        return self._line.is_open

    async def envelope(self, sender: str, recipient: str) -> None:
        """MAIL, RCPT and DATA, in one go where the server can (RFC 2920), so that the text may follow. Raises NotSent."""
        commands = _commands(sender, recipient)
        if self._ahead not in {None, (sender, recipient)}:  # no text may follow the envelope of another mail
            self.close()
        if not self.is_open:
            await self._open()
        answers: list[Answer] = []
        try:
            if self._ahead:
                self._ahead, self._is_heard = None, False
                self._line.acknowledge()
                answers = await self._line.answers(len(commands))
                self._is_heard = True
            else:
                for piece in [b"".join(commands)] if self._in_one_go else commands:
                    answers += await self._line.ask(piece, answers=piece.count(b"\n"))
                    if answers[-1][0] >= 400:
                        break
        except OSError as error:
            late = isinstance(error, TimeoutError)
            self._is_heard = self._is_heard or not late
            raise self._broken(late=late) from None
        for what, (code, reply) in zip(GOOD, answers, strict=False):
            if code not in GOOD[what]:
                raise await self._refused(what, code, reply, begun=answers[-1][0] == GO_ON)
        if len(answers) < len(commands):
            raise self._broken()

    async def text(self, message: bytes, *, following: Envelope | None = None) -> None:
        """The message itself, and the answer to it. Raises NotSent, InDoubt.

        The `following` mail's envelope goes with it, where the server can, and is the next to be asked for.
        """
        ahead = b"".join(_commands(*following)) if following and self._in_one_go and self._is_heard else b""
        try:
            self._line.write(_stuffed(message))
        except OSError:
            raise self._broken() from None
        has_left = not self._line.held_back  # asked before anything else is written
        if ahead and has_left:
            with suppress(OSError):
                self._line.write(ahead)
                self._ahead = following
        late = False
        try:
            [(code, reply)] = await self._line.answers(1)
        except OSError as error:
            code, reply, late = 0, b"", isinstance(error, TimeoutError)
        if self._line.held_back and not has_left:  # the last line never left, so the server cannot have taken it
            self.close()
            if code < 400:
                raise self._broken(late=late)
        if code < 200 or 300 <= code < 400:
            self.close()
            raise InDoubt(late=late)
        if code >= 400:
            raise self._fault("content", code, reply)

    def close(self) -> None:
        self._line.close()

    async def quit(self) -> None:
        with suppress(OSError):
            async with asyncio.timeout(FAREWELL):
                await self._line.ask(b"QUIT\r\n")
        self.close()

    def _broken(self, *, late: bool = False) -> NotSent:
        self.close()
        return NotSent("connect", again=True, broken=True, late=late)

    async def _refused(self, what: str, code: int, reply: bytes, *, begun: bool) -> NotSent:
        """A part of an envelope. `begun`: the server waits for a text all the same, and could only be given an empty one."""
        fault = self._fault(what, code, reply)
        try:
            if begun:
                raise ConnectionError
            if not fault.broken and (await self._line.ask(b"RSET\r\n"))[0][0] != DONE:  # the next mail would meet what is left of this
                raise ConnectionError
        except OSError:
            self.close()
        return fault

    def _fault(self, what: str, code: int, reply: bytes) -> NotSent:
        if code == GOING_AWAY or code < 400:  # or the answer to something else
            self.close()
            return NotSent("greeting", again=True, reply=_said(code, reply), broken=True)
        again = code < 500
        known = {"sender": "greeting" if again else "sender", "recipient": "recipient_later" if again else "recipient"}
        name = known.get(what, "content_later" if again else "content")
        return NotSent(name, again=again, reply=_said(code, reply))

    @property
    def _in_one_go(self) -> bool:
        return "PIPELINING" in self._extensions

    # --- opening -----------------------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Raises NotSent, always `broken`, and `lasting` unless the server just turns us away."""
        try:
            async with asyncio.timeout(OPENING * self.timeout):
                await self._greet()
            return
        except NotSent as error:
            fault = error
        except ssl.SSLError:
            fault = NotSent("tls", again=True, broken=True)
        except (OSError, UnicodeError):
            fault = self._broken()
        self.close()
        fault.lasting = fault.lasting or fault.code != "greeting"
        raise fault

    async def _greet(self) -> None:
        loop, server, self._line, self._ahead = asyncio.get_running_loop(), self.server, Line(timeout=self.timeout), None
        host, port = await loop.run_in_executor(None, _checked, server)
        async with asyncio.timeout(self.timeout):
            await loop.create_connection(lambda: self._line, host, port)
            if server.security == "tls":
                await self._line.encrypt(_context(server), server.host)
        _good(220, *await self._line.answers(1))
        await self._hello()
        if server.security == "starttls":
            await self._encrypt()
        if server.username:
            await self._log_in()

    async def _hello(self) -> None:
        [(code, reply)] = await self._line.ask(f"EHLO {_own_name()}\r\n".encode())
        if code >= 500:
            [(code, reply)] = await self._line.ask(f"HELO {_own_name()}\r\n".encode())
        _good(DONE, (code, reply))
        words = [line.decode("ascii", "replace").upper().partition(" ") for line in reply.split(b"\n")[1:]]
        self._extensions = {name: parameters for name, _space, parameters in words}

    async def _encrypt(self) -> None:
        if "STARTTLS" not in self._extensions or (await self._line.ask(b"STARTTLS\r\n"))[0][0] != 220:
            raise NotSent("tls", again=True, broken=True)
        async with asyncio.timeout(self.timeout):
            await self._line.encrypt(_context(self.server), self.server.host)
        await self._hello()

    async def _log_in(self) -> None:
        """PLAIN, or else LOGIN: both say the password, which only an encrypted connection hears."""
        offered, server = self._extensions.get("AUTH", "").split(), self.server
        if "PLAIN" in offered:
            lines = [b"AUTH PLAIN " + _base64(f"\0{server.username}\0{server.password}")]
        elif "LOGIN" in offered:
            lines = [b"AUTH LOGIN", _base64(server.username), _base64(server.password)]
        else:
            raise NotSent("tls", again=True, broken=True)
        for line in lines:
            [(code, _reply)] = await self._line.ask(line + b"\r\n")
            if code != (235 if line is lines[-1] else 334):
                mends = server.own and code >= 500  # whoever entered them; the instance's no studio can
                raise NotSent("auth" if mends else "greeting", again=not mends, reply=_said(code, b""), broken=True, lasting=True)


def run_apart(work: Coroutine[Any, Any, Result]) -> Result:
    """In a thread of its own, for the caller's may have an event loop already."""
    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, work).result()


def _commands(sender: str, recipient: str) -> list[bytes]:
    sender, recipient = in_ascii(sender), in_ascii(recipient)
    if not (ADDRESS.fullmatch(sender) and ADDRESS.fullmatch(recipient)):
        raise ValueError("no address")  # `mailing.mime` writes no mail with such a one
    return [f"MAIL FROM:<{sender}>\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode(), b"DATA\r\n"]


def _good(wanted: int, answer: Answer) -> None:
    if answer[0] != wanted:
        raise NotSent("greeting", again=True, reply=_said(*answer), broken=True)


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())


@cache
def _own_name() -> str:
    name = socket.getfqdn()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if server.own and isinstance(safe_http.REACH.authorities, str):  # tests: a certificate authority of their own
        context.load_verify_locations(safe_http.REACH.authorities)
    return context


def _checked(server: Server) -> tuple[str, int]:
    """Of a studio's own server the address that was checked: its name is looked up once."""
    if not server.own:
        return server.host, server.port
    try:
        address, port = get_ip_address(server.host, server.port, allow_loopback=safe_http.REACH.loopback)
        is_fit = safe_http.is_public(address)  # by rules of our own, too
    except (RequestException, UnicodeError):
        is_fit = False
    if not is_fit:
        raise NotSent("address_refused", again=False, broken=True)
    return str(address), port


def _stuffed(message: bytes) -> bytes:
    """With the dots doubled that begin a line, and the last line."""
    stuffed = message.replace(b"\r\n.", b"\r\n..") if b"\r\n." in message else message
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _said(code: int, reply: bytes | str) -> str:
    text = reply.decode("ascii", "replace") if isinstance(reply, bytes) else reply
    return redact_text(BREAKS.sub(" ", f"{code} {text}").strip())[:LONGEST_REPLY]
