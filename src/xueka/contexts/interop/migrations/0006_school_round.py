import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("interop", "0005_asked_comparison")]

    operations = [
        migrations.CreateModel(
            name="SchoolRound",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("tries", models.SmallIntegerField(default=0)),
                ("problem", models.CharField(blank=True, max_length=200)),
                ("up_to", models.CharField(blank=True, max_length=10)),
                ("schools", models.IntegerField(default=0)),
                ("unasked", models.IntegerField(default=0)),
                ("ours", models.IntegerField(default=0)),
                ("theirs", models.IntegerField(default=0)),
                ("known", models.JSONField(default=dict)),
                ("unlike", models.JSONField(default=list)),
                ("calls", models.IntegerField(default=0)),
                ("comparison", models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="round", to="interop.comparison")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("ended_at", None)), fields=("ended_at",), name="interop_one_school_round", nulls_distinct=False),
                    models.CheckConstraint(condition=models.Q(models.Q(("comparison", None), ("ended_at", None)), models.Q(("comparison__isnull", False), ("ended_at__isnull", False)), _connector="OR"), name="interop_school_round_ends"),
                ],
            },
        ),
    ]
