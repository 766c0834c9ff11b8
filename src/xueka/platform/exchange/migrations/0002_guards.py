from django.db import migrations

FORBID = """
CREATE FUNCTION exchange_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER exchange_attempt_no_change BEFORE UPDATE OR DELETE ON exchange_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION exchange_refuse();
CREATE TRIGGER exchange_attempt_no_truncate BEFORE TRUNCATE ON exchange_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION exchange_refuse();
CREATE TRIGGER exchange_outgoing_never_deleted BEFORE DELETE ON exchange_outgoing
    FOR EACH STATEMENT EXECUTE FUNCTION exchange_refuse();
CREATE TRIGGER exchange_incoming_never_deleted BEFORE DELETE ON exchange_incoming
    FOR EACH STATEMENT EXECUTE FUNCTION exchange_refuse();
CREATE FUNCTION exchange_same_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a message is never edited' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER exchange_outgoing_same BEFORE UPDATE ON exchange_outgoing FOR EACH ROW
    WHEN ((OLD.message_id, OLD.stream_id, OLD.seq, OLD.kind, OLD.occurred_at, OLD.created_at)
          IS DISTINCT FROM (NEW.message_id, NEW.stream_id, NEW.seq, NEW.kind, NEW.occurred_at, NEW.created_at)
          OR OLD.is_void AND NOT NEW.is_void)
    EXECUTE FUNCTION exchange_same_message();
CREATE TRIGGER exchange_incoming_same BEFORE UPDATE ON exchange_incoming FOR EACH ROW
    WHEN ((OLD.message_id, OLD.counterpart, OLD.stream_id, OLD.seq, OLD.kind, OLD.digest, OLD.received_at)
          IS DISTINCT FROM
          (NEW.message_id, NEW.counterpart, NEW.stream_id, NEW.seq, NEW.kind, NEW.digest, NEW.received_at))
    EXECUTE FUNCTION exchange_same_message();
"""
ALLOW = """
DROP TRIGGER exchange_incoming_same ON exchange_incoming;
DROP TRIGGER exchange_outgoing_same ON exchange_outgoing;
DROP FUNCTION exchange_same_message();
DROP TRIGGER exchange_incoming_never_deleted ON exchange_incoming;
DROP TRIGGER exchange_outgoing_never_deleted ON exchange_outgoing;
DROP TRIGGER exchange_attempt_no_truncate ON exchange_attempt;
DROP TRIGGER exchange_attempt_no_change ON exchange_attempt;
DROP FUNCTION exchange_refuse();
"""


class Migration(migrations.Migration):
    """Tries are never changed; messages are never deleted and never edited, only moved on."""

    dependencies = [("exchange", "0001_initial")]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
