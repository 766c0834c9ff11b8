from django.db import migrations, models


class Migration(migrations.Migration):
    """What was heard on a day is found without reading everything."""

    dependencies = [("couriers", "0004_unanswered")]
    operations = [
        migrations.AddIndex("push", models.Index(fields=["received_at"], name="couriers_push_by_day")),
        migrations.AddIndex(
            "trackingevent", models.Index(fields=["heard_at"], name="couriers_event_by_day")
        ),
    ]
