from django.db import migrations

FORBID = """
CREATE FUNCTION coordination_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER coordination_line_no_change BEFORE UPDATE OR DELETE ON coordination_line
    FOR EACH STATEMENT EXECUTE FUNCTION coordination_refuse();
CREATE TRIGGER coordination_line_no_truncate BEFORE TRUNCATE ON coordination_line
    FOR EACH STATEMENT EXECUTE FUNCTION coordination_refuse();
CREATE TRIGGER coordination_matter_never_deleted BEFORE DELETE ON coordination_matter
    FOR EACH STATEMENT EXECUTE FUNCTION coordination_refuse();
"""
ALLOW = """
DROP TRIGGER coordination_matter_never_deleted ON coordination_matter;
DROP TRIGGER coordination_line_no_truncate ON coordination_line;
DROP TRIGGER coordination_line_no_change ON coordination_line;
DROP FUNCTION coordination_refuse();
"""


class Migration(migrations.Migration):
    """Lines are never changed, a matter never deleted."""

    dependencies = [("coordination", "0001_initial"), ("history", "0003_number_before_id")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
