"""A key delivery plan: which version goes to whom, how, by which day; and what proves that it arrived."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from xueka.contexts.keys.domain.vocabulary import check_kcv
from xueka.kernel.errors import BadInput, Refused

#: To whom a version goes.
MODULE, COUNTER, PARTNER, BUREAU = "module", "counter", "partner", "bureau"
RECEIVERS = {MODULE: "密码机", COUNTER: "柜台", PARTNER: "合作单位", BUREAU: "卡厂"}
#: How it goes.
BLOCK, SAM, PRESENT = "block", "sam", "present"
WAYS = {BLOCK: "密钥块", SAM: "安全模块（SAM）", PRESENT: "当面装载"}

LONGEST_RECEIVER = 64
MOST_RECEIVERS = 50


def check_receivers(given: Any) -> list[str]:
    """Names of receivers, tidied, in order. Raises BadInput `KEY_RECEIVERS`."""
    lines = given.splitlines() if isinstance(given, str) else given
    if not isinstance(lines, Sequence) or not all(isinstance(each, str) for each in lines):
        raise _receivers("一行一个名称")
    names = [name for each in lines if (name := " ".join(each.split()))]
    if not 1 <= len(names) <= MOST_RECEIVERS:
        raise _receivers(f"1 至 {MOST_RECEIVERS} 个名称", found=f"{len(names)} 个")
    for number, name in enumerate(names, start=1):
        if len(name) > LONGEST_RECEIVER:
            raise _receivers(f"最多 {LONGEST_RECEIVER} 个字", where=f"第 {number} 行", found=name[:20])
        if name in names[: number - 1]:
            raise _receivers("每个接收方只写一次", where=f"第 {number} 行", found=name)
    return names


def check_plan(receiver_kind: str, way: str, due_on: str) -> None:
    """Raises BadInput `KEY_DELIVERY_PLAN`."""
    for what, given, known in (("接收方类别", receiver_kind, RECEIVERS), ("方式", way, WAYS)):
        if given not in known:
            raise BadInput(
                "KEY_DELIVERY_PLAN",
                f"没有这种{what}。",
                where=what,
                found=given[:20],
                expected="、".join(known),
            )
    try:
        date.fromisoformat(due_on)
    except ValueError:
        raise BadInput(
            "KEY_DELIVERY_PLAN",
            "最迟到达日不对。",
            where="最迟到达日",
            found=due_on[:20],
            expected="例如 2026-12-31",
        ) from None


def check_arrival(kcv: str, read_back: str) -> str:
    """The check value that the receiver read back, when it is the right one; the right one is not told.

    Raises BadInput `KCV_FORMAT`; Refused `KEY_DELIVERY_KCV`.
    """
    found = check_kcv(read_back)
    if found != kcv:
        raise Refused(
            "KEY_DELIVERY_KCV",
            "对方读出的校验值与台账不符，没有确认到达。",
            found=found,
            expected="台账中的校验值",
            action="请对方重新读一遍；仍不符时撤回交出或报告未到，并查明收到的是哪个密钥。",
        )
    return found


def _receivers(expected: str, **more: str) -> BadInput:
    return BadInput(
        "KEY_RECEIVERS", "接收方写得不对。", expected=expected, action="请一行写一个接收方。",
        where=more.get("where"), found=more.get("found"),
    )  # fmt: skip
