"""A partner's script: commands that run as they came (docs/interfaces/card-profile.md §6)."""

import re
import tomllib
from dataclasses import dataclass
from datetime import date

from xueka.contexts.personalization.domain.compiling import ScriptCommand
from xueka.contexts.personalization.domain.profiles import CODE, ProfileRejected
from xueka.contexts.personalization.domain.reading import Reader
from xueka.kernel.errors import LineProblem
from xueka.kernel.text import parser_place

STAGES = {"personalise": "随新卡写入", "field": "在用卡升级"}
VERSION = re.compile(r"[0-9A-Za-z.-]{1,16}", re.ASCII)
APDU = re.compile(r"(?:[0-9a-f]{2}){4,261}", re.ASCII)
STATUS = re.compile(r"[0-9a-f?]{4}", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOST = 100


@dataclass(frozen=True, slots=True)
class Script:
    """One version of a partner's commands for its application on the card."""

    code: str
    version: str
    title: str
    application: str
    stage: str
    kinds: tuple[str, ...]
    starts_on: date
    source: str
    document: str
    commands: tuple[ScriptCommand, ...]


def parse_script(text: str) -> Script:
    """The script in a file's text. Raises ProfileRejected with every defect."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, where = parser_place(error)
        message = f"{where}不符合 TOML 的写法。"
        raise ProfileRejected([LineProblem(line, where, "SCRIPT_UNREADABLE", "", message)]) from None
    r = Reader("", raw)
    day = r.text("starts_on", DAY, "YYYY-MM-DD 形式的日期")
    try:
        starts_on = date.fromisoformat(day)
    except ValueError:
        starts_on = date.min
        if DAY.fullmatch(day):
            r.problem("starts_on", "PROFILE_VALUE", day, "没有这一天。")
    script = Script(
        code=r.text("script", CODE, "小写英文名称"),
        version=r.text("version", VERSION, "1 至 16 个数字、字母、点、连字符"),
        title=r.words("title", 64),
        application=r.text("application", CODE, "应用的代码，例如 transit"),
        stage=r.choice("stage", tuple(STAGES)),
        kinds=r.names("kinds", CODE),
        starts_on=starts_on,
        source=r.words("source", 64),
        document=r.text("document", re.compile(r".{0,100}"), "最多 100 个字", default=""),
        commands=tuple(_command(each) for each in r.tables("command")),
    )
    r.done()
    if not 1 <= len(script.commands) <= MOST and "command" not in r.missing:
        r.problem("command", "PROFILE_VALUE", len(script.commands), f"应有 1 至 {MOST} 条命令。")
    if r.problems:
        raise ProfileRejected(r.problems)
    return script


def _command(r: Reader) -> ScriptCommand:
    apdu = r.text("apdu", APDU, "4 至 261 字节的小写十六进制命令")
    expect = r.names("expect", STATUS, default=("9000",))
    r.done()
    return ScriptCommand(bytes.fromhex(apdu) if APDU.fullmatch(apdu) else b"", expect)
