"""A pipeline's schedule: times of day in UTC, "03:00,15:00"."""

import re
from datetime import UTC, datetime, time, timedelta

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def parse(schedule: str) -> list[time]:
    """The sorted times of `schedule`; raises ValueError for anything but HH:MM[,HH:MM…]."""
    parts = [part.strip() for part in schedule.split(",") if part.strip()]
    if any(not TIME.fullmatch(part) for part in parts):
        raise ValueError("times are HH:MM")
    return sorted({time(int(part[:2]), int(part[3:])) for part in parts})


def next_after(schedule: str, moment: datetime) -> datetime | None:
    """The first scheduled instant strictly after `moment`; None for an empty schedule."""
    times = parse(schedule)
    moment = moment.astimezone(UTC)
    days = (moment.date(), moment.date() + timedelta(days=1))
    instants = (datetime.combine(day, at, tzinfo=UTC) for day in days for at in times)
    return next((instant for instant in instants if instant > moment), None)
