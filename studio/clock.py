"""From what a form says to instants, a day and two times on the clock of the place, and from those back to words."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.formats import date_format
from django.utils.translation import gettext as _

DAY = timedelta(days=1)
SMALL_HOURS = timedelta(hours=6)  # what ends before six belongs to the evening before
RECKONED = (MinValueValidator(date(1970, 1, 2)), MaxValueValidator(date(2199, 12, 30)))  # beyond, some zone's clock ends


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """That moment there. Raises ValidationError in the hour that is skipped when clocks go forward; of one that comes twice, the first."""
    local = datetime.combine(day, at, tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValidationError(_("This time does not exist there: the clocks go forward that night."))
    return local.astimezone(UTC)


def day_of_end(day: date, start: time, end: time) -> date:
    """Where nobody names another: an end before the beginning is the next day's."""
    return day + DAY if end <= start else day


def span(day: date, start: time, end: time, zone: ZoneInfo, *, ends_on: date | None = None) -> tuple[datetime, datetime]:
    """Beginning and end. Raises ValidationError."""
    return instant(day, start, zone), instant(ends_on or day_of_end(day, start, end), end, zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + DAY, time(0), tzinfo=zone).astimezone(UTC)


def last_day(start: datetime, end: datetime) -> date:
    """The last of the days that a time takes; both are on the clock of the place."""
    return max(start.date(), (end - SMALL_HOURS).date())


def day_words(day: date) -> str:
    return date_format(day, "D j N")


def takes_whole_days(start: datetime, end: datetime) -> bool:
    return not any((start.hour, start.minute, end.hour, end.minute))


def end_words(start: datetime, end: datetime) -> str:
    """The time at which it ends, and the day too where it takes several."""
    at = date_format(end, "TIME_FORMAT")
    return at if last_day(start, end) == start.date() else f"{day_words(end.date())}, {at}"


def times_words(start: datetime, end: datetime) -> str:
    """From when until when, as it follows the day on which it begins: “10:00–16:00”, “10:00 – Sun 28 June, 16:00”."""
    last = last_day(start, end)
    one_day = last == start.date()
    if takes_whole_days(start, end):
        return _("all day") if one_day else _("all day, until %(day)s") % {"day": day_words(last)}
    return f"{date_format(start, 'TIME_FORMAT')}{'–' if one_day else ' – '}{end_words(start, end)}"


def that_day_words(start: datetime, end: datetime, day: date) -> tuple[str, str]:
    """For one of its days in a month: when it begins, to stand before its name; else when it ends or that it takes all of it, to follow."""
    if takes_whole_days(start, end) or start.date() < day < last_day(start, end):
        return "", _("all day")
    if day == start.date():
        return date_format(start, "TIME_FORMAT"), ""
    return "", _("until %(time)s") % {"time": date_format(end, "TIME_FORMAT")}


@cache
def zone_choices() -> list[tuple[str, str]]:
    zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right")))
    return [(zone, zone.replace("_", " ")) for zone in [*zones, "UTC"]]
