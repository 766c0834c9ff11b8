from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("payments", "0005_order_fine")]

    operations = [
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["channel", "received_at"], name="payments_notice_came"),
        ),
    ]
