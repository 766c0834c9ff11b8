from django.db import migrations


def first_kinds(apps, schema_editor):
    from xueka.contexts.cards.configuration import card_kinds

    kind = apps.get_model("cards", "CardKind")
    given = card_kinds()
    for code, fields in given.items():
        kind.objects.create(code=code, **{key: value for key, value in fields.items() if key != "coupled_with"})
    for code, fields in given.items():
        if other := fields.get("coupled_with"):
            kind.objects.filter(code=code).update(coupled_with=other)


class Migration(migrations.Migration):
    """A new installation begins with the kinds of data/card_kinds.toml."""

    dependencies = [("cards", "0001_initial")]
    operations = [migrations.RunPython(first_kinds, migrations.RunPython.noop)]
