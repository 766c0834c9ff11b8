"""What an entry must look like before it is asked of the database, which holds the same rules by itself."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from xueka.contexts.ledger.domain.chart import ACCOUNTS, CHANNELS
from xueka.kernel.errors import BadInput
from xueka.kernel.money import format_yuan

KEY_LENGTH = 120
REFERENCE_LENGTH = 64
#: Fen; far above what one entry of this programme can be, far below what 64 bits hold.
LARGEST_FEN = 10**15


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of an entry: `fen` is signed (debit +, credit −) and never zero.

    `reference` names what the money is about: an order, a payment, a refund, a statement's line.
    """

    account: str
    fen: int
    channel: str = ""
    reference: str = ""


def check(key: str, postings: Sequence[Posting]) -> None:
    """Raises BadInput `LEDGER_KEY`, `LEDGER_POSTING`, `LEDGER_ONE_SIDED`, `LEDGER_UNBALANCED`."""
    if not 0 < len(key) <= KEY_LENGTH:
        raise BadInput(
            "LEDGER_KEY",
            "分录缺少唯一键，或唯一键太长。",
            found=key[:40],
            expected=f"1 至 {KEY_LENGTH} 个字符",
        )
    for number, posting in enumerate(postings, start=1):
        if wrong := _wrong(posting):
            raise BadInput("LEDGER_POSTING", f"分录第 {number} 行不对：{wrong}。", where=f"第 {number} 行")
    if len(postings) < 2:
        raise BadInput(
            "LEDGER_ONE_SIDED", "分录至少要有借贷两行。", found=f"{len(postings)} 行", expected="至少两行"
        )
    if total := sum(posting.fen for posting in postings):
        raise BadInput(
            "LEDGER_UNBALANCED", "分录借贷不平。", found=format_yuan(total), expected=format_yuan(0)
        )


def _wrong(posting: Posting) -> str:
    if posting.account not in ACCOUNTS:
        return f"没有科目“{posting.account[:40]}”"
    if type(posting.fen) is not int:  # a bool or a float is a mistake of the program
        return "金额不是以分为单位的整数"
    if not 0 < abs(posting.fen) <= LARGEST_FEN:
        return f"金额 {posting.fen} 分不能入账"
    if posting.channel not in ("", *CHANNELS):
        return f"没有渠道“{posting.channel[:40]}”"
    if len(posting.reference) > REFERENCE_LENGTH:
        return "引用编号太长"
    return ""


def digest(kind: str, on: date, postings: Sequence[Posting], about: Mapping[str, Any]) -> str:
    """SHA-256 over the content, by which the same entry is known again under its key."""
    rows = sorted((each.account, each.fen, each.channel, each.reference) for each in postings)
    whole = [kind, on.isoformat(), rows, dict(about)]
    text = json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
