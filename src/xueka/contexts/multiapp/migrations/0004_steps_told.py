from django.db import migrations

# The steps that change the hot-list: it looks at those of a while again every tick (services/hot_list.py).
STEPS = """
CREATE INDEX multiapp_steps_told ON history_transition (id)
    WHERE machine = 'card'
      AND (from_state IN ('lost', 'cancelled', 'void') OR to_state IN ('lost', 'cancelled', 'void'));
"""
UNDO = "DROP INDEX multiapp_steps_told;"


class Migration(migrations.Migration):
    dependencies = [("multiapp", "0003_modules_of_units"), ("history", "0003_number_before_id")]
    operations = [migrations.RunSQL(STEPS, UNDO)]
