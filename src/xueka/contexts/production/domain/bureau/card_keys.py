"""Card keys in a production package, version 1.1 (docs/interfaces/card-bureau.md §15): plan, file, manifest.

A plan says for a card kind how its keys come onto the cards at the bureau. Without one a package is of
version 1.0 and carries no keys.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from xueka.kernel.errors import BadInput

VERSION = "1.1"
NONE, FILE, LOADED, OWN = "none", "file", "loaded", "own"
WAYS = {
    NONE: "不写密钥",
    FILE: "随文件加密送交",
    LOADED: "卡厂已装入主密钥",
    OWN: "卡厂用自己的密钥",
}
CARD_NUMBER, TRANSIT_NUMBER, BLANK_UID, CHIP_UID = "card_number", "transit_number", "blank_uid", "chip_uid"
#: By what a master is diversified. A chip's UID is read by the bureau; the city knows bound blanks only.
FACTORS = {
    CARD_NUMBER: "学卡号",
    TRANSIT_NUMBER: "一卡通号",
    BLANK_UID: "指定白卡UID",
    CHIP_UID: "芯片UID",
}
BY_SM2 = "SM2"
MOST_MASTERS = 16
KEY_SIZE, KCV_SIZE = 16, 3

_LABEL = r"[a-z0-9_.]{1,64}"
_REFERENCE = r"[A-Za-z0-9._-]{1,32}"
_ABOVE = r"[0-9a-f]{16}"


@dataclass(frozen=True, slots=True)
class MasterPlan:
    """One key of a card: its master, what diversifies it, and the levels above (16 hex digits each)."""

    label: str
    factor: str
    above: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """`transport`: `SM2`, or the label of a key that the bureau holds; `reference`: the bureau's own keys."""

    way: str
    masters: tuple[MasterPlan, ...] = ()
    transport: str = ""
    reference: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "way": self.way,
            "transport": self.transport,
            "reference": self.reference,
            "masters": [
                {"label": each.label, "factor": each.factor, "above": list(each.above)}
                for each in self.masters
            ],
        }


def read_plan(given: Any) -> KeyPlan:
    """A plan from its JSON form (`as_dict`). Raises BadInput `KEY_PLAN` that says which field and why."""
    if not isinstance(given, Mapping):
        _wrong("计划", given, "一个对象")
    if unknown := sorted(set(given) - {"way", "transport", "reference", "masters"}):
        _wrong("、".join(map(str, unknown)), "未知的字段", "way、transport、reference、masters")
    way = given.get("way")
    if way not in WAYS:
        _wrong("way", way, "、".join(WAYS))
    masters = given.get("masters") or []
    if not isinstance(masters, Sequence) or isinstance(masters, str) or len(masters) > MOST_MASTERS:
        _wrong("masters", masters, f"至多 {MOST_MASTERS} 项")
    plan = KeyPlan(
        way,
        tuple(_master(each, f"masters[{place}]", way) for place, each in enumerate(masters)),
        _text(given, "transport", f"|{BY_SM2}|{_LABEL}"),
        _text(given, "reference", f"(?:{_REFERENCE})?"),
    )
    needs = {NONE: (False, False), FILE: (True, False), LOADED: (False, False), OWN: (False, True)}[way]
    for name, value, needed in (
        ("transport", plan.transport, needs[0]),
        ("reference", plan.reference, needs[1]),
    ):
        if bool(value) != needed:
            _wrong(name, value or "空", "须填写" if needed else f"方式“{WAYS[way]}”不填")
    if bool(plan.masters) != (way in (FILE, LOADED)) and way != OWN:
        _wrong("masters", len(plan.masters), "至少一项" if way != NONE else "不填")
    if len({each.label for each in plan.masters}) != len(plan.masters):
        _wrong("masters", "同一密钥出现两次", "各不相同")
    return plan


