"""What earlier packages said of a sourcedId: read for what a package names, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from django.db import connection

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.tables.source import SEPARATOR

PLACE = ("school_code", "stage", "grade", "class_name")
KIND = {"users": "user", "orgs": "org", "classes": "class", "enrollments": "enrol", "demographics": "birth"}
"""File → kind of its links."""

_LINK = {"sourcedId": pl.String, "value": pl.String, "modified": pl.String, "gone": pl.Boolean}
_CLASSES = {"class": pl.String, **dict.fromkeys(PLACE, pl.String), "class_type": pl.String}
_EVERYTHING = 200_000  # more sourcedIds than these are not asked for one by one
_LONGEST = 255  # characters that are kept


@dataclass(slots=True)
class Links:
    """What earlier packages said, for those that only say what changed.

    `of` gives sourcedId, value, modified and gone by file; of users, enrolments and demographics those that
    the package names. `users`, `orgs` and `classes` are their values: education ID, school code, place.
    """

    of: dict[str, pl.DataFrame]
    users: pl.DataFrame
    orgs: pl.DataFrame
    classes: pl.DataFrame


def read_links(wanted: dict[str, pl.Series]) -> Links:
    """`wanted` gives the sourcedIds that a package names, by file."""
    of = {file: _read(kind, wanted.get(file)) for file, kind in KIND.items()}
    # What was deleted before anything was known of it is remembered without a value.
    said = {file: frame.filter(pl.col("value") != "") for file, frame in of.items()}
    users = said["users"].select("sourcedId", pl.col("value").alias("education_id"), "modified", "gone")
    orgs = said["orgs"].select(pl.col("sourcedId").alias("org"), pl.col("value").alias("school_code"))
    rows = said["classes"].select("sourcedId", "value").iter_rows()
    classes = [(identity, *value.split(SEPARATOR)) for identity, value in rows]
    return Links(of, users, orgs, pl.DataFrame(classes, schema=_CLASSES, orient="row"))


def _read(kind: str, wanted: pl.Series | None) -> pl.DataFrame:
    asked = "SELECT sourced_id, value, modified, gone FROM registry_onerosterlink WHERE kind = %s"
    with connection.cursor() as cursor:
        if wanted is None or len(wanted) > _EVERYTHING:
            cursor.execute(asked, [kind])
        else:
            cursor.execute(f"{asked} AND sourced_id = ANY(%s)", [kind, wanted.to_list()])
        return pl.DataFrame(cursor.fetchall(), schema=_LINK, orient="row")


def holders(education_ids: Sequence[str]) -> dict[str, list[str]]:
    """The users that hold these education IDs by what is known, without those that are deleted."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value, sourced_id FROM registry_onerosterlink"
            " WHERE kind = 'user' AND NOT gone AND value = ANY(%s) ORDER BY sourced_id",
            [list(education_ids)],
        )
        for education_id, user in cursor.fetchall():
            found.setdefault(education_id, []).append(user)
    return found


