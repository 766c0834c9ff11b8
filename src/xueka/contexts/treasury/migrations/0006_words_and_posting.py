import django.db.models.deletion
from django.db import migrations, models

KINDS = [
    "only_channel", "only_ours", "amount_differs", "number_differs", "not_credited", "paid_after_close",
    "charged_twice", "line_twice", "other_day", "refund_only_channel", "refund_only_ours", "refund_amount",
    "refund_not_booked", "finance_missing", "finance_only", "finance_amount", "finance_twice", "finance_model",
    "finance_differs", "ledger_missing", "ledger_amount", "ledger_only", "settle_missing", "settle_only",
    "settle_amount", "settle_fee", "payback_differs", "statement_missing", "statement_wrong",
    "statement_replaced", "day_without_orders",
]  # fmt: skip
FORBID = """
CREATE TRIGGER treasury_confirmationword_no_change BEFORE UPDATE OR DELETE ON treasury_confirmationword
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_refuse();
CREATE TRIGGER treasury_confirmationword_no_truncate BEFORE TRUNCATE ON treasury_confirmationword
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_refuse();
"""
ALLOW = """
DROP TRIGGER treasury_confirmationword_no_truncate ON treasury_confirmationword;
DROP TRIGGER treasury_confirmationword_no_change ON treasury_confirmationword;
"""
# Statements that are in the books already are looked at once more, and found to move nothing.
TO_POST = """
INSERT INTO treasury_topost (confirmation_id)
SELECT c.id FROM treasury_confirmation c
 WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.key = 'confirmed:' || c.tra_no);
INSERT INTO treasury_topost (statement_id)
SELECT id FROM treasury_statement
 WHERE usable AND (channel, kind) IN (('wechat', 'fund'), ('alipay', 'fund'), ('unionpay', 'trade'));
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("treasury", "0005_replaced")]
    operations = [
        migrations.CreateModel(
            name="ConfirmationWord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pay_code", models.CharField(max_length=32)),
                ("amount_fen", models.BigIntegerField()),
                ("day", models.DateField(db_index=True)),
                ("msg_id", models.CharField(blank=True, max_length=32)),
                ("received_at", models.DateTimeField()),
                (
                    "confirmation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="words",
                        to="treasury.confirmation",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_fen__gt", 0)), name="treasury_word_of_something"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ToPost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "confirmation",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treasury.confirmation",
                    ),
                ),
                (
                    "statement",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treasury.statement",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("confirmation", None), ("statement__isnull", False)),
                            models.Q(("confirmation__isnull", False), ("statement", None)),
                            _connector="OR",
                        ),
                        name="treasury_to_post_one",
                    )
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="breakrow", name="treasury_break_kind"),
        migrations.AddConstraint(
            model_name="breakrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", KINDS)), name="treasury_break_kind"
            ),
        ),
        migrations.RunSQL(FORBID, ALLOW),
        migrations.RunSQL(TO_POST, migrations.RunSQL.noop),
    ]
