from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("mail", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(condition=models.Q(("sent_at__isnull", False)), fields=["sent_at"], name="mail_sent_at"),
        ),
    ]
