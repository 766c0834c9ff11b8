"""`python -m xueka.sandbox.finance`: the finance office's process, frames on one loopback port, pages on
another.

Below --home: `city/nontax.json` says where the city listens for confirmations, `partner.json` is what finance
hands over in return (nontax.md §1).
"""

import argparse
import re
import secrets
from datetime import date, datetime
from pathlib import Path
from typing import Any

from xueka.sandbox.common import http, openssl, pages, process
from xueka.sandbox.common.control import Control, body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import Answer, Request, json_answer
from xueka.sandbox.common.notices import Manner, Notices
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.finance import desk, receipts, wechat_bill
from xueka.sandbox.finance.desk import Desk, Line
from xueka.sandbox.finance.office import SCHEMA, Office, Refused
from xueka.sandbox.finance.pages import Pages
from xueka.sandbox.finance.receipts import Receipts
from xueka.sandbox.finance.wechat_bill import WeChatBill

AGENCY, AGENCY_NAME = "110000001", "样例市数字教育中心"
ACCOUNT = {
    "name": "样例市财政局非税收入专户",
    "number": "0200000000000000001",
    "bank": "样例银行营业部",
    "bank_no": "102100000001",
}
ITEMS = [
    {"code": "103070610", "name": "学生卡补卡工本费", "unit": "张"},
    {"code": "103050199", "name": "学生卡罚没收入", "unit": "次", "fine": True},
]
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 400, "refund_seconds": 2},
    "none": {"delay": 0},
    "light": {
        "drop": 0.01,
        "errors": 0.01,
        "notice_drop": 0.05,
        "notice_lost": 0.01,
        "duplicate": 0.05,
        "shuffle": 0.05,
        "wrong_amount": 0.002,
        "forged": 0.005,
        "double_pay": 0.005,
        "late_success": 0.5,
        "receipt_fails": 0.02,
        "refund_refused": 0.01,
        "statement_late": 0.2,
        "statement_wrong": 0.05,
    },
    "heavy": {
        "drop": 0.1,
        "errors": 0.1,
        "notice_drop": 0.2,
        "notice_lost": 0.05,
        "notice_delay": 0.1,
        "duplicate": 0.3,
        "shuffle": 0.3,
        "wrong_amount": 0.02,
        "forged": 0.01,
        "double_pay": 0.02,
        "late_success": 1,
        "receipt_fails": 0.1,
        "stock_empty": 0.01,
        "refund_refused": 0.05,
        "statement_late": 0.5,
        "statement_wrong": 0.3,
        "answer_forged": 0.02,
    },
}


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self.card, self._keys = home / "partner.json", home / "keys"
        self._keys.mkdir(exist_ok=True)
        self._keys.chmod(0o700)
        self.seal = self._keys / "seal.key"
        if not self.seal.exists():
            openssl.make_key(self.seal)
        self.store = Store(home / "finance.sqlite3", SCHEMA)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.notices = Notices(self.store, self.clock, self.dial, options.speed)
        self.office = Office(self.store, self.clock, self.dial, self.notices, AGENCY)
        self.receipts = Receipts(self.office, self.seal)
        self.control = Control(self.clock, self.dial, self.notices, self._secret("control"), binary=True)
        self.bill = WeChatBill(self.office, self._secret("wechat"), AGENCY, desk.DIVISION)
        self.pages = Pages(self.office, self.receipts)
        wanted = options.http_port or http.port_before(self.card, "http_port")
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)
        house = desk.House(self._secret("token"), self.server.base, home / "city")
        self.desk = Desk(self.office, self.receipts, house)
        wanted = options.port or http.port_before(self.card)
        self.line = http.bind(lambda port: Line(port, self.desk), wanted)
        manner = Manner(desk.GAPS, self.desk.letter, self.desk.accepted, self.desk.deliver)
        self.notices.manners = {"nontax": manner}
        self._push = options.notices == "push"

    def start(self) -> None:
        self.line.start()
        self.server.start()
        if self._push:
            self.notices.start()
        http.write_card(self.card, self._introduction())

    def stop(self) -> None:
        self.notices.stop()
        self.line.stop()
        self.server.stop()

    def answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/_sim/"):
            return self._controlled(request)
        if path == "/cgi-bin/token":
            return self.bill.token(request)
        if path == "/nontax/downloadbill":
            return self.bill.download(request)
        if path in ("/qrcode", "/receipt"):
            return self.pages.answer(request)
        return pages.style() if path == "/style.css" else Answer(404)

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        try:
            return self.control.answer(request) or self._own_control(request)
        except Refused as refused:
            return json_answer({"code": refused.code, "message": refused.information}, 409)
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)

    def _own_control(self, request: Request) -> Answer:
        match request.method, request.path:
            case "POST", "/_sim/pay":
                return self._pay(body(request))
            case "POST", "/_sim/trouble":
                value = body(request)
                self.office.trouble(value["pay_code"], value["kind"])
                return json_answer({})
            case "PUT", "/_sim/stock":
                self.store.put("stock", int(body(request)["left"]))
                return json_answer({})
            case "GET", "/_sim/statement":
                content = self.bill.written(date.fromisoformat(request.query["day"]))
                return Answer(200, content, {"Content-Type": "application/octet-stream"})
        found = self._lists(request) if request.method == "GET" else None
        return json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404) if found is None else found

    def _lists(self, request: Request) -> Answer | None:
        if request.path == "/_sim/stock":
            return json_answer({"left": self.store.get("stock", receipts.STOCK)})
        if request.path == "/_sim/bills":
            return json_answer(self.office.facts())
        query = {
            "/_sim/payments": "select * from payment order by at, tra_no",
            "/_sim/refunds": "select * from refund order by refund_no",
            "/_sim/receipts": "select code, number, pay_code, red, drawn, fen from receipt order by number",
        }.get(request.path)
        return json_answer(rows(self.store.all(query))) if query else None

    def _pay(self, value: dict[str, Any]) -> Answer:
        code = str(value["pay_code"])
        if not re.fullmatch(r"\d{20}", code):
            raise ValueError("pay_code")
        at = datetime.fromisoformat(value["at"]) if value.get("at") else None
        made = self.office.pay(
            code,
            str(value.get("mode") or "04"),
            force=bool(value.get("force")),
            at=at,
            fen=value.get("amount_fen"),
        )
        return json_answer(
            {"tra_no": made[0]["tra_no"], "state": "paid", "made": [each["tra_no"] for each in made]}
        )

    def _secret(self, name: str) -> str:
        path = self._keys / f"{name}.secret"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(secrets.token_hex(24), "ascii")
            part.rename(path)
        return path.read_text("ascii")

    def _introduction(self) -> dict[str, object]:
        base = self.server.base
        return {
            "code": "demo-finance",
            "name": "财政非税平台（模拟器）",
            "host": "127.0.0.1",
            "port": self.line.port,
            "http_port": self.server.port,
            "token": self._secret("token"),
            "src": desk.SRC,
            "des": desk.DES,
            "division": desk.DIVISION,
            "agency_code": AGENCY,
            "agency_name": AGENCY_NAME,
            "account": ACCOUNT,
            "items": ITEMS,
            "specimen_code": "11010126",
            "receipt_code": "11010126",
            "receipt_name": "非税收入一般缴款书（电子）",
            "pages": base,
            "seal_certificate": self.seal.with_suffix(".pub.pem").read_text("ascii"),
            "seal_id": receipts.SEAL_ID,
            "seal_name": receipts.SEAL_NAME,
            "control": base,
            "control_token": self._secret("control"),
            "wechat_nontax": {
                "base": base,
                "appid": wechat_bill.APPID,
                "secret": self._secret("wechat"),
                "mch_id": wechat_bill.MCH_ID,
            },
        }


def parser() -> argparse.ArgumentParser:
    made = process.parser("finance", __doc__, speed="between confirmations")
    made.add_argument("--http-port", type=int, default=0, help="of the pages; --port is that of the frames")
    return made


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
