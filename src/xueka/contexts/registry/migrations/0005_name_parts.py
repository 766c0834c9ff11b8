from django.db import migrations, models

# Names have two to four characters, nearly all; their pairs are spelt out, so that the server folds the function
# into the index and the query. pg_trgm knows nothing of two Chinese characters (docs/adr/0085).
MAKE = """
CREATE FUNCTION registry_all_pairs(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(substr(name, n, 2)), '{}') FROM generate_series(1, length(name) - 1) AS n
$$;
CREATE FUNCTION registry_pairs(name text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE length(name) WHEN 2 THEN ARRAY[name]
                             WHEN 3 THEN ARRAY[substr(name, 1, 2), substr(name, 2, 2)]
                             WHEN 4 THEN ARRAY[substr(name, 1, 2), substr(name, 2, 2), substr(name, 3, 2)]
                             ELSE public.registry_all_pairs(name) END
$$;
CREATE INDEX registry_name_parts ON registry_student USING gin (registry_pairs(name));
"""
UNDO = """
DROP INDEX registry_name_parts;
DROP FUNCTION registry_pairs(text);
DROP FUNCTION registry_all_pairs(text);
"""


class Migration(migrations.Migration):
    """Two neighbouring characters anywhere in a name are found by an index; a whole city is read by name."""

    dependencies = [("registry", "0004_moves_and_schools")]
    operations = [
        migrations.RunSQL(MAKE, UNDO),
        migrations.AddIndex("student", models.Index(fields=["sort_key", "id"], name="registry_student_by_name")),
    ]
