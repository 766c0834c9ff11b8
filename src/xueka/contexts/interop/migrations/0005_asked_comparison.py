import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("interop", "0004_beijing_tong")]

    operations = [
        migrations.CreateModel(
            name="AskedComparison",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("counterpart", models.CharField(max_length=32)),
                ("dataset", models.CharField(max_length=32)),
                ("asked_at", models.DateTimeField()),
                ("asked_by", models.CharField(max_length=80)),
                ("ended_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=200)),
                ("comparison", models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="asked", to="interop.comparison")),
            ],
            options={
                "indexes": [models.Index(fields=["counterpart", "dataset", "-id"], name="interop_asked_latest")],
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("ended_at", None)), fields=("counterpart", "dataset"), name="interop_one_asked_comparison"),
                    models.CheckConstraint(condition=models.Q(models.Q(("comparison", None), ("ended_at", None), ("problem", "")), models.Q(("ended_at__isnull", False), models.Q(("comparison__isnull", False), models.Q(("problem", ""), _negated=True), _connector="OR")), _connector="OR"), name="interop_asked_comparison_ends"),
                ],
            },
        ),
    ]
