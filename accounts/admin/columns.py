"""Columns that several lists show."""

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from accounts.roles import STAFF, Role


def badge(words: Any, tone: str = "") -> SafeString:
    return format_html('<span class="badge {}">{}</span>', tone, words)


def role_badge(user: User) -> SafeString:
    tone = "danger" if user.role == Role.ADMIN else "warn" if user.role == Role.DEVELOPER else "info" if user.role in STAFF else ""
    return badge(user.get_role_display(), tone)
