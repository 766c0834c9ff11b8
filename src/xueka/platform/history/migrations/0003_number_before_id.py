from django.db import migrations

# Whoever follows the history by its ids asks which transactions may still bring an older row, and they are told
# apart by their numbers. A transaction gets its number with its first row, after the row's id: it gets it here,
# before any id is taken.
NUMBER = """
CREATE FUNCTION history_number_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN NULL;
END $$;
CREATE TRIGGER history_number_before_id BEFORE INSERT ON history_transition
    FOR EACH STATEMENT EXECUTE FUNCTION history_number_first();
"""
UNDO = """
DROP TRIGGER history_number_before_id ON history_transition;
DROP FUNCTION history_number_first();
"""


class Migration(migrations.Migration):
    """A transaction has its number before it takes the id of a step."""

    dependencies = [("history", "0002_append_only")]
    operations = [migrations.RunSQL(NUMBER, UNDO)]
