"""JSON logs, one object a line, redacted before they are written."""

import logging
import traceback
from collections.abc import MutableMapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import structlog

from aaperture.lib.redaction import redact, redact_text

Event = MutableMapping[str, Any]

request_id: ContextVar[str] = ContextVar("request_id", default="")
user_id: ContextVar[str] = ContextVar("user_id", default="")
# what the logging module puts on every record; anything else came in through `extra=`
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "_record", "_from_structlog"}


def add_extra(_logger: Any, _name: str, event: Event) -> Event:
    """Copy `extra=` values of a standard record into the event, but objects such as requests never."""
    record = event.get("_record")
    if record is not None:
        for key, value in record.__dict__.items():
            if key not in STANDARD and isinstance(value, str | int | float | bool | list | tuple | dict | None):
                event.setdefault(key, value)
    return event


def add_context(_logger: Any, _name: str, event: Event) -> Event:
    if request_id.get():
        event["request_id"] = request_id.get()
    if user_id.get():
        event["user_id"] = user_id.get()
    return event


def redact_event(_logger: Any, _name: str, event: Event) -> Event:
    kept = {key: event.pop(key) for key in ("timestamp", "level", "_record", "_from_structlog", "exc_info") if key in event}
    return {**redact(event), **kept}


def add_exception(_logger: Any, _name: str, event: Event) -> Event:
    """The traceback's frames and the redacted message, without local variables and without the source's folders."""
    info: tuple[type, BaseException, TracebackType | None] | None = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[1] is not None:
        frames = traceback.extract_tb(info[2])[-20:]
        event["exception"] = {
            "type": info[0].__name__,
            "message": redact_text(str(info[1])),
            "frames": [f"{redact_text(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
        }
    return event


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """The formatter that `settings.LOGGING` names; every handler of ours uses it, so nothing is written unredacted."""
    before: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_extra,
        add_context,
        add_exception,
        redact_event,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        use_get_message=True,
    )


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "aaperture.lib.logs.formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"level": "INFO", "handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "celery.worker.strategy": {"level": "WARNING"},  # a line for each tick would bury the rest
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "googleapiclient": {"level": "ERROR"},
        "stripe": {"level": "WARNING"},  # two lines for each call, with the ids of people's payments
        "urllib3": {"level": "WARNING"},
    },
}
