"""What the finance office knows: payment codes, payments, refunds. Frames and pages act through here."""

import json
import re
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from xueka.sandbox.common import notices
from xueka.sandbox.common.dial import BEIJING, Clock, Dial
from xueka.sandbox.common.notices import Notices
from xueka.sandbox.common.store import Store

SCHEMA = f"""
{notices.SCHEMA}
create table if not exists bill (
    code text primary key, fen integer not null check (fen > 0), content text not null, payer text not null,
    item text not null, state text not null check (state in ('unpaid', 'voided')), created text not null,
    ends text not null, tells integer not null, trouble text not null default '[]'
);
create table if not exists payment (
    tra_no text primary key, code text not null references bill (code), fen integer not null,
    at text not null, mode text not null, channel_id text not null, turn integer not null
);
create index if not exists payment_of on payment (code);
create index if not exists payment_on on payment (substr(at, 1, 10));
create table if not exists refund (
    refund_no text primary key, code text not null, tra_no text not null references payment (tra_no),
    fen integer not null, state text not null, ends text not null, due text not null, reason text not null
);
create table if not exists receipt (
    code text not null, number text not null, pay_code text not null, red integer not null,
    drawn text not null, fen integer, check_code text, content blob, signature blob,
    primary key (code, number)
);
create table if not exists asked (id text primary key, answer blob not null);
create table if not exists statement (day text primary key, content blob not null);
"""

MANDATORY = (
    *("AdmDivCode", "PayCode", "BillDate", "ChgAgenCode", "ChgAgenName", "PayerName", "Amt", "OriAmt"),
    *("DelayAmt", "PayStats", "RecAcctType", "RecName", "RecAcct", "RecAcctReal", "RecOpBk", "RecBankNo"),
    *("IsInterBank", "PayInfo", "MobilePhone"),
)
LENGTHS = {
    "ChgAgenCode": 30,
    "ChgAgenName": 100,
    "PayerName": 100,
    "PayerAcct": 50,
    "PayerOpBk": 100,
    "PayInfo": 500,
    "Memo": 200,
    "CrcCode": 4,
}
MODES = {"01": "现金", "02": "POS", "03": "转账", "04": "微信", "05": "支付宝", "06": "银联"}
FORGERIES = ("key", "length", "agency")
TROUBLES = ("notice_lost", "duplicate", "wrong_amount", "forged", "late_success", "double_pay")


class Refused(Exception):
    """`code` is a result of nontax.md §11."""

    def __init__(self, code: str, information: str) -> None:
        super().__init__(code)
        self.code, self.information = code, information


