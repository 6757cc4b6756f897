"""Stripe's request bodies: form fields in brackets (`line_items[0][price_data][currency]=eur`) as nested values."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

PART = re.compile(r"\[([^\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """Nested dicts and lists; every leaf is text, as it travelled."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        put(root, [name.partition("[")[0], *PART.findall(name)], value)
    return {name: tidy(value) for name, value in root.items()}


def put(node: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        key = part or str(len(node))
        node = node.setdefault(key, {})
    node[path[-1] or str(len(node))] = value


def tidy(value: Any) -> Any:
    """Dicts whose keys are 0, 1, 2 … become lists."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [tidy(value[key]) for key in sorted(value, key=int)]
    return {key: tidy(inner) for key, inner in value.items()}
