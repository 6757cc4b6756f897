"""A query of the ORM whose text is made once.

Making the text of a query costs Python more than PostgreSQL takes to answer a short one: a quarter of a millisecond for a session
with its person, on every request. What the ORM does with the answer stays the ORM's own.
"""

import copy
from collections.abc import Callable
from typing import Any, cast

from django.db import connections
from django.db.models import QuerySet
from django.db.models.query import ModelIterable


class Prepared:
    """`queryset` makes the query from values; `samples` are values of the right types, no two alike.

    Nothing else may depend on the values: None, or a list of another length, would make another text.
    """

    def __init__(self, queryset: Callable[..., QuerySet[Any]], *samples: Any) -> None:
        self._queryset, self._samples = queryset, samples
        self._made: tuple[Any, str, list[int]] | None = None

    def _make(self) -> tuple[Any, str, list[int]]:
        """The ORM's compiler after its work, the text, and which value stands where in it.

        Threads may do this at once, to the same end. Raises ValueError where the text has a value that is no sample.
        """
        queryset = self._queryset(*self._samples)
        compiler = queryset.query.get_compiler(using=queryset.db)
        text, values = compiler.as_sql()
        self._made = compiler, text, [self._samples.index(value) for value in values]
        return self._made

    def first(self, *values: Any) -> Any:
        """The first row for these values, or None."""
        made, text, places = self._made or self._make()
        compiler = copy.copy(made)
        compiler.connection = connections[compiler.using]  # this thread's
        compiler.as_sql = lambda *_args, **_kwargs: (text, tuple(values[place] for place in places))
        return next(iter(ModelIterable(cast("Any", _Source(compiler)))), None)


class _Source:
    """As much of a queryset as `ModelIterable` asks for."""

    _known_related_objects: dict[Any, Any] = {}

    def __init__(self, compiler: Any) -> None:
        self.db = compiler.using
        self.query = self
        self._compiler = compiler

    def get_compiler(self, using: str) -> Any:
        return self._compiler
