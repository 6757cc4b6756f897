"""Ranges for the constraint that no photographer is booked twice.

GiST compares ranges, but knows plain uuids only with btree_gist, which the embedded PostgreSQL does not have. So a
migration makes a range type over uuid, and one photographer is the range that holds this one value.
"""

from typing import Any

from django.contrib.postgres.fields import DateTimeRangeField
from django.db.models import Field, Func, Value


class UuidRange(Func):
    """The range of one uuid. Of NULL it would be the range of all: the constraint leaves those rows out."""

    function = "studio_uuidrange"
    template = "%(function)s(%(expressions)s, %(expressions)s, '[]')"
    arity = 1
    output_field = Field()


class TimeRange(Func):
    """From a beginning up to, not including, an end: what ends at noon does not touch what begins at noon."""

    function = "tstzrange"
    output_field = DateTimeRangeField()

    def __init__(self, starts_at: Any, ends_at: Any, **extra: Any) -> None:
        super().__init__(starts_at, ends_at, Value("[)"), **extra)
