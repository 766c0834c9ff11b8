from django.db import migrations, models


class Migration(migrations.Migration):
    """What has not ended, among millions that have."""

    dependencies = [("exchange", "0004_to_empty")]
    operations = [
        migrations.AddIndex(
            "outgoing",
            models.Index(
                fields=["stream", "seq"],
                condition=models.Q(state__in=["queued", "dead"]),
                name="exchange_out_unfinished",
            ),
        ),
        migrations.AddIndex(
            "incoming",
            models.Index(
                fields=["stream", "seq"],
                condition=models.Q(state__in=["waiting", "dead"]),
                name="exchange_in_unfinished",
            ),
        ),
    ]
