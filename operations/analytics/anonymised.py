"""What analytics may know of a person, and which numbers are too small to be told.

Nobody is named: a keyed hash that cannot be turned back stands for a person. A number of fewer than five people is not told, and
where only one of a table would be missing, or those that are would be fewer than five together, the next smallest is left out too, so
that none can be worked out from the sum. Of a person alone with their role in a week, the week is not told either.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypedDict

from django.utils import timezone

from accounts.models import User
from accounts.objections import Objection
from vault.services import keyed_hash

SMALLEST = 5


class AnonymousUser(TypedDict):
    user_id: str
    role: str
    created_at: date | None


class Cell(NamedTuple):
    """A number that may be told, or None for one that is too small. `people` is how many stand behind it."""

    label: str
    name: str
    value: int | None


def counted() -> list[User]:
    """Those who do not object to being counted; nothing of them but what `anonymize_user_data` needs."""
    people = User.objects.filter(is_active=True).exclude(objections__contains=[Objection.STATISTICS])
    return list(people.only("pk", "role", "created_at").order_by("created_at", "pk"))


def anonymize_user_data(user: User) -> AnonymousUser:
    """A hash for the person, their role, and the Monday of the week in which their account was made (UTC)."""
    made_on = timezone.localtime(user.created_at, timezone=timezone.get_fixed_timezone(0)).date()
    return {
        "user_id": keyed_hash("analytics", str(user.pk)).hex(),
        "role": user.role,
        "created_at": made_on - timedelta(days=made_on.weekday()),
    }


def anonymous_people() -> list[AnonymousUser]:
    """Everybody who is counted, in an order that tells nothing; roles and weeks that fewer than five share are left out."""
    people = [anonymize_user_data(user) for user in counted()]
    roles = [person["role"] for person in people]
    shown = [person | {"role": person["role"] if roles.count(person["role"]) >= SMALLEST else ""} for person in people]
    alike = Counter((person["role"], person["created_at"]) for person in shown)
    for person in shown:
        if alike[person["role"], person["created_at"]] < SMALLEST:
            person["created_at"] = None
    return sorted(shown, key=lambda person: person["user_id"])


def told(counts: Sequence[tuple[str, str, int, int]]) -> list[Cell]:
    """Cells of (label, name, number, people behind it): the small ones hidden, and one more where the sum would tell them."""
    hidden = {n for n, (_label, _name, _value, people) in enumerate(counts) if 0 < people < SMALLEST}
    others = sorted((people, n) for n, (_label, _name, _value, people) in enumerate(counts) if people >= SMALLEST)
    while others and hidden and (len(hidden) == 1 or sum(counts[n][3] for n in hidden) < SMALLEST):
        hidden.add(others.pop(0)[1])
    return [Cell(label, name, None if n in hidden else value) for n, (label, name, value, _people) in enumerate(counts)]