class Office:
    def __init__(self, store: Store, clock: Clock, dial: Dial, notices: Notices, agency: str) -> None:
        self.store, self.clock, self.dial, self.notices, self._agency = store, clock, dial, notices, agency

    # ---- payment notices

    def take(self, fields: Mapping[str, str]) -> str:
        """A payment notice, new, the same again, or its voiding; its code."""
        missing = [name for name in MANDATORY if not fields.get(name)]
        long = [name for name, most in LENGTHS.items() if len(fields.get(name, "")) > most]
        for name in [*missing, *long]:
            raise Refused("10001", f"{name} 缺失或过长")
        code, amount = fields["PayCode"], fen_of(fields["Amt"])
        if not re.fullmatch(r"\d{20}", code):
            raise Refused("10001", "PayCode 应为 20 位数字")
        if fields["ChgAgenCode"] != self._agency:
            raise Refused("10001", "ChgAgenCode 不是本单位")
        parts = [part.split("|") for part in fields["PayInfo"].split("#") if part]
        if any(len(part) < 7 for part in parts) or not parts:
            raise Refused("10001", "PayInfo 格式不对")
        if sum(fen_of(part[2]) for part in parts) != fen_of(fields["OriAmt"]):
            raise Refused("10001", "PayInfo 各项金额之和不等于 OriAmt")
        if amount != fen_of(fields["OriAmt"]) + fen_of(fields["DelayAmt"], zero=True):
            raise Refused("10001", "Amt 不等于 OriAmt 加 DelayAmt")
        if fields["PayStats"] not in ("0", "2"):
            raise Refused("10001", "PayStats 应为 0 或 2")
        with self.store.work():
            found = self.bill(code)
            if found is None:
                self._enter(fields, code, amount, parts[0][1])
            elif fields["PayStats"] == "2":
                self._void(found)
            elif json.loads(found["content"]) != dict(fields):
                raise Refused("10007", "同一缴款码重复发送，内容不同")
            return code

    def _enter(self, fields: Mapping[str, str], code: str, fen: int, item: str) -> None:
        self.store.insert(
            "bill",
            code=code,
            fen=fen,
            content=json.dumps(dict(fields), ensure_ascii=False),
            payer=fields["PayerName"],
            item=item,
            state="voided" if fields["PayStats"] == "2" else "unpaid",
            created=self.clock.now().isoformat(),
            ends=_last_moment(fields.get("Hold2", "")),
            tells=fields.get("Hold1") == "Y",
        )

    def _void(self, found: sqlite3.Row) -> None:
        if self.payments(found["code"]):
            raise Refused("10004", "已缴款，不能作废")
        self.store.run("update bill set state = 'voided' where code = ?", found["code"])

    def bill(self, code: str) -> sqlite3.Row | None:
        return self.store.one("select * from bill where code = ?", code)

    def known(self, code: str) -> sqlite3.Row:
        found = self.bill(code)
        if found is None:
            raise Refused("10002", "没有这个缴款码")
        return found

    def payments(self, code: str) -> list[sqlite3.Row]:
        return self.store.all("select * from payment where code = ? order by turn", code)

    def closed(self, bill: sqlite3.Row) -> bool:
        """Voided, or past its last moment."""
        return bill["state"] == "voided" or self.clock.now().isoformat() > bill["ends"]

    # ---- payments

    def pay(
        self,
        code: str,
        mode: str = "04",
        *,
        force: bool = False,
        at: datetime | None = None,
        fen: int | None = None,
    ) -> list[sqlite3.Row]:
        """The payments of this press. Refused 10002, 10004, 10005."""
        if mode not in MODES:
            raise Refused("10001", "没有这种缴款方式")
        with self.store.work():
            bill = self.known(code)
            trouble = json.loads(bill["trouble"])
            paid = bool(self.payments(code))
            if paid and not force and "double_pay" not in trouble:
                raise Refused("10004", "已缴款")
            if not paid and self.closed(bill):
                late = "late_success" in trouble or self.dial.strikes("late_success", code)
                if not (late or force):
                    raise Refused("10005", "已作废或过期")
                self.dial.record("late_success", "nontax", code)
            moment = at or self.clock.now()
            made = [self._pay(bill, mode, moment, trouble, fen)]
            if not paid and self.dial.strikes("double_pay", code):
                made.append(self._pay(bill, mode, moment, trouble, fen))
            self.store.run("update bill set trouble = '[]' where code = ?", code)
            return made

    def _pay(
        self, bill: sqlite3.Row, mode: str, moment: datetime, trouble: list[str], fen: int | None
    ) -> sqlite3.Row:
        code = bill["code"]
        turn = len(self.payments(code)) + 1
        low = int(self.dial.throw("tra_no", f"{code}/{turn}") * 10**10)
        tra_no = f"{moment:%y%m%d}{low:010d}"
        self.store.insert(
            "payment",
            tra_no=tra_no,
            code=code,
            fen=fen or bill["fen"],
            at=moment.isoformat(),
            mode=mode,
            channel_id=f"4200003{int(self.dial.throw('channel_id', tra_no) * 10**21):021d}",
            turn=turn,
        )
        if turn > 1:
            self.dial.record("double_pay", "nontax", code, tra_no)
        if bill["tells"]:
            content = {"tra_no": tra_no, "reference": code}
            self.notices.add("nontax", f"{moment:%Y%m%d}{low:012d}", "", content, trouble)
        if self.dial.strikes("forged", tra_no):
            self.forge(code)
        found = self.store.one("select * from payment where tra_no = ?", tra_no)
        assert found is not None
        return found

    def forge(self, code: str) -> None:
        """Strangers confirm this code."""
        count = self.store.number(f"forged.{code}")
        manner = self.dial.choice("forgery", f"{code}/{count}", FORGERIES)
        content = {"forged_for": code, "reference": code}
        self.notices.forge("nontax", f"9{count:03d}{code[-16:]}", "", content, manner)

    def trouble(self, code: str, kind: str) -> None:
        if kind not in TROUBLES:
            raise Refused("10001", "没有这种差错")
        with self.store.work():
            bill = self.known(code)
            if kind == "forged":
                self.forge(code)
                return
            kinds = sorted({*json.loads(bill["trouble"]), kind})
            self.store.run("update bill set trouble = ? where code = ?", json.dumps(kinds), code)

    def confirmation(self, payment: sqlite3.Row) -> dict[str, str]:
        """The fields of 5996 for one payment."""
        bill = self.known(payment["code"])
        content = json.loads(bill["content"])
        return {
            "PayCode": bill["code"],
            "CfmDate": payment["at"][:10].replace("-", ""),
            "CfmTime": payment["at"][11:19].replace(":", ""),
            "Amt": yuan(payment["fen"]),
            "BankOutlet": "样例银行营业部",
            "Operator": "",
            "PayMode": payment["mode"],
            "TraNoBus": payment["tra_no"],
            "PayerName": bill["payer"],
            "PayerAcct": content.get("PayerAcct", ""),
            "PayerOpBk": content.get("PayerOpBk", ""),
            "PayerOpBkNo": "",
            "RecAcctType": content["RecAcctType"],
            "RecAcct": content["RecAcct"],
            "Hold1": payment["channel_id"],
            "Hold2": "",
        }

    def of_day(self, day: str) -> list[sqlite3.Row]:
        """Payments confirmed on `yyyy-mm-dd`."""
        return self.store.all("select * from payment where substr(at, 1, 10) = ? order by at, tra_no", day)

    # ---- refunds

    def refund(self, fields: Mapping[str, str]) -> sqlite3.Row:
        """Refused 10001, 10002, 10007, 10009."""
        number, fen = fields.get("RefundNo", ""), fen_of(fields.get("RefundAmt", ""))
        if not re.fullmatch(r"[0-9A-Za-z_\-]{1,32}", number):
            raise Refused("10001", "RefundNo 格式不对")
        with self.store.work():
            payments = self.payments(self.known(fields.get("PayCode", ""))["code"])
            wanted = fields.get("TraNoBus") or (payments[0]["tra_no"] if payments else "")
            payment = next((each for each in payments if each["tra_no"] == wanted), None)
            if payment is None:
                raise Refused("10002", "没有这笔缴款")
            found = self._refund(number)
            if found:
                if (found["fen"], found["tra_no"]) != (fen, payment["tra_no"]):
                    raise Refused("10007", "同一退付号重复申请，内容不同")
                return found
            if self.refunded(payment["tra_no"]) + fen > payment["fen"]:
                raise Refused("10009", "退付金额超过可退金额")
            refused = self.dial.strikes("refund_refused", number)
            if refused:
                self.dial.record("refund_refused", "nontax", number)
            due = self.clock.now() + timedelta(seconds=self.dial.setting("refund_seconds"))
            self.store.insert(
                "refund",
                refund_no=number,
                code=payment["code"],
                tra_no=payment["tra_no"],
                fen=fen,
                state="0",
                ends="2" if refused else "1",
                due=due.isoformat(),
                reason=fields.get("Reason", ""),
            )
            made = self._refund(number)
            assert made is not None
            return made

    def _refund(self, number: str) -> sqlite3.Row | None:
        now = self.clock.now().isoformat()
        self.store.run("update refund set state = ends where state = '0' and due <= ?", now)
        return self.store.one("select * from refund where refund_no = ?", number)

    def refunded(self, tra_no: str) -> int:
        """Accepted or paid back, in fen."""
        found = self.store.one(
            "select coalesce(sum(fen), 0) fen from refund where tra_no = ? and state <> '2' and ends <> '2'",
            tra_no,
        )
        return int(found["fen"]) if found else 0

    def facts(self) -> list[dict[str, Any]]:
        found = self.store.all("select * from bill order by created, code")
        return [
            {
                **dict(each),
                "content": json.loads(each["content"]),
                "payments": len(self.payments(each["code"])),
            }
            for each in found
        ]


def fen_of(text: str, *, zero: bool = False) -> int:
    """Of `12`, `12.3` or `12.30` yuan. Refused 10001."""
    found = re.fullmatch(r"(\d{1,10})(?:\.(\d{1,2}))?", text)
    fen = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")) if found else -1
    if fen < (0 if zero else 1):
        raise Refused("10001", f"金额 {text[:20]} 不对")
    return fen


def yuan(fen: int) -> str:
    sign, fen = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def _last_moment(text: str) -> str:
    if not text:
        return "9999"
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).isoformat()
    except ValueError:
        raise Refused("10001", "Hold2 应为 yyyyMMddHHmmss") from None
