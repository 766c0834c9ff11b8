from django.db import migrations, models


class Migration(migrations.Migration):
    """A card that was taken over bears the opaque number of the system it came from (docs/adr/0091)."""

    dependencies = [("cards", "0002_card_kinds")]

    operations = [migrations.AlterField("card", "number", models.CharField(max_length=32, unique=True))]
