"""A pipeline's schedule: times of day in UTC, "03:00,15:00"."""

from datetime import UTC, datetime, time, timedelta


def parse(schedule: str) -> list[time]:
    """The sorted times of `schedule`; raises ValueError for anything but HH:MM[,HH:MM…]."""
    return sorted({datetime.strptime(part.strip(), "%H:%M").time() for part in schedule.split(",") if part.strip()})


def next_after(schedule: str, moment: datetime) -> datetime | None:
    """The first scheduled instant strictly after `moment`; None for an empty schedule."""
    times = parse(schedule)
    moment = moment.astimezone(UTC)
    days = (moment.date(), moment.date() + timedelta(days=1))
    instants = (datetime.combine(day, at, tzinfo=UTC) for day in days for at in times)
    return next((instant for instant in instants if instant > moment), None)
