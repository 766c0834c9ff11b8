from dataclasses import dataclass

import pytest
from django.http import QueryDict
from django.test import RequestFactory

from tests.unit.design.support import draw, faults, get
from xueka.entrypoints.design import listing
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection
from xueka.entrypoints.design.ui import Action, Empty


@dataclass(frozen=True)
class Row:
    pk: int
    name: str
    stage: str


ROWS = [Row(n, f"生{n:02d}", ("primary", "junior")[n % 2]) for n in range(1, 31)]
FILTERS = [
    Filter("q", "姓名", lambda rows, text: [r for r in rows if text in r.name], kind="search"),
    Filter(
        "stage",
        "学段",
        lambda rows, code: [r for r in rows if r.stage == code],
        [("primary", "小学"), ("junior", "初中")],
    ),
]


def make(address="/list/", rows=ROWS, **more):
    return DataList(
        get(address),
        rows,
        name="students",
        columns=[Column("姓名", "name", sort="name"), Column("学段", lambda r: r.stage, minor=True)],
        sorts={"name": ("name", "pk"), "new": ("-pk",)},
        filters=FILTERS,
        url=lambda r: f"/student/{r.pk}/",
        label=lambda r: r.name,
        size=10,
        unit="人",
        empty=Empty("还没有学生", "导入名册后会出现在这里。", Action("导入名册", "/import/")),
        **more,
    )


def names(drawn):
    return [row.label for row in drawn.drawn_rows]


def test_sort_from_the_address_and_back() -> None:
    assert names(make())[0] == "生01"
    assert names(make("/list/?sort=-name"))[0] == "生30"
    assert names(make("/list/?sort=-new"))[0] == "生01"
    assert names(make("/list/?sort=drop table"))[0] == "生01"
    head = make("/list/?sort=name&q=生").heads[0]
    assert (head.sorted, head.url) == ("ascending", "/list/?sort=-name&q=%E7%94%9F")


def test_filters_narrow_and_an_unknown_choice_does_not() -> None:
    assert make("/list/?stage=junior").total == 15
    assert make("/list/?stage=kindergarten").total == 30
    assert make("/list/?q=%E7%94%9F0&stage=junior").total == 5


def test_turning_the_page_keeps_filters_and_a_new_filter_starts_again() -> None:
    first = make("/list/?stage=junior&sort=-name")
    second = make(first.next_url)
    assert names(first)[-1] == "生11"
    assert names(second)[0] == "生09"
    assert second.previous_url
    assert "after" not in second.address(stage="primary")
    assert second.first_url == "/list/?stage=junior&sort=-name"


def test_the_filters_alone_travel_with_everything() -> None:
    first = make("/list/?stage=junior&sort=-name")
    assert make(first.next_url).filter_query == "stage=junior"


def test_the_count_stops_where_nobody_counts_on() -> None:
    assert make().count_words == "30 人"
    many = [Row(n, "生", "primary") for n in range(listing.COUNT_TO + 1)]
    assert make(rows=many).count_words == "超过 10,000 人"


@pytest.mark.parametrize("address", ["/list/", "/list/?q=x&stage=junior", "/list/?stage=junior&sort=-name"])
@pytest.mark.parametrize("rows", [ROWS, []])
def test_drawn_html_is_sound(address, rows) -> None:
    drawn = draw(
        "{% data_list l %}", l=make(address, rows, bulk=[Bulk("通过", "/ok/", "check", "primary", "a")])
    )
    assert faults(drawn) == []


def test_an_empty_list_tells_how_to_start_and_shows_nothing_else() -> None:
    drawn = draw("{% data_list l %}", l=make(rows=[], bulk=[Bulk("通过", "/ok/")]))
    assert "还没有学生" in drawn
    assert "/import/" in drawn
    assert "xk-bulk" not in drawn
    assert "xk-filters" not in drawn


def test_a_list_that_a_filter_emptied_leads_out_of_it() -> None:
    drawn = draw("{% data_list l %}", l=make("/list/?q=x"))
    assert "没有符合筛选的" in drawn
    assert "导入名册" not in drawn
    assert '<a href="/list/">清除全部筛选</a>' in drawn


def test_without_bulk_actions_there_is_nothing_to_tick() -> None:
    assert "checkbox" not in draw("{% data_list l %}", l=make())


def post(**fields):
    return RequestFactory().post("/", fields)


def test_a_selection_of_keys() -> None:
    chosen = Selection.of(post(keys=["3", "5"]))
    assert (chosen.keys, chosen.everything) == (["3", "5"], False)
    assert chosen.params == {"keys": ["3", "5"]}


def test_a_selection_of_everything_carries_its_filters_on() -> None:
    chosen = Selection.of(post(everything="1", filters="stage=junior&q=%E7%94%9F0"))
    assert chosen.everything
    assert len(listing.narrow(ROWS, FILTERS, chosen.filters)) == 5
    assert Selection.of(post(**chosen.params)).filters == chosen.filters == QueryDict("stage=junior&q=生0")


def test_a_value_that_looks_like_html_is_text() -> None:
    assert "&lt;script&gt;" in draw("{% data_list l %}", l=make(rows=[Row(1, "<script>", "primary")]))