def enrolled_elsewhere(users: Sequence[str], besides: Sequence[str]) -> set[str]:
    """Those of these users who have another enrolment that is known, besides these enrolments."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT split_part(value, %s, 1) FROM registry_onerosterlink"
            " WHERE kind = 'enrol' AND NOT gone AND split_part(value, %s, 1) = ANY(%s)"
            " AND sourced_id <> ALL(%s)",
            [SEPARATOR, SEPARATOR, list(users), list(besides)],
        )
        return {user for (user,) in cursor.fetchall()}


def keep_links(
    frames: dict[str, pl.DataFrame],
    rows: pl.DataFrame,
    orgs: pl.DataFrame,
    classes: pl.DataFrame,
    links: Links,
) -> None:
    """Write what is new or different, in the caller's transaction.

    `frames` are the records as they were read; `rows` those of students with their education ID; `orgs` and
    `classes` what is said of places.
    """
    named = rows.filter(pl.col("education_id").is_not_null() & (pl.col("education_id") != ""))
    ids = named.select("sourcedId", pl.col("education_id").alias("value"))
    users = _dated(frames["users"]).join(ids, on="sourcedId", how="left")
    beside = ids.join(frames["users"], on="sourcedId", how="anti")
    users = pl.concat(
        [users, beside.with_columns(modified=pl.lit(""), gone=pl.lit(value=False))], how="diagonal"
    )
    school_of = pl.concat([orgs.select("org", "school_code").drop_nulls(), links.orgs]).unique(
        "org", keep="first", maintain_order=True
    )
    places = classes.join(school_of, left_on="class_org", right_on="org", how="inner").select(*_CLASSES)
    said = {
        "users": users.filter(pl.col("value").is_not_null() | pl.col("gone")),
        "orgs": _with_value(frames["orgs"], orgs.select(sourcedId="org", value="school_code")),
        "classes": _with_value(
            frames["classes"],
            places.drop_nulls().select(
                sourcedId="class", value=pl.concat_str(list(_CLASSES)[1:], separator=SEPARATOR)
            ),
        ),
        "enrollments": _enrolments(frames["enrollments"]),
        "demographics": _dated(frames["demographics"])
        .filter(pl.col("modified") != "")
        .with_columns(value=pl.lit("")),
    }
    found = []
    for file, frame in said.items():
        known = links.of[file].select("sourcedId", known="modified")
        new = frame.join(known, on="sourcedId", how="left").with_columns(
            pl.col("value").fill_null(""),
            pl.coalesce(pl.col("modified").replace("", None), "known", pl.lit("")).alias("modified"),
        )
        new = new.select(*_LINK).join(links.of[file], on=list(_LINK), how="anti")
        found.append(new.select(pl.lit(KIND[file]).alias("kind"), *_LINK))
    _write(
        pl.concat(found).filter(
            pl.col("sourcedId").str.len_chars() <= _LONGEST, pl.col("value").str.len_chars() <= _LONGEST
        )
    )


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    gone = (pl.col("status") == o.DELETED).alias("gone")
    return frame.select("sourcedId", pl.col("dateLastModified").alias("modified"), gone)


def _with_value(frame: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    said = _dated(frame).join(values, on="sourcedId", how="left")
    return said.filter(pl.col("value").is_not_null() | pl.col("gone"))


def _enrolments(frame: pl.DataFrame) -> pl.DataFrame:
    if "userSourcedId" not in frame.columns:
        return pl.DataFrame(schema=_LINK)
    both = (pl.col("userSourcedId") != "") & (pl.col("classSourcedId") != "")
    value = pl.when(both).then(pl.concat_str("userSourcedId", "classSourcedId", separator=SEPARATOR))
    of_students = frame.filter(
        (pl.col("role") == o.STUDENT_ROLE) | (pl.col("status") == o.DELETED), pl.col("dateLastModified") != ""
    )
    return of_students.select(
        "sourcedId", value.otherwise(pl.lit("")).alias("value"), pl.col("dateLastModified").alias("modified"),
        (pl.col("status") == o.DELETED).alias("gone"),
    )  # fmt: skip


def _write(rows: pl.DataFrame) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS oneroster_link")
        cursor.execute(
            "CREATE TEMP TABLE oneroster_link"
            " (kind text, sourced_id text, value text, modified text, gone bool) ON COMMIT DROP"
        )
        # All in quotes: nothing is empty that is not said to be.
        target = "oneroster_link (kind, sourced_id, value, modified, gone)"
        with cursor.copy(f"COPY {target} FROM STDIN (FORMAT csv)") as copy:
            copy.write(rows.write_csv(include_header=False, quote_style="always"))
        # Whoever held the education ID before is another record of the same student, and not she any more.
        cursor.execute(
            """
            UPDATE registry_onerosterlink x SET gone = true FROM oneroster_link n
             WHERE n.kind = 'user' AND NOT n.gone AND x.kind = 'user' AND NOT x.gone AND x.value = n.value
               AND x.sourced_id <> n.sourced_id
               AND NOT EXISTS (SELECT 1 FROM registry_onerosterlink o
                                WHERE o.kind = 'user' AND o.sourced_id = n.sourced_id AND o.value = n.value)
            """
        )
        # A record without a moment or a value of its own leaves what is known.
        cursor.execute(
            """
            INSERT INTO registry_onerosterlink (kind, sourced_id, value, modified, gone)
            SELECT kind, sourced_id, value, modified, gone FROM oneroster_link ORDER BY kind, sourced_id
            ON CONFLICT (kind, sourced_id) DO UPDATE
               SET value = coalesce(nullif(EXCLUDED.value, ''), registry_onerosterlink.value),
                   modified = greatest(EXCLUDED.modified, registry_onerosterlink.modified),
                   gone = EXCLUDED.gone
            """
        )
