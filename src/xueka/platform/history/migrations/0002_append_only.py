from django.db import migrations

FORBID = """
CREATE FUNCTION history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history_transition is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER history_no_change BEFORE UPDATE OR DELETE ON history_transition
    FOR EACH STATEMENT EXECUTE FUNCTION history_refuse();
CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON history_transition
    FOR EACH STATEMENT EXECUTE FUNCTION history_refuse();
"""
UNDO = """
DROP TRIGGER history_no_truncate ON history_transition;
DROP TRIGGER history_no_change ON history_transition;
DROP FUNCTION history_refuse();
"""


class Migration(migrations.Migration):
    """The application role has no right to change history; these triggers stop the owner's mistakes too."""

    dependencies = [("history", "0001_initial")]
    operations = [migrations.RunSQL(FORBID, UNDO)]
