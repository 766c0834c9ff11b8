from django.db import migrations, models


class Migration(migrations.Migration):
    """Where the rounds over cards and over runs of scripts are, so that none begins anew each time; the last asked first."""

    dependencies = [("transit", "0005_blocks_settled")]
    operations = [
        migrations.AddField("follower", "caught_up_to", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddIndex(
            "extension", models.Index(fields=["asked_at", "id"], name="transit_extension_latest")
        ),
        migrations.AddField("follower", "reported_up_to", models.BigIntegerField(db_default=0, default=0)),
    ]
