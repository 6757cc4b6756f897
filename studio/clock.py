"""From what a form says to instants: a day and two times on the clock of the place."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _

DAY = timedelta(days=1)
RECKONED = (MinValueValidator(date(1970, 1, 2)), MaxValueValidator(date(2199, 12, 30)))  # beyond, some zone's clock ends


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """That moment there. Raises ValidationError in the hour that is skipped when clocks go forward; of one that comes twice, the first."""
    local = datetime.combine(day, at, tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValidationError(_("This time does not exist there: the clocks go forward that night."))
    return local.astimezone(UTC)


def span(day: date, start: time, end: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Beginning and end; an end before the beginning is the next day's. Raises ValidationError."""
    return instant(day, start, zone), instant(day + DAY if end <= start else day, end, zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + DAY, time(0), tzinfo=zone).astimezone(UTC)


@cache
def zone_choices() -> list[tuple[str, str]]:
    zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right")))
    return [(zone, zone.replace("_", " ")) for zone in [*zones, "UTC"]]
