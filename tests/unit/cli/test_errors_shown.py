"""A refusal on the terminal: every defect of a file, not the first alone; and help without English words."""

import re

import pytest
import typer
from typer.testing import CliRunner

from xueka.entrypoints.cli import common, main
from xueka.kernel.errors import BadInput


def test_every_defect_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    problems = ["密钥 local 已登记。", {"where": "keys 第 2 项", "message": "缺少 kcv。"}]
    common.show_error(BadInput("PLAN", "文件有 2 处不对。", problems=problems).as_dict())
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["  · 密钥 local 已登记。", "  · keys 第 2 项：缺少 kcv。"]


def test_one_defect_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    common.show_error(BadInput("PLAN", "缺少 kcv。", problems=["缺少 kcv。"]).as_dict())
    assert capsys.readouterr().err == "缺少 kcv。（PLAN）\n"


def every_command(app: object, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [words]
    for name, each in getattr(app, "commands", {}).items():
        found += every_command(each, (*words, name))
    return found


def test_the_help_of_every_command_is_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    app, english = main.build(), {}
    commands = every_command(typer.main.get_command(app))
    assert len(commands) > 100
    for words in commands:
        if words[:1] == ("manage",):
            continue  # Django's own
        said = CliRunner().invoke(app, [*words, "--help"]).output
        assert "用法：" in said, words
        wrong = re.findall(
            r"Usage|usage|OPTIONS|ARGS|<(?:bool|str|int|float|path|file|directory)\b.*?>", said
        )
        if wrong:
            english[words] = sorted(set(wrong))
    assert english == {}
