"""What a client agreed to stays as it was agreed to, for the five years in which either side may go to court over it: the quote or
contract, its lines and its sums, and the record of the act. And a line of a draft cannot be moved into an issued invoice.
"""

from django.db import migrations

FROZEN = """
CREATE OR REPLACE FUNCTION documents_keep_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM documents_invoice WHERE id IN (OLD.invoice_id, NEW.invoice_id) AND status <> 'draft'
        AND (TG_OP <> 'DELETE' OR keep_until IS NULL OR keep_until >= CURRENT_DATE);
    IF FOUND THEN
        RAISE EXCEPTION 'the lines of an issued invoice do not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE FUNCTION documents_keep_quote_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed documents_quoteline := NEW;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        allowed.optional := OLD.optional;
        PERFORM 1 FROM documents_quote WHERE id = OLD.quote_id AND status = 'sent';
        IF FOUND AND allowed IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    PERFORM 1 FROM documents_quote WHERE id IN (OLD.quote_id, NEW.quote_id)
        AND (TG_OP <> 'DELETE' AND status <> 'draft' OR status = 'accepted' AND answered_at > now() - interval '5 years');
    IF FOUND THEN
        RAISE EXCEPTION 'the lines of a quote that was sent do not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER documents_keep_quote_line BEFORE INSERT OR UPDATE OR DELETE ON documents_quoteline
    FOR EACH ROW EXECUTE FUNCTION documents_keep_quote_line();

CREATE FUNCTION documents_keep_agreed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status IN ('accepted', 'voided') AND OLD.answered_at > now() - interval '5 years' THEN
            RAISE EXCEPTION 'what was agreed to is kept for five years' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.answered_at IS NOT NULL AND NEW.answered_at IS DISTINCT FROM OLD.answered_at
            OR OLD.status = 'accepted' AND NEW.status NOT IN ('accepted', 'voided') OR OLD.status = 'voided' AND NEW.status <> 'voided' THEN
        RAISE EXCEPTION 'what was agreed to does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_TABLE_NAME = 'documents_quote' AND OLD.status = 'accepted' THEN
        IF (NEW.net, NEW.vat, NEW.gross, NEW.by_rate) IS DISTINCT FROM (OLD.net, OLD.vat, OLD.gross, OLD.by_rate) THEN
            RAISE EXCEPTION 'what was agreed to does not change' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER documents_keep_agreed_quote BEFORE UPDATE OR DELETE ON documents_quote
    FOR EACH ROW EXECUTE FUNCTION documents_keep_agreed();
CREATE TRIGGER documents_keep_agreed_contract BEFORE UPDATE OR DELETE ON documents_contract
    FOR EACH ROW EXECUTE FUNCTION documents_keep_agreed();

CREATE FUNCTION documents_keep_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.accepted_at > now() - interval '5 years' THEN
        RAISE EXCEPTION 'the record of an acceptance is kept for five years' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER documents_keep_act BEFORE DELETE ON documents_acceptance FOR EACH ROW EXECUTE FUNCTION documents_keep_act();
"""

THAWED = """
DROP FUNCTION documents_keep_quote_line() CASCADE;
DROP FUNCTION documents_keep_agreed() CASCADE;
DROP FUNCTION documents_keep_act() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("documents", "0003_console_of_documents")]
    operations = [migrations.RunSQL(FROZEN, THAWED)]
