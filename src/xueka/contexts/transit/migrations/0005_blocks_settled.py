from django.db import migrations, models


class Migration(migrations.Migration):
    """What was done about a card that the company stopped."""

    dependencies = [("transit", "0004_script_guards")]

    operations = [
        migrations.AddField("block", "settled_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "block", "settled_by", models.CharField(blank=True, db_default="", max_length=80)
        ),
        migrations.AddField("block", "note", models.CharField(blank=True, db_default="", max_length=200)),
        migrations.AddConstraint(
            "block",
            models.CheckConstraint(
                condition=models.Q(("settled_at", None), models.Q(("note", ""), _negated=True), _connector="OR"),
                name="transit_settled_block_has_a_note",
            ),
        ),
    ]
