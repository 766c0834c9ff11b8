import pytest

from xueka.kernel.errors import (
    BadInput,
    Conflict,
    Forbidden,
    LineProblem,
    NotFound,
    Refused,
    XuekaError,
)


def test_a_refusal_carries_the_four_answers_and_drops_what_is_unknown():
    error = BadInput(
        "DATE_INVALID", "日期不存在。", where="第 3 行", found="2015-02-30", action="请改正。", batch="B1"
    )
    assert str(error) == "日期不存在。"
    assert error.as_dict() == {
        "code": "DATE_INVALID",
        "message": "日期不存在。",
        "where": "第 3 行",
        "found": "2015-02-30",
        "action": "请改正。",
        "detail": {"batch": "B1"},
    }
    assert Refused("X", "不行。").as_dict() == {"code": "X", "message": "不行。"}


def test_falsy_values_are_still_said():
    assert XuekaError("X", "不行。", found=0, expected="").as_dict() == {
        "code": "X",
        "message": "不行。",
        "found": 0,
        "expected": "",
    }


@pytest.mark.parametrize("kind", [BadInput, Conflict, Forbidden, NotFound, Refused])
def test_one_except_clause_catches_every_refusal(kind):
    with pytest.raises(XuekaError) as caught:
        raise kind("CODE", "信息。")
    assert caught.value.code == "CODE"
    assert "CODE" in repr(caught.value)


def test_line_problems_sort_by_line_and_go_to_json_whole():
    later = LineProblem(10, "姓名", "NAME_MISSING", "", "姓名为空。")
    sooner = LineProblem(9, "性别", "GENDER_UNKNOWN", "X", "性别无法识别。")
    assert sorted([later, sooner]) == [sooner, later]
    assert sooner.as_dict() == {
        "line": 9,
        "column": "性别",
        "code": "GENDER_UNKNOWN",
        "value": "X",
        "message": "性别无法识别。",
    }
