"""The partition maker trusts no name its caller could define, and makes no month far from now."""

from django.db import migrations

# pg_temp last: left out, it would be searched first, and a caller's type called `date` would run with the owner's rights.
MAKE_PARTITION = """
CREATE OR REPLACE FUNCTION audit_make_partition(month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_activity_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first IS NULL OR abs(first - current_date) > 1100 THEN
        RAISE EXCEPTION 'no partition is made for a month more than three years away' USING ERRCODE = 'datetime_field_overflow';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_make_partition'));
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%I PARTITION OF public.audit_activity FOR VALUES FROM (%L) TO (%L)',
        name, first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00'
    );
    RETURN true;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_activity_partitioned_by_month")]

    operations = [migrations.RunSQL(MAKE_PARTITION, migrations.RunSQL.noop)]
