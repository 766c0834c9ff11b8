from django.db import migrations

GUARDS = """
CREATE FUNCTION receipts_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps every row: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- What a receipt is of, its number and its document stay; a red one takes back no more than the blue one says.
CREATE FUNCTION receipts_guard_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    original record;
    taken bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.order_id, NEW.payment_id, NEW.refund_id, NEW.blue_id, NEW.amount_fen, NEW.pay_code, NEW.since)
           IS DISTINCT FROM
           (OLD.order_id, OLD.payment_id, OLD.refund_id, OLD.blue_id, OLD.amount_fen, OLD.pay_code, OLD.since)
           OR OLD.number <> '' AND (NEW.code, NEW.number, NEW.check_code)
              IS DISTINCT FROM (OLD.code, OLD.number, OLD.check_code)
           OR OLD.draft <> '' AND NEW.draft IS DISTINCT FROM OLD.draft
           OR OLD.issued_at IS NOT NULL AND NEW.issued_at IS DISTINCT FROM OLD.issued_at
           OR OLD.file_id IS NOT NULL AND (NEW.file_id, NEW.signature, NEW.signed_at, NEW.seal_id)
              IS DISTINCT FROM (OLD.file_id, OLD.signature, OLD.signed_at, OLD.seal_id) THEN
            RAISE EXCEPTION 'what a receipt says does not change' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
            ('due', 'numbered'), ('numbered', 'issued'), ('issued', 'kept')) THEN
            RAISE EXCEPTION 'a receipt does not go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.blue_id IS NOT NULL THEN
        SELECT payment_id, amount_fen, refund_id INTO original
          FROM receipts_receipt WHERE id = NEW.blue_id FOR UPDATE;
        SELECT coalesce(sum(amount_fen), 0) INTO taken FROM receipts_receipt WHERE blue_id = NEW.blue_id;
        IF original.refund_id IS NOT NULL OR original.payment_id <> NEW.payment_id
           OR original.amount_fen + taken + NEW.amount_fen < 0 THEN
            RAISE EXCEPTION 'a red receipt takes back what its blue one says, and no more'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER receipts_guard_receipt BEFORE INSERT OR UPDATE ON receipts_receipt
    FOR EACH ROW EXECUTE FUNCTION receipts_guard_receipt();
CREATE TRIGGER receipts_receipt_never_deleted BEFORE DELETE ON receipts_receipt
    FOR EACH STATEMENT EXECUTE FUNCTION receipts_refuse();

-- Numbers are given once and used forwards.
CREATE FUNCTION receipts_guard_draw() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.msg_id, NEW.day, NEW.code, NEW.count) IS DISTINCT FROM (OLD.msg_id, OLD.day, OLD.code, OLD.count)
       OR OLD.first IS NOT NULL AND (NEW.first, NEW.drawn_at) IS DISTINCT FROM (OLD.first, OLD.drawn_at)
       OR NEW.used < OLD.used THEN
        RAISE EXCEPTION 'a draw of numbers does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER receipts_guard_draw BEFORE UPDATE ON receipts_draw
    FOR EACH ROW EXECUTE FUNCTION receipts_guard_draw();
CREATE TRIGGER receipts_draw_never_deleted BEFORE DELETE ON receipts_draw
    FOR EACH STATEMENT EXECUTE FUNCTION receipts_refuse();
ALTER TABLE receipts_draw ADD CONSTRAINT receipts_no_number_drawn_twice EXCLUDE USING gist (
    int8range(code::bigint * 10000000000 + first, code::bigint * 10000000000 + first + count) WITH &&
) WHERE (first IS NOT NULL);

CREATE TRIGGER receipts_seal_no_change BEFORE UPDATE OR DELETE ON receipts_seal
    FOR EACH STATEMENT EXECUTE FUNCTION receipts_refuse();
"""
UNGUARD = """
ALTER TABLE receipts_draw DROP CONSTRAINT receipts_no_number_drawn_twice;
DROP TRIGGER receipts_seal_no_change ON receipts_seal;
DROP TRIGGER receipts_draw_never_deleted ON receipts_draw;
DROP TRIGGER receipts_guard_draw ON receipts_draw;
DROP FUNCTION receipts_guard_draw();
DROP TRIGGER receipts_receipt_never_deleted ON receipts_receipt;
DROP TRIGGER receipts_guard_receipt ON receipts_receipt;
DROP FUNCTION receipts_guard_receipt();
DROP FUNCTION receipts_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("receipts", "0001_initial"),
        ("payments", "0002_guards"),
        ("history", "0002_append_only"),
    ]
    operations = [migrations.RunSQL(GUARDS, UNGUARD)]
