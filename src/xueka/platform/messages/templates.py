"""The texts that are sent: named, versioned, in one file (`data/templates.toml`).

A gateway sends only texts that were registered with it, under a number that it gave. The numbers are of the
installation: `XUEKA_MESSAGE_APPROVALS` (docs/settings.md).
"""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Formatter

from django.conf import settings

CODE, RECEIPT, DECISION, REMINDER = "code", "receipt", "decision", "reminder"
KINDS = {CODE: "验证码", RECEIPT: "受理回执", DECISION: "办理结果", REMINDER: "提醒"}
LONGEST_VALUE = 64
#: Characters (UTF-16 units) of a text that is one message, and of each part of a longer one.
ONE_PART, PART = 70, 67


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a text. `kind` says when it may go and who may refuse it (`KINDS`)."""

    code: str
    version: int
    name: str
    kind: str
    text: str

    @property
    def wire(self) -> str:
        """The name under which the gateway knows this version."""
        return self.code if self.version == 1 else f"{self.code}_V{self.version}"

    @property
    def fields(self) -> list[str]:
        """The names of its values, in their order."""
        return list(dict.fromkeys(name for _, name, _, _ in Formatter().parse(self.text) if name))


@cache
def _read() -> tuple[dict[tuple[str, int], Template], dict[str, str]]:
    content = tomllib.loads(files(__package__).joinpath("data/templates.toml").read_text("utf-8"))
    made = [Template(**each) for each in content["template"]]
    return {(each.code, each.version): each for each in made}, content["values"]


def all_versions() -> list[Template]:
    """Every version of every text, as they stand in the file."""
    return list(_read()[0].values())


def current(code: str) -> Template:
    """The newest version. An unknown code is a mistake in the program: KeyError."""
    found = [each for each in all_versions() if each.code == code]
    if not found:
        raise KeyError(code)
    return max(found, key=lambda each: each.version)


def version(code: str, number: int) -> Template:
    """This version of a text; KeyError where there is none."""
    return _read()[0][code, number]


def value_words() -> dict[str, str]:
    """What each placeholder may hold."""
    return _read()[1]


def fitted(code: str, values: Mapping[str, str]) -> dict[str, str]:
    """The values as a gateway takes them: exactly those of the newest version, each within its length."""
    return {name: " ".join(values[name].split())[:LONGEST_VALUE] for name in sorted(current(code).fields)}


def text_of(template: Template, values: Mapping[str, str]) -> str:
    """What the phone shows, without the signature that the gateway puts before it."""
    return template.text.format_map(values)


def parts(text: str) -> int:
    """How many messages a text is, as carriers count: UCS-2, 70 characters, or parts of 67 each."""
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= ONE_PART else math.ceil(units / PART)


def approvals() -> dict[str, str]:
    """The numbers under which the gateway registered our texts, by name there (`Template.wire`)."""
    try:
        found = json.loads(settings.MESSAGE_APPROVALS.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return {str(code): str(number) for code, number in found.items()}
