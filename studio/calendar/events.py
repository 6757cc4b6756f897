"""A session as an event of Google's, and an event as what it says about a session. Nothing here asks or stores anything.

Nothing of the client goes there but what the session's own title says: title, place, times, and the way back to its page.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any, NamedTuple
from unicodedata import category
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from studio.models import PhotoSession
from studio.models.sessions import Status

OWN, SAID = "aaperture", "aapertureSaid"  # the names of our private properties
LONGEST = 200
YEARS = range(2000, 2101)  # those the pages show; at the ends of time there are zones without a clock
PREFIXES = {
    Status.REQUESTED: pgettext_lazy("before an event’s title", "Requested: %(title)s"),
    Status.TENTATIVE: pgettext_lazy("before an event’s title", "On hold: %(title)s"),
}
Event = Mapping[str, Any]


class Said(NamedTuple):
    """What an event says about a session, the way it is compared: instants in UTC, texts without stray blanks."""

    title: str
    place: str
    starts_at: datetime
    ends_at: datetime

    @property
    def mark(self) -> str:
        return _hash([self.title, self.place, self.starts_at.isoformat(), self.ends_at.isoformat()])

    def as_json(self) -> dict[str, str]:
        return {"title": self.title, "place": self.place, "starts_at": self.starts_at.isoformat(), "ends_at": self.ends_at.isoformat()}

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> "Said":
        starts_at, ends_at = (datetime.fromisoformat(kept[name]) for name in ("starts_at", "ends_at"))
        return cls(kept["title"], kept["place"], starts_at, ends_at)


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def _line(text: Any) -> str:
    """Without what is no text: a control character, which the database may refuse, or half of one that needs two."""
    kept = (one for one in str(text or "") if one.isspace() or category(one) not in ("Cc", "Cs"))
    return " ".join("".join(kept).split())


def event_id(session: PhotoSession) -> str:
    """Google takes a to v and digits: the session's own id, so that it can be in a calendar only once."""
    return f"aap{session.pk.hex}"


def place_of(session: PhotoSession) -> str:
    return ", ".join(line for line in [_line(session.place), *map(_line, session.address.splitlines())] if line)


def session_says(session: PhotoSession) -> Said:
    start, end = (at.astimezone(UTC).replace(microsecond=0) for at in (session.starts_at, session.ends_at))
    return Said(_line(session.name), place_of(session), start, end)


def page_of(session: PhotoSession) -> str:
    return settings.PUBLIC_URL.rstrip("/") + reverse("studio:session_detail", args=[session.pk])


def rendered(session: PhotoSession, *, language: str) -> dict[str, Any]:
    """The event's whole body, in the words of whose calendar it is."""
    says = session_says(session)
    with translation.override(language):
        title = _line(PREFIXES[Status(session.status)] % {"title": says.title}) if session.status in PREFIXES else says.title
        lines = [_until(session), str(_("Open in Aaperture: %(url)s")) % {"url": page_of(session)}]
    body: dict[str, Any] = {
        "id": event_id(session),
        "summary": title,
        "location": says.place,
        "description": "\n".join(line for line in lines if line),
        "start": {"dateTime": says.starts_at.astimezone(session.zone).isoformat(), "timeZone": session.timezone},
        "end": {"dateTime": says.ends_at.astimezone(session.zone).isoformat(), "timeZone": session.timezone},
        "status": "tentative" if session.status in PREFIXES else "confirmed",
        "transparency": "transparent" if session.status == Status.REQUESTED or session.hold_has_run_out else "opaque",
        "source": {"title": "Aaperture", "url": page_of(session)},
    }
    mark = says._replace(title=title).mark
    return body | {"extendedProperties": {"private": {OWN: str(session.pk), SAID: mark}}}


def _until(session: PhotoSession) -> str:
    last = session.held_through
    if session.status != Status.TENTATIVE or last is None:
        return ""
    until = date_format(last, "DATE_FORMAT")
    words = _("The hold ran out on %(until)s: the time is free.") if session.hold_has_run_out else _("On hold until %(until)s.")
    return str(words) % {"until": until}


def hash_of(body: Event) -> str:
    return _hash(body)


def is_cancelled(event: Event) -> bool:
    return event.get("status") == "cancelled"


def is_ours_unchanged(event: Event) -> bool:
    """Whether it still says what we wrote into it, whatever its ETag."""
    mark = event.get("extendedProperties", {}).get("private", {}).get(SAID)
    found = _read(event)
    return bool(mark) and found is not None and found.mark == mark


def _read(event: Event, zone: tzinfo = UTC) -> Said | None:
    """What it says, its title as it stands there; None where it has no time that a session can have. Whole days are those of `zone`."""
    try:
        start, end = _instant(event["start"], zone), _instant(event["end"], zone)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if start.year not in YEARS or end.year not in YEARS:
        return None
    return Said(_line(event.get("summary")), _line(event.get("location")), start, end)


def event_says(event: Event, session: PhotoSession) -> Said | None:
    """What somebody wants of `session` who wrote this into its event. None where that cannot be read."""
    found = _read(event, session.zone)
    if found is None:
        return None
    known = session_says(session)
    title = _without_prefix(found.title)[:LONGEST] or known.title
    ends_at = found.ends_at if found.ends_at > found.starts_at else found.starts_at + (known.ends_at - known.starts_at)
    return Said(title, found.place if found.place == known.place else found.place[:LONGEST], found.starts_at, ends_at)


def _without_prefix(title: str) -> str:
    for words in PREFIXES.values():
        for language, _name in settings.LANGUAGES:
            with translation.override(language):
                before, _blank, after = _line(str(words) % {"title": "\0"}).partition("\0")
            before, after = before.strip(), after.strip()
            if before and title.startswith(before) and title.endswith(after):
                return title[len(before) : len(title) - len(after)].strip()
    return title


def _instant(when: Mapping[str, str], zone: tzinfo) -> datetime:
    zone = ZoneInfo(when["timeZone"]) if when.get("timeZone") else zone
    if "dateTime" not in when:
        return datetime.combine(date.fromisoformat(when["date"]), datetime.min.time(), zone).astimezone(UTC)
    at = datetime.fromisoformat(when["dateTime"])
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).replace(microsecond=0)


def fields_of(theirs: Said, session: PhotoSession) -> dict[str, Any]:
    """What `studio.services.sessions` is to change so that the session says the same."""
    known = session_says(session)
    changed = {name for name in Said._fields if getattr(theirs, name) != getattr(known, name)}
    fields: dict[str, Any] = {name: getattr(theirs, name) for name in changed}
    return fields | ({"address": ""} if "place" in changed else {})
