"""A pipeline's schedule: times of day in UTC, "03:00,15:00"; and what it means in words."""

import re
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
EVERY = (1, 2, 3, 4, 6, 8, 12)  # hours that a day can be divided into


def parse(schedule: str) -> list[time]:
    """The sorted times of `schedule`; raises ValueError for anything but HH:MM[,HH:MM…]."""
    parts = [part.strip() for part in schedule.split(",") if part.strip()]
    if any(not TIME.fullmatch(part) for part in parts):
        raise ValueError("times are HH:MM")
    return sorted({time(int(part[:2]), int(part[3:])) for part in parts})


def next_after(schedule: str, moment: datetime) -> datetime | None:
    """The first scheduled instant strictly after `moment`; None for an empty schedule."""
    return next(iter(upcoming(schedule, moment, 1)), None)


def upcoming(schedule: str, moment: datetime, count: int) -> list[datetime]:
    """The next instants strictly after `moment`, as many as asked for; none for an empty schedule."""
    times, moment = parse(schedule), moment.astimezone(UTC)
    found: list[datetime] = []
    day = moment.date()
    while times and len(found) < count:
        found += [instant for at in times if (instant := datetime.combine(day, at, tzinfo=UTC)) > moment]
        day += timedelta(days=1)
    return found[:count]


def every(hours: int) -> str:
    """The schedule of a run every so many hours, from midnight on."""
    return ",".join(f"{hour:02}:00" for hour in range(0, 24, hours))


def words(schedule: str) -> str:
    """What it means, for people. Raises ValueError as `parse` does."""
    times = parse(schedule)
    if not times:
        return _("Only when somebody runs it.")
    minutes = [at.hour * 60 + at.minute for at in times]
    gaps = {after - before for before, after in pairwise([*minutes, minutes[0] + 24 * 60])}
    if len(times) > 2 and len(gaps) == 1 and (gap := gaps.pop()) % 60 == 0:
        regular = ngettext("Every hour, the first time of a day at %(first)s UTC.", "Every %(n)d hours, from %(first)s UTC on.", gap // 60)
        return regular % {"n": gap // 60, "first": f"{times[0]:%H:%M}"}
    told = [f"{at:%H:%M}" for at in times]
    listed = told[0] if len(told) == 1 else _("%(several)s and %(last)s") % {"several": ", ".join(told[:-1]), "last": told[-1]}
    return _("Every day at %(times)s UTC.") % {"times": listed}
