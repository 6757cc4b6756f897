"""A month's partition is made although rows of that month lie in the default one already, and nobody waits for it."""

from django.db import migrations

# Whoever reads for minutes (a backup, a verification) would otherwise keep all who write waiting behind this: a later call makes it.
# The owner may make any month, for a restore of what is older than three years.
MAKE_PARTITION = """
CREATE OR REPLACE FUNCTION audit_make_partition(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_activity_' || to_char(first, 'YYYY_MM');
    since timestamptz := first::timestamp AT TIME ZONE 'UTC';
    until timestamptz := (first + interval '1 month') AT TIME ZONE 'UTC';
    late boolean;
BEGIN
    IF first IS NULL OR (abs(first - current_date) > 1100 AND session_user <> current_user) THEN
        RAISE EXCEPTION 'no partition is made for a month more than three years away' USING ERRCODE = 'datetime_field_overflow';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_make_partition'));
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY public.audit_activity IN ACCESS EXCLUSIVE MODE;  -- not each month, which may be at its vacuum
    SELECT EXISTS (SELECT FROM public.audit_activity_default WHERE recorded_at >= since AND recorded_at < until) INTO late;
    IF late THEN
        ALTER TABLE public.audit_activity DETACH PARTITION public.audit_activity_default;
        ALTER TABLE public.audit_activity_default RENAME TO audit_activity_before;
        CREATE TABLE public.audit_activity_default PARTITION OF public.audit_activity DEFAULT;
    END IF;
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_activity FOR VALUES FROM (%L) TO (%L)', name, since, until);
    IF late THEN
        INSERT INTO public.audit_activity SELECT * FROM public.audit_activity_before;
        DROP TABLE public.audit_activity_before;
    END IF;
    RETURN true;
END $$;
"""


class Migration(migrations.Migration):
    dependencies: list[tuple[str, str]] = [("audit", "0005_alerts")]

    operations = [migrations.RunSQL(MAKE_PARTITION, migrations.RunSQL.noop)]
