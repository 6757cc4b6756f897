"""Typst, once per process: data and a template of ours in, a tagged PDF/A out. In memory only.

Data reaches the template as JSON through `sys.inputs`, so that nothing in a client's name is ever read as markup, and the
template can read no file but the fonts beside it: its root is their folder, and no package is used.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import typst

HERE = Path(__file__).parent
FONTS = HERE / "fonts"
STANDARDS: list[Literal["a-3a", "ua-1"]] = ["a-3a", "ua-1"]

# What people write is bounded before it is laid out, or a text of 60,000 characters could take a minute and gigabytes.
UNSEEN = re.compile(  # controls, fillers, and what turns the direction of all that follows
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
LONG_WORD = re.compile(r"[^ \n]{64}(?=[^ \n])")  # longer than a digest: may break, and does not run over the margin
ENDLESS_WORD = re.compile(r"[^ \n]{1000}")  # must break


def pdf(template: str, data: Mapping[str, Any], *, made_at: datetime, code: str = "") -> bytes:
    """A document of `<template>.typ`, with the SVG `code`. The same data and time give the same bytes.

    Where our fonts lack a character that somebody wrote (an emoji, Chinese), it is a tagged PDF with a box in its place, but no
    PDF/A. Releases the GIL while it works, some 4 ms a page. Raises typst.TypstError for a template that does not compile, which is
    our fault.
    """
    inputs = {"data": json.dumps(_bounded(data)), "code": code}
    try:
        return _compiled(template, inputs, STANDARDS, made_at)
    except typst.TypstError:
        return _compiled(template, inputs, [], made_at)


def _compiled(template: str, inputs: dict[str, str], standards: list[Any], made_at: datetime) -> bytes:
    result: bytes = typst.compile(  # type: ignore[type-var]  # the stub knows no output in memory
        _source(template),
        root=str(FONTS),
        font_paths=_fonts(),
        sys_inputs=inputs,
        pdf_standards=standards,
        timestamp=int(made_at.timestamp()),
    )
    return result


def _bounded(data: Any) -> Any:
    """The same with every text in it as it may be laid out."""
    if isinstance(data, str):
        seen = UNSEEN.sub("", data)
        return ENDLESS_WORD.sub("\\g<0>\n", LONG_WORD.sub("\\g<0>\u200b", seen)) if len(seen) > 64 else seen
    if isinstance(data, Mapping):
        return {name: _bounded(value) for name, value in data.items()}
    return [_bounded(value) for value in data] if isinstance(data, list) else data


@cache
def _source(template: str) -> bytes:
    return (HERE / f"{template}.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, font_paths=[str(FONTS)])
