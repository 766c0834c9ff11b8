from django.db import migrations

# Tables are named with their schema: a temporary table of the same name must not stand in for them.
BOOKS = """
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_not_of_tomorrow
    CHECK ("on" <= (at AT TIME ZONE 'Asia/Shanghai')::date);
ALTER TABLE ledger_closing ADD CONSTRAINT ledger_closing_of_past_days
    CHECK (until < (at AT TIME ZONE 'Asia/Shanghai')::date);
ALTER TABLE ledger_posting ADD CONSTRAINT ledger_owed_under_a_reference
    CHECK (account NOT IN ('payers', 'refunds') OR reference <> '');

-- Entries and the closing of their period wait for each other; entries never wait for entries.
CREATE FUNCTION ledger_guard_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('ledger_period'), 0);
    IF EXISTS (SELECT 1 FROM public.ledger_closing WHERE until >= NEW."on") THEN
        RAISE EXCEPTION 'the period of % is closed', NEW."on"
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_period_closed';
    END IF;
    NEW.transaction := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_guard_entry BEFORE INSERT ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_entry();

CREATE FUNCTION ledger_guard_closing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger_period'), 0);
    IF EXISTS (SELECT 1 FROM public.ledger_closing WHERE until >= NEW.until) THEN
        RAISE EXCEPTION 'a later day is closed already'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_closing_goes_on';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_guard_closing BEFORE INSERT ON ledger_closing
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_closing();

-- An entry is complete when its transaction ends; nothing is added to it later. Whoever takes from what is
-- owed under a reference waits for whoever takes from it already.
CREATE FUNCTION ledger_guard_posting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM public.ledger_entry
                    WHERE id = NEW.entry_id AND transaction = pg_current_xact_id()::text::bigint) THEN
        RAISE EXCEPTION 'a posting is made together with its entry'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_posting_with_entry';
    END IF;
    IF NEW.account IN ('payers', 'refunds') AND NEW.fen > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtext('ledger_owed'), hashtext(NEW.account || ' ' || NEW.reference));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_guard_posting BEFORE INSERT ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_posting();

-- At the end of the transaction. On both tables: whoever has the checks made early may not add a row after.
CREATE FUNCTION ledger_check_entry(entry bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    lines int;
    total numeric;
BEGIN
    SELECT count(*), coalesce(sum(fen), 0) INTO lines, total
      FROM public.ledger_posting WHERE entry_id = entry;
    IF lines < 2 OR total <> 0 THEN
        RAISE EXCEPTION 'entry % has % postings that add up to %', entry, lines, total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_balanced';
    END IF;
END $$;

CREATE FUNCTION ledger_balanced_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.ledger_check_entry(NEW.id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced_entry();

CREATE FUNCTION ledger_balanced_posting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owed numeric;
BEGIN
    PERFORM public.ledger_check_entry(NEW.entry_id);
    IF NEW.account IN ('payers', 'refunds') AND NEW.fen > 0 THEN
        SELECT sum(fen) INTO owed FROM public.ledger_posting
         WHERE reference = NEW.reference AND account = NEW.account;
        IF owed > 0 THEN
            RAISE EXCEPTION 'more is paid out of % for % than is owed', NEW.account, NEW.reference
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_owed_once';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced_posting();
"""
UNDO_BOOKS = """
DROP TRIGGER ledger_balanced ON ledger_posting;
DROP FUNCTION ledger_balanced_posting();
DROP TRIGGER ledger_balanced ON ledger_entry;
DROP FUNCTION ledger_balanced_entry();
DROP FUNCTION ledger_check_entry(bigint);
DROP TRIGGER ledger_guard_posting ON ledger_posting;
DROP FUNCTION ledger_guard_posting();
DROP TRIGGER ledger_guard_closing ON ledger_closing;
DROP FUNCTION ledger_guard_closing();
DROP TRIGGER ledger_guard_entry ON ledger_entry;
DROP FUNCTION ledger_guard_entry();
ALTER TABLE ledger_posting DROP CONSTRAINT ledger_owed_under_a_reference;
ALTER TABLE ledger_closing DROP CONSTRAINT ledger_closing_of_past_days;
ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_not_of_tomorrow;
"""

APPEND_ONLY = ("entry", "posting", "closing")
FORBID = """
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
""" + "".join(
    f"""
CREATE TRIGGER ledger_{name}_no_change BEFORE UPDATE OR DELETE ON ledger_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_{name}_no_truncate BEFORE TRUNCATE ON ledger_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""
    for name in APPEND_ONLY
)
ALLOW = (
    "".join(
        f"DROP TRIGGER ledger_{name}_no_truncate ON ledger_{name};"
        f"DROP TRIGGER ledger_{name}_no_change ON ledger_{name};"
        for name in APPEND_ONLY
    )
    + "DROP FUNCTION ledger_refuse();"
)


class Migration(migrations.Migration):
    """The database keeps the books in order by itself, whoever writes to it (docs/ledger.md)."""

    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunSQL(BOOKS, UNDO_BOOKS), migrations.RunSQL(FORBID, ALLOW)]
