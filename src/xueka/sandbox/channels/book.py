"""What the channels know: orders, money charged for them, refunds. Wires and pages act through here."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from xueka.sandbox.channels.tables import charge_id, digits
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.notices import Notices
from xueka.sandbox.common.store import Store

BANKS = ("OTHERS", "ICBC_DEBIT", "CMB_DEBIT", "CCB_DEBIT", "BOC_DEBIT")
FORGERIES = ("key", "altered", "serial", "replay", "merchant")
TROUBLES = (
    "notice_lost",
    "duplicate",
    "wrong_amount",
    "forged",
    "late_success",
    "double_pay",
    "refund_abnormal",
)


class Problem(Exception):
    """`code` is one of the words below; each wire says it in its own way."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Book:
    def __init__(self, store: Store, clock: Clock, dial: Dial, notices: Notices, seed: int) -> None:
        self.store, self.clock, self.dial, self.notices = store, clock, dial, notices
        self._seed = seed

    # ---- orders

    def open_trade(
        self,
        channel: str,
        number: str,
        fen: int,
        subject: str,
        *,
        payer: str,
        expires: datetime,
        notify_url: str,
        attach: str = "",
    ) -> sqlite3.Row:
        """The order, new or the same again. Problem `different`, `paid`, `closed`."""
        with self.store.work():
            found = self.trade(channel, number)
            if found is None:
                self.store.insert(
                    "trade",
                    channel=channel,
                    number=number,
                    fen=fen,
                    subject=subject,
                    payer=payer,
                    state="open",
                    created=self._now(),
                    expires=expires.isoformat(),
                    notify_url=notify_url,
                    attach=attach,
                    prepay=f"wx{digits(self._seed, 34, 'prepay', channel, number)}",
                )
                return self.known(channel, number)
            if (found["fen"], found["subject"]) != (fen, subject) or payer not in ("", found["payer"]):
                raise Problem("different")
            if found["state"] != "open":
                raise Problem(found["state"])
            return found

    def trade(self, channel: str, number: str) -> sqlite3.Row | None:
        """As it stands now: an unpaid one past its end is closed."""
        find = "select * from trade where channel = ? and number = ?"
        with self.store.work():
            found = self.store.one(find, channel, number)
            if (
                found
                and found["state"] == "open"
                and self.clock.now() >= datetime.fromisoformat(found["expires"])
            ):
                self._close(found, found["expires"])
                found = self.store.one(find, channel, number)
            return found

    def known(self, channel: str, number: str) -> sqlite3.Row:
        found = self.trade(channel, number)
        if found is None:
            raise Problem("unknown")
        return found

    def close(self, channel: str, number: str) -> sqlite3.Row:
        """Closing twice is as good as once. Problem `unknown`, `paid`."""
        with self.store.work():
            found = self.known(channel, number)
            if found["state"] == "paid":
                raise Problem("paid")
            if found["state"] == "open":
                self._close(found, self._now())
            return self.known(channel, number)

    def _close(self, trade: sqlite3.Row, at: str) -> None:
        self.store.run(
            "update trade set state = 'closed', closed = ? where channel = ? and number = ?",
            at,
            trade["channel"],
            trade["number"],
        )
        if self.dial.strikes("forged", f"closed/{trade['number']}"):
            self.forge(trade)

    # ---- payments

    def pay(
        self, channel: str, number: str, *, force: bool = False, at: datetime | None = None
    ) -> list[sqlite3.Row]:
        """Charge the payer; the charges of this press. Problem `unknown`, `paid`, `closed`."""
        with self.store.work():
            trade = self.known(channel, number)
            trouble = json.loads(trade["trouble"])
            if trade["state"] == "paid" and not force and "double_pay" not in trouble:
                raise Problem("paid")
            if trade["state"] == "closed":
                late = "late_success" in trouble or self.dial.strikes("late_success", number)
                if not (late or force):
                    raise Problem("closed")
                self.dial.record("late_success", channel, number)
            moment = (at or self.clock.now()).isoformat()
            first = [self._charge(trade, moment, trouble)]
            if trade["state"] != "paid" and self.dial.strikes("double_pay", number):
                first.append(self._charge(trade, moment, trouble))
            self.store.run(
                "update trade set state = 'paid', trouble = ? where channel = ? and number = ?",
                json.dumps([each for each in trouble if each == "refund_abnormal"]),
                channel,
                number,
            )
            return first

    def _charge(self, trade: sqlite3.Row, moment: str, trouble: Sequence[str]) -> sqlite3.Row:
        channel, number = trade["channel"], trade["number"]
        turn = len(self.charges(channel, number)) + 1
        channel_id = charge_id(self._seed, channel, number, turn, moment)
        self.store.insert(
            "charge",
            channel_id=channel_id,
            channel=channel,
            number=number,
            fen=trade["fen"],
            at=moment,
            payer=trade["payer"] or f"o{digits(self._seed, 27, 'payer', channel, number)}",
            bank=self.dial.choice("bank", channel_id, BANKS),
            turn=turn,
        )
        if turn > 1:
            self.dial.record("double_pay", channel, number, channel_id)
        if trade["notify_url"] and channel in self.notices.manners:
            content = {"kind": "payment", "channel_id": channel_id, "reference": number}
            self.notices.add(channel, f"EV-{channel_id}", trade["notify_url"], content, trouble)
            if self.dial.strikes("forged", channel_id):
                self.forge(trade)
        return self.charge(channel_id)

    def forge(self, trade: sqlite3.Row) -> None:
        """Strangers write that this order is paid (again)."""
        if not trade["notify_url"] or trade["channel"] not in self.notices.manners:
            return
        number = trade["number"]
        count = self.store.number(f"forged.{trade['channel']}.{number}")
        manner = self.dial.choice("forgery", f"{number}/{count}", FORGERIES)
        content = {"kind": "payment", "forged_for": number, "reference": number}
        self.notices.forge(trade["channel"], f"EV-F{count}-{number}", trade["notify_url"], content, manner)

    def charge(self, channel_id: str) -> sqlite3.Row:
        found = self.store.one("select * from charge where channel_id = ?", channel_id)
        if found is None:
            raise Problem("unknown")
        return found

    def charges(self, channel: str, number: str) -> list[sqlite3.Row]:
        return self.store.all(
            "select * from charge where channel = ? and number = ? order by turn", channel, number
        )

    def trouble(self, channel: str, number: str, kind: str) -> None:
        """Put one trouble at one order: at once if it is a forgery, else at its next payment or refund."""
        if kind not in TROUBLES:
            raise Problem("form")
        with self.store.work():
            trade = self.known(channel, number)
            if kind == "forged":
                self.forge(trade)
                return
            kinds = sorted({*json.loads(trade["trouble"]), kind})
            self.store.run(
                "update trade set trouble = ? where channel = ? and number = ?",
                json.dumps(kinds),
                channel,
                number,
            )

    def drifted(self, channel: str, value: Any) -> Any:
        """As after an update that nobody told of: members that are not in the document."""
        if not isinstance(value, dict) or not self.dial.values.get("drift"):
            return value
        what = f"answer/{self.store.number('answers')}"
        if not self.dial.strikes("drift", what):
            return value
        self.dial.record("drift", channel, what)
        return {**value, "trace_info": {"zone": "b", "version": [2, 1]}, "promotion_tag": None}

    # ---- refunds

    def refund(
        self, charge: sqlite3.Row, out_refund_no: str, fen: int, *, notify_url: str = "", reason: str = ""
    ) -> tuple[sqlite3.Row, bool]:
        """The refund, and whether it is new. Problem `different`, `too_much`, `too_often`, `no_balance`."""
        channel = charge["channel"]
        with self.store.work():
            found = self.find_refund(channel, out_refund_no, charge["number"])
            if found:
                if (found["fen"], found["channel_id"]) != (fen, charge["channel_id"]):
                    raise Problem("different")
                return self._settled(found), False
            before = [each for each in self.refunds_of(charge) if each["status"] != "CLOSED"]
            if sum(each["fen"] for each in before if each["status"] != "ABNORMAL") + fen > charge["fen"]:
                raise Problem("too_much")
            if len(before) >= 50:
                raise Problem("too_often")
            self._spend(channel, fen)
            refund_id = self._refund_id(channel, charge, out_refund_no)
            abnormal = self._takes_abnormal(charge, refund_id)
            slow = not abnormal and self.dial.strikes("refund_slow", refund_id)
            due = self.clock.now() + timedelta(seconds=self.dial.setting("refund_seconds"))
            if slow:
                self.dial.record("refund_slow", channel, out_refund_no)
            self.store.insert(
                "refund",
                channel=channel,
                out_refund_no=out_refund_no,
                refund_id=refund_id,
                number=charge["number"],
                channel_id=charge["channel_id"],
                fen=fen,
                status="PROCESSING",
                ends="ABNORMAL" if abnormal else "SUCCESS",
                created=self._now(),
                due=None if slow else due.isoformat(),
                notify_url=notify_url,
                reason=reason,
            )
            return self._settled(self.known_refund(channel, out_refund_no, charge["number"])), True

    def _takes_abnormal(self, charge: sqlite3.Row, refund_id: str) -> bool:
        trade = self.known(charge["channel"], charge["number"])
        trouble = json.loads(trade["trouble"])
        wanted = "refund_abnormal" in trouble
        if wanted:
            trouble.remove("refund_abnormal")
            self.store.run(
                "update trade set trouble = ? where channel = ? and number = ?",
                json.dumps(trouble),
                charge["channel"],
                charge["number"],
            )
        if wanted or self.dial.strikes("refund_abnormal", refund_id):
            self.dial.record("refund_abnormal", charge["channel"], charge["number"], refund_id)
            return True
        return False

    def _spend(self, channel: str, fen: int) -> None:
        left = self.store.get(f"balance.{channel}")
        if left is not None:
            if left < fen:
                raise Problem("no_balance")
            self.store.put(f"balance.{channel}", left - fen)

    def find_refund(self, channel: str, out_refund_no: str, number: str = "") -> sqlite3.Row | None:
        found = self.store.one(
            "select * from refund where channel = ? and out_refund_no = ? and (number = ? or ? = '')",
            channel,
            out_refund_no,
            number,
            number,
        )
        return self._settled(found) if found else None

    def known_refund(self, channel: str, out_refund_no: str, number: str = "") -> sqlite3.Row:
        found = self.store.one(
            "select * from refund where channel = ? and out_refund_no = ? and (number = ? or ? = '')",
            channel,
            out_refund_no,
            number,
            number,
        )
        if found is None:
            raise Problem("unknown")
        return found

    def refunds_of(self, charge: sqlite3.Row) -> list[sqlite3.Row]:
        found = self.store.all(
            "select * from refund where channel_id = ? order by created, out_refund_no", charge["channel_id"]
        )
        return [self._settled(each) for each in found]

    def refunded(self, charge: sqlite3.Row) -> int:
        """What was asked back and not refused, in fen."""
        return sum(
            each["fen"] for each in self.refunds_of(charge) if each["status"] in ("PROCESSING", "SUCCESS")
        )

    def settle_due(self) -> None:
        """End the refunds whose time has come."""
        for found in self.store.all(
            "select * from refund where ended is null and due <= ?", self.clock.now().isoformat()
        ):
            self._settled(found)

    def settle(self, out_refund_no: str, status: str) -> None:
        with self.store.work():
            for found in self.store.all(
                "select * from refund where out_refund_no = ? and ended is null", out_refund_no
            ):
                self._end(found, status)

    def _settled(self, found: sqlite3.Row) -> sqlite3.Row:
        due = found["due"]
        if found["ended"] is None and due and datetime.fromisoformat(due) <= self.clock.now():
            self._end(found, found["ends"])
        return self.known_refund(found["channel"], found["out_refund_no"], found["number"])

    def _end(self, found: sqlite3.Row, status: str) -> None:
        with self.store.work():
            done = self.store.run(
                "update refund set status = ?, ended = ? where refund_id = ? and ended is null",
                status,
                self._now(),
                found["refund_id"],
            )
            if done and found["notify_url"]:
                content = {
                    "kind": "refund",
                    "refund_id": found["refund_id"],
                    "reference": found["out_refund_no"],
                }
                self.notices.add(
                    found["channel"], f"EV-{found['refund_id']}", found["notify_url"], content, ()
                )

    # ---- numbers

    def _now(self) -> str:
        return self.clock.now().isoformat()

    def _refund_id(self, channel: str, charge: sqlite3.Row, out_refund_no: str) -> str:
        return f"503{digits(self._seed, 25, 'refund', channel, charge['channel_id'], out_refund_no)}"


def facts(trade: sqlite3.Row) -> dict[str, Any]:
    return {**dict(trade), "trouble": json.loads(trade["trouble"])}
