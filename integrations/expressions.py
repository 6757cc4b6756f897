"""JMESPath within bounds: what an expression makes of its data may not grow without end.

A list that holds the same thing twice costs nothing until it is written out or compared: `[@,@]` thirty times over is a billion
values in 180 characters. So whatever can hold something more than once is weighed while the expression is worked out.

Nor may it take without end: `[?@ == `1`]` thirty times over a long list is most of a minute. So the processor's time is looked at between
two nodes; one node alone takes a few seconds at most over the longest answer there is.
"""

import time
from collections.abc import Callable
from typing import Any, Self

import jmespath
from jmespath import functions
from jmespath.visitor import Options, TreeInterpreter

MOST = 25_000_000  # values and characters that may be weighed for a whole answer, which has 10 MB
MOST_OF_ONE = 2_000_000  # the same for all fields of one record
SECONDS = 10.0  # of the processor, for a whole answer
SECONDS_OF_ONE = 2.0  # the same for one record
LOOKS = 100  # nodes between two looks at the clock
# what can hold a thing twice, or what is made of it; a projection holds as many of them as its list is long
GROWING = frozenset(
    {"multi_select_list", "multi_select_dict", "projection", "value_projection", "filter_projection", "function_expression"}
)
LONG = frozenset({"projection", "value_projection", "filter_projection", "function_expression", "flatten"})  # one alone may take seconds


class TooMuch(ValueError):
    """The expression makes more of its data than we work out."""


class TooSlow(TooMuch):
    """The expression takes longer over its data than we let it."""


class Budget:
    """How much may still be weighed, and how long it may take; for one thread."""

    def __init__(self, most: int = MOST, seconds: float = SECONDS) -> None:
        self.left = most
        self._until = time.thread_time() + seconds

    @classmethod
    def of_one(cls) -> Self:
        """For one record."""
        return cls(MOST_OF_ONE, SECONDS_OF_ONE)

    def look_at_the_clock(self) -> None:
        """Raises TooSlow. It is the thread's own time, so that a busy machine makes nobody slow."""
        if time.thread_time() > self._until:
            raise TooSlow

    def weigh(self, value: Any) -> None:
        """Raises TooMuch. What is held twice counts twice, and never more is looked at than is left."""
        left, waiting = self.left, [(value,)]
        while waiting:
            for one in waiting.pop():
                kind = type(one)
                left -= 1
                if kind is str:
                    left -= len(one)
                elif kind is dict or kind is list:
                    left -= len(one)
                    waiting.append(one.values() if kind is dict else one)
                if left < 0:
                    self.left = left
                    raise TooMuch
        self.left = left


class Expression:
    """A compiled expression, for one thread at a time. Raises ValueError with what is wrong with its text."""

    def __init__(self, text: str) -> None:
        try:
            parsed = jmespath.compile(text).parsed
        except Exception as error:  # noqa: BLE001 - the library's errors have no common base but ValueError, and it recurses
            raise ValueError(str(error).splitlines()[0] if str(error) else type(error).__name__) from None
        self._interpreter = _Interpreter()
        try:
            self._found = _compiled(parsed, self._interpreter)
        except RecursionError:
            raise ValueError("too deep") from None

    def search(self, data: Any, budget: Budget | None = None) -> Any:
        """What is found. Raises TooMuch, or what JMESPath raises over data of another shape."""
        self._interpreter.use(budget or Budget())
        return self._found(data)


Found = Callable[[Any], Any]


def _compiled(node: dict[str, Any], interpreter: "_Interpreter") -> Found:
    """Plain nodes as functions of their own, which are several times faster; all others as the library works them out.

    Only nodes that hand on what is there stand here: whatever can hold something twice is the interpreter's, which weighs it.
    """
    kind, children = node["type"], node["children"]
    if kind == "field":
        return _field(node["value"])
    if kind == "literal":
        value = node["value"]
        return lambda _data: value
    if kind in ("current", "identity"):
        return lambda data: data
    if kind in ("subexpression", "pipe", "index_expression"):
        return _one_after_another([_compiled(child, interpreter) for child in children])
    if kind in ("or_expression", "and_expression"):
        left, right = (_compiled(child, interpreter) for child in children)
        return _either(left, right) if kind == "or_expression" else _both(left, right)
    if kind == "comparator" and node["value"] in ("eq", "ne"):
        left, right = (_compiled(child, interpreter) for child in children)
        return _same(left, right, TreeInterpreter.COMPARATOR_FUNC[node["value"]])
    return lambda data: interpreter.visit(node, data)


def _field(name: str) -> Found:
    def found(data: Any) -> Any:
        return data.get(name) if type(data) is dict else None

    return found


def _one_after_another(steps: list[Found]) -> Found:
    if len(steps) == 2:
        first, second = steps
        return lambda data: second(first(data))

    def found(data: Any) -> Any:
        for step in steps:
            data = step(data)
        return data

    return found


def _is_false(value: Any) -> bool:
    return value is None or value is False or (not value and isinstance(value, str | list | dict))


def _either(left: Found, right: Found) -> Found:
    def found(data: Any) -> Any:
        return right(data) if _is_false(value := left(data)) else value

    return found


def _both(left: Found, right: Found) -> Found:
    def found(data: Any) -> Any:
        return value if _is_false(value := left(data)) else right(data)

    return found


def _same(left: Found, right: Found, compare: Callable[[Any, Any], Any]) -> Found:
    return lambda data: compare(left(data), right(data))


class _Functions(functions.Functions):
    budget: Budget

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, between: str, parts: list[str]) -> str:
        if len(between) * len(parts) > self.budget.left:
            raise TooMuch
        return between.join(parts)


class _Interpreter(TreeInterpreter):
    def __init__(self) -> None:
        self._own = _Functions()
        self._until_look = LOOKS
        super().__init__(Options(custom_functions=self._own))

    def use(self, budget: Budget) -> None:
        """What is found from now on is weighed by this one."""
        self._own.budget = self.budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        kind = node["type"]
        self._until_look -= 1
        if self._until_look <= 0 or kind in LONG:
            self._until_look = LOOKS
            self.budget.look_at_the_clock()
        found = super().visit(node, *args, **kwargs)
        if kind in GROWING:
            self.budget.weigh(found)
        return found
