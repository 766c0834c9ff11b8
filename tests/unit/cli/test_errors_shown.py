"""A refusal on the terminal: every defect of a file, not the first alone."""

import pytest

from xueka.entrypoints.cli import common
from xueka.kernel.errors import BadInput


def test_every_defect_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    problems = ["密钥 local 已登记。", {"where": "keys 第 2 项", "message": "缺少 kcv。"}]
    common.show_error(BadInput("PLAN", "文件有 2 处不对。", problems=problems).as_dict())
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["  · 密钥 local 已登记。", "  · keys 第 2 项：缺少 kcv。"]


def test_one_defect_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    common.show_error(BadInput("PLAN", "缺少 kcv。", problems=["缺少 kcv。"]).as_dict())
    assert capsys.readouterr().err == "缺少 kcv。（PLAN）\n"