def _master(given: Any, where: str, way: str) -> MasterPlan:
    if not isinstance(given, Mapping) or set(given) - {"label", "factor", "above"}:
        _wrong(where, given, "label、factor、above")
    allowed = [name for name in FACTORS if way != FILE or name != CHIP_UID]
    above = given.get("above") or []
    label, factor = given.get("label"), given.get("factor")
    if not isinstance(label, str) or not re.fullmatch(_LABEL, label, re.ASCII):
        _wrong(f"{where}.label", label, "密钥名称")
    if factor not in allowed:
        _wrong(f"{where}.factor", factor, "、".join(allowed))
    if not isinstance(above, Sequence) or len(above) > 3:
        _wrong(f"{where}.above", above, "至多三级")
    for level in above:
        if not isinstance(level, str) or not re.fullmatch(_ABOVE, level, re.ASCII):
            _wrong(f"{where}.above", level, "16 位小写十六进制数字")
    return MasterPlan(label, factor, tuple(above))


def _text(given: Mapping[str, Any], name: str, form: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str) or not re.fullmatch(form, value, re.ASCII):
        _wrong(name, value, "见卡厂接口文档")
    return value


def _wrong(where: str, found: Any, expected: str) -> NoReturn:
    raise BadInput(
        "KEY_PLAN",
        "卡密钥的交付方式不能这样设。",
        where=where,
        found=str(found)[:80],
        expected=expected,
        action="请对照卡厂接口文档第 15 节改正。",
    )


@dataclass(frozen=True, slots=True)
class MasterColumn:
    """One master of a batch and what it gave: n cryptograms of 16 bytes and n check values of 3, or none."""

    plan: MasterPlan
    version: int | None
    algorithm: str
    kcv: str
    control: str
    cryptograms: bytes = b""
    kcvs: bytes = b""

    def entry(self) -> dict[str, Any]:
        return {
            "label": self.plan.label,
            "version": self.version,
            "algorithm": self.algorithm.upper() or None,
            "kcv": self.kcv or None,
            "factor": self.plan.factor,
            "above": list(self.plan.above),
            "control": self.control or None,
        }


@dataclass(frozen=True, slots=True)
class TransportKey:
    """The batch's own key on its way (`form` SM2 or block); `under` names the key that a block lies under."""

    algorithm: str
    kcv: str
    form: str
    text: str
    under: tuple[str, int, str] | None = None

    def entry(self) -> dict[str, Any]:
        under = self.under and dict(zip(("label", "version", "kcv"), self.under, strict=True))
        return {
            "cipher": f"{self.algorithm.upper()}-ECB",
            "kcv": self.kcv,
            "form": self.form,
            "text": self.text,
            "under": under,
        }


@dataclass(frozen=True, slots=True)
class CardKeys:
    """What a package says of the keys of its cards."""

    plan: KeyPlan
    columns: tuple[MasterColumn, ...]
    transport: TransportKey | None = None

    def manifest(self) -> dict[str, Any]:
        """The value of `keys` in the manifest."""
        return {
            "way": self.plan.way,
            "reference": self.plan.reference or None,
            "transport": self.transport.entry() if self.transport else None,
            "masters": [column.entry() for column in self.columns],
        }

    def render(self, batch: str, cards: Sequence[str]) -> bytes:
        """The plain keys file for the cards of the batch, by number and in order; empty where none leaves."""
        if self.plan.way != FILE:
            return b""
        count = len(cards)
        columns = []
        for column in self.columns:
            if len(column.cryptograms) != KEY_SIZE * count or len(column.kcvs) != KCV_SIZE * count:
                raise ValueError(f"{column.plan.label} has not one key for each card")
            columns.append((column.cryptograms.hex(), 2 * KEY_SIZE))
            columns.append((column.kcvs.hex(), 2 * KCV_SIZE))
        lines = [f"H|XKKEY|{VERSION}|{batch}|{count}|{len(self.columns)}"]
        for place, card in enumerate(cards):
            fields = [text[size * place : size * (place + 1)] for text, size in columns]
            lines.append("|".join(["K", str(place + 1), card, *fields]))
        lines.append("|".join(["T", str(count), *(column.control for column in self.columns)]))
        return ("\r\n".join(lines) + "\r\n").encode("ascii")
