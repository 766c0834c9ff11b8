import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

FILL = """
UPDATE production_partner p SET in_use = true
 WHERE p.code = (SELECT code FROM production_partner WHERE confirmed_by <> '' ORDER BY confirmed_at DESC LIMIT 1);
INSERT INTO production_partnerkeys (partner_id, signing_key, signing_fingerprint, encryption_key,
                                    encryption_fingerprint, entered_by, confirmed_by, confirmed_at)
SELECT code, signing_key, signing_fingerprint, encryption_key, encryption_fingerprint, entered_by, confirmed_by,
       confirmed_at
  FROM production_partner WHERE confirmed_by <> '' ORDER BY confirmed_at;
UPDATE production_package SET started_at = sent_at,
       keys_id = (SELECT id FROM production_partnerkeys ORDER BY id DESC LIMIT 1);
UPDATE production_returnfile SET keys_id = (SELECT id FROM production_partnerkeys ORDER BY id DESC LIMIT 1)
 WHERE state IN ('applied', 'repeated');
"""


class Migration(migrations.Migration):
    dependencies = [("production", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="PartnerKeys",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("signing_key", models.TextField()),
                ("signing_fingerprint", models.CharField(max_length=64)),
                ("encryption_key", models.TextField()),
                ("encryption_fingerprint", models.CharField(max_length=64)),
                ("entered_by", models.CharField(max_length=80)),
                ("confirmed_by", models.CharField(max_length=80)),
                ("confirmed_at", models.DateTimeField()),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="keys",
                        to="production.partner",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=~Q(confirmed_by="") & ~Q(confirmed_by=F("entered_by")),
                        name="production_keys_two_people",
                    )
                ],
            },
        ),
        migrations.AddField("partner", "in_use", models.BooleanField(default=False)),
        migrations.AddField("package", "started_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "package",
            "keys",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="production.partnerkeys",
            ),
        ),
        migrations.AddField(
            "returnfile",
            "keys",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="production.partnerkeys",
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            "package",
            "keys",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="production.partnerkeys",
            ),
        ),
        migrations.AddConstraint(
            "partner",
            models.CheckConstraint(
                condition=Q(in_use=False) | ~Q(confirmed_by=""), name="production_partner_confirmed"
            ),
        ),
        migrations.AddConstraint(
            "partner",
            models.UniqueConstraint(
                fields=["in_use"], condition=Q(in_use=True), name="production_one_partner_in_use"
            ),
        ),
        migrations.AddConstraint(
            "package",
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(started_at__isnull=False, started_at__lte=F("sent_at")),
                name="production_package_intent",
            ),
        ),
        migrations.RemoveConstraint("returnfile", "production_applied_to_a_batch"),
        migrations.AddConstraint(
            "returnfile",
            models.CheckConstraint(
                condition=~Q(state="applied")
                | Q(batch__isnull=False, return_number__isnull=False, keys__isnull=False),
                name="production_applied_to_a_batch",
            ),
        ),
    ]
