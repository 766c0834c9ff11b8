from django.db import migrations

# What was handed out is never changed, but its envelope may be made anew under a later version of the field
# key (docs/adr/0117): format, length and a higher version number are all that the database can see of that.
RESEALED = """
CREATE FUNCTION personalization_resealed(old bytea, new bytea) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT get_byte(old, 0) = 1 AND get_byte(new, 0) = 1 AND length(old) = length(new)
           AND substring(old FROM 2 FOR 2) < substring(new FROM 2 FOR 2)
$$;
"""

GUARD = """
CREATE OR REPLACE FUNCTION personalization_guard_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a run of the journal is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.session_id, NEW.seq, NEW.part, NEW.number, NEW.writes, NEW.reset, NEW.titles::text,
        NEW.handed_out_at)
       IS DISTINCT FROM
       (OLD.session_id, OLD.seq, OLD.part, OLD.number, OLD.writes, OLD.reset, OLD.titles::text,
        OLD.handed_out_at)
       OR NEW.commands <> OLD.commands AND NOT personalization_resealed(OLD.commands, NEW.commands) THEN
        RAISE EXCEPTION 'what was handed out is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.outcome <> '' AND NEW.outcome <> OLD.outcome)
       OR (OLD.answers IS NOT NULL AND NEW.answers IS DISTINCT FROM OLD.answers
           AND NOT coalesce(personalization_resealed(OLD.answers, NEW.answers), false))
       OR (OLD.reply IS NOT NULL AND NEW.reply::text IS DISTINCT FROM OLD.reply::text) THEN
        RAISE EXCEPTION 'what came back is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

BEFORE = """
CREATE OR REPLACE FUNCTION personalization_guard_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a run of the journal is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.session_id, NEW.seq, NEW.part, NEW.number, NEW.writes, NEW.reset, NEW.titles::text, NEW.commands,
        NEW.handed_out_at)
       IS DISTINCT FROM
       (OLD.session_id, OLD.seq, OLD.part, OLD.number, OLD.writes, OLD.reset, OLD.titles::text, OLD.commands,
        OLD.handed_out_at) THEN
        RAISE EXCEPTION 'what was handed out is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.outcome <> '' AND NEW.outcome <> OLD.outcome)
       OR (OLD.answers IS NOT NULL AND NEW.answers IS DISTINCT FROM OLD.answers)
       OR (OLD.reply IS NOT NULL AND NEW.reply::text IS DISTINCT FROM OLD.reply::text) THEN
        RAISE EXCEPTION 'what came back is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP FUNCTION personalization_resealed(bytea, bytea);
"""


class Migration(migrations.Migration):
    dependencies = [("personalization", "0003_counted_by_session")]
    operations = [migrations.RunSQL(RESEALED + GUARD, BEFORE)]
