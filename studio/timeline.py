"""The kinds of line a project's timeline may hold: a registry of data.

An app to the left of this one adds its own in a module that its `AppConfig.ready` imports:

    register({"quote.sent": Kind(_("Quote %(number)s sent"), "send")})

With `operation="documents.view"` only members who may do that see the line. A line is written by
`studio.services.timeline.add_entry(project, "quote.sent", actor=..., number="2026-004")`. A placeholder whose value is one of its
`choices` is said in the reader's language: `Kind(_("Now %(status)s"), "flag", {"status": dict(Status.choices)})`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from accounts.studio_roles import may

NOTE = "note"


class Kind(NamedTuple):
    """What a line of this kind says, and its lucide icon."""

    words: Any
    icon: str = "dot"
    choices: Mapping[str, Mapping[str, Any]] = {}
    operation: str = ""  # of `accounts.studio_roles`: who may not do that does not see the line

    def words_with(self, details: Mapping[str, Any]) -> str:
        values = {name: self.choices.get(name, {}).get(value, value) for name, value in details.items()}
        try:
            return str(self.words) % values
        except (KeyError, ValueError, TypeError):  # written by another version: better without its numbers than not at all
            return str(self.words)

    def url(self, url_name: str, target_id: UUID | None) -> str:
        if not url_name:
            return ""
        try:
            return reverse(url_name, args=[target_id] if target_id else [])
        except NoReverseMatch:
            return ""


_KINDS: dict[str, Kind] = {}


def register(kinds: Mapping[str, Kind]) -> None:
    """Add kinds of line. Raises ValueError for a name that is taken."""
    for name, kind in kinds.items():
        if _KINDS.get(name, kind) != kind:
            raise ValueError(f"timeline kind {name} is registered twice")
        _KINDS[name] = kind


def is_known(name: str) -> bool:
    return name in _KINDS


def kind_of(name: str) -> Kind:
    """A line written by an app that is gone says its name."""
    return _KINDS.get(name, Kind(name.replace("%", "%%")))


def hidden_from(role: str) -> list[str]:
    """The kinds of line that a member with this role in the studio does not see."""
    return [name for name, kind in _KINDS.items() if kind.operation and not may(role, kind.operation)]


register({NOTE: Kind(_("Note"), "sticky-note")})
