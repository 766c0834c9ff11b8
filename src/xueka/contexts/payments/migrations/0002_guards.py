from django.db import migrations

# A serial that never begins again, for the numbers of orders.
SERIAL = "CREATE SEQUENCE payments_order_serial;"
UNDO_SERIAL = "DROP SEQUENCE payments_order_serial;"

GUARDS = """
CREATE FUNCTION payments_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps every row: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- What was agreed stays, and no state is ever left for an earlier one (domain/transitions.py).
CREATE FUNCTION payments_guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.number, NEW.student_id, NEW.subject, NEW.amount_fen, NEW.tariff, NEW.created_at)
       IS DISTINCT FROM (OLD.number, OLD.student_id, OLD.subject, OLD.amount_fen, OLD.tariff, OLD.created_at)
       OR OLD.success_at IS NOT NULL AND NEW.success_at IS DISTINCT FROM OLD.success_at THEN
        RAISE EXCEPTION 'an order does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('open', 'paid'), ('open', 'closed'), ('open', 'expired'), ('paid', 'refunding'),
        ('refunding', 'refunded'), ('refunding', 'paid')) THEN
        RAISE EXCEPTION 'an order does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_guard_order BEFORE UPDATE ON payments_order
    FOR EACH ROW EXECUTE FUNCTION payments_guard_order();

CREATE FUNCTION payments_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.order_id, NEW.attempt, NEW.channel, NEW.settlement, NEW.fee_bearer, NEW.out_trade_no, NEW.amount_fen,
        NEW.asked_id)
       IS DISTINCT FROM
       (OLD.order_id, OLD.attempt, OLD.channel, OLD.settlement, OLD.fee_bearer, OLD.out_trade_no, OLD.amount_fen,
        OLD.asked_id)
       OR OLD.remitted_in <> '' AND NEW.remitted_in <> OLD.remitted_in
       OR OLD.received_fen IS NOT NULL AND
          (NEW.channel_id, NEW.received_fen, NEW.success_at, NEW.credited, NEW.stray, NEW.stray_fen)
          IS DISTINCT FROM
          (OLD.channel_id, OLD.received_fen, OLD.success_at, OLD.credited, OLD.stray, OLD.stray_fen)
    THEN
        RAISE EXCEPTION 'what is known of a payment does not change'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('created', 'pending'), ('created', 'unknown'), ('pending', 'unknown'), ('unknown', 'pending'),
        ('created', 'succeeded'), ('pending', 'succeeded'), ('unknown', 'succeeded'),
        ('failed', 'succeeded'), ('closed', 'succeeded'),
        ('created', 'failed'), ('pending', 'failed'), ('unknown', 'failed'),
        ('created', 'closed'), ('pending', 'closed'), ('unknown', 'closed')) THEN
        RAISE EXCEPTION 'a payment does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_guard_payment BEFORE UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION payments_guard_payment();

-- Refunds of one payment wait for each other. What is the order's goes back at most once, what is not likewise.
CREATE FUNCTION payments_guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paid record;
    taken numeric;
    most bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.order_id, NEW.payment_id, NEW.number, NEW.key, NEW.amount_fen, NEW.source, NEW.way)
           IS DISTINCT FROM
           (OLD.order_id, OLD.payment_id, OLD.number, OLD.key, OLD.amount_fen, OLD.source, OLD.way)
           OR OLD.success_at IS NOT NULL AND NEW.success_at IS DISTINCT FROM OLD.success_at THEN
            RAISE EXCEPTION 'a refund does not change' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
            ('asked', 'pending'), ('asked', 'abnormal'), ('pending', 'abnormal'),
            ('asked', 'succeeded'), ('pending', 'succeeded'), ('abnormal', 'succeeded'),
            ('asked', 'failed'), ('pending', 'failed'), ('abnormal', 'failed')) THEN
            RAISE EXCEPTION 'a refund does not go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    SELECT order_id, received_fen, stray_fen, credited INTO paid
      FROM public.payments_payment WHERE id = NEW.payment_id FOR UPDATE;
    IF paid.received_fen IS NULL OR paid.order_id <> NEW.order_id THEN
        RAISE EXCEPTION 'only what has been paid for this order goes back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_refund_of_payment';
    END IF;
    SELECT coalesce(sum(amount_fen), 0) INTO taken FROM public.payments_refund
     WHERE payment_id = NEW.payment_id AND source = NEW.source AND state <> 'failed';
    most := CASE WHEN NEW.source = 'payers' THEN paid.stray_fen ELSE paid.received_fen - paid.stray_fen END;
    IF taken + NEW.amount_fen > most THEN
        RAISE EXCEPTION 'more would go back than has come'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_refund_bounded';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_guard_refund BEFORE INSERT OR UPDATE ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_guard_refund();

-- At the end of a transaction the state says what the other columns say; the row is read anew, because it may
-- have been written several times.
CREATE FUNCTION payments_whole_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM public.payments_order WHERE id = NEW.id
                AND (state IN ('paid', 'refunding', 'refunded')) <> (success_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'order % is paid without a payment, or the other way round', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_whole_order';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_whole_order AFTER INSERT OR UPDATE ON payments_order
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_whole_order();

CREATE FUNCTION payments_whole_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM public.payments_payment WHERE id = NEW.id
                AND (state = 'succeeded') <> (received_fen IS NOT NULL)) THEN
        RAISE EXCEPTION 'payment % has succeeded without money, or the other way round', NEW.out_trade_no
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_whole_payment';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_whole_payment AFTER INSERT OR UPDATE ON payments_payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_whole_payment();

CREATE FUNCTION payments_whole_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM public.payments_refund WHERE id = NEW.id
                AND (state = 'succeeded') <> (success_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'refund % has succeeded without a time, or the other way round', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_whole_refund';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_whole_refund AFTER INSERT OR UPDATE ON payments_refund
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_whole_refund();

CREATE FUNCTION payments_guard_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.channel, NEW.digest, NEW.headers, NEW.raw, NEW.received_at)
       IS DISTINCT FROM (OLD.channel, OLD.digest, OLD.headers, OLD.raw, OLD.received_at)
       OR NEW.times < OLD.times OR OLD.outcome <> '' AND NEW.outcome <> OLD.outcome THEN
        RAISE EXCEPTION 'a notice stays as it came' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_guard_notice BEFORE UPDATE ON payments_notice
    FOR EACH ROW EXECUTE FUNCTION payments_guard_notice();

CREATE FUNCTION payments_guard_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.order_id, NEW.state, NEW.at) IS DISTINCT FROM (OLD.order_id, OLD.state, OLD.at)
       OR OLD.seq IS NOT NULL AND NEW.seq IS DISTINCT FROM OLD.seq THEN
        RAISE EXCEPTION 'what was told stays told' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_guard_settled BEFORE UPDATE ON payments_settled
    FOR EACH ROW EXECUTE FUNCTION payments_guard_settled();
"""
UNDO_GUARDS = """
DROP TRIGGER payments_whole_refund ON payments_refund;
DROP FUNCTION payments_whole_refund();
DROP TRIGGER payments_whole_payment ON payments_payment;
DROP FUNCTION payments_whole_payment();
DROP TRIGGER payments_whole_order ON payments_order;
DROP FUNCTION payments_whole_order();
DROP TRIGGER payments_guard_settled ON payments_settled;
DROP FUNCTION payments_guard_settled();
DROP TRIGGER payments_guard_notice ON payments_notice;
DROP FUNCTION payments_guard_notice();
DROP TRIGGER payments_guard_refund ON payments_refund;
DROP FUNCTION payments_guard_refund();
DROP TRIGGER payments_guard_payment ON payments_payment;
DROP FUNCTION payments_guard_payment();
DROP TRIGGER payments_guard_order ON payments_order;
DROP FUNCTION payments_guard_order();
DROP FUNCTION payments_keep();
"""

