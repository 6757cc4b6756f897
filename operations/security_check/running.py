"""What runs: processes, database, the sealed log, backups."""

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from aaperture.lib.limits import Key, take
from audit.grants import APPEND_ONLY
from operations.monitoring import processes, trust
from operations.monitoring.gauges import Reading, State, told_plainly
from operations.security_check.checks import Finding, by_hand, check, ok, ok_unless


@check("migrations", "The database has the schema of this version", "migrations that were not applied")
def migrations() -> Finding:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return ok_unless([f"{missing} not applied: manage.py migrate"] if missing else [])


@check("database-role", "The application’s role owns nothing and cannot alter the activity log", "the privileges that PostgreSQL names")
def database_role() -> Finding:
    faults = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            faults.append("it is a superuser, or may make roles or databases")
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")
        if owned := cursor.fetchone()[0]:
            faults.append(f"it owns {owned} tables")
        for table in APPEND_ONLY:
            cursor.execute("SELECT has_table_privilege(%s, 'UPDATE, DELETE, TRUNCATE')", [f"public.{table}"])
            if cursor.fetchone()[0]:
                faults.append(f"it may change {table}")
    return ok_unless(faults)


@check("database-tls", "The connection to the database is encrypted, or a socket of this machine", "what PostgreSQL says of it")
def database_tls() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        encrypted, version = cursor.fetchone()
        cursor.execute("SELECT inet_server_addr() IS NULL")
        by_socket = cursor.fetchone()[0]
    if by_socket:
        return ok("a socket of this machine")
    return ok_unless([] if encrypted else ["it is not"], version or "")


@check("limits-count", "Limits are counted", "one request counted in Valkey")
def limits_count() -> Finding:
    take([Key("security_check", 1_000_000, 60)])
    return ok()


def _ok_unless_bad(readings: list[Reading]) -> Finding:
    return ok_unless(told_plainly(one) for one in readings if one.state >= State.WARN)


@check("processes", "Workers and clock are alive", "what they said in the last minute")
def running_processes() -> Finding:
    return _ok_unless_bad([one for one in processes.processes(timezone.now()) if one.gauge.name != "worker_silent_seconds"])


@check("sealed", "The activity log is sealed, and its heads are told outside", "how far the sealer and the places of AUDIT_HEADS are")
def sealed() -> Finding:
    now = timezone.now()
    return _ok_unless_bad([*trust.seals(now), *trust.anchors(now)])


@check("backups", "There is a whole backup of the last day, made by itself", "backups on record")
def backups() -> Finding:
    return _ok_unless_bad(list(trust.backups(timezone.now())))


by_hand("log-verified", "The activity log is what was sealed", "manage.py verify_audit; the instance does it twice a day")
by_hand("restore", "A backup has been restored into an empty instance", "once a quarter, and after big changes; note how long it took")
by_hand("performance", "The figures of a normal day are known", "Console, Monitoring; charts of /metrics")
