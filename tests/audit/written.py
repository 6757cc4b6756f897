"""Which functions write to the database without anybody on the way to them putting it on record: read from the source.

A function is covered when it records, calls what records, or is only ever called by functions that are. Names are followed
through imports, so a name that means two things in two modules is not confused.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WRITES = {"save", "create", "update", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create", "execute"}
SQL_WRITE = re.compile(r"\s*(INSERT|UPDATE|DELETE)\s", re.IGNORECASE)
RECORDS = {"record", "record_many", "record_after"}
Key = tuple[str, str]  # module and function


def sources(apps: list[str]) -> dict[str, str]:
    paths = [path for app in apps for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text() for path in paths}


@lru_cache(maxsize=2000)
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


class Calls:
    """Who calls whom, and who writes what."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.trees = {name: parsed(text) for name, text in texts.items()}
        self.defined: dict[str, set[str]] = {}
        self.imported: dict[str, dict[str, Key]] = {}
        self.calls: dict[Key, set[Key]] = defaultdict(set)
        self.callers: dict[Key, set[Key]] = defaultdict(set)
        self.writes: dict[Key, list[str]] = defaultdict(list)
        self.recording: set[Key] = set()
        for name, tree in self.trees.items():
            nodes = list(ast.walk(tree))
            self.defined[name] = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
            self.imported[name] = {
                alias.asname or alias.name: (node.module, alias.name)
                for node in nodes if isinstance(node, ast.ImportFrom) and node.module for alias in node.names
            }  # fmt: skip
        for name, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self._read(name, node)
        self._spread()

    def unrecorded(self) -> dict[str, list[str]]:
        """`module.function` and what it writes."""
        return {f"{key[0]}.{key[1]}": self.writes[key] for key in self.writes if not self._covered(key, frozenset())}

    def _read(self, module: str, function: ast.FunctionDef) -> None:
        key = (module, function.name)
        for node in ast.walk(function):
            if (called := self._meant(module, node)) and called != key:
                self.calls[key].add(called)
                self.callers[called].add(key)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in RECORDS:
                    self.recording.add(key)
                elif isinstance(node.func, ast.Attribute) and name in WRITES and _is_a_write(node, node.func):
                    self.writes[key].append(ast.unparse(node)[:80])

    def _meant(self, module: str, node: ast.AST) -> Key | None:
        if isinstance(node, ast.Name):
            return self._named(module, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in {"self", "cls"}:
                return self._named(module, node.attr)
            whole = ".".join(self.imported[module].get(node.value.id, ("", "")))
            return self._named(whole, node.attr) if whole in self.trees else None
        return None

    def _named(self, module: str, name: str, depth: int = 0) -> Key | None:
        if name in self.defined.get(module, ()):
            return (module, name)
        origin = self.imported.get(module, {}).get(name)
        return self._named(*origin, depth + 1) if origin and origin[0] in self.trees and depth < 4 else None

    def _spread(self) -> None:
        waiting = list(self.recording)
        while waiting:
            for caller in self.callers[waiting.pop()] - self.recording:
                self.recording.add(caller)
                waiting.append(caller)

    def _covered(self, key: Key, seen: frozenset[Key]) -> bool:
        if key in self.recording:
            return True
        callers = self.callers[key] - seen - {key}
        return bool(callers) and all(self._covered(one, seen | {key}) for one in callers)


def _is_a_write(call: ast.Call, function: ast.Attribute) -> bool:
    """Not a dict's or a hash's `update(…)`, which takes something, nor a method's own parent; of SQL what begins with a verb of change."""
    if function.attr == "execute":
        return any(SQL_WRITE.match(text) for argument in call.args[:1] for text in literals(argument))
    return not (function.attr == "update" and call.args) and "super()" not in ast.unparse(function.value)


def prefixes(tree: ast.AST) -> Iterator[str]:
    """How names begin that are put together where they are recorded: `record(f"email.{status}", …)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RECORDS and node.args:
            name = node.args[0]
            if isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
                yield str(name.values[0].value)


def literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
