from django.db import migrations

# A refund that had failed may have gone back after all: within what came, as every other one.
GUARD = """
CREATE OR REPLACE FUNCTION payments_guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
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
            ('asked', 'succeeded'), ('pending', 'succeeded'), ('abnormal', 'succeeded'){after_all},
            ('asked', 'failed'), ('pending', 'failed'), ('abnormal', 'failed')) THEN
            RAISE EXCEPTION 'a refund does not go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.state = OLD.state OR OLD.state <> 'failed' THEN
            RETURN NEW;
        END IF;
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
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_guards")]
    operations = [
        migrations.RunSQL(
            GUARD.replace("{after_all}", ", ('failed', 'succeeded')"), GUARD.replace("{after_all}", "")
        ),
    ]
