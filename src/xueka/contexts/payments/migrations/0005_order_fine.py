from django.db import migrations, models

GUARD = """
CREATE TRIGGER payments_order_kind BEFORE UPDATE OF fine ON payments_order
    FOR EACH ROW WHEN (OLD.fine IS DISTINCT FROM NEW.fine) EXECUTE FUNCTION payments_keep();
"""
UNDO = "DROP TRIGGER payments_order_kind ON payments_order;"


class Migration(migrations.Migration):
    """An order says for good whether it is a fee of cost or a fine."""

    dependencies = [("payments", "0004_unknown")]
    operations = [
        migrations.AddField("order", "fine", models.BooleanField(default=False, db_default=False)),
        migrations.RunSQL(GUARD, UNDO),
    ]
