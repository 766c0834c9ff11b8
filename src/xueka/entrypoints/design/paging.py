"""Pages by key: the next page begins after the last row seen, so that page 9,000 costs no more than page 1.

Works on a QuerySet and, for short lists that are already in memory, on a list.
"""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cmp_to_key
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.query import ModelIterable

from xueka.kernel.errors import BadInput
from xueka.kernel.foreign import json_of


@dataclass(frozen=True, slots=True)
class Page:
    """`after` and `before` are the marks for the neighbouring pages, "" where there is none."""

    rows: Sequence[Any]
    after: str = ""
    before: str = ""


def field(row: Any, path: str) -> Any:
    """A value of a dict, model or dataclass by look-up path: `school__name`."""
    for part in path.split("__"):
        row = row[part] if isinstance(row, dict) else getattr(row, part)
    return row


def page(
    rows: QuerySet | Sequence[Any], order: Sequence[str], size: int, *, after: str = "", before: str = ""
) -> Page:
    """`size` rows of `rows` in `order` (`-name` descends), after or before a mark.

    The fields of `order` must not be null, and the last one must be unique.
    BadInput `PAGE_MARK_UNREADABLE` when a mark was not made by this function for the same order.
    """
    backwards = bool(before)
    mark = _read(after or before, len(order)) if after or before else None
    ask = tuple(_turned(name) for name in order) if backwards else tuple(order)
    if isinstance(rows, QuerySet):
        found = _first(_later(rows, ask, mark).order_by(*ask), size + 1)
    else:
        found = _of_list(rows, ask, mark)[: size + 1]
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    if not found:
        return Page(found)
    has_after, has_before = (True, more) if backwards else (more, bool(after))
    return Page(
        found,
        after=_mark(found[-1], order) if has_after else "",
        before=_mark(found[0], order) if has_before else "",
    )


def rows_in_steps(rows: QuerySet, most: int, *, step: int = 500) -> Iterator[Any]:
    """Up to `most` rows in their order; what belongs to them is fetched `step` rows at a time."""
    if not _is_joined(rows):
        yield from rows[:most].iterator(chunk_size=step)
        return
    keys = _keys(rows, most)
    for start in range(0, len(keys), step):
        yield from _whole(rows, keys[start : start + step])


def _first(rows: QuerySet, count: int) -> list[Any]:
    """The first rows, chosen by a narrow query; what belongs to them is joined to those few.

    PostgreSQL does not reorder more than eight joins, so that a filter behind them would be applied last.
    """
    return _whole(rows, _keys(rows, count)) if _is_joined(rows) else list(rows[:count])


def _is_joined(rows: QuerySet) -> bool:
    return bool(rows.query.select_related) and not rows.query.annotations and _gives_models(rows)


def _keys(rows: QuerySet, count: int) -> list[Any]:
    return list(rows.select_related(None).values_list("pk", flat=True)[:count])


def _whole(rows: QuerySet, keys: Sequence[Any]) -> list[Any]:
    whole: QuerySet = QuerySet(rows.model, using=rows.db).filter(pk__in=keys)
    whole.query.select_related = rows.query.select_related
    whole.query.deferred_loading = rows.query.deferred_loading
    whole._prefetch_related_lookups = rows._prefetch_related_lookups  # type: ignore[attr-defined]
    by_key = {row.pk: row for row in whole}
    return [by_key[key] for key in keys if key in by_key]


def _gives_models(rows: QuerySet) -> bool:
    return issubclass(rows._iterable_class, ModelIterable)


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _later(rows: QuerySet, order: Sequence[str], mark: Sequence[Any] | None) -> QuerySet:
    try:
        return rows.filter(_beyond(order, mark)) if mark else rows
    except (ValueError, TypeError, ValidationError):  # a mark of another list: text where a date belongs
        raise _unreadable() from None


def _beyond(order: Sequence[str], mark: Sequence[Any]) -> Q:
    """Rows that come after `mark`. The first comparison is repeated outside so that an index can serve it."""
    condition, equal = Q(), Q()
    for name, value in zip(order, mark, strict=True):
        path, way = name.lstrip("-"), "lt" if name.startswith("-") else "gt"
        condition |= equal & Q(**{f"{path}__{way}": value})
        equal &= Q(**{path: value})
    first, way = order[0].lstrip("-"), "lte" if order[0].startswith("-") else "gte"
    return Q(**{f"{first}__{way}": mark[0]}) & condition


def _of_list(rows: Sequence[Any], order: Sequence[str], mark: Sequence[Any] | None) -> list[Any]:
    def compare(one: Sequence[Any], other: Sequence[Any]) -> int:
        for name, left, right in zip(order, one, other, strict=True):
            if left != right:
                return -1 if (left < right) != name.startswith("-") else 1
        return 0

    try:
        found = sorted(rows, key=lambda row: cmp_to_key(compare)(_values(row, order)))
        return [row for row in found if mark is None or compare(_values(row, order), mark) > 0]
    except TypeError:  # a mark of another list: text where a number belongs
        raise _unreadable() from None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _values(row: Any, order: Sequence[str]) -> list[Any]:
    return [_plain(field(row, name.lstrip("-"))) for name in order]


def _mark(row: Any, order: Sequence[str]) -> str:
    text = json.dumps(_values(row, order), ensure_ascii=False, separators=(",", ":"), default=str)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(mark: str, length: int) -> list[Any]:
    try:
        padded = mark + "=" * (-len(mark) % 4)
        values = json_of(b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        values = None
    scalars = isinstance(values, list) and all(isinstance(v, str | int | float) for v in values)
    if not scalars or len(values) != length:
        raise _unreadable()
    return values


def _unreadable() -> BadInput:
    return BadInput(
        "PAGE_MARK_UNREADABLE",
        "网址里的翻页位置读不出来。",
        where="网址",
        action="请去掉网址里 after 或 before 一段，从第一页看起。",
    )
