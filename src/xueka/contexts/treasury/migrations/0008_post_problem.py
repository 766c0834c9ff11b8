from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("treasury", "0007_later")]

    operations = [
        migrations.AddField(
            model_name="topost",
            name="post_problem",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddField(
            model_name="breakrow",
            name="post_problem",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddIndex(
            model_name="topost",
            index=models.Index(condition=models.Q(("post_tries__gt", 0)), fields=["id"], name="treasury_not_posted"),
        ),
        migrations.AddIndex(
            model_name="breakrow",
            index=models.Index(condition=models.Q(("post_tries__gt", 0)), fields=["id"], name="treasury_break_unposted"),
        ),
    ]
