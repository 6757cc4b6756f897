"""What the application may do to the log beyond reading and adding: begin an epoch, and let an archived month go.

All three belong to the tables' owner (SECURITY DEFINER), who checks what the application's role could pretend.
"""

from django.db import migrations

EPOCH = """
CREATE FUNCTION audit_epoch() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
ALTER TABLE audit_activity ALTER COLUMN tx
    SET DEFAULT (audit_epoch()::bigint << 48) + (pg_current_xact_id()::text)::bigint;
"""

# A restored database counts its transactions anew, so rows would be sorted before sealed ones: a further epoch puts them behind.
BEGIN_EPOCH = """
CREATE FUNCTION audit_begin_epoch() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current_epoch integer := public.audit_epoch();
    next_tx bigint;
    highest bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_begin_epoch'));
    SELECT greatest(coalesce((SELECT max(to_tx) FROM public.audit_auditseal), 0),
                    coalesce((SELECT max(tx) FROM public.audit_activity), 0)) INTO highest;
    next_tx := (current_epoch::bigint << 48) + (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint;
    IF highest < next_tx THEN
        RETURN current_epoch;
    END IF;
    current_epoch := (highest >> 48)::integer + 1;
    EXECUTE format('CREATE OR REPLACE FUNCTION public.audit_epoch() RETURNS integer LANGUAGE sql IMMUTABLE AS %L',
                   'SELECT ' || current_epoch);
    RETURN current_epoch;
END $$;
REVOKE ALL ON FUNCTION audit_begin_epoch() FROM PUBLIC;
"""

# Detached and dropped in one transaction, so that no detached month lies about. 28 days: whatever the application was made to believe.
DROP_MONTH = """
CREATE FUNCTION audit_drop_month(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_activity_' || to_char(first, 'YYYY_MM');
    archived bigint;
    sealed bigint;
    last_tx bigint;
    last_id uuid;
    stray boolean;
BEGIN
    IF first IS NULL OR (first + interval '1 month') AT TIME ZONE 'UTC' + interval '28 days' > now() THEN
        RAISE EXCEPTION 'a month stays in the log for 28 days after its end' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT a.rows INTO archived FROM public.audit_auditarchive a
        WHERE a.month = first AND a.kind = 'archived' ORDER BY a.last_seal DESC LIMIT 1;
    IF archived IS NULL THEN
        RAISE EXCEPTION 'a month that is not archived is not dropped' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF to_regclass('public.' || name) IS NULL THEN
        RETURN false;
    END IF;
    PERFORM set_config('lock_timeout', '500ms', true);
    LOCK TABLE public.audit_activity IN ACCESS EXCLUSIVE MODE;
    SELECT coalesce(sum(s.count), 0) INTO sealed FROM public.audit_auditseal s WHERE s.month = first;
    SELECT s.to_tx, s.to_id INTO last_tx, last_id FROM public.audit_auditseal s ORDER BY s.number DESC LIMIT 1;
    -- the last row by the index: whether any is behind the last seal would be asked of every row
    EXECUTE format('SELECT (tx, id) > ($1, $2) FROM public.%I ORDER BY tx DESC, id DESC LIMIT 1', name) INTO stray
        USING coalesce(last_tx, 0), coalesce(last_id, '00000000-0000-0000-0000-000000000000');
    IF coalesce(stray, false) OR sealed <> archived THEN
        RAISE EXCEPTION 'this month has rows that are not archived' USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('ALTER TABLE public.audit_activity DETACH PARTITION public.%I', name);
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION audit_drop_month(date) FROM PUBLIC;

CREATE FUNCTION audit_forget_leaves(month date) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    gone bigint;
BEGIN
    IF to_regclass('public.audit_activity_' || to_char(first, 'YYYY_MM')) IS NOT NULL
        OR NOT EXISTS (SELECT 1 FROM public.audit_auditarchive a WHERE a.month = first AND a.kind = 'archived') THEN
        RAISE EXCEPTION 'this month is still in the log' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM public.audit_sealleaves l WHERE l.month = first AND l.number <= (
        SELECT max(a.last_seal) FROM public.audit_auditarchive a WHERE a.month = first AND a.kind = 'archived');
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION audit_forget_leaves(date) FROM PUBLIC;
"""

REFUSE_CHANGES = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditseal
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditarchive
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
"""

REVERSE = """
DROP TRIGGER audit_append_only ON audit_auditarchive;
DROP TRIGGER audit_append_only ON audit_auditseal;
DROP FUNCTION audit_forget_leaves(date);
DROP FUNCTION audit_drop_month(date);
DROP FUNCTION audit_begin_epoch();
ALTER TABLE audit_activity ALTER COLUMN tx SET DEFAULT (pg_current_xact_id()::text)::bigint;
DROP FUNCTION audit_epoch();
"""


class Migration(migrations.Migration):
    dependencies: list[tuple[str, str]] = [("audit", "0003_seals_and_archives")]

    operations = [migrations.RunSQL([EPOCH, BEGIN_EPOCH, DROP_MONTH, REFUSE_CHANGES], REVERSE)]
