"""Ours to the letter, with four small tables and whichever of the other audit packages is installed."""

from importlib.util import find_spec

from aaperture.settings import *  # noqa: F403
from aaperture.settings import INSTALLED_APPS

HAS_AUDITLOG, HAS_EASY_AUDIT = find_spec("auditlog") is not None, find_spec("easyaudit") is not None
OTHERS = [*(["auditlog"] if HAS_AUDITLOG else []), *(["django.contrib.sessions", "easyaudit"] if HAS_EASY_AUDIT else [])]
INSTALLED_APPS += ["bench.audited", *OTHERS]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DJANGO_EASY_AUDIT_REGISTERED_CLASSES = ["audited.watchedbyeasyaudit"]
DJANGO_EASY_AUDIT_WATCH_REQUEST_EVENTS = DJANGO_EASY_AUDIT_WATCH_AUTH_EVENTS = False
