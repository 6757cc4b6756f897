"""Lists of the console that cost the same however long they grow.

Pages are found by the last row's key instead of by counting rows ("keyset"): forward, back, the end, or a day. Counts stop at
a thousand; of an unfiltered table beyond that PostgreSQL's own estimate is shown. What is searched for is looked up in indexes,
one for each thing it may be, and the answers are merged.
"""

import heapq
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import number_format
from django.utils.translation import gettext as _

AFTER, BEFORE, LAST, DAY = "after", "before", "last", "day"
PLACES = (AFTER, BEFORE, LAST, DAY)
COUNTED = 1_000  # more than that is "1,000+", or an estimate


class BigListMixin(admin.ModelAdmin):
    """For a ModelAdmin whose rows are listed newest first by `keyset`: an instant that never changes, and the key.

    There must be an index on both, and one on each filtered or searched column followed by the instant.
    """

    keyset: tuple[str, str] = ("created_at", "id")
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # each would be a count of its own
    sortable_by = ()
    list_max_show_all = 0

    def get_ordering(self, request: HttpRequest) -> Any:
        return [f"-{name}" for name in self.keyset]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def search_for(self, request: HttpRequest, text: str) -> list[Q]:
        """What `text` may mean: each a condition that one index answers. None that fits: nothing is found."""
        return []

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Fetch what the columns of this page need, for all its rows at once."""


class KeysetChangeList(ChangeList):
    model_admin: BigListMixin

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.place = {name: request.GET.get(name, "") for name in PLACES if name in request.GET}
        for name in (*PLACES, ORDER_VAR, ALL_VAR, PAGE_VAR):  # so that no filter's link leads into the middle of another list
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        self.page_num, self.show_all = 1, False
        text, self.query = self.query.strip(), ""
        queryset: QuerySet[Any] = super().get_queryset(request, exclude_parameters)  # filters only: searching is ours
        self.query, self.filtered = text, queryset
        self.meanings = self.model_admin.search_for(request, text) if text else []
        if not text:
            return queryset
        either = Q(pk__in=[])
        for meaning in self.meanings:
            either |= meaning
        return queryset.filter(either)

    def get_results(self, request: HttpRequest) -> None:
        branches = [self.filtered.filter(meaning) for meaning in self.meanings] if self.query else [self.filtered]
        rows = self._page(branches)
        self.model_admin.prepare_rows(request, rows)
        self.result_list, self.paginator = rows, Paginator(rows, self.list_per_page)
        number, exactly = self._count(branches)
        self.result_count = self.full_result_count = len(rows)  # an action is for what one sees, never for "all 1,000+"
        self.counted = number
        self.count_text = number_format(number) if exactly else self._about(number)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True

    def _page(self, branches: list[QuerySet[Any]]) -> list[Any]:
        """The rows of this page, one more having been asked for to know whether there are others; sets the links."""
        backwards = BEFORE in self.place or LAST in self.place
        rows = self._merged([self._from_here(branch, backwards) for branch in branches], backwards)
        more = len(rows) > self.list_per_page
        rows = rows[: self.list_per_page]
        if backwards:
            rows.reverse()
        newer, older = (more, BEFORE in self.place) if backwards else (AFTER in self.place or DAY in self.place, more)
        self.newer_link = self._link(BEFORE, rows[0]) if rows and newer else ""
        self.older_link = self._link(AFTER, rows[-1]) if rows and older else ""
        self.newest_link = self.get_query_string() if self.place else ""
        self.oldest_link = self._link(LAST) if older else ""
        self.day = self.place.get(DAY, "")
        return rows

    def _from_here(self, queryset: QuerySet[Any], backwards: bool) -> QuerySet[Any]:
        instant, key = names = self.model_admin.keyset
        queryset = queryset.order_by(*((instant, key) if backwards else (f"-{instant}", f"-{key}")))
        if DAY in self.place:
            queryset = queryset.filter(**{f"{instant}__lt": self._end_of_day()})
        elif AFTER in self.place:  # the first condition says nothing new, but keeps whole partitions out
            at = self._key(self.place[AFTER])
            queryset = queryset.filter(Q(**{f"{instant}__lte": at[0]}), TupleLessThan(names, at))
        elif BEFORE in self.place:
            at = self._key(self.place[BEFORE])
            queryset = queryset.filter(Q(**{f"{instant}__gte": at[0]}), TupleGreaterThan(names, at))
        return queryset[: self.list_per_page + 1]

    def _merged(self, branches: list[QuerySet[Any]], backwards: bool) -> list[Any]:
        instant, key = self.model_admin.keyset

        def place(row: Model) -> tuple[Any, Any]:
            return getattr(row, instant), getattr(row, key)

        merged = heapq.merge(*branches, key=place, reverse=not backwards)
        return list({row.pk: row for row in merged}.values())[: self.list_per_page + 1]

    def _key(self, text: str) -> tuple[datetime, Any]:
        """The key that a link of ours named. Raises IncorrectLookupParameters."""
        instant, _comma, key = text.partition(",")
        try:
            at = parse_datetime(instant)
            if at is None or timezone.is_naive(at):
                raise ValueError(instant)
            field: Any = self.opts.get_field(self.model_admin.keyset[1])
            return at.astimezone(UTC), field.to_python(key)  # PostgreSQL takes no offset above 15 hours
        except Exception as error:  # a field raises its own ValidationError, a date its ValueError
            raise IncorrectLookupParameters(error) from error

    def _end_of_day(self) -> datetime:
        try:
            day = parse_date(self.place[DAY])
            if day is None:
                raise ValueError(self.place[DAY])
            return timezone.make_aware(datetime.combine(day, time.min)) + timedelta(days=1)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error

    def _link(self, name: str, row: Model | None = None) -> str:
        value = "1"
        if row is not None:
            instant, key = self.model_admin.keyset
            value = f"{getattr(row, instant).isoformat()},{getattr(row, key)}"
        query = self.get_query_string()
        return f"{query}{'&' if len(query) > 1 else ''}{urlencode({name: value})}"

    def _count(self, branches: list[QuerySet[Any]]) -> tuple[int, bool]:
        """How many rows there are, and whether exactly."""
        capped = [branch.order_by().values("pk")[: COUNTED + 1] for branch in branches]
        if not capped:
            return 0, True
        number = capped[0].count() if len(capped) == 1 else capped[0].union(*capped[1:]).count()
        return (number, True) if number <= COUNTED else (COUNTED, False)

    def _about(self, number: int) -> str:
        if not self.query and not self.has_active_filters:
            number = max(number, estimate(self.model._meta.db_table))
            if number > COUNTED:
                return _("about %(number)s") % {"number": number_format(number, use_l10n=True, force_grouping=True)}
        return _("more than %(number)s") % {"number": number_format(number, force_grouping=True)}

    @property
    def today(self) -> date:
        return timezone.localdate()


def estimate(table: str) -> int:
    """How many rows PostgreSQL believes `table` and its partitions to have, as of its last vacuum or analyze."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c"
            " WHERE c.oid IN (SELECT relid FROM pg_partition_tree(%s::regclass)) OR c.oid = %s::regclass",
            [table, table],
        )
        (rows,) = cursor.fetchone()
    return int(rows)
