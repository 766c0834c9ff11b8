from django.db import migrations

FORBID = """
-- What the platform said later stays, whatever arrives after it.
CREATE FUNCTION welfare_guard_entitlement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.card_id <> OLD.card_id OR NEW.kind <> OLD.kind OR NEW.version < OLD.version THEN
        RAISE EXCEPTION 'an older word does not replace a later one' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER welfare_guard_entitlement BEFORE UPDATE ON welfare_entitlement
    FOR EACH ROW EXECUTE FUNCTION welfare_guard_entitlement();
"""
ALLOW = """
DROP TRIGGER welfare_guard_entitlement ON welfare_entitlement;
DROP FUNCTION welfare_guard_entitlement();
"""


class Migration(migrations.Migration):
    """An entitlement stays that of its card and kind, and changes only by a later word."""

    dependencies = [("welfare", "0001_initial")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
