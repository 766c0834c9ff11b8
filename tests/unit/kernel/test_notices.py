import copy
import json
from datetime import date

import pytest

from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.notices import builtin_notices, load_notice, read_notice, store_notice, stored_notices

NOTICE = {
    "year": 2027,
    "source": "样例",
    "off": [
        {"from": "2026-12-31", "to": "2027-01-02", "name": "元旦"},
        {"date": "2027-05-01", "name": "劳动节"},
        "2027-10-01",
    ],
    "make_up": ["2027-01-03"],
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def changed(**values):
    return copy.deepcopy(NOTICE) | values


def test_every_way_of_writing_days_off():
    notice = load_notice(NOTICE)
    assert (notice.year, notice.source) == (2027, "样例")
    assert {str(day): name for day, name in notice.off.items()} == {
        "2026-12-31": "元旦",
        "2027-01-01": "元旦",
        "2027-01-02": "元旦",
        "2027-05-01": "劳动节",
        "2027-10-01": "放假",
    }
    assert notice.make_up == {date(2027, 1, 3)}
    assert notice.warnings == []


def test_a_notice_is_read_back_from_what_it_writes():
    notice = load_notice(NOTICE)
    assert load_notice(json.loads(json.dumps(notice.as_dict()))).as_dict() == notice.as_dict()


def test_a_badly_copied_notice_is_warned_of():
    warnings = load_notice({"year": 2027, "off": ["2027-01-01"], "make_up": []}).warnings
    assert len(warnings) == 2
    assert "2027-05-01" in warnings[0] and "2027-10-01" in warnings[1]


@pytest.mark.parametrize(
    ("data", "where", "words"),
    [
        ([], None, "JSON 对象"),
        ("2027", None, "JSON 对象"),
        (changed(year="2027"), "year", "年份"),
        (changed(year=True), "year", "年份"),
        (changed(year=1999), "year", "年份"),
        (changed(year=2101), "year", "年份"),
        ({"year": 2027, "make_up": []}, "off", "缺少列表"),
        ({"year": 2027, "off": ["2027-01-01"]}, "make_up", "缺少列表"),
        (changed(off="2027-01-01"), "off", "应为列表"),
        (changed(off=[]), "off", "没有任何"),
        (changed(off=["2027-02-30"]), "off[0]", "真实存在"),
        (changed(off=["2027-1-1"]), "off[0]", "真实存在"),
        (changed(off=["2027-W01-1"]), "off[0]", "真实存在"),
        (changed(off=[20270101]), "off[0]", "真实存在"),
        (changed(off=["2027-01-01", None]), "off[1]", "真实存在"),
        (changed(off=["2028-01-01"]), "off[0]", "不属于"),
        (changed(off=["2026-11-30"]), "off[0]", "不属于"),
        (changed(off=[{"from": "2027-01-02", "to": "2027-01-01", "name": "元旦"}]), "off[0]", "早于"),
        (changed(off=[{"from": "2027-01-02", "name": "元旦"}]), "off[0]", "真实存在"),
        (changed(off=[{"date": "2027-01-02", "name": ""}]), "off[0]", "名称"),
        (changed(off=["2027-01-01", {"date": "2027-01-01"}]), "off[1]", "重复"),
        (changed(make_up=["2027-01-04"]), "make_up[0]", "不是周末"),
        (changed(make_up=["2027-01-02"]), "make_up[0]", "既放假又上班"),
        (changed(make_up=["2027-01-03", "2027-01-03"]), "make_up[1]", "重复"),
        (changed(source=3), "source", "来源"),
    ],
)
def test_what_a_notice_must_not_say(data, where, words):
    with pytest.raises(BadInput) as caught:
        load_notice(data)
    assert caught.value.code == "CALENDAR_NOTICE_INVALID"
    assert caught.value.where == where
    assert words in caught.value.message


@pytest.mark.parametrize("year", [2000, 2100])
def test_the_years_it_may_speak_of(year):
    assert load_notice({"year": year, "off": [f"{year}-01-01"], "make_up": []}).year == year


def test_shipped_notices_are_complete_and_name_their_paper():
    assert [notice.year for notice in builtin_notices()] == [2024, 2025, 2026]
    for notice in builtin_notices():
        assert notice.warnings == []
        assert "gov.cn content_" in notice.source


def test_unreadable_and_broken_files(tmp_path):
    with pytest.raises(BadInput) as caught:
        read_notice(tmp_path / "missing.json")
    assert caught.value.code == "FILE_UNREADABLE"
    broken = tmp_path / "broken.json"
    for content in (b"{", "{年".encode("gb18030")):
        broken.write_bytes(content)
        with pytest.raises(BadInput) as caught:
            read_notice(broken)
        assert caught.value.code == "CALENDAR_NOTICE_INVALID"


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "notice.json"
    path.write_text(json.dumps(NOTICE), "utf-8-sig")
    assert read_notice(path).year == 2027


def test_a_stored_notice_is_seen_at_once_and_overrides_what_was_shipped(home):
    assert Calendar.default().years == [2024, 2025, 2026]
    assert Calendar.default() is Calendar.default()
    path = store_notice(load_notice(NOTICE))
    assert path == home / "calendar" / "2027.json"
    assert [file.name for file in path.parent.iterdir()] == ["2027.json"]
    assert Calendar.default().years == [2024, 2025, 2026, 2027]
    assert Calendar.default().day_label(date(2027, 1, 1)) == "元旦"
    store_notice(load_notice({"year": 2026, "off": ["2026-03-02"], "make_up": []}))
    assert not Calendar.default().is_working_day(date(2026, 3, 2))
    store_notice(load_notice({"year": 2026, "off": ["2026-03-03", "2026-03-04"], "make_up": []}))
    assert Calendar.default().is_working_day(date(2026, 3, 2))


def test_a_damaged_store_is_loud(home):
    store_notice(load_notice(NOTICE)).write_text("{}")
    with pytest.raises(XuekaError) as caught:
        stored_notices()
    assert caught.value.code == "CALENDAR_STORE_BROKEN"
    with pytest.raises(XuekaError):
        Calendar.default()
