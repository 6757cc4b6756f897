"""JMESPath within bounds: what an expression makes of its data may not grow without end.

A list that holds the same thing twice costs nothing until it is written out or compared: `[@,@]` thirty times over is a billion
values in 180 characters. So whatever can hold something more than once is weighed while the expression is worked out.
"""

from typing import Any

import jmespath
from jmespath import functions
from jmespath.visitor import Options, TreeInterpreter

MOST = 25_000_000  # values and characters that may be weighed for a whole answer, which has 10 MB
MOST_OF_ONE = 2_000_000  # the same for all fields of one record
# what can hold a thing twice, or what is made of it; a projection holds as many of them as its list is long
GROWING = frozenset(
    {"multi_select_list", "multi_select_dict", "projection", "value_projection", "filter_projection", "function_expression"}
)


class TooMuch(ValueError):
    """The expression makes more of its data than we work out."""


class Budget:
    """How much may still be weighed."""

    def __init__(self, most: int = MOST) -> None:
        self.left = most

    def weigh(self, value: Any) -> None:
        """Raises TooMuch. What is held twice counts twice, and never more is looked at than is left."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            self.left -= 1
            if isinstance(one, str | list | dict):
                self.left -= len(one)
            if self.left < 0:
                raise TooMuch
            if isinstance(one, list):
                waiting += one
            elif isinstance(one, dict):
                waiting += one.values()


class Expression:
    """A compiled expression. Raises ValueError with what is wrong with its text."""

    def __init__(self, text: str) -> None:
        try:
            self._parsed = jmespath.compile(text).parsed
        except Exception as error:  # noqa: BLE001 - the library's errors have no common base but ValueError, and it recurses
            raise ValueError(str(error).splitlines()[0] if str(error) else type(error).__name__) from None

    def search(self, data: Any, budget: Budget | None = None) -> Any:
        """What is found. Raises TooMuch, or what JMESPath raises over data of another shape."""
        return _Interpreter(budget or Budget()).visit(self._parsed, data)


class _Functions(functions.Functions):
    budget: Budget

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, between: str, parts: list[str]) -> str:
        if len(between) * len(parts) > self.budget.left:
            raise TooMuch
        return between.join(parts)


class _Interpreter(TreeInterpreter):
    def __init__(self, budget: Budget) -> None:
        own = _Functions()
        own.budget = self.budget = budget
        super().__init__(Options(custom_functions=own))

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().visit(node, *args, **kwargs)
        if node["type"] in GROWING:
            self.budget.weigh(found)
        return found
