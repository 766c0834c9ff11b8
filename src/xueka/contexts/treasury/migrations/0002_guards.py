from django.db import migrations

APPEND_ONLY = ("statement", "statementline", "confirmation", "run")
FORBID = """
CREATE FUNCTION treasury_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER treasury_break_never_deleted BEFORE DELETE ON treasury_breakrow
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_refuse();
""" + "".join(
    f"""
CREATE TRIGGER treasury_{name}_no_change BEFORE UPDATE OR DELETE ON treasury_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_refuse();
CREATE TRIGGER treasury_{name}_no_truncate BEFORE TRUNCATE ON treasury_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION treasury_refuse();
"""
    for name in APPEND_ONLY
)
ALLOW = (
    "DROP TRIGGER treasury_break_never_deleted ON treasury_breakrow;"
    + "".join(
        f"DROP TRIGGER treasury_{name}_no_truncate ON treasury_{name};"
        f"DROP TRIGGER treasury_{name}_no_change ON treasury_{name};"
        for name in APPEND_ONLY
    )
    + "DROP FUNCTION treasury_refuse();"
)


class Migration(migrations.Migration):
    dependencies = [
        ("treasury", "0001_initial"),
        ("payments", "0002_guards"),
        ("ledger", "0002_guards"),
        ("history", "0002_append_only"),
    ]
    operations = [migrations.RunSQL(FORBID, ALLOW)]
