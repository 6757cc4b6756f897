"""What an address asks of the board: filters, view and order. What it does not know it passes over."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Case, F, Value, When
from django.http import QueryDict
from django.urls import reverse

from accounts.models import User
from integrations.models import Connection
from tracker.forms import FilterForm
from tracker.models import LATEST, Opportunity, OpportunityQuerySet
from tracker.stages import Stage

NEWEST = "-latest"
BY_STAGE = Case(*(When(stage=stage, then=Value(place)) for place, stage in enumerate(Stage.values)))
ORDERS: dict[str, list[Any]] = {
    "name": [F("company"), F("role"), F("contact_name")],
    "kind": [F("kind")],
    "stage": [BY_STAGE],
    "turn": [F("ball")],
    "due": [F("task_due_on")],
    "latest": [LATEST],
}


class Listing:
    """One person's opportunities as one address shows them."""

    def __init__(self, user: User, asked: QueryDict, mailboxes: Sequence[Connection]) -> None:
        self.user = user
        form = FilterForm(asked, mailboxes=mailboxes)
        form.is_valid()
        self.filters: dict[str, str] = {name: value for name, value in form.cleaned_data.items() if value}
        self.form = FilterForm(initial=self.filters, mailboxes=mailboxes)
        self.is_table = asked.get("view") == "table"
        sort = asked.get("sort", "")
        self.sort = sort if sort.removeprefix("-") in ORDERS else NEWEST
        self.page = asked.get("page", "")

    def opportunities(self) -> OpportunityQuerySet:
        chosen = dict(self.filters)
        days, mailbox = int(chosen.pop("period", 0)), chosen.pop("mailbox", None)
        return Opportunity.objects.visible_to(self.user).matching(days=days, mailbox=mailbox, **chosen)

    def ordered(self) -> OpportunityQuerySet:
        """In the order of the table's chosen column."""
        down, columns = self.sort.startswith("-"), ORDERS[self.sort.removeprefix("-")]
        order = [column.desc(nulls_last=True) if down else column.asc(nulls_last=True) for column in columns]
        return self.opportunities().order_by(*order, "-id")

    def query(self, **changes: Any) -> str:
        """The address's query with `changes`; None or "" takes a part out."""
        parts: dict[str, Any] = {**self.filters, "view": "table" if self.is_table else "", "sort": "" if self.sort == NEWEST else self.sort}
        wanted = QueryDict(mutable=True)
        wanted.update({name: str(value) for name, value in {**parts, **changes}.items() if value})
        return wanted.urlencode()

    @property
    def narrowed(self) -> int:
        """How many of the folded filters are set."""
        return len(self.filters.keys() - {"q"})

    @property
    def url(self) -> str:
        query = self.query()
        return reverse("tracker:board") + (f"?{query}" if query else "")

    @property
    def board_query(self) -> str:
        return self.query(view="", sort="")

    @property
    def table_query(self) -> str:
        return self.query(view="table")

    def headings(self) -> list[dict[str, Any]]:
        """The table's sortable columns: query of the link, and the direction it is sorted in now."""
        found = []
        for name in ORDERS:
            down = self.sort == f"-{name}"
            now = "descending" if down else "ascending" if self.sort == name else ""
            first = f"-{name}" if name == "latest" else name
            other = name if down else f"-{name}" if now else first
            found.append({"name": name, "sorted": now, "query": self.query(sort="" if other == NEWEST else other)})
        return found
