"""Typst, once per process: data and a template of ours in, a tagged PDF/A out. In memory only.

Data reaches the template as JSON through `sys.inputs`, so that nothing in a client's name is ever read as markup, and the
template can read no file: its root is an empty folder, and no package is used.
"""

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import typst

HERE = Path(__file__).parent
STANDARDS: list[Literal["a-3a", "ua-1"]] = ["a-3a", "ua-1"]


def pdf(template: str, data: Mapping[str, Any], *, made_at: datetime) -> bytes:
    """A document of `<template>.typ`. The same data and time give the same bytes.

    Releases the GIL while it works, some 6 ms a page. Raises typst.TypstError for a template that does not compile, which is our fault.
    """
    result: bytes = typst.compile(  # type: ignore[type-var]
        _source(template),
        root=_nowhere(),
        font_paths=_fonts(),
        sys_inputs={"data": json.dumps(data)},
        pdf_standards=STANDARDS,  # type: ignore[arg-type]
        timestamp=int(made_at.timestamp()),
    )
    return result


@cache
def _source(template: str) -> bytes:
    return (HERE / f"{template}.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, font_paths=[str(HERE / "fonts")])


@cache
def _nowhere() -> str:
    return tempfile.mkdtemp(prefix="aaperture-typst-")
