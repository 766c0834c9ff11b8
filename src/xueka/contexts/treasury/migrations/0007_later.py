from django.db import migrations, models


class Migration(migrations.Migration):
    """What could not be posted is tried later and later."""

    dependencies = [("treasury", "0006_words_and_posting")]

    operations = [
        operation
        for model in ("topost", "breakrow")
        for operation in (
            migrations.AddField(model, "post_tries", models.IntegerField(db_default=0, default=0)),
            migrations.AddField(model, "post_after", models.DateTimeField(null=True)),
        )
    ]
