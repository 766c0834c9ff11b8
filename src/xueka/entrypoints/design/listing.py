"""A list page: filters kept in the address, sort, selection, bulk actions, pages by key.

A view builds a `DataList` and the template draws it with `{% data_list listing %}`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from xueka.entrypoints.design import formats, paging
from xueka.entrypoints.design.html import show
from xueka.entrypoints.design.taking import ListTaken
from xueka.entrypoints.design.ui import Action, Empty

Rows = Any  # a QuerySet, or a list already in memory
COUNT_TO = 10_000
_OWN = ("sort", "after", "before")


@dataclass(frozen=True, slots=True)
class Column:
    """`value` is a look-up path («school__name») or a function of the row; what it gives is drawn by its
    type.

    `sort` names an entry of the list's `sorts`. `kind`: text, number (right, tabular), money (the same; the
    value is in fen, and so it stands in a workbook, where it is summed), code (tabular, unbroken).
    A `minor` column gives way on narrower screens.
    """

    label: str
    value: str | Callable[[Any], Any]
    sort: str = ""
    kind: str = "text"
    minor: bool = False

    def raw(self, row: Any) -> Any:
        return self.value(row) if callable(self.value) else paging.field(row, self.value)

    def of(self, row: Any) -> SafeString:
        raw = self.raw(row)
        return show(formats.yuan(raw) if self.kind == "money" and raw is not None else raw)

    @property
    def head_in_workbook(self) -> str:
        return f"{self.label}（分）" if self.kind == "money" else self.label


@dataclass(frozen=True, slots=True)
class Filter:
    """`apply(rows, value)` narrows. With `choices` it is a select (`kind="tabs"`: tabs); else «search» or
    «date».
    """

    name: str
    label: str
    apply: Callable[[Rows, str], Rows]
    choices: Sequence[tuple[str, str]] = ()
    kind: str = "select"
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk action: posts the selection to `url`, whose view shows a preview (`Preview`)."""

    label: str
    url: str
    icon: str = ""
    tone: str = "default"
    hotkey: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person selected: named keys, or everything that matches the filters."""

    keys: Sequence[str]
    everything: bool = False
    filters: QueryDict = field(default_factory=QueryDict)

    @classmethod
    def of(cls, request: HttpRequest) -> "Selection":
        """From the post of a bulk action or of its preview."""
        posted = request.POST
        return cls(
            posted.getlist("keys"), posted.get("everything") == "1", QueryDict(posted.get("filters", ""))
        )

    @property
    def params(self) -> dict[str, Any]:
        """Hidden fields that carry the selection on, from the preview to the act."""
        if self.everything:
            return {"everything": "1", "filters": self.filters.urlencode()}
        return {"keys": list(self.keys)}


def narrow(rows: Rows, filters: Sequence[Filter], query: QueryDict) -> Rows:
    """`rows` under the filters of an address; an unknown choice is as no choice."""
    for each in filters:
        chosen = query.get(each.name, "").strip()
        if chosen and (not each.choices or chosen in {code for code, _ in each.choices}):
            rows = each.apply(rows, chosen)
    return rows


@dataclass(frozen=True, slots=True)
class _Head:
    label: str
    kind: str
    minor: bool
    url: str = ""
    sorted: str = ""  # ascending, descending or ""


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    url: str
    label: str
    cells: SafeString


@dataclass(frozen=True, slots=True)
class _Shown:
    """A filter as the template draws it: what is chosen, and for tabs the address of each choice."""

    filter: Filter
    chosen: str
    choices: Sequence[tuple[str, str, str]]
    chosen_label: str
    without: str


_KINDS = {"number": "xk-num", "money": "xk-num xk-code", "code": "xk-code"}


def _opening(column: Column, *, first: bool) -> SafeString:
    """The start tag of a column's cells. Three hundred cells a page are too many for the template's loops."""
    names = [_KINDS.get(column.kind), "xk-minor" if column.minor else None, "xk-lead" if first else None]
    return format_html('<td data-label="{}" class="{}">', column.label, " ".join(filter(None, names)))


class DataList:
    """One list on a page.

    `sorts` maps the name in the address to the order (`{"submitted": ("submitted_at", "id")}`); the first is
    the default, `-name` turns it round. Fields of an order must not be null; the last one must be unique.
    A list may be taken away as a workbook (`taking`) unless `takeable` is False.
    `key(row)` is what a selection posts; `url(row)` what Enter opens; `label(row)` names the row for a
    screen reader.
    """

    def __init__(
        self,
        request: HttpRequest,
        rows: Rows,
        *,
        name: str,
        columns: Sequence[Column],
        sorts: Mapping[str, Sequence[str]],
        empty: Empty,
        default_sort: str = "",
        filters: Sequence[Filter] = (),
        bulk: Sequence[Bulk] = (),
        key: Callable[[Any], Any] = lambda row: paging.field(row, "pk"),
        url: Callable[[Any], str] = lambda row: "",
        label: Callable[[Any], str] | None = None,
        size: int = 50,
        unit: str = "条",
        caption: str = "",
        export: Action | None = None,
        params: dict[str, Any] | None = None,
        takeable: bool = True,
    ) -> None:
        self.request, self.query = request, request.GET
        self.name, self.columns, self.sorts, self.filters = name, columns, sorts, filters
        self.bulk, self.unit, self.caption, self.export = bulk, unit, caption or name, export
        self.params = params or {}
        self.default_sort = default_sort or next(iter(sorts))
        self.empty = empty
        self._key, self._url, self._label, self._size = key, url, label, size
        self._rows = narrow(rows, filters, self.query)
        if self.query.get("xlsx") == "1" and takeable:
            raise ListTaken(self)
        self.takeable = takeable
        self.page = paging.page(
            self._rows,
            self._order(),
            size,
            after=self.query.get("after", ""),
            before=self.query.get("before", ""),
        )

    # --- order ---

    @property
    def sort(self) -> str:
        asked = self.query.get("sort", "")
        return asked if asked.lstrip("-") in self.sorts else self.default_sort

    def _order(self) -> list[str]:
        order = list(self.sorts[self.sort.lstrip("-")])
        if self.sort.startswith("-"):
            order = [name[1:] if name.startswith("-") else f"-{name}" for name in order]
        return order

    # --- what the template draws ---

    @property
    def heads(self) -> list[_Head]:
        drawn = []
        for column in self.columns:
            url = sorted_ = ""
            if column.sort:
                current = self.sort.lstrip("-") == column.sort
                down = self.sort.startswith("-")
                sorted_ = ("descending" if down else "ascending") if current else ""
                url = self.address(sort=f"-{column.sort}" if current and not down else column.sort)
            drawn.append(_Head(column.label, column.kind, column.minor, url, sorted_))
        return drawn

    @cached_property
    def drawn_rows(self) -> list[_Row]:
        openings = [_opening(column, first=n == 0) for n, column in enumerate(self.columns)]
        return [self._drawn(row, openings) for row in self.page.rows]

    def _drawn(self, row: Any, openings: Sequence[SafeString]) -> _Row:
        url = self._url(row)
        shown = [column.of(row) for column in self.columns]
        if url:
            shown[0] = format_html('<a class="xk-open" href="{}">{}</a>', url, shown[0])
        cells = "".join(f"{opening}{cell}</td>" for opening, cell in zip(openings, shown, strict=True))
        label = self._label(row) if self._label else ""
        return _Row(str(self._key(row)), url, label, mark_safe(cells))  # noqa: S308 - of escaped parts

    @cached_property
    def shown_filters(self) -> list[_Shown]:
        drawn = []
        for each in self.filters:
            chosen = self.query.get(each.name, "").strip()
            choices = [(code, text, self.address(**{each.name: code})) for code, text in each.choices]
            chosen_label = dict(each.choices).get(chosen, "" if each.choices else chosen)
            drawn.append(_Shown(each, chosen, choices, chosen_label, self.address(**{each.name: ""})))
        return drawn

    @cached_property
    def active_filters(self) -> list[_Shown]:
        return [shown for shown in self.shown_filters if shown.chosen_label]

    @property
    def is_bare(self) -> bool:
        """Nothing is here at all: the empty state stands alone, without filters and bulk actions."""
        return not self.page.rows and not self.active_filters

    @cached_property
    def total(self) -> int:
        """Rows that match, counted up to COUNT_TO: nobody needs to know that there are 1,302,177."""
        if isinstance(self._rows, QuerySet):
            return self._rows.order_by()[: COUNT_TO + 1].count()
        return len(self._rows)

    @property
    def count_words(self) -> str:
        total = self.total
        return f"超过 {COUNT_TO:,} {self.unit}" if total > COUNT_TO else f"{total:,} {self.unit}"

    @property
    def all_rows(self) -> Rows:
        """Every row under the filters, in the chosen order."""
        return self._rows.order_by(*self._order()) if isinstance(self._rows, QuerySet) else self._rows

    @property
    def take_url(self) -> str:
        """The address of this list as a workbook (`taking`); empty where it may not be taken."""
        return self.address(xlsx="1") if self.takeable else ""

    @property
    def filter_query(self) -> str:
        """The filters alone, as a bulk action of «everything that matches» posts them."""
        kept = self.query.copy()
        for own in _OWN:
            kept.pop(own, None)
        return kept.urlencode()

    @property
    def next_url(self) -> str:
        return self.address(after=self.page.after) if self.page.after else ""

    @property
    def previous_url(self) -> str:
        return self.address(before=self.page.before) if self.page.before else ""

    @property
    def first_url(self) -> str:
        return self.address()

    @property
    def clear_url(self) -> str:
        return self.request.path

    def address(self, **changes: str) -> str:
        """This page with `changes`; any change starts again at the first page."""
        query = self.query.copy()
        for mark in ("after", "before"):
            query.pop(mark, None)
        for name, value in changes.items():
            if value:
                query[name] = value
            else:
                query.pop(name, None)
        return f"{self.request.path}?{query.urlencode()}" if query else self.request.path
