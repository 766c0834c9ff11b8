import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Where a district's counter is."""

    dependencies = [("logistics", "0003_boxes_at_work")]
    operations = [
        migrations.CreateModel(
            "DistrictPlace",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.CharField(max_length=200)),
                ("consignee", models.CharField(max_length=64)),
                ("phone", models.CharField(max_length=32)),
                ("hours", models.CharField(blank=True, max_length=100)),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.CharField(max_length=80)),
                (
                    "district",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.district",
                    ),
                ),
            ],
        ),
    ]
