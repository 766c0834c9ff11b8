"""What is on record of students of whom a package says only a part."""

import polars as pl
from django.db import connection

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.oneroster.joining import KEYS
from xueka.contexts.registry.oneroster.links import PLACE
from xueka.platform.crypto.fields import unseal

_STUDENTS = """
    SELECT s.education_id, s.name, s.sex, s.status, s.envelope, h.code, c.stage, c.grade, c.name
      FROM registry_student s
      JOIN registry_school h ON h.id = s.school_id
      JOIN registry_schoolclass c ON c.id = s.school_class_id
     WHERE s.education_id = ANY(%s)
"""
_CHUNK = 20_000


def fill(rows: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Every column said: by the package, else by what is on record, else by the default for a new student.

    `users` gives the education ID of each sourcedId that is known.
    """
    known = users.select("sourcedId", pl.col("education_id").alias("_id"))
    rows = rows.join(known, on="sourcedId", how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("education_id", "_id").alias("education_id")).drop("_id")
    partly = rows.filter(pl.any_horizontal(pl.col(key).is_null() for key in KEYS))
    if not partly.is_empty():
        wanted = partly["education_id"].drop_nulls().unique().sort()
        found = pl.concat(
            [_of(wanted[at : at + _CHUNK].to_list()) for at in range(0, max(1, len(wanted)), _CHUNK)]
        )
        rows = rows.join(found, on="education_id", how="left", maintain_order="left").with_columns(
            pl.coalesce(key, f"_{key}").alias(key) for key in KEYS if key != "education_id"
        )
    return rows.with_columns(pl.col(key).fill_null(o.DEFAULTS.get(key, "")) for key in KEYS)


def _of(education_ids: list[str]) -> pl.DataFrame:
    names = [key for key in KEYS if key != "education_id"]
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_STUDENTS, [education_ids])
        for education_id, name, sex, status, envelope, *place in cursor.fetchall():
            sealed = unseal(bytes(envelope))
            guardian = next(iter(sealed["guardians"]), {"name": "", "phone": ""})
            values = {
                **sealed,
                "name": name,
                "sex": sex,
                "status": status,
                "guardian_name": guardian["name"],
                "guardian_phone": guardian["phone"],
                **dict(zip(PLACE, map(str, place), strict=True)),
            }
            found.append((education_id, *(values[key] for key in names)))
    schema = dict.fromkeys(["education_id", *(f"_{key}" for key in names)], pl.String)
    return pl.DataFrame(found, schema=schema, orient="row")
