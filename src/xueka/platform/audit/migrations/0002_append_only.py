from django.db import migrations

FORBID = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE FUNCTION audit_receive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.recorded_at := clock_timestamp();
    INSERT INTO audit_unsealed (entry_id) VALUES (NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_receive BEFORE INSERT ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_receive();
"""
UNDO = """
DROP TRIGGER audit_receive ON audit_entry;
DROP FUNCTION audit_receive();
DROP TRIGGER audit_no_truncate ON audit_seal;
DROP TRIGGER audit_no_change ON audit_seal;
DROP TRIGGER audit_no_truncate ON audit_entry;
DROP TRIGGER audit_no_change ON audit_entry;
DROP FUNCTION audit_refuse();
"""


class Migration(migrations.Migration):
    """Refuse change even to the owner's mistakes; stamp each new entry and put it on the sealer's list."""

    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(FORBID, UNDO)]
