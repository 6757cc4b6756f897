"""What is measured, as data: name, words, unit, from which value on it is bad, and what to do then.

The console's page, the readiness of the instance and the metrics all show these; a further one is an entry here and a reading in
the module of its group. A name is also the metric's, behind `aaperture_`.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

MINUTE, HOUR, DAY = 60, 3600, 86_400


class State(IntEnum):
    """The worst is the greatest."""

    OK = 0
    WARN = 1
    BAD = 2
    UNKNOWN = 3


class Unit(StrEnum):
    COUNT = "count"
    SECONDS = "seconds"
    BYTES = "bytes"
    SHARE = "share"  # 0 to 1
    FLAG = "flag"  # 0 or 1


class Group(TextChoices):
    """In the order of the page."""

    WORK = "work", _("Work that waits")
    PROCESSES = "processes", _("Workers and clock")
    RUNS = "runs", _("Runs and connections")
    MAIL = "mail", _("Mail")
    TRUST = "trust", _("Alerts, keys and the activity log")
    BACKUPS = "backups", _("Backups")
    DATABASE = "database", _("Database")
    CACHE = "cache", _("Valkey")
    DISK = "disk", _("Disk")


class Gauge(NamedTuple):
    """`warn` and `bad` are reached at or above them; with `low`, at or below. `part` names what its readings are told apart by.

    `page` is the console's page that the advice names, by its URL's name, with the filter it speaks of.
    """

    name: str
    group: Group
    title: Any
    unit: Unit
    advice: Any = ""
    warn: float | None = None
    bad: float | None = None
    low: bool = False
    part: str = ""
    page: str = ""

    def judge(self, value: float) -> State:
        for limit, state in ((self.bad, State.BAD), (self.warn, State.WARN)):
            if limit is not None and (value <= limit if self.low else value >= limit):
                return state
        return State.OK


C, S, B, P = Unit.COUNT, Unit.SECONDS, Unit.BYTES, Unit.SHARE
RESTART = _("Restart the workers; if it stays, read their log for what they stop at.")
GAUGES = {gauge.name: gauge for gauge in (
    Gauge("work_waiting", Group.WORK, _("Waiting"), C, part="queue"),
    Gauge(
        "work_oldest_seconds", Group.WORK, _("Oldest has waited"), S, part="queue", warn=10 * MINUTE, bad=HOUR,
        advice=_("See whether workers and clock are alive (below). If they are, read the workers’ log for what fails again and again."),
    ),
    Gauge(
        "broker_messages", Group.WORK, _("Messages for workers"), C, part="queue", warn=500, bad=5000,
        advice=_("Workers are slower than the clock, or gone. Start more, or restart them: what the messages announce stands in tables."),
    ),
    Gauge("workers_alive", Group.PROCESSES, _("Workers heard of in the last minute"), C, part="queue", low=True, bad=0, advice=RESTART),
    Gauge(
        "worker_silent_seconds", Group.PROCESSES, _("Worker, last heard of"), S, part="worker", warn=MINUTE,
        advice=_("It ended without a word, or cannot reach Valkey. It leaves this list after a day."),
    ),
    Gauge(
        "clock_silent_seconds", Group.PROCESSES, _("Clock, last tick"), S, warn=30, bad=2 * MINUTE,
        advice=_("Restart the clock (celery beat): without it nothing is due, sealed, refreshed or mailed. Run exactly one."),
    ),
    Gauge("runs_running", Group.RUNS, _("Runs under way"), C),
    Gauge(
        "runs_lost", Group.RUNS, _("Runs without a sign of life"), C, warn=1, bad=5,
        advice=_("Their worker ended; the next tick takes them over. If the number stays, restart the workers of the queue “runs”."),
    ),
    Gauge("runs_last_hour", Group.RUNS, _("Runs asked for in the last hour"), C, part="status"),
    Gauge(
        "runs_failed_last_hour", Group.RUNS, _("Failed in the last hour"), C, warn=5, bad=50,
        page="integrations_run_changelist?status__exact=failed",
        advice=_("Open Runs and filter by “failed”: one reason for all points at Google or the network, many at single mailboxes."),
    ),
    Gauge("connections", Group.RUNS, _("Connections"), C, part="status"),
    Gauge(
        "connections_failing", Group.RUNS, _("Connections that fail"), C, warn=1, bad=20,
        page="integrations_connection_changelist?status__exact=error",
        advice=_("Open Connections and filter by “failing”. Those that wait for their owner’s permission are not among them."),
    ),
    Gauge(
        "emails_left_behind", Group.MAIL, _("E-mails whose sender was lost"), C, warn=1,
        advice=_("The next tick marks them “in doubt”, and their studio decides. If the number stays, the clock or the workers are gone."),
    ),
    Gauge(
        "emails_in_doubt", Group.MAIL, _("E-mails in doubt"), C, warn=1,
        page="mailing_scheduledemail_changelist?status__exact=unknown",
        advice=_("The line broke before the mail server had answered. Their studios decide; you can too, by the Message-ID."),
    ),
    Gauge(
        "emails_failed_last_day", Group.MAIL, _("E-mails of the last day that failed"), C, warn=10,
        page="mailing_scheduledemail_changelist?status__exact=failed",
        advice=_("One reason for all points at the mail server or its password, many at single addresses."),
    ),
    Gauge("alert_mails_waiting", Group.MAIL, _("Alert mails waiting"), C),
    Gauge(
        "alert_mail_oldest_seconds", Group.MAIL, _("Oldest alert mail waits"), S, warn=5 * MINUTE, bad=30 * MINUTE,
        advice=_("The mail server refuses or does not answer: see “alert mail not sent” in the workers’ log, then EMAIL_URL."),
    ),
    Gauge(
        "alert_mails_unknown", Group.MAIL, _("Alert mails perhaps lost"), C, warn=1,
        page="audit_securityalert_changelist",
        advice=_("A worker ended while it sent them. Open the alert and send its mail again."),
    ),
    Gauge("alerts_open", Group.TRUST, _("Alerts not resolved"), C, part="severity"),
    Gauge(
        "alerts_severe_open", Group.TRUST, _("Severe alerts not resolved"), C, bad=1,
        page="audit_securityalert_changelist",
        advice=_("Open Security alerts, acknowledge, contain: docs/security/incident_response.md leads through the first hour."),
    ),
    Gauge(
        "secrets_overdue", Group.TRUST, _("Secrets older than 90 days"), C, warn=1,
        page="operations_keys",
        advice=_("Keys and secrets names them and says how each is changed."),
    ),
    Gauge("secret_oldest_seconds", Group.TRUST, _("Oldest secret"), S),
    Gauge(
        "seal_lag_seconds", Group.TRUST, _("Oldest activity not sealed"), S, warn=MINUTE, bad=10 * MINUTE,
        advice=_("A transaction that has been open for long holds the sealer back (see Database), or no worker runs it."),
    ),
    Gauge(
        "head_lag_seconds", Group.TRUST, _("Seals not told outside"), S, part="place", warn=5 * MINUTE, bad=HOUR,
        advice=_("The place does not take them: the workers’ log says “heads of the activity log not delivered”. They are sent later."),
    ),
    Gauge(
        "head_places", Group.TRUST, _("Places outside the database"), C, low=True, warn=0,
        advice=_("Set AUDIT_HEADS to a place where whoever runs the database cannot write: docs/security/audit_log.md."),
    ),
    Gauge(
        "partitions_ahead", Group.TRUST, _("Months of the activity log made ahead"), C, low=True, warn=1, bad=0,
        advice=_("The clock makes them every hour; see whether it is alive, then the workers’ log."),
    ),
    Gauge(
        "backups_configured", Group.BACKUPS, _("A place and a key for backups"), Unit.FLAG, low=True, bad=0,
        advice=_("Set BACKUPS and BACKUP_KEY: without them a broken disk is the end of everything."),
    ),
    Gauge(
        "backups_whole", Group.BACKUPS, _("Whole backups kept"), C, low=True, bad=0,
        page="operations_backups",
        advice=_("Make one by hand (Backups), and restore it somewhere else once: only then it is one."),
    ),
    Gauge(
        "backup_age_seconds", Group.BACKUPS, _("Newest whole backup"), S, warn=26 * HOUR, bad=3 * DAY,
        page="operations_backups",
        advice=_("Open Backups: the newest one says why it failed. Make one by hand once it is repaired."),
    ),
    Gauge("backup_size_bytes", Group.BACKUPS, _("Its size"), B),
    Gauge(
        "backups_failed", Group.BACKUPS, _("Failed since the newest whole one"), C, warn=1, bad=3,
        page="operations_backups",
        advice=_("Open Backups for the reason: place not reachable, no room, or no BACKUP_KEY."),
    ),
    Gauge("database_size_bytes", Group.DATABASE, _("Size"), B),
    Gauge("database_connections", Group.DATABASE, _("Open connections"), C),
    Gauge(
        "database_connections_share", Group.DATABASE, _("Of the connections it allows"), P, warn=0.7, bad=0.9,
        advice=_("Fewer processes or threads, or more max_connections. Look for connections that are idle in a transaction."),
    ),
    Gauge(
        "database_longest_transaction_seconds", Group.DATABASE, _("Longest transaction"), S, warn=2 * MINUTE, bad=15 * MINUTE,
        advice=_("The log cannot be sealed past it, nor dead rows go. Find it in pg_stat_activity; end it if nobody waits for it."),
    ),
    Gauge(
        "database_locks_waiting", Group.DATABASE, _("Statements that wait for a lock"), C, warn=10, bad=50,
        advice=_("Something holds what many want: mostly the longest transaction."),
    ),
    Gauge("database_dead_rows", Group.DATABASE, _("Dead rows"), C),
    Gauge(
        "database_dead_share", Group.DATABASE, _("Dead rows in the worst table"), P, warn=0.3, bad=0.6,
        page="operations_cleanups",
        advice=_("Autovacuum does not keep up: end long transactions first, then run the cleanup “database vacuum”."),
    ),
    Gauge("database_vacuum_oldest_seconds", Group.DATABASE, _("Longest without a vacuum, of tables that need one"), S, warn=7 * DAY,
          advice=_("Run the cleanup “database vacuum”, and see that autovacuum is on.")),
    Gauge(
        "database_transaction_ids_share", Group.DATABASE, _("Of the transaction numbers before it stops"), P, warn=0.5, bad=0.8,
        advice=_("Run VACUUM FREEZE as the owner; something, mostly an old transaction, keeps autovacuum from it."),
    ),
    Gauge("cache_memory_bytes", Group.CACHE, _("Memory"), B),
    Gauge(
        "cache_memory_share", Group.CACHE, _("Of the memory it may take"), P, warn=0.7, bad=0.9,
        advice=_("When it is full it refuses to write, and nobody can sign in. Raise maxmemory; look for a queue that nobody empties."),
    ),
    Gauge("cache_clients", Group.CACHE, _("Clients"), C),
    Gauge(
        "cache_rejected_connections", Group.CACHE, _("Connections refused since its start"), C, warn=1,
        advice=_("More clients than maxclients allows: fewer processes, or a higher limit."),
    ),
    Gauge("disk_free_bytes", Group.DISK, _("Free"), B, part="place"),
    Gauge(
        "disk_free_share", Group.DISK, _("Free, of the whole"), P, part="place", low=True, warn=0.15, bad=0.05,
        advice=_("Make room before it is full: the database stops, and the log cannot be archived. See what grows (charts above)."),
    ),
)}  # fmt: skip


class Reading(NamedTuple):
    """One measured value; `value` is None when it could not be measured."""

    gauge: Gauge
    value: float | None
    part: str = ""

    @property
    def state(self) -> State:
        return State.UNKNOWN if self.value is None else self.gauge.judge(self.value)


def reading(name: str, value: float | None, part: str = "") -> Reading:
    return Reading(GAUGES[name], value, part)


def worst(readings: Iterable[Reading]) -> State:
    return max((one.state for one in readings), default=State.OK)


def told_plainly(one: Reading) -> str:
    """For commands and logs: in English, by name."""
    of = f" ({one.part})" if one.part else ""
    return f"{one.gauge.name}{of} {'not measured' if one.value is None else f'{one.value:g}'}"
