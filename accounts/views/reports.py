"""What browsers tell us by themselves."""

import json
import logging
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

logger = logging.getLogger(__name__)
MOST_BYTES = 10_000
FORMATS = frozenset({"application/csp-report", "application/reports+json", "application/json"})


@login_not_required
@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """A page of ours asked for something that its policy refuses: one line in the log, without paths, queries or samples."""
    if request.content_type not in FORMATS:
        return HttpResponse(status=415)
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        return HttpResponse(status=413)
    try:
        report = _violation(json.loads(body))
    except (ValueError, RecursionError):  # UnicodeDecodeError is one
        report = None
    if report is None:
        return HttpResponse(status=400)
    logger.warning("content security policy violated", extra={"csp": report})
    return HttpResponse(status=204)


def _violation(value: Any) -> dict[str, str] | None:
    """The first violation of either format: `report-uri`'s one object, or `report-to`'s list."""
    if isinstance(value, list):
        found = [item.get("body") for item in value if isinstance(item, dict) and item.get("type") == "csp-violation"]
        value = found[0] if found else None
        names = ("effectiveDirective", "blockedURL", "documentURL", "sourceFile", "disposition", "lineNumber")
    else:
        value = value.get("csp-report") if isinstance(value, dict) else None
        names = ("effective-directive", "blocked-uri", "document-uri", "source-file", "disposition", "line-number")
    if not isinstance(value, dict):
        return None
    directive, blocked, document, source, disposition, line = (str(value.get(name) or "")[:2000] for name in names)
    return {
        "directive": _word(directive or str(value.get("violated-directive") or "")),
        "blocked": _origin(blocked),
        "page": _view(document),
        "source": _origin(source),
        "line": _word(line),
        "disposition": _word(disposition),
    }


def _word(text: str) -> str:
    first = text.split(" ")[0][:40]
    return first if first.replace("-", "").isalnum() else ""


def _origin(text: str) -> str:
    """Scheme and host, or a word such as `inline`: a path may be somebody's link."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}"[:200] if host else _word(parts.scheme or text)


def _view(address: str) -> str:
    """Which of our pages, by its name."""
    try:
        return resolve(urlsplit(address).path).view_name
    except (Resolver404, ValueError):
        return ""
