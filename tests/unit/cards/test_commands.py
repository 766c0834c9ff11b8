"""`xueka card …` and `xueka numbers …`: one JSON object, and the words a person reads."""

import contextlib
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.unit.cards.conftest import City
from xueka.contexts.cards import api as cards
from xueka.entrypoints.cli import card_commands, common, kinds_commands, numbers_commands
from xueka.kernel.errors import BadInput, NotFound


@pytest.fixture(autouse=True)
def inside_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use the test's own database instead of starting theirs."""
    monkeypatch.setattr(common, "database", contextlib.nullcontext)


def run(app: typer.Typer, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def answer(app: typer.Typer, *words: str, code: int = 0) -> dict:
    return json.loads(run(app, *words, "--json", code=code))


def test_card_show_is_the_stable_shape(city: City) -> None:
    [card] = city.active(city.students())
    number = cards.card(city.system.scope, card).number
    shown = answer(card_commands.app, "show", number)
    assert shown == answer(card_commands.app, "show", "00000001")
    assert {"account", "cards", "timeline"} <= set(shown)
    assert shown["cards"][0] | {"number": number, "state": "active"} == shown["cards"][0]
    assert all({"at", "actor", "event", "detail"} <= set(step) for step in shown["timeline"])
    text = run(card_commands.app, "show", number)
    assert "北京通学生卡  使用中" in text and "发放" in text
    with pytest.raises(NotFound):
        run(card_commands.app, "show", "99999999")


def test_lost_says_when_each_system_follows(city: City) -> None:
    [card] = city.active(city.students())
    number = cards.card(city.system.scope, card).number
    lost = answer(card_commands.app, "lost", number, "--note", "操场")
    assert (lost["state"], lost["effects"][0]["system"]) == ("lost", "本系统")
    assert answer(card_commands.app, "found", number)["state"] == "lost"
    assert "使用中" in run(card_commands.app, "lift", number)
    assert "已挂失：本系统即时生效；" in run(card_commands.app, "lost", number)
    assert answer(card_commands.app, "cancel", number, "--reason", "转出")["state"] == "cancelled"
    assert {kind["code"] for kind in answer(card_commands.app, "kinds")["kinds"]} == {
        "bjt_student",
        "xj_card",
        "zj_card",
    }


def test_ranges_are_added_shown_and_closed(city: City) -> None:
    words = ["add", "transit", "--issuer", "一卡通公司", "--prefix", "10008800", "--width", "8"]
    made = answer(numbers_commands.app, *words, "--first", "1", "--last", "9", "--low-water", "9")
    assert (made["remaining"], made["is_low"], made["last_number"]) == (9, True, "1000880000000009")
    shown = answer(numbers_commands.app, "ranges")
    assert made["id"] in {each["id"] for each in shown["ranges"]}
    assert {level["sort"] for level in shown["levels"]} == {"transit", "beijing_tong"}
    assert "低水位" in run(numbers_commands.app, "ranges")
    closed = answer(numbers_commands.app, "close", str(made["id"]), "--reason", "收回")
    assert closed == {"id": made["id"], "is_open": False}
    assert answer(numbers_commands.app, "fate", "1000880000000001")["uses"] == []
    with pytest.raises(BadInput):
        run(numbers_commands.app, *words, "--first", "9", "--last", "1")


def test_a_lot_is_taken_in(city: City, tmp_path: Path) -> None:
    file = tmp_path / "lot.csv"
    file.write_text("序号,一卡通号\n1,1000990000000001\n2,99\n", encoding="utf-8")
    words = ["import-lot", str(file), "--lot", "L1", "--supplier", "一卡通公司", "--handed-over-by", "张三"]
    refused = answer(numbers_commands.app, *words, code=1)
    assert [(error["line"], error["code"]) for error in refused["errors"]] == [(3, "LOT_TRANSIT_NUMBER")]
    assert "第 3 行「一卡通号」" in run(numbers_commands.app, *words, code=1)
    file.write_text("序号,一卡通号\n1,1000990000000001\n", encoding="utf-8")
    assert "试运行，未入库" in run(numbers_commands.app, *words, "--dry-run")
    assert answer(numbers_commands.app, *words)["accepted"] == 1
    assert answer(numbers_commands.app, "stock")["lots"][0]["in_stock"] == 1
    assert "在库 1" in run(numbers_commands.app, "stock")
    run(numbers_commands.app, "import-lot", str(tmp_path / "none.csv"), *words[2:], code=2)


def test_kinds_are_listed_and_changed(city: City) -> None:
    [kind] = [each for each in answer(kinds_commands.app, "list")["kinds"] if each["code"] == "bjt_student"]
    assert (kind["version"], kind["review_levels"], kind["differs_from_file"]) == (
        1,
        ["district", "city"],
        [],
    )
    words = (
        "change",
        "bjt_student",
        "--reason",
        "试点",
        "--set",
        "review_levels=city",
        "--set",
        "photo_required=否",
    )
    tried = answer(kinds_commands.app, *words, "--dry-run")
    assert (tried["version"], [each["field"] for each in tried["difference"]]) == (
        1,
        ["review_levels", "photo_required"],
    )
    assert answer(kinds_commands.app, *words)["version"] == 2
    assert "与随附配置不同" in run(kinds_commands.app, "list")
    assert "审核级：市 → 区、市" in run(
        kinds_commands.app, "change", "bjt_student", "--from-file", "--reason", "试点结束"
    )
    run(kinds_commands.app, "change", "bjt_student", "--reason", "x", code=2)
    run(kinds_commands.app, "change", "bjt_student", "--reason", "x", "--set", "is_open=vielleicht", code=2)


def test_a_range_is_closed_and_opened(city: City) -> None:
    [found] = [each for each in answer(numbers_commands.app, "ranges")["ranges"] if each["sort"] == "transit"]
    number = str(found["id"])
    assert answer(numbers_commands.app, "close", number, "--reason", "暂停")["is_open"] is False
    assert answer(numbers_commands.app, "reopen", number, "--reason", "恢复")["is_open"] is True
