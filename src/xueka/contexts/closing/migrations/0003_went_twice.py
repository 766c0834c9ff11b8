from django.db import migrations

# A refund that a channel has paid after its payment was remitted is on the register too.
GUARD = """
CREATE OR REPLACE FUNCTION closing_guard_back_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (
            SELECT 1 FROM public.payments_refund r JOIN public.payments_payment p ON p.id = r.payment_id
             WHERE r.id = NEW.refund_id AND p.settlement = NEW.settlement AND (r.way = 'payback'{twice})) THEN
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
"""
TWICE = """
             OR r.state = 'succeeded' AND r.source = 'income' AND p.settlement = 'merchant'
                AND p.remitted_in <> ''"""


class Migration(migrations.Migration):
    dependencies = [("closing", "0002_guards")]
    operations = [
        migrations.RunSQL(GUARD.replace("{twice}", TWICE), GUARD.replace("{twice}", "")),
    ]
