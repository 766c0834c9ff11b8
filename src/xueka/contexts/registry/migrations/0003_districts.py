from django.db import migrations

from xueka.kernel.districts import DISTRICTS


def seed(apps, schema_editor):
    district = apps.get_model("registry", "District")
    district.objects.bulk_create(
        [district(code=code, name=name) for code, name in DISTRICTS.items()], ignore_conflicts=True
    )


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_class_of_school")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
