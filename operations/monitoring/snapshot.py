"""One look at everything. A part that cannot be measured says so and never hides the others."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from django.db import DatabaseError, OperationalError
from django.utils import timezone
from redis.exceptions import RedisError

from operations.monitoring import processes, stores, trust, work
from operations.monitoring.gauges import GAUGES, Group, Reading, reading
from vault.errors import SealedDataError

logger = logging.getLogger(__name__)

Measure = Callable[[datetime], Iterator[Reading]]
# what each function measures, so that it can be told what is missing when it fails
MEASURES: dict[Group, tuple[tuple[Measure, tuple[str, ...]], ...]] = {
    Group.WORK: ((work.queues, ("work_waiting", "work_oldest_seconds")), (processes.broker, ("broker_messages",))),
    Group.PROCESSES: ((processes.processes, ("workers_alive", "clock_silent_seconds")),),
    Group.RUNS: ((work.runs, ("runs_running", "runs_lost", "runs_failed_last_hour", "connections_failing")),),
    Group.MAIL: (
        (
            work.mail,
            (
                "emails_left_behind",
                "emails_in_doubt",
                "emails_failed_last_day",
                "alert_mails_waiting",
                "alert_mail_oldest_seconds",
                "alert_mails_unknown",
            ),
        ),
    ),
    Group.TRUST: (
        (work.alerts, ("alerts_open", "alerts_severe_open")),
        (trust.secrets, ("secrets_overdue", "secret_oldest_seconds")),
        (trust.seals, ("seal_lag_seconds",)),
        (trust.anchors, ("head_lag_seconds", "head_places")),
        (stores.partitions, ("partitions_ahead",)),
    ),
    Group.BACKUPS: ((trust.backups, ("backups_configured", "backups_whole", "backups_failed")),),
    Group.DATABASE: ((stores.database, tuple(name for name, gauge in GAUGES.items() if gauge.group == Group.DATABASE)),),
    Group.CACHE: ((processes.valkey, tuple(name for name, gauge in GAUGES.items() if gauge.group == Group.CACHE)),),
    Group.DISK: ((stores.disks, ("disk_free_bytes", "disk_free_share")),),
}
# a database that is gone is waited for once, not by every measure in turn
WITHOUT_DATABASE = frozenset({processes.broker, processes.processes, processes.valkey, stores.disks})
FAILURES = (DatabaseError, RedisError, OSError, SealedDataError)


def take(now: datetime | None = None) -> list[Reading]:
    """Every reading there is, in the order of the groups; the number of queries does not depend on what they find."""
    now, found, is_there = now or timezone.now(), [], True
    for group in Group:
        for measure, names in MEASURES.get(group, ()):
            if not is_there and measure not in WITHOUT_DATABASE:
                found += _unknown(names)
                continue
            try:
                found += list(measure(now))
            except FAILURES as error:
                logger.warning("not measured", extra={"measure": names[0], "error": type(error).__name__})
                found += _unknown(names)
                is_there = is_there and not isinstance(error, OperationalError)
    return found


def _unknown(names: tuple[str, ...]) -> list[Reading]:
    return [reading(name, None) for name in names]
