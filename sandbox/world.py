"""Everything the sandbox knows, in memory: accounts, mailboxes, calendars, tokens, payments, faults, and what was asked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox import demo
from sandbox.authority import Authority
from sandbox.calendar.store import Calendars
from sandbox.faults import Faults
from sandbox.gmail.mailbox import Mailbox
from sandbox.gmail.quota import Quota
from sandbox.id_tokens import IdTokenIssuer
from sandbox.request_log import RequestLog
from sandbox.smtp_inbox import ReceivedMail
from sandbox.stripe.world import StripeWorld

if TYPE_CHECKING:
    from sandbox.oauth import AuthorizationRequest


@dataclass
class Account:
    email: str
    name: str
    subject: str
    mailbox: Mailbox
    calendars: Calendars

    @property
    def given_name(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def family_name(self) -> str:
        return self.name.partition(" ")[2]

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split()[:2]).upper()


@dataclass
class World:
    base_url: str
    with_demo_mail: bool = True
    smtp_port: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    authority: Authority = field(default_factory=Authority)
    faults: Faults = field(default_factory=Faults)
    requests: RequestLog = field(default_factory=RequestLog)
    quota: Quota = field(default_factory=Quota)
    received: deque[ReceivedMail] = field(default_factory=lambda: deque(maxlen=2000))
    pending: dict[str, AuthorizationRequest] = field(default_factory=dict)  # sign-ins that wait for the person
    stripe: StripeWorld = field(default_factory=StripeWorld)
    id_tokens: IdTokenIssuer = field(init=False)

    def __post_init__(self) -> None:
        self.id_tokens = IdTokenIssuer(self.base_url)
        self.load_accounts()

    def load_accounts(self) -> None:
        self.accounts = {}
        for person in demo.PEOPLE:
            self.add_account(person.email, person.name)
        if self.with_demo_mail:
            demo.fill(self.accounts)

    def add_account(self, email: str, name: str) -> Account:
        subject = demo.subject_of(email)
        account = Account(email, name or email.partition("@")[0].title(), subject, Mailbox(email), Calendars(email))
        self.accounts[email.lower()] = account
        return account

    def account(self, email: str) -> Account | None:
        return self.accounts.get(email.strip().lower())

    def reset(self, *, demo_mail: bool | None = None) -> None:
        """Back to the first minute; keys and addresses stay, so that cached discovery documents still hold."""
        if demo_mail is not None:
            self.with_demo_mail = demo_mail
        self.authority = Authority()
        self.faults = Faults()
        self.requests = RequestLog()
        self.quota = Quota()
        self.received.clear()
        self.pending.clear()
        self.id_tokens.defect = None
        self.stripe.reset()
        self.load_accounts()
