from django.db import migrations, models

# What somebody pushed is confirmed in the words of the courier's answer; after that nothing changes.
GUARD = """
CREATE OR REPLACE FUNCTION couriers_guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.waybill_id, NEW.key, NEW.courier_id, NEW.status, NEW.at, NEW.code, NEW.heard_at)
       IS DISTINCT FROM
       (OLD.waybill_id, OLD.key, OLD.courier_id, OLD.status, OLD.at, OLD.code, OLD.heard_at)
       OR (NEW.confirmed_at IS NULL AND (NEW.place, NEW.remark) IS DISTINCT FROM (OLD.place, OLD.remark))
       OR OLD.confirmed_at IS NOT NULL THEN
        RAISE EXCEPTION 'what a courier said does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
OPEN = ("asked", "ordered", "cancelling", "on_the_way", "delivering", "in_locker", "returning")


class Migration(migrations.Migration):
    """A parcel that was called back is no open one: its card is made again, and sent in another."""

    dependencies = [("couriers", "0002_guards")]
    operations = [
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
        migrations.RemoveConstraint("shipment", "couriers_one_open_for_a_card"),
        migrations.AddConstraint(
            "shipment",
            models.UniqueConstraint(
                fields=["replacement"],
                condition=models.Q(("state__in", OPEN), models.Q(("intercept", "taken"), _negated=True)),
                name="couriers_one_open_for_a_card",
            ),
        ),
    ]
