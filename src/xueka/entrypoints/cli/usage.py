"""A command that was put wrongly, explained in Chinese. Typer's own words are English."""

import re

from typer._click import exceptions  # Typer brings its own Click and exports none of these

from xueka.kernel.errors import BadInput

_EXPECTED = (
    (re.compile(r"valid integer"), "整数"),
    (re.compile(r"valid (?:number|decimal)"), "数字"),
    (re.compile(r"valid date"), "日期，如 2026-09-01"),
    (re.compile(r"greater than or equal to (\S+)"), r"不小于 \1"),
    (re.compile(r"less than or equal to (\S+)"), r"不大于 \1"),
    (re.compile(r"is not one of (.+?)\.?$"), r"\1"),
)
_NO_COMMAND = re.compile(r"No such command '(?P<name>.*?)'\.(?: Did you mean (?P<meant>.*)\?)?", re.DOTALL)
_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((?P<found>.*)\)", re.DOTALL)


def explain(error: exceptions.UsageError) -> BadInput:
    """What was found, what was expected and where to read on; a code by the kind of the error."""
    path = error.ctx.command_path if error.ctx else "xueka"
    action = f"用 {path} --help 查看用法。"
    found: str | None = None
    expected: str | None = None
    code, text = "USAGE_WRONG", "命令不完整，或写法不对。"
    if isinstance(error, exceptions.NoSuchOption):
        found = error.option_name
        code, text = "USAGE_OPTION", f"{path} 没有选项 {found}。"
        action = _meant("、".join(sorted(error.possibilities or ()))) + action
    elif isinstance(error, exceptions.MissingParameter):
        code, text = "USAGE_MISSING", f"缺少{_named(error)}。"
    elif isinstance(error, exceptions.BadParameter):
        code, text, expected = "USAGE_VALUE", f"{_named(error)} 的值不对。", _expected(error.message)
    elif isinstance(error, exceptions.BadOptionUsage):
        code, text = "USAGE_VALUE", f"选项 {error.option_name} 后面缺少值，或写了多余的值。"
    elif command := _NO_COMMAND.match(error.message):
        found = command["name"]
        code, text = "USAGE_COMMAND", f"{path} 没有命令 {found}。"
        action = _meant((command["meant"] or "").replace("'", "")) + action
    elif extra := _EXTRA.match(error.message):
        code, text, found = "USAGE_EXTRA", "命令后面有多余的内容。", extra["found"]
    return BadInput(code, text, found=found, expected=expected, action=action)


def _meant(names: str) -> str:
    return f"是否要用 {names}？" if names else ""


def _named(error: exceptions.BadParameter) -> str:
    if error.param is None:
        return "参数"
    sort = "选项" if error.param.param_type_name == "option" else "参数"
    return f"{sort} {error.param.get_error_hint()}".replace("'", "")


def _expected(message: str) -> str | None:
    for form, words in _EXPECTED:
        if found := form.search(message):
            return found.expand(words).replace("'", "")
    return None
