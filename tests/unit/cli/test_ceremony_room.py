"""The terminal of a ceremony: what each person is asked, what is wiped, what is written down for whom."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from xueka.contexts.keys import api as keys
from xueka.entrypoints.cli import ceremony_room
from xueka.kernel.errors import BadInput, Refused

PLAN = keys.read_plan(
    json.dumps(
        {
            "title": "试验", "threshold": 2, "led_by": "leader", "reviewed_by": "anne", "reseal": True,
            "custodians": [{"username": name, "name": name.title()} for name in ("anne", "bert")],
        }
    )
)  # fmt: skip
ANNE, WORDS = keys.Person("anne", "Anne"), "alpha bravo charlie delta"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers to the prompts, in order; what is asked is kept in `asked`."""
    answers: list[str] = []

    def prompt(text: str, **options: Any) -> str:
        asked.append((text, bool(options.get("hide_input"))))
        return answers.pop(0) if answers else ""

    asked.clear()
    monkeypatch.setattr(typer, "prompt", prompt)
    return answers


asked: list[tuple[str, bool]] = []


def test_a_share_is_shown_to_one_person_and_wiped(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    room = ceremony_room.Terminal(PLAN, None)
    room.take(ANNE, WORDS)
    shown = capsys.readouterr().err
    assert [word for word in WORDS.split() if word not in shown] == []
    assert shown.endswith("\x1b[2J\x1b[3J\x1b[H")
    assert "Anne" in asked[0][0]


def test_a_share_becomes_a_sheet_for_its_owner_only(
    typed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room = ceremony_room.Terminal(PLAN, tmp_path / "sheets")
    room.take(ANNE, WORDS)
    file = tmp_path / "sheets" / "anne.pdf"
    assert file.read_bytes().startswith(b"%PDF")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "alpha" not in capsys.readouterr().err
    with pytest.raises(FileExistsError):  # no sheet is overwritten
        room.take(ANNE, WORDS)


def test_what_is_secret_is_not_shown_while_it_is_typed(typed: list[str]) -> None:
    room = ceremony_room.Terminal(PLAN, None)
    typed += ["123456", "bravo", "00ff", "abcdef", "all the words"]
    assert room.prove(ANNE, "0" * 64) == "123456"
    assert room.word(ANNE, 2) == "bravo"
    assert room.component(ANNE, "education.mf.control", 16) == ("00ff", "abcdef")
    assert room.share(ANNE) == "all the words"
    assert [hidden for _, hidden in asked] == [False, True, True, False, True]


def test_answers_of_a_drill_are_worked_off_in_order() -> None:
    given = {"anne": {"code": ["1", "2"], "component k": [["00", "11"]], "share": ["words"]}}
    room = ceremony_room.Answers(json.dumps(given))
    assert [room.prove(ANNE, ""), room.prove(ANNE, "")] == ["1", "2"]
    with pytest.raises(Refused) as refusal:
        room.prove(ANNE, "")
    assert refusal.value.code == "CEREMONY_ANSWERS"
    assert room.component(ANNE, "k", 16) == ("00", "11")
    assert room.share(ANNE) == "words"
    room.take(ANNE, WORDS)
    assert room.word(ANNE, 4) == "delta"


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_what_is_no_file_of_answers_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        ceremony_room.Answers(text)
