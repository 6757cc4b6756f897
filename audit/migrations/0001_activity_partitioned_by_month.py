"""The activity table by hand: Django cannot declare partitions, triggers or a compound key."""

from django.db import migrations, models

import aaperture.lib.uuid7
import vault.fields

TABLE = """
CREATE TABLE audit_activity (
    id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    tx bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
    action varchar(64) NOT NULL,
    actor_kind varchar(12) NOT NULL,
    actor_id uuid,
    credential varchar(12) NOT NULL,
    credential_id varchar(64) NOT NULL,
    organization_id uuid,
    target_type varchar(64) NOT NULL,
    target_id varchar(64) NOT NULL,
    request_id varchar(36) NOT NULL,
    details jsonb NOT NULL,
    address bytea,
    agent bytea,
    address_hash bytea,
    account_hash bytea,
    canonical text NOT NULL,
    PRIMARY KEY (recorded_at, id)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX audit_newest ON audit_activity (recorded_at DESC, id DESC);
CREATE INDEX audit_by_actor ON audit_activity (actor_id, recorded_at DESC);
CREATE INDEX audit_by_action ON audit_activity (action, recorded_at DESC);
CREATE INDEX audit_by_target ON audit_activity (target_id, recorded_at DESC);
CREATE INDEX audit_by_tx ON audit_activity (tx, id);
CREATE TABLE audit_activity_default PARTITION OF audit_activity DEFAULT;
"""

REFUSE_CHANGES = """
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the activity log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_activity
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
"""

# Owned by the migration role, so the application's role can make next month's partition and nothing else.
# pg_temp last: left out, it would be searched first, and a caller's type called `date` would run with the owner's rights.
MAKE_PARTITION = """
CREATE FUNCTION audit_make_partition(month date) RETURNS boolean
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
REVOKE ALL ON FUNCTION audit_make_partition(date) FROM PUBLIC;
SELECT audit_make_partition((date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month')::date)
    FROM generate_series(0, 3) AS n;
"""

DROP = """
DROP FUNCTION audit_make_partition(date);
DROP TABLE audit_activity;
DROP FUNCTION audit_refuse_change();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = [("vault", "0001_key_material")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL([TABLE, REFUSE_CHANGES, MAKE_PARTITION], DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="Activity",
                    fields=[
                        (
                            "id",
                            models.UUIDField(default=aaperture.lib.uuid7.uuid7, editable=False, primary_key=True, serialize=False),
                        ),
                        ("recorded_at", models.DateTimeField()),
                        ("tx", models.BigIntegerField(editable=False)),
                        ("action", models.CharField(max_length=64)),
                        (
                            "actor_kind",
                            models.CharField(choices=[("user", "User"), ("anonymous", "Anonymous"), ("system", "System")], max_length=12),
                        ),
                        ("actor_id", models.UUIDField(null=True)),
                        ("credential", models.CharField(max_length=12)),
                        ("credential_id", models.CharField(max_length=64)),
                        ("organization_id", models.UUIDField(null=True)),
                        ("target_type", models.CharField(max_length=64)),
                        ("target_id", models.CharField(max_length=64)),
                        ("request_id", models.CharField(max_length=36)),
                        ("details", models.JSONField(default=dict)),
                        ("address", vault.fields.SealedTextField()),
                        ("agent", vault.fields.SealedTextField()),
                        ("address_hash", models.BinaryField(null=True)),
                        ("account_hash", models.BinaryField(null=True)),
                        ("canonical", models.TextField()),
                    ],
                    options={
                        "verbose_name": "activity",
                        "verbose_name_plural": "activity",
                        "default_permissions": ("view",),
                        "indexes": [
                            models.Index(fields=["-recorded_at", "-id"], name="audit_newest"),
                            models.Index(fields=["actor_id", "-recorded_at"], name="audit_by_actor"),
                            models.Index(fields=["action", "-recorded_at"], name="audit_by_action"),
                            models.Index(fields=["target_id", "-recorded_at"], name="audit_by_target"),
                        ],
                    },
                ),
            ],
        ),
    ]
