from django.db import migrations

# Two ranges may write the same numbers in different ways (prefix "10" + 4 digits, prefix "100" + 3 digits), so
# they are compared in a common form: letters in front, total length, and the digits as one integer.
RANGES = """
CREATE FUNCTION numbers_low(prefix text, width int, serial bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT (substring(prefix from '[0-9]*$') || lpad(serial::text, width, '0'))::numeric
$$;

CREATE FUNCTION numbers_guard_range() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a number range is never deleted' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.sort, NEW.issuer, NEW.prefix, NEW.width, NEW.first, NEW.last)
           IS DISTINCT FROM (OLD.sort, OLD.issuer, OLD.prefix, OLD.width, OLD.first, OLD.last)
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

CREATE TRIGGER numbers_guard_range BEFORE INSERT OR UPDATE OR DELETE ON numbers_numberrange
    FOR EACH ROW EXECUTE FUNCTION numbers_guard_range();
"""

# What left a range stays on record for ever, and its state only moves on.
USES = """
CREATE FUNCTION numbers_guard_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a number that was given out is never forgotten'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.sort, NEW.number, NEW.range_id, NEW.serial, NEW.card_id)
       IS DISTINCT FROM (OLD.sort, OLD.number, OLD.range_id, OLD.serial, OLD.card_id) THEN
        RAISE EXCEPTION 'a number given to one card never goes to another'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'assigned' AND NEW.state IN ('used', 'spoiled', 'returned'))
        OR (OLD.state = 'used' AND NEW.state = 'spoiled')
    ) THEN
        RAISE EXCEPTION 'a number does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER numbers_guard_use BEFORE UPDATE OR DELETE ON numbers_numberuse
    FOR EACH ROW EXECUTE FUNCTION numbers_guard_use();
"""

UNDO = """
DROP TRIGGER numbers_guard_use ON numbers_numberuse;
DROP FUNCTION numbers_guard_use();
DROP TRIGGER numbers_guard_range ON numbers_numberrange;
DROP FUNCTION numbers_guard_range();
DROP FUNCTION numbers_low(text, int, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("numbers", "0001_initial")]

    operations = [migrations.RunSQL(RANGES + USES, UNDO)]
