from django.db import migrations

CREATE = """
CREATE UNLOGGED TABLE database_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX database_cache_expires ON database_cache (expires);
"""


class Migration(migrations.Migration):
    """The table of Django's database cache, shared by all processes."""

    operations = [migrations.RunSQL(CREATE, "DROP TABLE database_cache")]
