"""What went out stays as it went out, whoever writes to the database: the last wall behind the services.

An issued invoice, its lines and its payments are frozen; so is the content of a sent quote or contract. What may still change
is listed, column by column. Nothing that is issued is deleted before its retention date.
"""

from django.db import migrations

FROZEN = """
CREATE FUNCTION documents_keep_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed documents_invoice := NEW;
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.keep_until IS NULL OR OLD.keep_until >= CURRENT_DATE THEN
            RAISE EXCEPTION 'an issued invoice is kept until its retention date' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.status = 'issued' AND NEW.status = 'cancelled' THEN
        allowed.status := OLD.status;
    END IF;
    IF NEW.contact_id IS NULL THEN
        allowed.contact_id := OLD.contact_id;
    END IF;
    IF OLD.archive_key = '' THEN
        allowed.archive_key := OLD.archive_key;
    END IF;
    allowed.project_id := OLD.project_id;
    allowed.quote_id := COALESCE(NEW.quote_id, OLD.quote_id);
    allowed.created_by_id := COALESCE(NEW.created_by_id, OLD.created_by_id);
    allowed.sent_at := OLD.sent_at;
    allowed.updated_at := OLD.updated_at;
    allowed.search_text := OLD.search_text;
    IF allowed IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'an issued invoice does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER documents_keep_invoice BEFORE UPDATE OR DELETE ON documents_invoice
    FOR EACH ROW EXECUTE FUNCTION documents_keep_invoice();

CREATE FUNCTION documents_keep_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line documents_invoiceline := CASE WHEN TG_OP = 'INSERT' THEN NEW ELSE OLD END;
BEGIN
    PERFORM 1 FROM documents_invoice WHERE id = line.invoice_id AND status <> 'draft'
        AND (TG_OP <> 'DELETE' OR keep_until IS NULL OR keep_until >= CURRENT_DATE);
    IF FOUND THEN
        RAISE EXCEPTION 'the lines of an issued invoice do not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER documents_keep_invoice_line BEFORE INSERT OR UPDATE OR DELETE ON documents_invoiceline
    FOR EACH ROW EXECUTE FUNCTION documents_keep_invoice_line();

CREATE FUNCTION documents_keep_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed documents_payment := NEW;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM 1 FROM documents_invoice WHERE id = OLD.invoice_id AND (keep_until IS NULL OR keep_until >= CURRENT_DATE);
        IF FOUND THEN
            RAISE EXCEPTION 'a payment is kept as long as its invoice' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN OLD;
    END IF;
    allowed.recorded_by_id := COALESCE(NEW.recorded_by_id, OLD.recorded_by_id);
    IF allowed IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'a payment does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER documents_keep_payment BEFORE UPDATE OR DELETE ON documents_payment
    FOR EACH ROW EXECUTE FUNCTION documents_keep_payment();

CREATE FUNCTION documents_keep_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (NEW.status = 'draft' OR NEW.number <> OLD.number OR NEW.content IS DISTINCT FROM OLD.content
            OR NEW.content_digest <> OLD.content_digest OR NEW.organization_id <> OLD.organization_id) THEN
        RAISE EXCEPTION 'what was sent does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER documents_keep_quote BEFORE UPDATE ON documents_quote FOR EACH ROW EXECUTE FUNCTION documents_keep_content();
CREATE TRIGGER documents_keep_contract BEFORE UPDATE ON documents_contract FOR EACH ROW EXECUTE FUNCTION documents_keep_content();

CREATE FUNCTION documents_keep_acceptance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed documents_acceptance := NEW;
BEGIN
    allowed.link_id := COALESCE(NEW.link_id, OLD.link_id);
    allowed.recorded_by_id := COALESCE(NEW.recorded_by_id, OLD.recorded_by_id);
    IF allowed IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'the record of an acceptance does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER documents_keep_acceptance BEFORE UPDATE ON documents_acceptance
    FOR EACH ROW EXECUTE FUNCTION documents_keep_acceptance();
"""

THAWED = """
DROP FUNCTION documents_keep_invoice() CASCADE;
DROP FUNCTION documents_keep_invoice_line() CASCADE;
DROP FUNCTION documents_keep_payment() CASCADE;
DROP FUNCTION documents_keep_content() CASCADE;
DROP FUNCTION documents_keep_acceptance() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_quotes_contracts_and_invoices")]
    operations = [migrations.RunSQL(FROZEN, THAWED)]
