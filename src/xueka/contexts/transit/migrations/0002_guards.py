from django.db import migrations

FORBID = """
CREATE FUNCTION transit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transit_lookup_no_change BEFORE UPDATE OR DELETE ON transit_lookup
    FOR EACH STATEMENT EXECUTE FUNCTION transit_refuse();
CREATE TRIGGER transit_lookup_no_truncate BEFORE TRUNCATE ON transit_lookup
    FOR EACH STATEMENT EXECUTE FUNCTION transit_refuse();

-- What was said later stays, whatever arrives after it.
CREATE FUNCTION transit_guard_validity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.card_id <> OLD.card_id OR NEW.as_of < OLD.as_of THEN
        RAISE EXCEPTION 'an older word does not replace a later one' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transit_guard_validity BEFORE UPDATE ON transit_validity
    FOR EACH ROW EXECUTE FUNCTION transit_guard_validity();
"""
ALLOW = """
DROP TRIGGER transit_guard_validity ON transit_validity;
DROP FUNCTION transit_guard_validity();
DROP TRIGGER transit_lookup_no_truncate ON transit_lookup;
DROP TRIGGER transit_lookup_no_change ON transit_lookup;
DROP FUNCTION transit_refuse();
"""


class Migration(migrations.Migration):
    """A look-up is never changed; a validity only by a later word."""

    dependencies = [("transit", "0001_initial")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
