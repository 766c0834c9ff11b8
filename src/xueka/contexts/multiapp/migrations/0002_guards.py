from django.db import migrations

# A card is at one school, so grants of one directory for different schools never meet; one for the whole city
# meets all. Boxes (directory × schools) that touch are excluded, which needs no extension.
ONE_GRANT = """
ALTER TABLE multiapp_grantplace ADD CONSTRAINT multiapp_one_grant_on_a_card EXCLUDE USING gist (
    box(point(area_id, coalesce(school_id, 0)), point(area_id, coalesce(school_id, 9007199254740991))) WITH &&
) WHERE (holds);
"""
UNDO_ONE_GRANT = "ALTER TABLE multiapp_grantplace DROP CONSTRAINT multiapp_one_grant_on_a_card;"

# A foreign key is never granted: what is held elsewhere, or is of a drill, has no row to point at.
OUR_KEYS = """
ALTER TABLE multiapp_grantkey ADD CONSTRAINT multiapp_grant_key_is_held
    FOREIGN KEY (key_id, held, drill) REFERENCES keys_key (id, held, drill);
"""
UNDO_OUR_KEYS = "ALTER TABLE multiapp_grantkey DROP CONSTRAINT multiapp_grant_key_is_held;"

# A grant names its directory, and what it agreed to stays agreed.
GRANTS = """
CREATE FUNCTION multiapp_guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a grant is never deleted' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.unit_id, NEW.area_id, NEW.aid, NEW.fid, NEW.size, NEW.files, NEW.valid_from, NEW.proposed_by)
       IS DISTINCT FROM
       (OLD.unit_id, OLD.area_id, OLD.aid, OLD.fid, OLD.size, OLD.files, OLD.valid_from, OLD.proposed_by)
       OR OLD.approved_by <> '' AND NEW.approved_by <> OLD.approved_by THEN
        RAISE EXCEPTION 'what was granted does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER multiapp_guard_grant BEFORE UPDATE OR DELETE ON multiapp_cardgrant
    FOR EACH ROW EXECUTE FUNCTION multiapp_guard_grant();

CREATE FUNCTION multiapp_same_area() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.area_id <> (SELECT area_id FROM multiapp_cardgrant WHERE id = NEW.grant_id) THEN
        RAISE EXCEPTION 'a grant holds its own directory' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER multiapp_same_area BEFORE INSERT OR UPDATE ON multiapp_grantplace
    FOR EACH ROW EXECUTE FUNCTION multiapp_same_area();
"""
UNDO_GRANTS = """
DROP TRIGGER multiapp_same_area ON multiapp_grantplace;
DROP FUNCTION multiapp_same_area();
DROP TRIGGER multiapp_guard_grant ON multiapp_cardgrant;
DROP FUNCTION multiapp_guard_grant();
"""

APPEND_ONLY = ("custody", "pack", "callday", "report")
FORBID = """
CREATE FUNCTION multiapp_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
""" + "".join(
    f"""
CREATE TRIGGER multiapp_{name}_no_change BEFORE UPDATE OR DELETE ON multiapp_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION multiapp_refuse();
CREATE TRIGGER multiapp_{name}_no_truncate BEFORE TRUNCATE ON multiapp_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION multiapp_refuse();
"""
    for name in APPEND_ONLY
)
ALLOW = (
    "".join(
        f"DROP TRIGGER multiapp_{name}_no_truncate ON multiapp_{name};"
        f"DROP TRIGGER multiapp_{name}_no_change ON multiapp_{name};"
        for name in APPEND_ONLY
    )
    + "DROP FUNCTION multiapp_refuse();"
)


class Migration(migrations.Migration):
    dependencies = [("multiapp", "0001_initial"), ("history", "0002_append_only"), ("keys", "0001_initial")]
    operations = [
        migrations.RunSQL(ONE_GRANT, UNDO_ONE_GRANT),
        migrations.RunSQL(OUR_KEYS, UNDO_OUR_KEYS),
        migrations.RunSQL(GRANTS, UNDO_GRANTS),
        migrations.RunSQL(FORBID, ALLOW),
    ]
