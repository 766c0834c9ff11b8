"""What earlier packages said of a sourcedId: read for a package that says only what changed, and kept."""

import polars as pl
from django.db import connection

from xueka.contexts.registry.oneroster.joining import PLACE, Joined, Links
from xueka.contexts.registry.tables.source import SEPARATOR

_USERS = {"sourcedId": pl.String, "education_id": pl.String, "modified": pl.String}
_ORGS = {"org": pl.String, "school_code": pl.String}
_CLASSES = {"class": pl.String, **dict.fromkeys(PLACE, pl.String), "class_type": pl.String}


def read_links() -> Links:
    """Everything that is kept, as frames."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sourced_id, value, modified FROM registry_onerosterlink WHERE kind = 'user'")
        users = pl.DataFrame(cursor.fetchall(), schema=_USERS, orient="row")
        cursor.execute("SELECT sourced_id, value FROM registry_onerosterlink WHERE kind = 'org'")
        orgs = pl.DataFrame(cursor.fetchall(), schema=_ORGS, orient="row")
        cursor.execute("SELECT sourced_id, value FROM registry_onerosterlink WHERE kind = 'class'")
        classes = [(identity, *value.split(SEPARATOR)) for identity, value in cursor.fetchall()]
    return Links(users, orgs, pl.DataFrame(classes, schema=_CLASSES, orient="row"))


def keep_links(joined: Joined, links: Links) -> None:
    """Write what is new or different, in the caller's transaction."""
    users = (
        joined.rows.filter(pl.col("education_id").is_not_null() & (pl.col("education_id") != ""))
        .select("sourcedId", "education_id", pl.col("dateLastModified").alias("modified"))
        .join(links.users, on=["sourcedId", "education_id", "modified"], how="anti")
    )
    orgs = (
        joined.orgs.filter(pl.col("school_code").is_not_null())
        .select("org", "school_code")
        .join(links.orgs, on=["org", "school_code"], how="anti")
    )
    school_of = pl.concat([orgs, joined.orgs.select("org", "school_code"), links.orgs]).unique(
        "org", keep="first"
    )
    classes = (
        joined.classes.join(school_of, left_on="class_org", right_on="org", how="inner")
        .select(*_CLASSES)
        .drop_nulls()
        .join(links.classes, on=list(_CLASSES), how="anti")
    )
    rows = [("user", *row) for row in users.iter_rows()]
    rows += [("org", identity, value, "") for identity, value in orgs.drop_nulls().iter_rows()]
    rows += [("class", row[0], SEPARATOR.join(row[1:]), "") for row in classes.iter_rows()]
    _write([row for row in rows if len(row[1]) <= 255 and len(row[2]) <= 255])


def _write(rows: list[tuple[str, str, str, str]]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS oneroster_link")
        cursor.execute(
            "CREATE TEMP TABLE oneroster_link (kind text, sourced_id text, value text, modified text)"
            " ON COMMIT DROP"
        )
        with cursor.copy("COPY oneroster_link (kind, sourced_id, value, modified) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        # A record without a moment of its own (a full package) leaves the one that is known.
        cursor.execute(
            """
            INSERT INTO registry_onerosterlink (kind, sourced_id, value, modified)
            SELECT kind, sourced_id, value, modified FROM oneroster_link ORDER BY kind, sourced_id
            ON CONFLICT (kind, sourced_id) DO UPDATE
               SET value = EXCLUDED.value,
                   modified = coalesce(nullif(EXCLUDED.modified, ''), registry_onerosterlink.modified)
            """
        )
