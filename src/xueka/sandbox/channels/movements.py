"""A day's money at a channel as rows, right or spoilt by the dial; statements are written from it."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import date

from xueka.sandbox.channels.book import Book

#: Ways in which a statement can be wrong (channels.md §7); the last two are the file writers' work.
ROW_TROUBLES = (
    "row_missing",
    "row_extra",
    "row_twice",
    "amount_altered",
    "fee_altered",
    "refund_missing",
    "other_day",
    "state_wrong",
)
FILE_TROUBLES = ("totals_wrong", "cut_off")
FEE_PER_MYRIAD = 60


@dataclass(frozen=True, slots=True)
class Movement:
    """One row. `fen` is positive; `fee` is in hundred-thousandths of a yuan, negative when given back."""

    at: str
    number: str
    channel_id: str
    payer: str
    bank: str
    subject: str
    attach: str
    fen: int
    fee: int
    total: int
    refund_no: str = ""
    refund_id: str = ""
    state: str = "SUCCESS"
    ended: str = ""

    @property
    def is_refund(self) -> bool:
        return bool(self.refund_id)

    @property
    def fee_fen(self) -> int:
        """Rounded half up, with its sign."""
        return (abs(self.fee) + 500) // 1000 * (1 if self.fee >= 0 else -1)


def of_day(book: Book, channel: str, day: date) -> list[Movement]:
    """Payments by their success, refunds by their asking (those that failed at once are none)."""
    book.settle_due()
    found = []
    for charge in book.store.all(
        "select * from charge where channel = ? and substr(at, 1, 10) = ?", channel, day.isoformat()
    ):
        found.append(_of_charge(book, charge))
    for refund in book.store.all(
        "select * from refund where channel = ? and substr(created, 1, 10) = ?", channel, day.isoformat()
    ):
        if channel != "wechat" and refund["status"] in ("ABNORMAL", "CLOSED"):
            continue
        charge = book.charge(refund["channel_id"])
        found.append(
            replace(
                _of_charge(book, charge),
                at=refund["created"],
                fen=refund["fen"],
                fee=-fee(refund["fen"]),
                refund_no=refund["out_refund_no"],
                refund_id=refund["refund_id"],
                state=refund["status"],
                ended=refund["ended"] or "",
            )
        )
    return sorted(found, key=lambda each: (each.at, each.number, each.refund_no, each.channel_id))


def _of_charge(book: Book, charge: sqlite3.Row) -> Movement:
    trade = book.known(charge["channel"], charge["number"])
    return Movement(
        at=charge["at"],
        number=charge["number"],
        channel_id=charge["channel_id"],
        payer=charge["payer"],
        bank=charge["bank"],
        subject=trade["subject"],
        attach=trade["attach"],
        fen=charge["fen"],
        fee=fee(charge["fen"]),
        total=charge["fen"],
    )


def fee(fen: int) -> int:
    """0.6 % in hundred-thousandths of a yuan: exact."""
    return fen * 1000 * FEE_PER_MYRIAD // 10_000


def spoilt(book: Book, channel: str, day: date, found: list[Movement]) -> tuple[list[Movement], str]:
    """The rows with the day's trouble, if the dial throws one, and its name."""
    where = f"{channel}/{day.isoformat()}"
    if not found or not book.dial.strikes("statement_wrong", where):
        return found, ""
    kind = book.dial.choice("statement_trouble", where, ROW_TROUBLES + FILE_TROUBLES)
    if kind == "refund_missing" and not any(each.is_refund for each in found):
        kind = "row_missing"
    at = int(book.dial.throw("statement_row", where) * len(found))
    if kind == "refund_missing":
        at = next(place for place, each in enumerate(found) if each.is_refund)
    struck = found[at]
    book.dial.record("statement_wrong", channel, day.isoformat(), f"{kind} {struck.number}")
    rows = list(found)
    match kind:
        case "row_missing" | "refund_missing":
            del rows[at]
        case "row_twice":
            rows.insert(at, struck)
        case "amount_altered":
            fen = struck.fen + 100
            rows[at] = replace(struck, fen=fen, total=fen if not struck.is_refund else struck.total)
        case "fee_altered":
            rows[at] = replace(struck, fee=struck.fee + 1000)
        case "state_wrong":
            rows[at] = replace(struck, state="REVOKED")
        case "row_extra":
            extra = replace(struck, number=f"GHOST{day:%Y%m%d}", refund_no="", refund_id="", state="SUCCESS")
            rows.append(replace(extra, channel_id=f"{struck.channel_id[:-4]}9999", fee=fee(struck.fen)))
        case "other_day":
            rows[at] = replace(struck, at=f"{date.fromordinal(day.toordinal() - 1)}{struck.at[10:]}")
    return rows, kind
