"""The room of a ceremony: a terminal with people before it, or the answers of a drill."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xueka.kernel.errors import BadInput, Refused

if TYPE_CHECKING:
    from xueka.contexts.keys.api import Person, Plan

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"  # screen and what was scrolled off it


class Terminal:
    """Prompts for one person after the other; what only she may see is wiped before the next sits down."""

    def __init__(self, plan: "Plan", sheets: Path | None) -> None:
        self._plan, self._sheets = plan, sheets

    def told(self, text: str) -> None:
        sys.stderr.write(f"xueka: {text}\n")

    def prove(self, person: "Person", digest: str) -> str:
        self.told(f"请{person.name}核对摘要 {digest[:8]} {digest[8:16]} …，再输入自己的动态验证码。")
        return str(typer.prompt(f"{person.name} 的动态验证码", err=True))

    def take(self, person: "Person", words: str) -> None:
        """On paper as a sheet where a folder was named, else on the screen to be copied by hand."""
        if self._sheets is not None:
            from xueka.contexts.keys import api as keys

            people = [each.name for each in self._plan.custodians]
            content = keys.share_sheet(self._plan.title, person.name, words, self._plan.threshold, people)
            self._sheets.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = self._sheets / f"{person.username}.pdf"
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(content)
            self.told(f"{person.name}的份额在 {file}，请打印后删除该文件。")
        else:
            numbered = "\n".join(f"{place:>3}  {word}" for place, word in enumerate(words.split(), start=1))
            typer.prompt(f"只请{person.name}一人看屏幕，按回车显示", default="", show_default=False, err=True)
            sys.stderr.write(f"{_CLEAR}{numbered}\n")
        typer.prompt("抄好或打印好后按回车，屏幕随即清除", default="", show_default=False, err=True)
        sys.stderr.write(_CLEAR)

    def word(self, person: "Person", place: int) -> str:
        return str(typer.prompt(f"请{person.name}看着纸面输入第 {place} 个词", err=True, hide_input=True))

    def component(self, person: "Person", label: str, size: int) -> tuple[str, str]:
        self.told(f"请{person.name}输入 {label} 的分量（{size * 2} 位十六进制数字，可分组）。")
        part = typer.prompt("分量", err=True, hide_input=True)
        return str(part), str(typer.prompt("分量的校验值（6 位）", err=True))

    def share(self, person: "Person") -> str:
        return str(typer.prompt(f"请{person.name}输入份额的全部单词", err=True, hide_input=True))


class Answers:
    """A drill's answers: {USERNAME: {"code": [...], "component LABEL": [[hex, kcv], …], "share": [...]}}.

    Each list is worked off from its beginning, so that a drill can mistype, too. The words of a share that
    was handed out in the same drill are remembered.
    """

    def __init__(self, text: str) -> None:
        try:
            self._given: dict[str, Any] = json.loads(text)
            if not isinstance(self._given, dict):
                raise ValueError(text[:20])
        except ValueError:
            raise BadInput("CEREMONY_ANSWERS", "答案文件读不懂，不是 JSON。", action="请核对文件。") from None
        self._words: dict[str, list[str]] = {}
        self._worked: dict[tuple[str, str], int] = defaultdict(int)

    def told(self, text: str) -> None:
        sys.stderr.write(f"xueka: {text}\n")

    def prove(self, person: "Person", digest: str) -> str:
        return str(self._next(person, "code"))

    def take(self, person: "Person", words: str) -> None:
        self._words[person.username] = words.split()

    def word(self, person: "Person", place: int) -> str:
        return self._words[person.username][place - 1]

    def component(self, person: "Person", label: str, size: int) -> tuple[str, str]:
        part, kcv = self._next(person, f"component {label}")
        return str(part), str(kcv)

    def share(self, person: "Person") -> str:
        return str(self._next(person, "share"))

    def _next(self, person: "Person", what: str) -> Any:
        listed = self._given.get(person.username, {}).get(what, [])
        place = self._worked[person.username, what]
        self._worked[person.username, what] += 1
        if not isinstance(listed, list) or place >= len(listed):
            raise Refused("CEREMONY_ANSWERS", f"答案文件没有 {person.name} 的第 {place + 1} 个“{what}”。")
        return listed[place]
