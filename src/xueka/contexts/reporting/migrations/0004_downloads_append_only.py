from django.db import migrations

FORBID = """
CREATE FUNCTION reporting_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER reporting_no_change BEFORE UPDATE OR DELETE ON reporting_download
    FOR EACH STATEMENT EXECUTE FUNCTION reporting_refuse();
CREATE TRIGGER reporting_no_truncate BEFORE TRUNCATE ON reporting_download
    FOR EACH STATEMENT EXECUTE FUNCTION reporting_refuse();
"""
UNDO = """
DROP TRIGGER reporting_no_truncate ON reporting_download;
DROP TRIGGER reporting_no_change ON reporting_download;
DROP FUNCTION reporting_refuse();
"""


class Migration(migrations.Migration):
    """Who took an export away is never changed, not even by the owner's mistake."""

    dependencies = [("reporting", "0003_exports")]
    operations = [migrations.RunSQL(FORBID, UNDO)]
