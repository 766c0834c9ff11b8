"""Several questions in one round trip: a page of many sources costs one query, not one a source."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet, Value

Answers = dict[str, list[dict[str, Any]]]
Question = QuerySet[Any, Any]


def at_once(questions: Mapping[str, Question]) -> Answers:
    """The rows of each queryset of `values`, by its name. Moments come as text: `moment`."""
    found: Answers = {name: [] for name in questions}
    parts: list[str] = []
    values: list[Any] = []
    for name, question in questions.items():
        try:
            statement, more = question.query.sql_with_params()
        except EmptyResultSet:  # nothing can be asked for
            continue
        parts.append(f"SELECT %s, to_jsonb(t) FROM ({statement}) t")  # noqa: S608 - the mapper wrote it
        values += [name, *more]
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), values)
            for name, row in cursor.fetchall():
                found[name].append(json.loads(row))
    return found


def whole(rows: QuerySet[Any, Any], **figures: Any) -> Question:
    """Figures of all these rows as one row."""
    made: Question = rows.order_by().values(whole=Value(1)).annotate(**figures)
    return made


def first(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return rows[0] if rows else {}


def moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
