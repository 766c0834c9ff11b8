"""Storing and reading files."""

from typing import Any

import psycopg
from django.db import connection

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import fields
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor


def store(actor: Actor, name: str, media_type: str, content: bytes, *, personal: bool = False) -> StoredFile:
    """Keep `content` in the caller's transaction; `personal` content is sealed.

    Size and digest are those of the plain bytes.
    """
    kept = fields.seal_bytes(content) if personal else content
    row = {
        "name": name,
        "media_type": media_type,
        "size": len(content),
        "sm3": sm3(content),
        "sealed": personal,
        "created_at": clock.now(),
        "created_by": actor.username,
    }
    with connection.wrap_database_errors, _binary() as cursor:
        cursor.execute(
            f"INSERT INTO files_storedfile ({', '.join(row)}, content)"  # noqa: S608 - names of our own columns
            " VALUES (%s, %s, %s, %b, %s, %s, %s, %b) RETURNING id",
            [*row.values(), kept],
        )
        (file_id,) = cursor.fetchone() or ()
    return StoredFile.from_db(connection.alias, ["id", *row], [file_id, *row.values()])


def _binary() -> psycopg.Cursor[tuple[Any, ...]]:
    """A cursor whose bytes travel as bytes: written out as text they would take twice the room, and twice."""
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection)


def read(file: StoredFile) -> bytes:
    """The plain bytes. Raises XuekaError `FILE_ALTERED` if they are not those that were stored."""
    content = _content(file)
    plain = fields.open_bytes(content) if file.sealed else content
    if sm3(plain) != bytes(file.sm3):
        raise XuekaError(
            "FILE_ALTERED",
            f"文件“{file.name}”的内容与入库时的摘要不符，可能已被改动。",
            found=sm3(plain).hex(),
            expected=bytes(file.sm3).hex(),
            action="请勿使用该文件，并联系系统管理员。",
        )
    return plain


def _content(file: StoredFile) -> bytes:
    if "content" not in file.get_deferred_fields():
        return bytes(file.content)
    with connection.wrap_database_errors, _binary() as cursor:
        cursor.execute("SELECT content FROM files_storedfile WHERE id = %s", [file.id], binary=True)
        (content,) = cursor.fetchone() or (b"",)
    return bytes(content)


def remove(file: StoredFile) -> None:
    """Take a file away for good, in the caller's transaction. What still points at it keeps it (PROTECT)."""
    file.delete()
