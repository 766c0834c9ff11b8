import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The label that the courier itself has made, or why ours was printed."""

    dependencies = [("couriers", "0005_by_day"), ("files", "0001_initial")]
    operations = [
        migrations.AddField(
            "shipment",
            "label",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="files.storedfile",
            ),
        ),
        migrations.AddField(
            "shipment", "label_said", models.CharField(blank=True, db_default="", max_length=200)
        ),
    ]
