"""Ours to the letter, and whichever of the other packages for queued mail is installed, with its durable default settings."""

import os
from importlib.util import find_spec

from aaperture.settings import *  # noqa: F403
from aaperture.settings import INSTALLED_APPS

HAS_POST_OFFICE, HAS_MAILER = find_spec("post_office") is not None, find_spec("mailer") is not None
INSTALLED_APPS += [*(["post_office"] if HAS_POST_OFFICE else []), *(["mailer"] if HAS_MAILER else [])]
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ.get("SMTP_PORT", "0"))
EMAIL_USE_SSL = EMAIL_USE_TLS = False
EMAIL_HOST_USER = EMAIL_HOST_PASSWORD = ""
EMAIL_BACKEND = MAILER_EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
POST_OFFICE = {
    "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
    "THREADS_PER_PROCESS": int(os.environ.get("THREADS", "5")),
    "BATCH_SIZE": int(os.environ.get("BATCH", "100")),
}
MAILER_LOCK_PATH = os.environ.get("MAILER_LOCK", "/tmp/aaperture-bench-mailer")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
