from django.db import migrations

APPEND_ONLY = ("custody", "shipmentcard")
FORBID = """
CREATE FUNCTION couriers_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- What a courier said stays said; that it was confirmed may come later, once.
CREATE FUNCTION couriers_guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.waybill_id, NEW.key, NEW.courier_id, NEW.status, NEW.at, NEW.code, NEW.place, NEW.remark, NEW.heard_at)
       IS DISTINCT FROM
       (OLD.waybill_id, OLD.key, OLD.courier_id, OLD.status, OLD.at, OLD.code, OLD.place, OLD.remark, OLD.heard_at)
       OR OLD.confirmed_at IS NOT NULL THEN
        RAISE EXCEPTION 'what a courier said does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER couriers_guard_event BEFORE UPDATE ON couriers_trackingevent
    FOR EACH ROW EXECUTE FUNCTION couriers_guard_event();
CREATE TRIGGER couriers_keep_event BEFORE DELETE OR TRUNCATE ON couriers_trackingevent
    FOR EACH STATEMENT EXECUTE FUNCTION couriers_refuse();

-- A push that was judged stays judged; its bytes may only be forgotten, or be put under a new key.
CREATE FUNCTION couriers_guard_push() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.courier, NEW.digest, NEW.received_at) IS DISTINCT FROM (OLD.courier, OLD.digest, OLD.received_at)
       OR OLD.outcome <> '' AND NEW.outcome <> OLD.outcome OR NEW.times < OLD.times THEN
        RAISE EXCEPTION 'a push does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER couriers_guard_push BEFORE UPDATE ON couriers_push
    FOR EACH ROW EXECUTE FUNCTION couriers_guard_push();
CREATE TRIGGER couriers_keep_push BEFORE DELETE OR TRUNCATE ON couriers_push
    FOR EACH STATEMENT EXECUTE FUNCTION couriers_refuse();
""" + "".join(
    f"""
CREATE TRIGGER couriers_{name}_no_change BEFORE UPDATE OR DELETE ON couriers_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION couriers_refuse();
CREATE TRIGGER couriers_{name}_no_truncate BEFORE TRUNCATE ON couriers_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION couriers_refuse();
"""
    for name in APPEND_ONLY
)
ALLOW = (
    "".join(
        f"DROP TRIGGER couriers_{name}_no_truncate ON couriers_{name};"
        f"DROP TRIGGER couriers_{name}_no_change ON couriers_{name};"
        for name in APPEND_ONLY
    )
    + """
DROP TRIGGER couriers_keep_push ON couriers_push;
DROP TRIGGER couriers_guard_push ON couriers_push;
DROP TRIGGER couriers_keep_event ON couriers_trackingevent;
DROP TRIGGER couriers_guard_event ON couriers_trackingevent;
DROP FUNCTION couriers_guard_push();
DROP FUNCTION couriers_guard_event();
DROP FUNCTION couriers_refuse();
"""
)


class Migration(migrations.Migration):
    dependencies = [("couriers", "0001_initial"), ("history", "0002_append_only")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
