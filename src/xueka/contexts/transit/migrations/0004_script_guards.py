from django.db import migrations

TABLES = ("scriptnotice", "scriptreport")
FORBID = "".join(
    f"""
CREATE TRIGGER transit_{table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON transit_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION transit_refuse();
"""
    for table in TABLES
)
ALLOW = "".join(f"DROP TRIGGER transit_{table}_no_change ON transit_{table};\n" for table in TABLES)


class Migration(migrations.Migration):
    """What was heard and told of scripts is never changed."""

    dependencies = [("transit", "0003_bindings_and_papers")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
