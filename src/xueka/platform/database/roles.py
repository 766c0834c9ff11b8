"""What each role may do: the owner migrates, the application reads and writes rows, the reader reads."""

from collections.abc import Iterable

import psycopg
from django.apps import apps
from psycopg import sql

from xueka.platform.crypto.sealed_columns import append_only_columns
from xueka.platform.database import address
from xueka.platform.database.address import Role


def append_only_tables() -> list[str]:
    """Tables of the models that carry `append_only = True`: written once, never changed, never deleted."""
    models = apps.get_models(include_auto_created=True)
    return sorted(model._meta.db_table for model in models if getattr(model, "append_only", False))


def ensure_roles(connection: psycopg.Connection) -> None:
    """On a foreign server: make the application and reader roles as groups of the connecting user."""
    if not address.external_url():
        return
    for name in {address.application_role_name(), Role.READER.value}:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
        if connection.execute("SELECT pg_has_role(%s, 'MEMBER')", [name]).fetchone() == (False,):
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(name)))


def grant_roles(connection: psycopg.Connection, append_only: Iterable[str] | None = None) -> None:
    """Set every grant anew, in the caller's transaction, connected as the owner."""
    application = sql.Identifier(address.application_role_name())
    reader = sql.Identifier(Role.READER)
    tables = append_only_tables() if append_only is None else list(append_only)
    statements = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}, {}").format(application, reader),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(application, reader),
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(reader),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(
            application
        ),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(application),
        sql.SQL("REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {}").format(application),
    ]
    if tables:
        listed = sql.SQL(", ").join(map(sql.Identifier, tables))
        statements.append(
            sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(listed, application)
        )
    for each in append_only_columns(tables):
        statements.append(
            sql.SQL("GRANT UPDATE ({}) ON {} TO {}").format(
                sql.Identifier(each.column), sql.Identifier(each.table), application
            )
        )
    for statement in statements:
        connection.execute(statement)
