from django.db import migrations

KEPT = ("seal", "draw", "receipt")
KEEP = "".join(
    f"""
CREATE TRIGGER receipts_{name}_no_truncate BEFORE TRUNCATE ON receipts_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION receipts_refuse();
"""
    for name in KEPT
)
LET_GO = "".join(f"DROP TRIGGER receipts_{name}_no_truncate ON receipts_{name};" for name in KEPT)


class Migration(migrations.Migration):
    dependencies = [("receipts", "0002_guards")]
    operations = [migrations.RunSQL(KEEP, LET_GO)]
