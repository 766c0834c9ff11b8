from django.db import migrations, models

# The guards of 0002 with two ways back, each to be named by who takes it: the taking back of a take-over
# (`xueka.take_back` holds its id for the length of the transaction) and a repair (each a new id).
GUARDS = """
CREATE OR REPLACE FUNCTION numbers_guard_range() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.next_serial = OLD.first AND OLD.taken_over::text = current_setting('xueka.take_back', true) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'a number range is never deleted' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.sort, NEW.issuer, NEW.prefix, NEW.width, NEW.first, NEW.last, NEW.taken_over)
           IS DISTINCT FROM (OLD.sort, OLD.issuer, OLD.prefix, OLD.width, OLD.first, OLD.last, OLD.taken_over)
           OR NEW.next_serial < OLD.next_serial THEN
            RAISE EXCEPTION 'a number range never changes and never runs back'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF length(NEW.last::text) > NEW.width OR length(NEW.prefix) + NEW.width > 32 THEN
        RAISE EXCEPTION 'the serials do not fit into % digits', NEW.width
            USING ERRCODE = 'check_violation', CONSTRAINT = 'numbers_range_fits';
    END IF;
    -- One after the other per sort: two inserts at once would not see each other.
    PERFORM pg_advisory_xact_lock(hashtext('numbers_range'), hashtext(NEW.sort));
    SELECT r.id INTO other
      FROM numbers_numberrange r
     WHERE r.sort = NEW.sort
       AND length(r.prefix) + r.width = length(NEW.prefix) + NEW.width
       AND rtrim(r.prefix, '0123456789') = rtrim(NEW.prefix, '0123456789')
       AND numbers_low(r.prefix, r.width, r.first) <= numbers_low(NEW.prefix, NEW.width, NEW.last)
       AND numbers_low(NEW.prefix, NEW.width, NEW.first) <= numbers_low(r.prefix, r.width, r.last)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the range overlaps range %', other
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'numbers_no_overlap';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION numbers_guard_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.taken_over::text = current_setting('xueka.take_back', true) AND OLD.repair IS NULL THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'a number that was given out is never forgotten'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.sort, NEW.number, NEW.range_id, NEW.serial, NEW.card_id, NEW.taken_over)
       IS DISTINCT FROM (OLD.sort, OLD.number, OLD.range_id, OLD.serial, OLD.card_id, OLD.taken_over) THEN
        RAISE EXCEPTION 'a number given to one card never goes to another'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'assigned' AND NEW.state IN ('used', 'spoiled', 'returned'))
        OR (OLD.state = 'used' AND NEW.state = 'spoiled')
        OR (NEW.repair IS NOT NULL AND NEW.repair IS DISTINCT FROM OLD.repair)
    ) THEN
        RAISE EXCEPTION 'a number does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    """Numbers that another system used, and the two ways back (docs/adr/0090, 0091)."""

    dependencies = [("numbers", "0002_guards")]

    operations = [
        migrations.AddField("numberrange", "taken_over", models.BigIntegerField(null=True)),
        migrations.AddField("numberuse", "taken_over", models.BigIntegerField(null=True)),
        migrations.AddField("numberuse", "repair", models.BigIntegerField(null=True)),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
