"""Which card another platform means: its number, its Beijing-Tong number and the key of the message belong
together.
"""

from xueka.contexts.cards.models import Card
from xueka.contexts.cards.queries import card
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.scope import Scope


def card_told(scope: Scope, key: str, number: str, beijing_tong_number: str) -> Card:
    """Raises Refused `KEY_MISMATCH`, `NUMBER_MISMATCH`, NotFound `CARD_UNKNOWN`."""
    if key != f"card:{number}":
        raise Refused(
            "KEY_MISMATCH",
            "消息的 key 与内容里的卡号不是同一张卡。",
            where="key",
            expected=f"card:{number}",
            action="请对方改正后再发。",
        )
    try:
        found = card(scope, number)
    except NotFound:
        raise NotFound("CARD_UNKNOWN", f"没有卡号为 {number} 的卡。", action="请与对方核对卡号。") from None
    if found.beijing_tong_number != beijing_tong_number:
        raise Refused(
            "NUMBER_MISMATCH",
            f"卡 {number} 的北京通号不是 {beijing_tong_number}。",
            found=beijing_tong_number,
            expected=found.beijing_tong_number or "没有北京通号",
            action="请与对方核对，或先做每日核对。",
        )
    return found
