"""The pages of the SMTP inbox: what the product has sent, with links that can be followed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.pages import render
from sandbox.smtp_inbox import LINK

if TYPE_CHECKING:
    from sandbox.smtp_inbox import ReceivedMail
    from sandbox.world import World

# The mail's own HTML is shown in a sandboxed frame: no script, no form, nothing loaded, links open in a new tab.
FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups allow-popups-to-escape-sandbox"


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


def find(request: Request) -> ReceivedMail | None:
    number = request.path_params["id"]
    return next((mail for mail in world_of(request).received if mail.id == number), None)


async def mail_list(request: Request) -> Response:
    return render(request, "mail_list.html", {"mails": list(reversed(world_of(request).received))})


async def mail_detail(request: Request) -> Response:
    mail = find(request)
    if mail is None:
        return render(request, "not_found.html", {}, status=404)
    return render(request, "mail_detail.html", {"mail": mail, "text": with_links(mail.text)})


async def mail_html(request: Request) -> Response:
    mail = find(request)
    html = mail.html if mail else ""
    body = re.sub(r"(?i)<head\b[^>]*>", '<head><base target="_blank">', html, count=1)
    if body == html:
        body = f'<base target="_blank">{html}'
    return HTMLResponse(body, headers={"Content-Security-Policy": FRAME_POLICY, "Cache-Control": "no-store"})


async def mail_clear(request: Request) -> Response:
    world_of(request).received.clear()
    return RedirectResponse("/mail", status_code=303)


def with_links(text: str) -> Markup:
    """Escape a text and make its web addresses clickable."""
    out, end = Markup(""), 0
    for match in LINK.finditer(text):
        url = match[0].rstrip(".,;")
        out += escape(text[end : match.start()]) + Markup('<a href="{0}">{0}</a>').format(url)
        end = match.start() + len(url)
    return out + escape(text[end:])


routes = [
    Route("/mail", mail_list),
    Route("/mail/clear", mail_clear, methods=["POST"]),
    Route("/mail/{id:int}", mail_detail),
    Route("/mail/{id:int}/html", mail_html),
]
