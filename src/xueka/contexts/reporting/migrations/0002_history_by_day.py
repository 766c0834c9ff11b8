from django.db import migrations

MAKE = """
ALTER TABLE reporting_configuredterm
    ADD CONSTRAINT reporting_terms_apart EXCLUDE USING gist (daterange(begins, ends, '[]') WITH &&);
CREATE INDEX reporting_history_by_time ON history_transition
    USING brin (at) WITH (pages_per_range = 16, autosummarize = on);
"""
UNDO = """
DROP INDEX reporting_history_by_time;
ALTER TABLE reporting_configuredterm DROP CONSTRAINT reporting_terms_apart;
"""


class Migration(migrations.Migration):
    """Terms do not overlap; the history, which grows in the order of time, is found by day at little cost."""

    dependencies = [("reporting", "0001_initial"), ("history", "0002_append_only")]
    operations = [migrations.RunSQL(MAKE, UNDO)]
