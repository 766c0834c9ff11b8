"""What a replacement costs: lines of a tariff, the first that fits decides."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from xueka.kernel.errors import BadInput

REASONS = {
    "lost": "丢失",
    "damaged": "损坏",
    "data_change": "信息变更",
    "stage_change": "升学",
    "transfer": "转学",
}
#: Fen; dearer than a card ever was.
DEAREST_FEN = 100_000
_VERSION_LENGTH, _WHY_LENGTH = 32, 60


@dataclass(frozen=True, slots=True)
class Line:
    """`kinds` empty: every card kind. `before`: at least so many earlier ones for the reason.

    `fine`: what is asked is a fine, another kind of the treasury's income than a fee of cost.
    """

    reasons: tuple[str, ...]
    fen: int
    kinds: tuple[str, ...] = ()
    before: int = 0
    why: str = ""
    fine: bool = False

    def fits(self, reason: str, kind: str, before: int) -> bool:
        return reason in self.reasons and (not self.kinds or kind in self.kinds) and before >= self.before


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff with its name; in force from `valid_from` until the next one begins."""

    version: str
    valid_from: date
    lines: tuple[Line, ...]

    def as_json(self) -> dict[str, Any]:
        lines = [
            {
                "reasons": list(line.reasons),
                "kinds": list(line.kinds),
                "before": line.before,
                "fen": line.fen,
                "why": line.why,
                **({"fine": True} if line.fine else {}),  # the digests of tariffs without fines stay
            }
            for line in self.lines
        ]
        return {"version": self.version, "valid_from": self.valid_from.isoformat(), "line": lines}


@dataclass(frozen=True, slots=True)
class Fee:
    """What a family pays; `free_reason` says why it is nothing."""

    amount_fen: int
    tariff_version: str
    free_reason: str = ""
    fine: bool = False


def fee(tariff: Tariff, reason: str, kind: str, before: int) -> Fee:
    """Raises BadInput `TARIFF_REASON` for an unknown reason, `TARIFF_SILENT` where no line fits."""
    if reason not in REASONS:
        raise BadInput(
            "TARIFF_REASON", "补换卡事由不对。", found=reason[:20], expected="、".join(REASONS.values())
        )
    for line in tariff.lines:
        if line.fits(reason, kind, before):
            return Fee(line.fen, tariff.version, line.why, line.fine)
    raise BadInput(
        "TARIFF_SILENT",
        f"收费标准 {tariff.version} 没有规定“{REASONS[reason]}”的收费。",
        found=f"卡种 {kind}，此前 {before} 次",
        action="请由财务人员补全收费标准。",
    )


def read(raw: bytes, where: str) -> Tariff:
    """A tariff from a TOML file. Raises BadInput `TARIFF_FILE` that names the line and what is wrong."""
    try:
        return of_json(tomllib.loads(raw.decode("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise _bad(where, f"不是正确的 TOML（{_place(error)}）") from None
    except UnicodeDecodeError:
        raise _bad(where, "不是 UTF-8 编码") from None
    except _Wrong as wrong:
        raise _bad(where, str(wrong)) from None


def of_json(found: Mapping[str, Any]) -> Tariff:
    """The tariff that `as_json` has written, or that a TOML file holds."""
    if strange := sorted(set(found) - {"version", "valid_from", "line"}):
        raise _Wrong(f"有不认识的项 {strange[0][:40]}")
    version, since, lines = found.get("version"), found.get("valid_from"), found.get("line")
    if not isinstance(version, str) or not 0 < len(version) <= _VERSION_LENGTH or not version.isprintable():
        raise _Wrong(f"version 应为 1 至 {_VERSION_LENGTH} 个字符")
    if isinstance(since, str):
        try:
            since = date.fromisoformat(since)
        except ValueError:
            since = None
    if type(since) is not date:
        raise _Wrong("valid_from 应为日期，例如 2024-08-18")
    if not isinstance(lines, list) or not lines:
        raise _Wrong("没有任何 [[line]]")
    return Tariff(version, since, tuple(_line(number, each) for number, each in enumerate(lines, start=1)))


class _Wrong(Exception):
    pass


def _line(number: int, found: Any) -> Line:
    known = {"reasons", "kinds", "before", "fen", "why", "fine"}
    where = f"第 {number} 个 [[line]]"
    if not isinstance(found, dict) or (strange := sorted(set(found) - known)):
        raise _Wrong(f"{where}有不认识的项 {strange[0][:40] if isinstance(found, dict) else ''}")
    reasons, kinds = found.get("reasons"), found.get("kinds", [])
    fen, before, why = found.get("fen"), found.get("before", 0), found.get("why", "")
    if not _texts(reasons) or not reasons or set(reasons) - set(REASONS):
        raise _Wrong(f"{where}的 reasons 应取自 {'、'.join(REASONS)}")
    if not _texts(kinds):
        raise _Wrong(f"{where}的 kinds 应为卡种代码的列表")
    if type(fen) is not int or not 0 <= fen <= DEAREST_FEN:
        raise _Wrong(f"{where}的 fen 应为 0 至 {DEAREST_FEN} 的整数（分）")
    if type(before) is not int or not 0 <= before <= 99:
        raise _Wrong(f"{where}的 before 应为 0 至 99 的整数")
    if not isinstance(why, str) or len(why) > _WHY_LENGTH or (fen == 0 and not why):
        raise _Wrong(f"{where}免费时须在 why 写明原因，不超过 {_WHY_LENGTH} 字")
    fine = found.get("fine", False)
    if type(fine) is not bool or (fine and fen == 0):
        raise _Wrong(f"{where}的 fine 应为 true 或 false，罚没收入不能是 0 分")
    return Line(tuple(reasons), fen, tuple(kinds), before, why, fine)


def _texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(each, str) for each in found)


def _place(error: tomllib.TOMLDecodeError) -> str:
    """`at line 3, column 5` of the parser's own words."""
    words = str(error).rpartition("(at line ")[2].rstrip(")").replace(", column ", " 行第 ")
    return f"第 {words} 列" if words[:1].isdigit() else "文件末尾"


def _bad(where: str, what: str) -> BadInput:
    return BadInput(
        "TARIFF_FILE",
        f"收费标准文件不能采用：{what}。",
        where=where,
        action="请改正后再载入；现行收费标准不受影响。",
    )
