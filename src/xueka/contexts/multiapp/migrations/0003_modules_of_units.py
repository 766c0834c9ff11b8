import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A module is loaded for a unit before it is handed to it."""

    dependencies = [("multiapp", "0002_guards")]

    operations = [
        migrations.RemoveConstraint("sam", "multiapp_issued_has_holder"),
        migrations.RemoveConstraint("sam", "multiapp_store_has_no_holder"),
        migrations.RemoveIndex("sam", "multiapp_sam_work"),
        migrations.RenameField("sam", "holder", "unit"),
        migrations.AddIndex(
            "sam", models.Index(fields=["state", "unit"], name="multiapp_sam_work"),
        ),
        migrations.AddConstraint(
            "sam",
            models.CheckConstraint(
                condition=models.Q(("state", "issued"), _negated=True) | models.Q(("unit__isnull", False)),
                name="multiapp_issued_has_unit",
            ),
        ),
        migrations.AddConstraint(
            "sam",
            models.CheckConstraint(
                condition=models.Q(("state__in", ["in_stock", "destroyed"]), _negated=True)
                | models.Q(("unit", None)),
                name="multiapp_empty_has_none",
            ),
        ),
    ]
