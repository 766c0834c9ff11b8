"""What the couriers handed over, as a file (docs/interfaces/couriers.md §1), and what they know of us."""

import contextlib
import json
from typing import Any

from django.conf import settings

from xueka.contexts.couriers.ports import CourierUnavailable

#: Cards of simulators say so; nobody else is told our address without a person.
DEMO = "demo-"


def card(part: str = "") -> dict[str, Any]:
    """The card, or the part of one courier. Raises CourierUnavailable while there is none."""
    try:
        found: dict[str, Any] = json.loads(settings.COURIER_PARTNER.read_text("utf-8"))
        return found[part] if part else found
    except (OSError, ValueError, KeyError):
        raise CourierUnavailable(
            "COURIER_NO_CARD",
            "还没有承运商交来的参数文件。",
            where=str(settings.COURIER_PARTNER),
            action="请向承运商取得参数文件，放到指定位置。",
        ) from None


def parsed(raw: bytes | str) -> Any:
    """JSON whose texts can be kept. Raises ValueError, also for what no database takes, or has no bottom."""
    try:
        told = json.loads(raw)
        if "\\u0000" in json.dumps(told, ensure_ascii=False).encode().decode():
            raise ValueError("NUL")
    except RecursionError:
        raise ValueError("depth") from None
    return told


def is_demo() -> bool:
    """Whether a simulator stands for the couriers."""
    with contextlib.suppress(CourierUnavailable):
        return str(card().get("code", "")).startswith(DEMO)
    return False


def introduce_demo(site: str) -> None:
    """Tell a simulator where its pushes go; nothing where there is none, or it knows."""
    with contextlib.suppress(CourierUnavailable, OSError):
        if not is_demo():
            return
        folder = settings.COURIER_PARTNER.parent.joinpath("city")
        folder.mkdir(parents=True, exist_ok=True)
        wanted = json.dumps({"sf": f"{site}/api/couriers/sf/push"})
        file = folder.joinpath("push.json")
        if not file.exists() or file.read_text("utf-8") != wanted:
            draft = folder.joinpath(".push.part")
            draft.write_text(wanted, "utf-8")
            draft.replace(file)
