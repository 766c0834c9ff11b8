from django.db import migrations

RULES = """
ALTER TABLE closing_close ADD CONSTRAINT closing_week_from_monday
    CHECK (extract(isodow FROM monday) = 1 AND sunday = monday + 6 AND due > sunday);
ALTER TABLE closing_receiptcollection ADD CONSTRAINT closing_receipts_from_monday
    CHECK (extract(isodow FROM monday) = 1);

CREATE FUNCTION closing_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps every row: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- What was prepared stays; what was signed stays; no state is left for an earlier one (domain/transitions.py).
CREATE FUNCTION closing_guard_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.number, NEW.monday, NEW.sunday, NEW.due, NEW.prepared, NEW.prepared_by, NEW.prepared_at,
        NEW.to_remit_fen, NEW.confirmed_fen)
       IS DISTINCT FROM
       (OLD.number, OLD.monday, OLD.sunday, OLD.due, OLD.prepared, OLD.prepared_by, OLD.prepared_at,
        OLD.to_remit_fen, OLD.confirmed_fen)
       OR OLD.seq IS NOT NULL AND
          (NEW.seq, NEW.previous, NEW.digest, NEW.document_id, NEW.signature, NEW.fingerprint, NEW.signed_by,
           NEW.signed_at)
          IS DISTINCT FROM
          (OLD.seq, OLD.previous, OLD.digest, OLD.document_id, OLD.signature, OLD.fingerprint, OLD.signed_by,
           OLD.signed_at) THEN
        RAISE EXCEPTION 'a close does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('prepared', 'signed'), ('prepared', 'dropped'), ('signed', 'remitted')) THEN
        RAISE EXCEPTION 'a close does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closing_guard_close BEFORE UPDATE ON closing_close
    FOR EACH ROW EXECUTE FUNCTION closing_guard_close();

-- At the end of a transaction: signed with everything or with nothing, after the week before, and the sums of
-- its channels are its own.
CREATE FUNCTION closing_whole_close() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
    said record;
BEGIN
    SELECT * INTO found FROM public.closing_close WHERE id = NEW.id;
    IF (found.state IN ('signed', 'remitted')) <> (found.seq IS NOT NULL) THEN
        RAISE EXCEPTION 'close % is signed in half', found.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_whole_close';
    END IF;
    IF found.seq IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(to_remit_fen), 0) AS remit, coalesce(sum(confirmed_fen), 0) AS confirmed INTO said
      FROM public.closing_part WHERE close_id = found.id;
    IF (said.remit, said.confirmed) IS DISTINCT FROM (found.to_remit_fen::numeric, found.confirmed_fen::numeric)
    THEN
        RAISE EXCEPTION 'close % is not the sum of its channels', found.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_whole_close';
    END IF;
    IF found.seq > 1 AND NOT EXISTS (
        SELECT 1 FROM public.closing_close c
         WHERE c.seq = found.seq - 1 AND c.digest = found.previous AND c.monday < found.monday)
       OR found.seq = 1 AND found.previous <> '' THEN
        RAISE EXCEPTION 'close % does not follow the one before', found.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_chain';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER closing_whole_close AFTER INSERT OR UPDATE ON closing_close
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION closing_whole_close();

-- Parts and lines are made in the transaction that signs; a line says what its payment and its part say.
CREATE FUNCTION closing_guard_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM public.closing_close WHERE id = NEW.close_id AND seq IS NULL) THEN
        RAISE EXCEPTION 'nothing is added to a close that is signed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_part_before_signing';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closing_guard_part BEFORE INSERT ON closing_part
    FOR EACH ROW EXECUTE FUNCTION closing_guard_part();

CREATE FUNCTION closing_guard_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM public.closing_part p JOIN public.closing_close c ON c.id = p.close_id
          JOIN public.payments_payment y ON y.id = NEW.payment_id
         WHERE p.id = NEW.part_id AND c.seq IS NULL AND y.credited
           AND (p.channel, p.settlement) = (NEW.channel, NEW.settlement)
           AND (y.channel, y.settlement) = (NEW.channel, NEW.settlement)
           AND y.received_fen - y.stray_fen = NEW.gross_fen) THEN
        RAISE EXCEPTION 'a line says what its payment and its channel say, before it is signed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_line_of_payment';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closing_guard_line BEFORE INSERT ON closing_line
    FOR EACH ROW EXECUTE FUNCTION closing_guard_line();

CREATE FUNCTION closing_whole_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM public.closing_part p
          LEFT JOIN (SELECT part_id, count(*) AS n, sum(gross_fen) AS gross, sum(refunded_fen) AS refunded
                       FROM public.closing_line WHERE part_id = NEW.id GROUP BY part_id) l ON l.part_id = p.id
         WHERE p.id = NEW.id AND (p.orders, p.gross_fen, p.refunded_fen) IS DISTINCT FROM
               (coalesce(l.n, 0), coalesce(l.gross, 0), coalesce(l.refunded, 0))) THEN
        RAISE EXCEPTION 'a channel of a close is not the sum of its payments'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_whole_part';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM public.closing_close WHERE id = NEW.close_id AND seq IS NOT NULL) THEN
        RAISE EXCEPTION 'a channel of a close that is not signed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_whole_part';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER closing_whole_part AFTER INSERT ON closing_part
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION closing_whole_part();

-- Only what is collected is remitted, whole, after it was signed.
CREATE FUNCTION closing_guard_remittance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM public.closing_part p JOIN public.closing_close c ON c.id = p.close_id
         WHERE p.id = NEW.part_id AND c.state = 'signed' AND p.settlement = 'merchant'
           AND p.to_remit_fen = NEW.amount_fen AND NEW."on" > c.sunday) THEN
        RAISE EXCEPTION 'what was signed is remitted, all of it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_remits_what_was_signed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closing_guard_remittance BEFORE INSERT ON closing_remittance
    FOR EACH ROW EXECUTE FUNCTION closing_guard_remittance();

CREATE FUNCTION closing_guard_back_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (
            SELECT 1 FROM public.payments_refund r JOIN public.payments_payment p ON p.id = r.payment_id
             WHERE r.id = NEW.refund_id AND r.way = 'payback' AND p.settlement = NEW.settlement) THEN
            RAISE EXCEPTION 'only what the treasury pays back is on this register'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'closing_back_payment_of_refund';
        END IF;
    ELSIF (NEW.refund_id, NEW.settlement, NEW.registered_at)
          IS DISTINCT FROM (OLD.refund_id, OLD.settlement, OLD.registered_at)
          OR OLD.ended_at IS NOT NULL AND (NEW.ended_at, NEW.ended_by, NEW.document_number)
             IS DISTINCT FROM (OLD.ended_at, OLD.ended_by, OLD.document_number) THEN
        RAISE EXCEPTION 'a registered back payment does not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closing_guard_back_payment BEFORE INSERT OR UPDATE ON closing_backpayment
    FOR EACH ROW EXECUTE FUNCTION closing_guard_back_payment();
"""
UNDO_RULES = """
DROP TRIGGER closing_guard_back_payment ON closing_backpayment;
DROP FUNCTION closing_guard_back_payment();
DROP TRIGGER closing_guard_remittance ON closing_remittance;
DROP FUNCTION closing_guard_remittance();
DROP TRIGGER closing_whole_part ON closing_part;
DROP FUNCTION closing_whole_part();
DROP TRIGGER closing_guard_line ON closing_line;
DROP FUNCTION closing_guard_line();
DROP TRIGGER closing_guard_part ON closing_part;
DROP FUNCTION closing_guard_part();
DROP TRIGGER closing_whole_close ON closing_close;
DROP FUNCTION closing_whole_close();
DROP TRIGGER closing_guard_close ON closing_close;
DROP FUNCTION closing_guard_close();
DROP FUNCTION closing_refuse();
ALTER TABLE closing_receiptcollection DROP CONSTRAINT closing_receipts_from_monday;
ALTER TABLE closing_close DROP CONSTRAINT closing_week_from_monday;
"""
KEPT = {
    "close": "DELETE",
    "backpayment": "DELETE",
    "part": "UPDATE OR DELETE",
    "line": "UPDATE OR DELETE",
    "remittance": "UPDATE OR DELETE",
    "receiptcollection": "UPDATE OR DELETE",
}
KEEP = "".join(
    f"""
CREATE TRIGGER closing_{name}_kept BEFORE {acts} ON closing_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION closing_refuse();
CREATE TRIGGER closing_{name}_no_truncate BEFORE TRUNCATE ON closing_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION closing_refuse();
"""
    for name, acts in KEPT.items()
)
LET_GO = "".join(
    f"DROP TRIGGER closing_{name}_no_truncate ON closing_{name};"
    f"DROP TRIGGER closing_{name}_kept ON closing_{name};"
    for name in KEPT
)


class Migration(migrations.Migration):
    """The database holds by itself: two models apart, no payment in two closes, nothing signed that changes."""

    dependencies = [
        ("closing", "0001_initial"),
        ("payments", "0002_guards"),
        ("treasury", "0002_guards"),
        ("ledger", "0002_guards"),
        ("history", "0002_append_only"),
    ]
    operations = [
        migrations.RunSQL(RULES, UNDO_RULES),
        migrations.RunSQL(KEEP, LET_GO),
    ]
