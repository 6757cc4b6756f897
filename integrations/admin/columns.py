from typing import Any

from django.utils.html import format_html

TONES = {
    "active": "ok", "succeeded": "ok", "needs_reauth": "danger", "failed": "danger", "error": "danger",
    "partial": "warn", "running": "info", "queued": "info", "paused": "info",
}  # fmt: skip


def status_badge(row: Any) -> str:
    return format_html('<span class="badge {}">{}</span>', TONES.get(row.status, ""), row.get_status_display())
