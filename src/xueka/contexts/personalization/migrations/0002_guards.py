from django.db import migrations

# What was handed out to a card is never changed; what came back is written once; which key version made which
# card stays for ever; what a person has approved is what is used.
GUARDS = """
CREATE FUNCTION personalization_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER personalization_no_change BEFORE UPDATE OR DELETE ON personalization_cardkeyversion
    FOR EACH STATEMENT EXECUTE FUNCTION personalization_refuse();
CREATE TRIGGER personalization_no_truncate BEFORE TRUNCATE ON personalization_cardkeyversion
    FOR EACH STATEMENT EXECUTE FUNCTION personalization_refuse();

CREATE FUNCTION personalization_guard_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a run of the journal is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.session_id, NEW.seq, NEW.part, NEW.number, NEW.writes, NEW.reset, NEW.titles::text, NEW.commands,
        NEW.handed_out_at)
       IS DISTINCT FROM
       (OLD.session_id, OLD.seq, OLD.part, OLD.number, OLD.writes, OLD.reset, OLD.titles::text, OLD.commands,
        OLD.handed_out_at) THEN
        RAISE EXCEPTION 'what was handed out is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.outcome <> '' AND NEW.outcome <> OLD.outcome)
       OR (OLD.answers IS NOT NULL AND NEW.answers IS DISTINCT FROM OLD.answers)
       OR (OLD.reply IS NOT NULL AND NEW.reply::text IS DISTINCT FROM OLD.reply::text) THEN
        RAISE EXCEPTION 'what came back is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER personalization_guard_run BEFORE UPDATE OR DELETE ON personalization_run
    FOR EACH ROW EXECUTE FUNCTION personalization_guard_run();

CREATE FUNCTION personalization_guard_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.code, NEW.version, NEW.text, NEW.sm3)
       IS DISTINCT FROM (OLD.code, OLD.version, OLD.text, OLD.sm3) THEN
        RAISE EXCEPTION 'a version of a profile or script is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER personalization_guard_profile BEFORE UPDATE OR DELETE ON personalization_cardprofile
    FOR EACH ROW EXECUTE FUNCTION personalization_guard_text();
CREATE TRIGGER personalization_guard_script BEFORE UPDATE OR DELETE ON personalization_cardscript
    FOR EACH ROW EXECUTE FUNCTION personalization_guard_text();

CREATE FUNCTION personalization_guard_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a session is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('verified', 'void', 'failed', 'cancelled') AND NEW.state <> OLD.state
       OR OLD.chip_uid <> '' AND NEW.chip_uid <> OLD.chip_uid
       OR OLD.card_id IS NOT NULL AND NEW.card_id IS DISTINCT FROM OLD.card_id
       OR NEW.profile_id <> OLD.profile_id THEN
        RAISE EXCEPTION 'card, chip and profile of a session stay, and so does its end'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER personalization_guard_session BEFORE UPDATE OR DELETE ON personalization_session
    FOR EACH ROW EXECUTE FUNCTION personalization_guard_session();
"""

UNDO = """
DROP TRIGGER personalization_guard_session ON personalization_session;
DROP FUNCTION personalization_guard_session();
DROP TRIGGER personalization_guard_script ON personalization_cardscript;
DROP TRIGGER personalization_guard_profile ON personalization_cardprofile;
DROP FUNCTION personalization_guard_text();
DROP TRIGGER personalization_guard_run ON personalization_run;
DROP FUNCTION personalization_guard_run();
DROP TRIGGER personalization_no_truncate ON personalization_cardkeyversion;
DROP TRIGGER personalization_no_change ON personalization_cardkeyversion;
DROP FUNCTION personalization_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("personalization", "0001_initial")]
    operations = [migrations.RunSQL(GUARDS, UNDO)]
