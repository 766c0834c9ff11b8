"""The reviewed file of a ceremony: who is there, what is made, how many custodians open the store.

It is read and judged as a whole before anybody sits down: every defect is named with its place.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xueka.contexts.keys.domain import policy
from xueka.contexts.keys.domain import vocabulary as v
from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.text import parser_place

GENERATE, COMPONENTS, BLOCK, DERIVE = "generate", "components", "block", "derive"
HOW = {GENERATE: "生成", COMPONENTS: "分量导入", BLOCK: "密钥块导入", DERIVE: "由上级分散"}
MOST_SHARES = 16

_TOP = {"title", "drill", "threshold", "led_by", "reviewed_by", "custodians", "keys", "foreign", "reseal"}
_KEY = {
    "label", "title", "kind", "algorithm", "usages", "application", "parent", "how", "components", "block",
    "kcv", "under", "activate", "level", "source", "factor",
}  # fmt: skip
_FOREIGN = {"label", "title", "kind", "algorithm", "usages", "application", "owner", "place"}


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """One key to be made. `kcv`: what it must come out as; `components`: how many people bring one.

    `level` is filled for masters of a city or an issuer; `source`, `factor` for one that is derived.
    """

    label: str
    title: str
    kind: str
    algorithm: str
    usages: tuple[str, ...]
    application: str = ""
    parent: str = ""
    how: str = GENERATE
    components: int = 0
    block: str = ""
    kcv: str = ""
    under: str = ""
    level: str = ""
    source: str = ""
    factor: str = ""
    activate: bool = True

    def definition(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "kind": self.kind,
            "algorithm": self.algorithm,
            "usages": list(self.usages),
            "application": self.application,
            "parent": self.parent,
            "level": self.level,
            "source": self.source,
            "factor": self.factor,
        }


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A key that others hold: named, never made."""

    label: str
    title: str
    kind: str
    algorithm: str
    usages: tuple[str, ...]
    owner: str
    place: str
    application: str = ""

    def definition(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "kind": self.kind,
            "algorithm": self.algorithm,
            "usages": list(self.usages),
            "application": self.application,
            "owner": self.owner,
            "place": self.place,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """`reseal`: new shares for these custodians, though there are some. `text` is the file as reviewed."""

    title: str
    drill: bool
    threshold: int
    led_by: str
    reviewed_by: str
    custodians: tuple[Person, ...]
    keys: tuple[PlannedKey, ...]
    foreign: tuple[ForeignKey, ...] = ()
    reseal: bool = False
    text: str = field(default="", repr=False)

    @property
    def people(self) -> list[str]:
        return list(
            dict.fromkeys([self.led_by, self.reviewed_by, *(each.username for each in self.custodians)])
        )


def read(text: str) -> Plan:
    """The plan of a TOML or JSON file. Raises BadInput `CEREMONY_FILE`, every defect in `problems`."""
    try:
        data = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            "CEREMONY_FILE",
            "仪式文件读不懂，不符合 TOML 或 JSON 的写法。",
            where=parser_place(error)[1],
            action="请核对这一处；TOML 里花括号中的内容写在同一行。",
        ) from error
    problems = list(_problems(data))
    if problems:
        where, message = problems[0]
        raise BadInput(
            "CEREMONY_FILE",
            f"仪式文件有 {len(problems)} 处不对：{message}",
            where=where,
            action="请改正后重新复核。",
            problems=[{"where": at, "message": said} for at, said in problems],
        )
    return Plan(
        title=data["title"].strip(),
        drill=data.get("drill", False),
        threshold=data["threshold"],
        led_by=data["led_by"],
        reviewed_by=data["reviewed_by"],
        custodians=tuple(Person(each["username"], each["name"].strip()) for each in data["custodians"]),
        keys=tuple(_key(each) for each in data.get("keys", [])),
        foreign=tuple(
            ForeignKey(**{**each, "usages": tuple(each["usages"])}) for each in data.get("foreign", [])
        ),
        reseal=data.get("reseal", False),
        text=text,
    )


