"""`python -m xueka.sandbox.channels`: three payment channels in one process, on one loopback port.

Below --home: `city/` holds the merchant's public halves, `partner.json` is what the channels hand over in
return, written when the port listens (channels.md §1).
"""

import argparse
import re
from datetime import date, datetime
from pathlib import Path

from xueka.sandbox.channels import alipay, book, tables, wechat_notices
from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.alipay import Alipay
from xueka.sandbox.channels.book import Book, Problem
from xueka.sandbox.channels.dials import PRESETS
from xueka.sandbox.channels.pages import Pages
from xueka.sandbox.channels.statements import UNIONPAY_MERCHANT, Statements
from xueka.sandbox.channels.tickets import Tickets
from xueka.sandbox.channels.unionpay import UnionPay
from xueka.sandbox.channels.wechat import WeChat
from xueka.sandbox.channels.wechat_answers import APPID, MCHID
from xueka.sandbox.channels.wechat_notices import WeChatNotices
from xueka.sandbox.common import http, pages, process
from xueka.sandbox.common.control import Control, body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import HANG_UP, Answer, Request, json_answer
from xueka.sandbox.common.notices import Manner, Notices
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.common.struck import Calls, Words


class House:
    """The process: everything wired together."""

    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self.card = home / "partner.json"
        self.keys, merchant = k.Keys(home), k.Merchant(home)
        self.store = Store(home / "channels.sqlite3", tables.SCHEMA)
        clock = Clock(self.store)
        troubles = f"{options.faults},{options.dial}"
        self.dial = Dial(self.store, clock, options.seed, PRESETS, troubles)
        self.calls = Calls(self.store, self.dial)
        self.notices = Notices(self.store, clock, self.dial, options.speed)
        self.book = Book(self.store, clock, self.dial, self.notices, options.seed)
        self.statements = Statements(self.book)
        tickets = Tickets(self.store)
        self.control = Control(clock, self.dial, self.notices, self.keys.control_token)
        wanted = options.port or http.port_before(self.card)
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)
        self.base = self.server.base
        by_key = options.wechat_signs == "key"
        self.wechat = WeChat(self.book, self.keys, merchant, self.statements, self.base)
        letters = WeChatNotices(self.book, self.keys, signs_by_key=by_key)
        self.alipay = Alipay(self.book, self.keys, merchant, self.statements, tickets, self.base)
        self.unionpay = UnionPay(self.book, self.keys, merchant, self.statements)
        self.pages = Pages(self.book, merchant, tickets, self.alipay)
        self.notices.manners = {
            "wechat": Manner(wechat_notices.GAPS, letters.letter, wechat_notices.accepted),
            "alipay": Manner(alipay.GAPS, self.alipay.letter, alipay.accepted),
        }
        self._push = options.notices == "push"

    def start(self) -> None:
        self.server.start()
        if self._push:
            self.notices.start()
        http.write_card(self.card, self._introduction())

    def stop(self) -> None:
        self.notices.stop()
        self.server.stop()

    def answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/_sim/"):
            return self._controlled(request)
        self.book.settle_due()
        for start, wire in (
            ("/v3/", self.wechat),
            ("/gateway.do", self.alipay),
            ("/unionpay/", self.unionpay),
        ):
            if path.startswith(start):
                return self._struck(request, wire)
        if path.startswith("/cashier/"):
            return self.pages.answer(request)
        if path == "/alipay/bill":
            return self.alipay.bill(request)
        return pages.style() if path == "/style.css" else Answer(404)

    def _struck(self, request: Request, wire: WeChat | Alipay | UnionPay) -> Answer:
        """One call, with what the dial does to it."""
        name = type(wire).__name__.lower()
        words = Words(
            failed=lambda done: wire.fault(request, limited=False),
            hang_up=HANG_UP,
            limited=lambda: wire.fault(request, limited=True),
            forged=None if isinstance(wire, UnionPay) else wire.forged,
        )
        return self.calls.struck(name, words, lambda: wire.answer(request), kind=name)

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        try:
            self.book.settle_due()
            done = self.control.answer(request) or self._own_control(request)
            self.book.settle_due()
            return done
        except Problem as problem:
            return json_answer({"code": problem.code.upper(), "message": "做不到"}, 409)
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)

    def _own_control(self, request: Request) -> Answer:  # noqa: PLR0911
        store = self.store
        match request.method, request.path:
            case "POST", "/_sim/pay":
                return self._pay(body(request))
            case "POST", "/_sim/trouble":
                value = body(request)
                self.book.trouble(value["channel"], value["out_trade_no"], value["kind"])
                return json_answer({})
            case "POST", "/_sim/refunds":
                value = body(request)
                if value["status"] not in ("SUCCESS", "ABNORMAL"):
                    raise ValueError("status")
                self.book.settle(value["out_refund_no"], value["status"])
                return json_answer({})
            case "GET", "/_sim/orders":
                channel = request.query.get("channel", "")
                found = store.all(
                    "select t.*, (select count(*) from charge c where c.channel = t.channel "
                    "and c.number = t.number) charges from trade t "
                    "where ? in ('', t.channel) order by created, number",
                    channel,
                )
                return json_answer([book.facts(each) for each in found])
            case "GET", "/_sim/refunds":
                return json_answer(rows(store.all("select * from refund order by created, out_refund_no")))
            case "GET", "/_sim/charges":
                return json_answer(rows(store.all("select * from charge order by at, channel_id")))
            case "GET", "/_sim/statement":
                query = request.query
                day = date.fromisoformat(query["day"])
                content = self.statements.right(query["channel"], query.get("kind", "trade"), day)
                return Answer(200, content, {"Content-Type": "application/octet-stream"})
            case "PUT", "/_sim/balance":
                store.put("balance.wechat", body(request)["wechat_fen"])
                return json_answer({})
        return json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)

    def _pay(self, value: dict[str, object]) -> Answer:
        channel, number = str(value["channel"]), str(value["out_trade_no"])
        if channel not in ("wechat", "alipay", "unionpay") or not re.fullmatch(
            r"[0-9A-Za-z_\-*]{1,64}", number
        ):
            raise ValueError("channel or out_trade_no")
        at = datetime.fromisoformat(str(value["at"])) if value.get("at") else None
        if self.book.trade(channel, number) is None and value.get("amount_fen"):
            self.book.open_trade(
                channel,
                number,
                int(str(value["amount_fen"])),
                str(value.get("subject", "")),
                payer=str(value.get("payer", "")),
                expires=self.book.clock.now().replace(year=self.book.clock.now().year + 1),
                notify_url=str(value.get("notify_url", "")),
            )
        made = self.book.pay(channel, number, force=bool(value.get("force")), at=at)
        charged = [each["channel_id"] for each in made]
        return json_answer({"channel_id": charged[0], "state": "paid", "charged": charged})

    def _introduction(self) -> dict[str, object]:
        keys = self.keys
        return {
            "code": "demo-channels",
            "name": "支付渠道（模拟器）",
            "base": self.base,
            "port": self.server.port,
            "control_token": keys.control_token,
            "wechat": {
                "gateway": self.base,
                "appid": APPID,
                "mchid": MCHID,
                "apiv3_key": keys.apiv3_key,
                "public_key_id": keys.public_key_id,
                "public_key": k.pem(keys.wechat),
                "platform_serial": keys.platform_serial,
                "platform_certificate": keys.platform_certificate.public_bytes(k.PEM).decode(),
                "cashier": f"{self.base}/cashier/wechat",
            },
            "alipay": {
                "gateway": f"{self.base}/gateway.do",
                "app_id": alipay.APP_ID,
                "seller_id": alipay.SELLER,
                "alipay_public_key": k.pem(keys.alipay),
            },
            "unionpay": {
                "file_gateway": f"{self.base}/unionpay/file",
                "mer_id": UNIONPAY_MERCHANT,
                "certificate": keys.unionpay_certificate.public_bytes(k.PEM).decode(),
            },
        }


def parser() -> argparse.ArgumentParser:
    made = process.parser("channels", __doc__, speed="between notices")
    made.add_argument("--wechat-signs", choices=("key", "certificate"), default="key")
    return made


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
