"""What the page of today, `/`, is made of: panels that apps put there, each fetched with `hx-get` when the page is there.

An app registers its own in `AppConfig.ready`:

    today.register(today.Panel("ahead", "studio:today_sessions", _("Next sessions"), 10, "sessions.view"))

The URL takes no argument. To htmx it answers a fragment, which replaces the panel's place holder, and to a browser without
scripts, which follows the place holder's link, the same within a page of its own (`accounts.views.today`). A panel for "needs"
answers rows of one list, made of `Need`, or nothing where nothing needs anybody. What is "first" stands above that list.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.urls import reverse

from accounts.models import Membership, User
from accounts.studio_roles import may

PLACES = ("first", "needs", "ahead", "standing")
TONES = ("danger", "warn", "info")


class Panel(NamedTuple):
    """`title` stands there until the panel has come. Only members who may do `operation` have it, and whom `concerns` says."""

    place: str
    url_name: str
    title: Any
    rank: int  # lowest first within its place
    operation: str = ""  # of `accounts.studio_roles`; "" for what a person owns alone
    concerns: Callable[[User], bool] | None = None

    @property
    def url(self) -> str:
        return reverse(self.url_name)


class Thing(NamedTuple):
    """One of the things that need somebody."""

    url: str
    words: str
    note: str = ""


class Need(NamedTuple):
    """A row: what needs somebody in one sentence, the first few of the things, and the one place to go to."""

    tone: str  # one of TONES
    icon: str  # of lucide
    title: str
    act: str
    url: str
    things: Sequence[Thing] = ()
    note: str = ""


_PANELS: list[Panel] = []


def register(*panels: Panel) -> None:
    """Raises ValueError for a place that is none of `PLACES`."""
    for panel in panels:
        if panel.place not in PLACES:
            raise ValueError(f"the page of today has no place {panel.place}")
        if (panel.place, panel.url_name) not in {(known.place, known.url_name) for known in _PANELS}:
            _PANELS.append(panel)
    _PANELS.sort(key=lambda panel: (PLACES.index(panel.place), panel.rank))


def panels_of(user: User, mine: Membership) -> dict[str, list[Panel]]:
    """The panels of each place that are there for somebody who works in the studio of `mine`."""
    there = [panel for panel in _PANELS if _is_for(panel, user, mine)]
    return {place: [panel for panel in there if panel.place == place] for place in PLACES}


def _is_for(panel: Panel, user: User, mine: Membership) -> bool:
    if panel.operation and not may(mine.role, panel.operation):
        return False
    return panel.concerns is None or panel.concerns(user)
