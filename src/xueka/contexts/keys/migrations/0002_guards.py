from django.db import migrations

# A version belongs to a held key, and to a drill exactly when its key does; so does what wraps it.
TOGETHER = """
ALTER TABLE keys_keyversion ADD CONSTRAINT keys_version_of_held_key
    FOREIGN KEY (key_id, held, drill) REFERENCES keys_key (id, held, drill);
ALTER TABLE keys_keyversion ADD CONSTRAINT keys_version_drill UNIQUE (id, drill);
ALTER TABLE keys_keyversion ADD CONSTRAINT keys_wrapped_apart
    FOREIGN KEY (wrapped_by_id, drill) REFERENCES keys_keyversion (id, drill);
ALTER TABLE keys_key ADD CONSTRAINT keys_drill UNIQUE (id, drill);
ALTER TABLE keys_key ADD CONSTRAINT keys_parent_apart
    FOREIGN KEY (parent_id, drill) REFERENCES keys_key (id, drill);
"""

FIXED = """
CREATE FUNCTION keys_guard_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a key is never forgotten' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.label, NEW.level, NEW.kind, NEW.usages, NEW.held, NEW.drill)
       IS DISTINCT FROM (OLD.id, OLD.label, OLD.level, OLD.kind, OLD.usages, OLD.held, OLD.drill) THEN
        RAISE EXCEPTION 'what a key is for never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keys_guard_key BEFORE UPDATE OR DELETE ON keys_key
    FOR EACH ROW EXECUTE FUNCTION keys_guard_key();

CREATE FUNCTION keys_guard_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a key version is never forgotten' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.key_id, NEW.number, NEW.algorithm, NEW.kcv, NEW.origin, NEW.drill, NEW.created_at,
        NEW.asked_by, NEW.confirmed_by)
       IS DISTINCT FROM (OLD.id, OLD.key_id, OLD.number, OLD.algorithm, OLD.kcv, OLD.origin, OLD.drill,
        OLD.created_at, OLD.asked_by, OLD.confirmed_by) OR OLD.state = 'destroyed' THEN
        RAISE EXCEPTION 'a key version is what it was made' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keys_guard_version BEFORE UPDATE OR DELETE ON keys_keyversion
    FOR EACH ROW EXECUTE FUNCTION keys_guard_version();
"""

RECORDS = """
CREATE FUNCTION keys_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keys_no_change BEFORE UPDATE OR DELETE ON keys_keyuse
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse();
CREATE TRIGGER keys_no_truncate BEFORE TRUNCATE ON keys_keyuse
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse();
CREATE TRIGGER keys_no_change BEFORE UPDATE OR DELETE ON keys_ceremony
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse();
CREATE TRIGGER keys_no_truncate BEFORE TRUNCATE ON keys_ceremony
    FOR EACH STATEMENT EXECUTE FUNCTION keys_refuse();
"""

UNDO = """
DROP TRIGGER keys_no_truncate ON keys_ceremony;
DROP TRIGGER keys_no_change ON keys_ceremony;
DROP TRIGGER keys_no_truncate ON keys_keyuse;
DROP TRIGGER keys_no_change ON keys_keyuse;
DROP FUNCTION keys_refuse();
DROP TRIGGER keys_guard_version ON keys_keyversion;
DROP FUNCTION keys_guard_version();
DROP TRIGGER keys_guard_key ON keys_key;
DROP FUNCTION keys_guard_key();
ALTER TABLE keys_key DROP CONSTRAINT keys_parent_apart;
ALTER TABLE keys_keyversion DROP CONSTRAINT keys_wrapped_apart;
ALTER TABLE keys_keyversion DROP CONSTRAINT keys_version_drill;
ALTER TABLE keys_keyversion DROP CONSTRAINT keys_version_of_held_key;
ALTER TABLE keys_key DROP CONSTRAINT keys_drill;
"""


class Migration(migrations.Migration):
    """What is a key's for ever stays, drill and live never meet, and records are only added to."""

    dependencies = [("keys", "0001_initial")]
    operations = [migrations.RunSQL(TOGETHER + FIXED + RECORDS, UNDO)]
