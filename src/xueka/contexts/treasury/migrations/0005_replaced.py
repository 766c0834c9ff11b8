from django.db import migrations, models

KINDS = [
    "only_channel", "only_ours", "amount_differs", "number_differs", "not_credited", "paid_after_close",
    "charged_twice", "line_twice", "other_day", "refund_only_channel", "refund_only_ours", "refund_amount",
    "refund_not_booked", "finance_missing", "finance_only", "finance_amount", "finance_twice", "finance_model",
    "ledger_missing", "ledger_amount", "ledger_only", "settle_missing", "settle_only", "settle_amount",
    "settle_fee", "payback_differs", "statement_missing", "statement_wrong", "statement_replaced",
    "day_without_orders",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("treasury", "0004_paybacks")]
    operations = [
        migrations.RemoveConstraint(model_name="statement", name="treasury_statement_received_once"),
        migrations.AddIndex(
            model_name="statement", index=models.Index(fields=["sm3"], name="treasury_statement_sm3")
        ),
        migrations.RemoveConstraint(model_name="breakrow", name="treasury_break_kind"),
        migrations.AddConstraint(
            model_name="breakrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", KINDS)), name="treasury_break_kind"
            ),
        ),
    ]
