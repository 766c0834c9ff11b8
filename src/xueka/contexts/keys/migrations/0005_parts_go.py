from django.db import migrations

# A change that has ended keeps no component, whatever ended it; at the commit, for both are one transaction.
GUARD = """
CREATE FUNCTION keys_guard_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM keys_keypart p JOIN keys_keychange c ON c.id = p.change_id
                WHERE c.id = NEW.id AND c.state <> 'asked' AND p.sealed IS NOT NULL) THEN
        RAISE EXCEPTION 'a change that has ended keeps no component'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER keys_parts_go AFTER UPDATE ON keys_keychange DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION keys_guard_parts();

CREATE FUNCTION keys_guard_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state IN ('arrived', 'lost', 'cancelled')
       OR (NEW.number, NEW.version_id, NEW.change_id, NEW.receiver_kind, NEW.receiver, NEW.way, NEW.due_on)
       IS DISTINCT FROM
       (OLD.number, OLD.version_id, OLD.change_id, OLD.receiver_kind, OLD.receiver, OLD.way, OLD.due_on) THEN
        RAISE EXCEPTION 'a delivery is what two people planned, and its end stays'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keys_guard_delivery BEFORE UPDATE OR DELETE ON keys_keydelivery
    FOR EACH ROW EXECUTE FUNCTION keys_guard_delivery();
"""
UNDO = """
DROP TRIGGER keys_guard_delivery ON keys_keydelivery;
DROP FUNCTION keys_guard_delivery();
DROP TRIGGER keys_parts_go ON keys_keychange;
DROP FUNCTION keys_guard_parts();
"""


class Migration(migrations.Migration):
    dependencies = [("keys", "0004_rotation_parts_deliveries")]
    operations = [migrations.RunSQL(GUARD, UNDO)]