def canonical(lines: object) -> bytes:
    """The bytes over which a transcript's digest is made."""
    return json.dumps(lines, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _key(given: Mapping[str, Any]) -> PlannedKey:
    values = {**given, "usages": tuple(given["usages"])}
    values["level"] = given.get("level") or v.TYPES[given["kind"]].level
    values["factor"] = policy.check_source(
        given["label"], values["level"], given.get("source", ""), given.get("factor", "")
    )
    if "kcv" in values:
        values["kcv"] = v.check_kcv(values["kcv"])
    return PlannedKey(**values)


Problem = tuple[str, str]


def _problems(data: object) -> Iterator[Problem]:
    if not isinstance(data, dict):
        yield "文件", "应为一张表，含 title、custodians、keys 等。"
        return
    yield from _unknown("文件", data, _TOP)
    for name in ("title", "led_by", "reviewed_by"):
        if not isinstance(data.get(name), str) or not data[name].strip():
            yield name, f"缺少 {name}。"
    for name in ("drill", "reseal"):
        if not isinstance(data.get(name, False), bool):
            yield name, "应为 true 或 false。"
    yield from _people(data)
    yield from _keys(data, data.get("drill") is True)


def _people(data: Mapping[str, Any]) -> Iterator[Problem]:
    people = data.get("custodians")
    if not isinstance(people, list) or not all(
        isinstance(each, dict)
        and all(isinstance(each.get(name), str) and each[name] for name in ("username", "name"))
        for each in people
    ):
        yield "custodians", "每位保管人须有 username 和 name。"
        return
    names = [each["username"] for each in people]
    if len(set(names)) != len(names):
        yield "custodians", "同一位保管人写了两次。"
    threshold = data.get("threshold")
    if not isinstance(threshold, int) or not 2 <= threshold <= len(names) <= MOST_SHARES:
        yield "threshold", f"须为 2 至保管人数（{len(names)}），保管人最多 {MOST_SHARES} 位。"
    if data.get("led_by") == data.get("reviewed_by"):
        yield "reviewed_by", "复核人不能是主持人。"
    if data.get("led_by") in names:
        yield "led_by", "主持人不能兼保管人。"


def _keys(data: Mapping[str, Any], drill: bool) -> Iterator[Problem]:
    custodians = data.get("custodians")
    most = len(custodians) if isinstance(custodians, list) else 0
    keys, foreign = data.get("keys", []), data.get("foreign", [])
    if not isinstance(keys, list) or not isinstance(foreign, list) or not (keys or data.get("reseal")):
        yield "keys", "至少要有一个密钥；只换保管人时写 reseal = true。"
        return
    seen: set[str] = set()
    for what, rows, known in (("keys", keys, _KEY), ("foreign", foreign, _FOREIGN)):
        for place, each in enumerate(rows, start=1):
            where = f"{what} 第 {place} 项"
            if not isinstance(each, dict):
                yield where, "应为一张表。"
                continue
            yield from _unknown(where, each, known)
            if problem := _definition(each, drill):
                yield where, problem
                continue
            if each["label"] in seen:
                yield where, f"密钥 {each['label']} 写了两次。"
            seen.add(each["label"])
            if what == "keys":
                yield from _making(where, each, most)
            elif not all(
                isinstance(each.get(name), str) and each[name].strip() for name in ("owner", "place")
            ):
                yield where, "外部密钥须写明 owner 和 place。"


def _definition(each: Mapping[str, Any], drill: bool) -> str:
    texts = all(isinstance(each.get(name), str) for name in ("label", "title", "kind", "algorithm"))
    texts = texts and all(isinstance(each.get(name, ""), str) for name in ("level", "source", "factor"))
    usages = each.get("usages")
    if not texts or not isinstance(usages, list) or not all(isinstance(usage, str) for usage in usages):
        return "须有 label、title、kind、algorithm（文字）和 usages（列表）。"
    try:
        level = policy.check_definition(
            each["label"], each["kind"], each["algorithm"], usages, drill=drill, level=each.get("level", "")
        )
        policy.check_source(each["label"], level, each.get("source", ""), each.get("factor", ""))
    except XuekaError as refusal:
        return f"{refusal.message}应为：{refusal.expected}。"
    return ""


def _making(where: str, each: Mapping[str, Any], custodians: int) -> Iterator[Problem]:
    how = each.get("how", GENERATE)
    if how not in HOW:
        yield where, f"how 应为 {'、'.join(HOW)}。"
    for name in ("parent", "kcv", "block", "under", "application"):
        if not isinstance(each.get(name, ""), str):
            yield where, f"{name} 应为文字。"
            return
    if not isinstance(each.get("activate", True), bool):
        yield where, "activate 应为 true 或 false。"
    level = v.TYPES[each["kind"]].level
    if level == v.LOCAL and each.get("parent"):
        yield where, "本地主密钥不由别的密钥保护。"
    if level == v.PLATFORM:
        yield where, "系统密钥由系统自己生成，不在仪式里做。"
    if (how == DERIVE) != bool(each.get("source")):
        yield where, '由上级分散的密钥写 how = "derive"、source 和 factor；其他的都不写。'
    if how in (COMPONENTS, BLOCK):
        try:
            v.check_kcv(each.get("kcv", ""))
        except BadInput:
            yield where, "导入的密钥须写明校验值 kcv（6 位十六进制数字）。"
    parts = each.get("components", 0)
    if how == COMPONENTS and (not isinstance(parts, int) or not 2 <= parts <= custodians):
        yield where, f"components 须为 2 至保管人数（{custodians}），每人一个分量。"
    if how == BLOCK and not each.get("block"):
        yield where, "须给出密钥块 block。"


def _unknown(where: str, given: Mapping[str, Any], known: set[str]) -> Iterator[Problem]:
    for name in sorted(set(map(str, given)) - known):
        yield where, f"不认识的项目 {name}。"
