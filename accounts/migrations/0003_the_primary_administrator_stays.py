"""The primary administrator can be neither deleted, deactivated nor demoted, not even by the application's own SQL.

Whoever owns the table can drop the trigger; the application's role does not own it.
"""

from django.db import migrations

KEEP = """
CREATE FUNCTION accounts_keep_primary_admin() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.is_primary_admin AND NEW.is_active AND NEW.role = 'admin' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the primary administrator stays' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER accounts_primary_admin_stays BEFORE UPDATE OR DELETE ON accounts_user
    FOR EACH ROW WHEN (OLD.is_primary_admin) EXECUTE FUNCTION accounts_keep_primary_admin();
"""

DROP = """
DROP TRIGGER accounts_primary_admin_stays ON accounts_user;
DROP FUNCTION accounts_keep_primary_admin();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_ways_in_and_coaching")]

    operations = [migrations.RunSQL(KEEP, DROP)]
