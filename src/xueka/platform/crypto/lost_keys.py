"""Field keys that are gone while the database is full: say so and stop; new ones would open nothing."""

from django.db import connection
from psycopg import sql

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto.keyring import FILE_NAME
from xueka.platform.database import home


def refuse_if_lost() -> None:
    """Raises XuekaError `FIELD_KEYS_LOST` when the key file is missing and sealed rows exist.

    Every table that keeps sealed values keeps them in a column `envelope`. With the file in its place no
    query is made.
    """
    path = home.keys_directory() / FILE_NAME
    if path.exists():
        return
    if table := _first_sealed_table():
        raise XuekaError(
            "FIELD_KEYS_LOST",
            "字段密钥文件不见了，而数据库里已有用它加密的个人信息。没有启动，也没有另造新密钥。",
            where=str(path),
            found=f"{table} 中有加密的记录",
            expected="与数据库同属一套的密钥文件",
            action="请从密钥备份中恢复该文件后再启动；如果只是想另起一套，请用空的 XUEKA_HOME 和空的数据库。",
        )


def _first_sealed_table() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'envelope' ORDER BY table_name"
        )
        for (table,) in cursor.fetchall():
            asked = sql.SQL("SELECT EXISTS (SELECT 1 FROM {} WHERE envelope IS NOT NULL)")
            cursor.execute(asked.format(sql.Identifier(table)))
            if cursor.fetchone() == (True,):
                return str(table)
    return ""
