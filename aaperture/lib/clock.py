"""What Celery's clock rings, and which tasks take minutes. A short static list of ticks; what is due stands in tables."""

from typing import Any

from celery.schedules import crontab

_LONG = (
    "integrations.tasks.execute_run", "audit.tasks.keep_retention", "audit.tasks.verify_log", "operations.tasks.rotate_keys",
    "operations.tasks.make_backup", "operations.tasks.clean_up",
)  # fmt: skip
CELERY_TASK_ROUTES = {name: {"queue": "runs"} for name in _LONG}  # never in the way of ticks and mail
# By the hour of day where it is rare: seconds are counted from the start of the clock, which may start more often than that.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "pipelines": {"task": "integrations.tasks.tick", "schedule": 15.0, "options": {"expires": 15}},
    "tokens": {"task": "integrations.tasks.refresh_due_tokens", "schedule": 60.0, "options": {"expires": 60}},
    "datasets": {"task": "integrations.tasks.keep_datasets", "schedule": 3600.0, "options": {"expires": 3600}},
    "activity-partitions": {"task": "audit.tasks.make_partitions", "schedule": 3600.0, "options": {"expires": 3600}},
    "activity-seal": {"task": "audit.tasks.seal", "schedule": 4.0, "options": {"expires": 8}},
    "activity-heads": {"task": "audit.tasks.publish_heads", "schedule": 5.0, "options": {"expires": 10}},
    "alerts": {"task": "audit.tasks.detect", "schedule": 30.0, "options": {"expires": 30}},
    "alert-mail": {"task": "audit.tasks.mail_alerts", "schedule": 30.0, "options": {"expires": 30}},
    "activity-verification": {"task": "audit.tasks.verify_log", "schedule": crontab(minute="7", hour="*/12")},
    "activity-retention": {"task": "audit.tasks.keep_retention", "schedule": 3600.0, "options": {"expires": 3600}},
    "blocked-networks": {"task": "operations.tasks.keep_blocklist", "schedule": 30.0, "options": {"expires": 30}},
    "key-rotations": {"task": "operations.tasks.resume_key_rotations", "schedule": 60.0, "options": {"expires": 60}},
    "secrets": {"task": "operations.tasks.observe_secrets", "schedule": 3600.0},
    "exports": {"task": "operations.tasks.build_due_exports", "schedule": 20.0, "options": {"expires": 20}},
    "erasures": {"task": "operations.tasks.carry_on_erasures", "schedule": 60.0, "options": {"expires": 60}},
    "maintenance": {"task": "operations.tasks.tick_maintenance", "schedule": 60.0, "options": {"expires": 60}},
    "contributions": {"task": "billing.tasks.tick", "schedule": 15.0, "options": {"expires": 15}},
    "reconciliation": {"task": "billing.tasks.reconcile", "schedule": crontab(minute="37", hour="*/6"), "options": {"expires": 3600}},
    "calendars": {"task": "studio.tasks.tick", "schedule": 15.0, "options": {"expires": 15}},
    "mail-reminders": {"task": "mailing.tasks.schedule_reminders", "schedule": 900.0, "options": {"expires": 900}},
    "mail": {"task": "mailing.tasks.send_due_emails", "schedule": 10.0, "options": {"expires": 10}},
    "document-archive": {"task": "documents.tasks.archive_documents", "schedule": 60.0, "options": {"expires": 60}},
    "document-retention": {"task": "documents.tasks.end_retention", "schedule": crontab(minute="22", hour="*/12")},
    "expired-sessions": {"task": "accounts.tasks.clear_expired_sessions", "schedule": 3600.0},
}
