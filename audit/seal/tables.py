"""Whether the log's tables are still what the migrations made: no trigger, rule or policy that keeps rows from being written or shown.

A row that never came to be is missed by no chain; who would see to that has to leave something here.
"""

from django.db import connection

from audit.models import Activity, AuditArchive, AuditSeal, SealLeaves
from audit.seal.findings import Kind, Report

TABLES = tuple(model._meta.db_table for model in (Activity, AuditSeal, SealLeaves, AuditArchive))
NUMBERED = "(((audit_epoch())::bigint << 48) + ((pg_current_xact_id())::text)::bigint)"
OURS = "SELECT oid, relname, relkind, relrowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace"
MONTHS = "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.audit_activity'::regclass"
LOG = f"{OURS} AND (relname = ANY(%(tables)s) OR oid IN ({MONTHS}))"
STRANGE = f"""
WITH log AS ({LOG})
SELECT 'trigger ' || tgname || ' on ' || relname FROM pg_trigger JOIN log ON log.oid = tgrelid
    WHERE NOT tgisinternal AND (tgname <> 'audit_append_only' OR tgtype & 4 <> 0)
UNION ALL SELECT 'rule ' || rulename || ' on ' || relname FROM pg_rewrite JOIN log ON log.oid = ev_class
UNION ALL SELECT 'row security on ' || relname FROM log WHERE relrowsecurity
UNION ALL SELECT relname || ' is no table of rows' FROM log
    WHERE relname = ANY(%(tables)s) AND relkind <> CASE relname WHEN 'audit_activity' THEN 'p' ELSE 'r' END
UNION ALL SELECT name || ' is another table for this role' FROM unnest(%(tables)s::text[]) AS name
    WHERE to_regclass(name) IS DISTINCT FROM to_regclass('public.' || name)
UNION ALL SELECT 'transaction numbers come from ' || coalesce(
        (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
         WHERE adrelid = 'public.audit_activity'::regclass AND attname = 'tx'), 'nowhere')
ORDER BY 1
"""  # nosec B608 - constants only


def check(report: Report) -> None:
    with connection.cursor() as cursor:
        cursor.execute(STRANGE, {"tables": list(TABLES)})
        for (text,) in cursor.fetchall():
            if text != f"transaction numbers come from {NUMBERED}":
                report.find(Kind.TABLE_ALTERED, text)