KEPT = ("order", "payment", "refund", "notice", "settled")
KEEP = "".join(
    f"""
CREATE TRIGGER payments_{name}_no_delete BEFORE DELETE ON payments_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION payments_keep();
CREATE TRIGGER payments_{name}_no_truncate BEFORE TRUNCATE ON payments_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION payments_keep();
"""
    for name in KEPT
) + """
CREATE TRIGGER payments_tariff_no_change BEFORE UPDATE OR DELETE ON payments_tariffversion
    FOR EACH STATEMENT EXECUTE FUNCTION payments_keep();
CREATE TRIGGER payments_tariff_no_truncate BEFORE TRUNCATE ON payments_tariffversion
    FOR EACH STATEMENT EXECUTE FUNCTION payments_keep();
"""
LET_GO = "".join(
    f"DROP TRIGGER payments_{name}_no_truncate ON payments_{name};"
    f"DROP TRIGGER payments_{name}_no_delete ON payments_{name};"
    for name in KEPT
) + (
    "DROP TRIGGER payments_tariff_no_truncate ON payments_tariffversion;"
    "DROP TRIGGER payments_tariff_no_change ON payments_tariffversion;"
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]
    operations = [
        migrations.RunSQL(SERIAL, UNDO_SERIAL),
        migrations.RunSQL(GUARDS, UNDO_GUARDS),
        migrations.RunSQL(KEEP, LET_GO),
    ]
