from django.db import migrations, models


class Migration(migrations.Migration):
    """The sweep that empties old contents finds what is to be emptied, not all that ever was."""

    dependencies = [("exchange", "0003_unfinished")]

    operations = [
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(("state", "delivered"), models.Q(("envelope", b""), _negated=True)),
                fields=["ended_at"],
                name="exchange_out_to_empty",
            ),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(("file__isnull", False), ("state", "delivered")),
                fields=["ended_at"],
                name="exchange_out_file_to_empty",
            ),
        ),
        migrations.AddIndex(
            model_name="incoming",
            index=models.Index(
                condition=models.Q(("state__in", ["applied", "passed"]), models.Q(("raw", b""), _negated=True)),
                fields=["ended_at"],
                name="exchange_in_to_empty",
            ),
        ),
    ]
