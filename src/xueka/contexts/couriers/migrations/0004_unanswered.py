"""Since when a courier has left us without an answer; what it took that nobody could write down as sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("couriers", "0003_called_back")]

    operations = [
        migrations.AddField(
            model_name="shipment", name="unanswered_since", field=models.DateTimeField(null=True)
        ),
        migrations.AddField(
            model_name="shipment",
            name="unsent",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
