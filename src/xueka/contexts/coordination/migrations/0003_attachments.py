import django.db.models.deletion
from django.db import migrations, models

KINDS = ["note", "step", "owner", "due"]
FORBID = """
CREATE TRIGGER coordination_attachment_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON coordination_attachment
    FOR EACH STATEMENT EXECUTE FUNCTION coordination_refuse();
"""
ALLOW = "DROP TRIGGER coordination_attachment_no_change ON coordination_attachment;"


def _known(kinds: list[str]) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(kind__in=kinds), name="coordination_line_kind")


class Migration(migrations.Migration):
    """A line of a matter's file may bring a stored file."""

    dependencies = [("coordination", "0002_guards"), ("files", "0001_initial")]
    operations = [
        migrations.RemoveConstraint("line", "coordination_line_kind"),
        migrations.AddConstraint("line", _known([*KINDS, "file"])),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "file",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="files.storedfile"
                    ),
                ),
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attachment",
                        to="coordination.line",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(FORBID, ALLOW),
    ]
