from django.db import migrations

# A consent is never changed, but its envelope may be made anew under a later version of the field key
# (docs/adr/0117): format, length and a higher version number are all that the database can see of that.
GUARD = """
CREATE FUNCTION registry_guard_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'given_by' <> to_jsonb(OLD) - 'given_by'
       OR get_byte(OLD.given_by, 0) <> 1 OR get_byte(NEW.given_by, 0) <> 1
       OR length(OLD.given_by) <> length(NEW.given_by)
       OR substring(OLD.given_by FROM 2 FOR 2) >= substring(NEW.given_by FROM 2 FOR 2) THEN
        RAISE EXCEPTION 'a consent is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER registry_guard_consent BEFORE UPDATE ON registry_consent
    FOR EACH ROW EXECUTE FUNCTION registry_guard_consent();
"""
UNDO = """
DROP TRIGGER registry_guard_consent ON registry_consent;
DROP FUNCTION registry_guard_consent();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_name_parts")]
    operations = [migrations.RunSQL(GUARD, UNDO)]
