"""The stable commands `xueka calendar …` and `xueka money …`, as people script against them."""

import json
import subprocess
import sys
from datetime import datetime

import pytest

from xueka.entrypoints.cli import main as command
from xueka.kernel import clock


@pytest.fixture
def xueka(monkeypatch, capsys, tmp_path):
    """Runs the command as the shell would; answers exit code, standard output and standard error."""
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["xueka", *words])
        with pytest.raises(SystemExit) as left:
            command.main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


def as_json(result: tuple[int, str, str]) -> tuple[int, dict]:
    code, out, err = result
    assert err == ""
    assert out.count("\n") == 1
    return code, json.loads(out)


@pytest.mark.parametrize(
    ("start", "count", "due"),
    [
        ("2024-09-27", "7", "2024-10-12"),
        ("2025-01-23", "7", "2025-02-08"),
        ("2024-06-25", "-10", "2024-06-11"),
    ],
)
def test_adding_working_days(xueka, start, count, due):
    assert as_json(xueka("calendar", "add", start, count, "--json")) == (0, {"date": due})


def test_counting_working_days(xueka):
    result = as_json(xueka("calendar", "between", "2024-08-18", "2025-08-17", "--json"))
    assert result == (0, {"working_days": 247})


def test_people_get_the_name_of_the_day_and_a_reminder_late_in_the_year(xueka):
    with clock.at(datetime(2026, 11, 2, tzinfo=clock.SHANGHAI)):
        code, out, err = xueka("calendar", "add", "2024-09-27", "7")
    assert (code, out) == (0, "2024-10-12（调休上班）\n")
    assert "2027" in err
    with clock.at(datetime(2026, 10, 31, tzinfo=clock.SHANGHAI)):
        assert xueka("calendar", "between", "2024-06-11", "2024-06-13") == (0, "3\n", "")


def test_an_unknown_year_is_refused_until_its_notice_is_loaded(xueka, tmp_path):
    code, answer = as_json(xueka("calendar", "add", "2026-12-31", "1", "--json"))
    assert (code, answer["error"]["code"]) == (1, "CALENDAR_YEAR_MISSING")
    notice = tmp_path / "2027.json"
    notice.write_text(
        json.dumps(
            {"year": 2027, "off": [{"from": "2027-01-01", "to": "2027-01-03"}], "make_up": ["2027-01-09"]}
        )
    )
    code, answer = as_json(xueka("calendar", "load", str(notice), "--json"))
    assert code == 0
    assert answer["year"] == 2027
    assert answer["off"] == ["2027-01-01", "2027-01-02", "2027-01-03"]
    assert answer["make_up"] == ["2027-01-09"]
    assert len(answer["warnings"]) == 2
    assert as_json(xueka("calendar", "add", "2026-12-31", "6", "--json")) == (0, {"date": "2027-01-09"})
    code, out, err = xueka("calendar", "load", str(notice))
    assert (code, out) == (0, "已载入 2027 年放假安排：放假 3 天，调休上班 1 天。\n")
    assert err.count("提醒：") == 2


def test_a_wrong_notice_changes_nothing(xueka, tmp_path):
    notice = tmp_path / "2027.json"
    notice.write_text(json.dumps({"year": 2027, "off": ["2027-01-01"], "make_up": ["2027-01-04"]}))
    code, answer = as_json(xueka("calendar", "load", str(notice), "--json"))
    assert code == 1
    assert answer["error"]["code"] == "CALENDAR_NOTICE_INVALID"
    assert answer["error"]["where"] == "make_up[0]"
    assert not (tmp_path / "home" / "calendar").exists()


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["calendar", "add", "2024-06-31", "1"], 2, "DATE_INVALID"),
        (["calendar", "add", "2024-06-11", "ten"], 2, "COUNT_INVALID"),
        (["calendar", "between", "2024-06-11", "soon"], 2, "DATE_INVALID"),
        (["calendar", "between", "2024-06-12", "2024-06-11"], 1, "CALENDAR_RANGE"),
        (["calendar", "load", "missing.json"], 1, "FILE_UNREADABLE"),
        (["money", "capitals", "twenty"], 2, "MONEY_FORMAT"),
        (["money", "capitals", "0.001"], 2, "MONEY_FRACTION"),
        (["money", "capitals", "-5"], 1, "MONEY_NEGATIVE"),
    ],
)
def test_refusals(xueka, words, exit_code, code):
    status, answer = as_json(xueka(*words, "--json"))
    assert (status, answer["error"]["code"]) == (exit_code, code)
    status, out, err = xueka(*words)
    assert (status, out) == (exit_code, "")
    assert code in err and answer["error"]["message"] in err


def test_capitals(xueka):
    assert xueka("money", "capitals", "3650712.00") == (0, "叁佰陆拾伍万零柒佰壹拾贰元整\n", "")
    assert as_json(xueka("money", "capitals", "365,071.20", "--json")) == (
        0,
        {"amount_fen": 36_507_120, "amount_text": "叁拾陆万伍仟零柒拾壹元贰角"},
    )


def test_no_framework_is_loaded_for_it(tmp_path):
    """In a process of its own: it must work on a machine without a database, and start fast."""
    script = (
        "import sys; from xueka.entrypoints.cli.main import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join({'django', 'psycopg', 'polars'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, "calendar", "add", "2024-06-11", "10", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert json.loads(ran.stdout) == {"date": "2024-06-25"}
    assert ran.stderr == ""
    assert list(tmp_path.iterdir()) == []
