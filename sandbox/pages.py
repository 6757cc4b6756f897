"""Renders the sandbox's HTML: autoescaped, no script, nothing from elsewhere."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse

TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
# form-action stays open to the consent page's redirect, which leads to the client's own address.
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"


def render(request: Request, template: str, context: dict[str, Any], *, status: int = 200) -> HTMLResponse:
    context = {"world": request.app.state.world, "path": request.url.path, **context}
    html = TEMPLATES.get_template(template).render(context)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    return HTMLResponse(html, status_code=status, headers=headers)


def ago(seconds: float) -> str:
    """An instant as people say it: `3 min ago`, `yesterday`-free and short."""
    spent = max(0, time.time() - seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if spent >= size:
            return f"{int(spent // size)} {unit} ago"
    return "just now"


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d %b %Y, %H:%M")


TEMPLATES.filters.update(ago=ago, moment=moment)
