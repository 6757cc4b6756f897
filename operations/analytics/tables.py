"""The tables of the analytics page: counts of people, and of what they have, each with how many people stand behind it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Count
from django.db.models.functions import TruncWeek
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from aaperture.lib.charts import Point, bar_chart, funnel
from accounts.models import Membership, User
from accounts.objections import Objection
from accounts.roles import Role
from integrations.models import Connection
from operations.analytics.anonymised import SMALLEST, Cell, told
from studio.models import Project
from tracker.models import Opportunity, Signal
from tracker.stages import Kind, Stage

WEEKS = 12
Counted = list[tuple[str, str, int, int]]


class Table(NamedTuple):
    """One of the page's, as cells and as a picture of those that may be told."""

    key: str
    title: str
    description: str
    columns: tuple[str, str]
    cells: list[Cell]
    upright: bool

    @property
    def hidden(self) -> int:
        return sum(cell.value is None for cell in self.cells)

    @property
    def picture(self) -> SafeString | str:
        """Of what may be told; empty when that is nothing."""
        if not any(cell.value for cell in self.cells):
            return ""
        points = [Point(cell.label, cell.name, cell.value) for cell in self.cells if cell.value is not None]
        draw = bar_chart if self.upright else funnel
        return draw(self.key, title=self.title, description=self.description, columns=self.columns, points=points)


def tables() -> list[Table]:
    """Those that have something in them, told or too small to be; none while fewer than five people are there to be counted."""
    if _people().count() < SMALLEST:
        return []
    made = [_roles(), _sign_ups(), _adoption(), _stages(), _kinds(), _mail()]
    return [table for table in made if any(cell.value != 0 for cell in table.cells)]


def rows() -> Iterator[list[Any]]:
    """All tables as lines of a file."""
    for table in tables():
        for cell in table.cells:
            yield [table.title, cell.name, _("not told") if cell.value is None else cell.value]


def _people() -> Any:
    return User.objects.filter(is_active=True).exclude(objections__contains=[Objection.STATISTICS]).order_by()


def _roles() -> Table:
    counts = dict(_people().values_list("role").annotate(Count("pk")))
    found: Counted = [(str(role.label), str(role.label), counts[role], counts[role]) for role in Role if counts.get(role)]
    columns = (_("Role"), _("Accounts"))
    return Table("roles", _("Accounts by role"), _("Active accounts of each role."), columns, told(found), upright=False)


def _mondays() -> list[date]:
    monday = timezone.localdate() - timedelta(days=timezone.localdate().weekday())
    return [monday - timedelta(weeks=n) for n in reversed(range(WEEKS))]


def _weekly(counts: dict[date, tuple[int, int]]) -> list[Cell]:
    words = [(date_format(monday, "j N"), date_format(monday, "DATE_FORMAT"), *counts.get(monday, (0, 0))) for monday in _mondays()]
    return told(words)


def _per_week(query: Any, field: str, person: str) -> dict[date, tuple[int, int]]:
    first = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(weeks=WEEKS)
    weekly = query.filter(**{f"{field}__gte": first}).order_by().annotate(week=TruncWeek(field)).values("week")
    found = weekly.annotate(n=Count("pk"), people=Count(person, distinct=True)).values_list("week", "n", "people")
    return {week.date(): (n, people) for week, n, people in found}


def _sign_ups() -> Table:
    columns = (_("Week of"), _("Accounts"))
    description = _("How many accounts that are active today were made in each of the last twelve weeks.")
    cells = _weekly(_per_week(_people(), "created_at", "pk"))
    return Table("sign-ups", _("New accounts per week"), description, columns, cells, upright=True)


def _adoption() -> Table:
    """How far people come: each step counts those who have taken it, whatever they did before."""
    people = _people()
    connected = people.filter(connections__status=Connection.Status.ACTIVE).distinct().count()
    with_opportunities = people.filter(pk__in=Opportunity.objects.filter(merged_into=None).values("owner")).count()
    studios = Project.objects.order_by().values("organization")
    with_projects = people.filter(pk__in=Membership.objects.filter(organization__in=studios).values("user")).count()
    steps = [
        (_("Account"), people.count()), (_("Connected"), connected), (_("Opportunity"), with_opportunities), (_("Project"), with_projects),
    ]  # fmt: skip
    everybody = steps[0][1]
    # those who have not come so far are few people too
    found: Counted = [(words, words, n, min(n, everybody - n) if 0 < n < everybody else n) for words, n in steps]
    description = _("How many people have an account, a working connection, an opportunity, a project in their studio.")
    return Table("adoption", _("How far people come"), description, (_("Step"), _("People")), told(found), upright=False)


def _of_opportunities(field: str, choices: Any) -> list[Cell]:
    grouped = Opportunity.objects.for_statistics().order_by().values(field).annotate(n=Count("pk"), people=Count("owner", distinct=True))
    counts = {row[field]: (row["n"], row["people"]) for row in grouped}
    return told([(str(one.label), str(one.label), *counts.get(one.value, (0, 0))) for one in choices])


def _stages() -> Table:
    columns = (_("Stage"), _("Opportunities"))
    cells = _of_opportunities("stage", Stage)
    return Table("stages", _("Opportunities by stage"), _("How many opportunities stand in each stage."), columns, cells, upright=False)


def _kinds() -> Table:
    columns = (_("Kind"), _("Opportunities"))
    cells = _of_opportunities("kind", Kind)
    return Table("kinds", _("Opportunities by kind"), _("How many opportunities there are of each kind."), columns, cells, upright=False)


def _mail() -> Table:
    counts = _per_week(Signal.objects.for_statistics(), "received_at", "opportunity__owner")
    description = _("How many relevant mails were received in each of the last twelve weeks.")
    return Table("mail", _("Mail kept per week"), description, (_("Week of"), _("Mails")), _weekly(counts), upright=True)
