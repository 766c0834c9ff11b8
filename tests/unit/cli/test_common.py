"""The manner of every command: answers, refusals, exit codes, one transaction."""

import json
import subprocess
import sys

import pytest
import typer
from django.db import connection

from xueka.entrypoints.cli import common, main
from xueka.kernel.errors import Refused
from xueka.platform.audit import chain
from xueka.platform.audit import services as audit
from xueka.platform.audit.models import Entry, Seal
from xueka.platform.database import location

REFUSAL = Refused(
    "NOT_TODAY", "今天不办理。", where="第 3 行", found="周日", expected="工作日", action="请明天再来。"
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Run `main` on a command with one sub-command `act` that raises `error`; returns (code, out, err)."""

    def _run(error: Exception | None, *arguments: str) -> tuple[int, str, str]:
        app = typer.Typer()
        app.callback()(lambda: None)

        @app.command()
        def act(as_json: common.Json = False) -> None:
            if error:
                raise error
            common.answer({"done": 1, "名": "王"}, as_json)

        monkeypatch.setattr(main, "build", lambda: app)
        monkeypatch.setattr(main.signal, "signal", lambda number, action: None)
        monkeypatch.setattr(sys, "argv", ["xueka", "act", *arguments])
        with pytest.raises(SystemExit) as left:
            main.main()
        return (left.value.code, *capsys.readouterr())

    return _run


def test_an_answer_is_one_json_object_or_lines(run) -> None:
    assert run(None, "--json") == (0, '{"done": 1, "名": "王"}\n', "")
    assert run(None) == (0, "done: 1\n名: 王\n", "")


def test_a_refusal_says_what_where_and_what_to_do(run) -> None:
    code, out, err = run(REFUSAL)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "今天不办理。（NOT_TODAY）",
        "  位置：第 3 行",
        "  实际：周日",
        "  应为：工作日",
        "  处理：请明天再来。",
    ]


def test_a_refusal_under_json_is_one_object_on_standard_output(run) -> None:
    code, out, err = run(REFUSAL, "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["error"]["code"] == "NOT_TODAY"


def test_a_server_that_cannot_be_used_is_no_traceback(run) -> None:
    code, _, err = run(location.EmbeddedServerError("没有空间"))
    assert (code, err) == (1, "没有空间（DATABASE_UNAVAILABLE）\n")


def test_wrong_usage_is_2(run) -> None:
    code, out, err = run(None, "--no-such-option", "--json")
    assert (code, err) == (2, "")
    assert json.loads(out)["error"]["code"] == "USAGE_OPTION"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("card shw", "USAGE_COMMAND", "是否要用 show"),
        ("roster import", "USAGE_MISSING", "缺少参数 FILE。"),
        ("roster import file --dryrun", "USAGE_OPTION", "是否要用 --dry-run"),
        ("roster import one two", "USAGE_EXTRA", "two"),
        ("users list --limit", "USAGE_VALUE", "选项 --limit 后面缺少值"),
        ("simulate --students abc", "USAGE_VALUE", "应为：整数"),
        ("simulate --students 1", "USAGE_VALUE", "应为：不小于 16"),
        ("simulate --students 30 --faults none-at-all", "USAGE_VALUE", "light, heavy, none"),
    ],
)
def test_wrong_usage_is_told_in_chinese(words, code, told, monkeypatch, capsys) -> None:
    monkeypatch.setattr(main.signal, "signal", lambda number, action: None)
    monkeypatch.setattr(sys, "argv", ["xueka", *words.split()])
    with pytest.raises(SystemExit) as left:
        main.main()
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert f"（{code}）" in err
    assert told in err
    assert "Usage" not in err


def test_every_part_is_found_and_has_its_help() -> None:
    answer = subprocess.run([sys.executable, "-m", "xueka", "--help"], capture_output=True, text=True)
    assert answer.returncode == 0
    for command in ("serve", "verify", "simulate", "roster", "schools", "calendar", "money", "card"):
        assert f" {command} " in answer.stdout


@pytest.mark.django_db(transaction=True)
def test_an_edge_commits_and_seals() -> None:
    with common.edge() as actor:
        assert actor.username.startswith("cli:")
        audit.record(actor, "test.act")
    assert Entry.objects.count() == Seal.objects.count() == 1
    assert chain.verify().problems == []


@pytest.mark.django_db(transaction=True)
def test_an_edge_that_fails_leaves_nothing() -> None:
    with pytest.raises(Refused), common.edge() as actor:
        audit.record(actor, "test.act")
        raise REFUSAL
    assert not Entry.objects.exists()
    assert not connection.in_atomic_block
