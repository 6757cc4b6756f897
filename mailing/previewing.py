"""How mails would read if they went out now: filled with real data, without allotting a number, making a link or keeping anything."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from mailing.models import ScheduledEmail
from mailing.placeholders import KNOWN, Compiled, compile_text, filled, names_in
from mailing.sending.preparing import Preparation
from mailing.services.free_text import worded

SAMPLE_TOKEN = "…"


class Preview(NamedTuple):
    """`missing` names placeholders that have no value here: such a mail would fail."""

    email: ScheduledEmail
    sender: str
    subject: str
    text: str
    html: str
    missing: list[tuple[str, Any]]

    def __repr__(self) -> str:
        return "<Preview>"

    @property
    def has_link(self) -> bool:
        return _sample_link() in self.text


def previews(emails: Sequence[ScheduledEmail], *, subject: str, text: str) -> list[Preview]:
    """Of unsaved rows of one kind, with one template's words."""
    preparation = Preparation(emails)
    template, names = compile_text(subject, text), names_in(subject, text)
    return [_preview(preparation, email, template, names) for email in emails]


def by_hand(email: ScheduledEmail, *, subject: str, text: str, link: bool) -> Preview:
    """A text without placeholders, as `services.free_text` would send it."""
    words = worded(subject, text, link=_sample_link() if link else "")
    address = Preparation([email]).sender_of(email).address
    return Preview(email, f"{address.name} <{address.email}>", words.subject, words.text, words.html, [])


def _preview(preparation: Preparation, email: ScheduledEmail, template: Compiled, names: set[str]) -> Preview:
    document = email.document
    values = preparation.values(email, document)
    if document:
        values["link"] = _sample_link()
        if not document.content:  # it gets these when it goes out
            sample = {f"{document._meta.model_name}.number": _("(its number)"), "quote.valid_until": _("(its last day)")}
            values = {**sample, **values}
    missing = sorted(name for name in names if name not in values)
    words = filled(template, {**values, **{name: f"[{name}]" for name in missing}})
    address = preparation.sender_of(email).address
    known = KNOWN[email.kind]
    return Preview(
        email, f"{address.name} <{address.email}>", words.subject, words.text, words.html, [(name, known.get(name, "")) for name in missing]
    )


def _sample_link() -> str:
    return f"{settings.PUBLIC_URL}/p/{SAMPLE_TOKEN}"
