from django.db import migrations

FORBID = """
CREATE FUNCTION interop_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER interop_comparison_no_change BEFORE UPDATE OR DELETE ON interop_comparison
    FOR EACH STATEMENT EXECUTE FUNCTION interop_refuse();
CREATE TRIGGER interop_comparison_no_truncate BEFORE TRUNCATE ON interop_comparison
    FOR EACH STATEMENT EXECUTE FUNCTION interop_refuse();
CREATE TRIGGER interop_difference_never_deleted BEFORE DELETE ON interop_difference
    FOR EACH STATEMENT EXECUTE FUNCTION interop_refuse();
"""
ALLOW = """
DROP TRIGGER interop_difference_never_deleted ON interop_difference;
DROP TRIGGER interop_comparison_no_truncate ON interop_comparison;
DROP TRIGGER interop_comparison_no_change ON interop_comparison;
DROP FUNCTION interop_refuse();
"""


class Migration(migrations.Migration):
    """A comparison is never changed, a difference never deleted."""

    dependencies = [("interop", "0001_initial"), ("history", "0003_number_before_id")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
