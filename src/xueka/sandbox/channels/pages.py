"""The pay pages (channels.md §5)."""

from datetime import datetime
from urllib.parse import urlsplit

from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.alipay import Alipay
from xueka.sandbox.channels.book import Book, Problem
from xueka.sandbox.channels.tickets import Tickets
from xueka.sandbox.channels.wechat_answers import APPID
from xueka.sandbox.common import pages as p
from xueka.sandbox.common.http import Answer, Request, html_answer, redirect

NAMES = {"wechat": "微信支付", "alipay": "支付宝", "unionpay": "银联"}
NO_ORDER = "没有这笔订单，或支付参数的签名不对。"
PAYEE = "样例市学生卡服务"
TROUBLES = (
    ("late", "关闭后仍扣款"),
    ("again", "再扣一次"),
    ("notice_lost", "丢失通知"),
    ("duplicate", "重复通知"),
    ("wrong_amount", "通知金额不符"),
    ("forged", "伪造通知"),
    ("refund_abnormal", "退款失败"),
)
SAID = {
    "paid": ("支付成功", "good"),
    "already": ("该订单已支付，没有再次扣款", "good"),
    "closed": ("订单已关闭，没有扣款", "bad"),
    "cancelled": ("已取消，没有扣款", ""),
    "again": ("已再次扣款（演示）", "bad"),
    "late": ("订单关闭后仍扣了款（演示）", "bad"),
    "set": ("已设好，下一次付款或退款时发生（演示）", ""),
    "forged": ("伪造的通知已发出（演示）", ""),
}


class Pages:
    def __init__(self, book: Book, merchant: k.Merchant, tickets: Tickets, alipay: Alipay) -> None:
        self._book, self._merchant, self._tickets, self._alipay = book, merchant, tickets, alipay

    def answer(self, request: Request) -> Answer:
        try:
            if request.path == "/cashier/wechat":
                return self._enter(request)
            token = request.path.removeprefix("/cashier/t/")
            channel, number, back = self._tickets.read(token)
            if request.method == "POST":
                said = self._press(channel, number, request.form.get("act", ""))
                return redirect(f"/cashier/t/{token}?said={said}")
            return html_answer(self._page(token, channel, number, back, request.query.get("said", "")))
        except Problem:
            return html_answer(
                p.page(
                    "wechat", "无法支付", "支付渠道", p.state("没有这笔订单，或支付参数的签名不对。", "bad")
                ),
                404,
            )

    def _enter(self, request: Request) -> Answer:
        """WeChat: check what the merchant signed for the client."""
        query = request.query
        text = "".join(f"{query.get(name, '')}\n" for name in ("appId", "timeStamp", "nonceStr", "package"))
        found = self._book.store.one(
            "select number from trade where channel = 'wechat' and 'prepay_id=' || prepay = ?",
            query.get("package", ""),
        )
        keys = self._merchant.certificates("wechat").values()
        signed = any(k.fits(key, text.encode(), query.get("paySign", "")) for key in keys)
        if query.get("appId") != APPID or query.get("signType") != "RSA" or not signed or found is None:
            raise Problem("unknown")
        return redirect(self._tickets.make("wechat", found["number"], query.get("redirect_url", "")))

    def _press(self, channel: str, number: str, act: str) -> str:
        """What a button did, in one word."""
        try:
            match act:
                case "pay":
                    self._book.pay(channel, number)
                    return "paid"
                case "cancel":
                    return "cancelled"
                case "late" | "again":
                    state = self._book.known(channel, number)["state"]
                    self._book.pay(channel, number, force=True)
                    return {"paid": "again", "closed": "late"}.get(state, "paid")
            self._book.trouble(channel, number, act)
            return "forged" if act == "forged" else "set"
        except Problem as problem:
            if problem.code in ("paid", "closed"):
                return {"paid": "already", "closed": "closed"}[problem.code]
            raise

    def _page(self, token: str, channel: str, number: str, back: str, said: str) -> str:
        trade, address = self._book.known(channel, number), f"/cashier/t/{token}"
        home = _safe(back)
        if home and channel == "alipay":
            home = self._alipay.back(number, home)
        if said in SAID:
            note = p.state(*SAID[said])
        elif trade["state"] == "paid":
            note = p.state("该订单已支付", "good")
        elif trade["state"] == "closed":
            note = p.state("订单已关闭", "bad")
        else:
            note = ""
        paid = [
            ("支付时间", charge["at"][:19].replace("T", " "))
            for charge in self._book.charges(channel, number)
        ]
        ends = datetime.fromisoformat(trade["expires"])
        about = [("收款方", PAYEE), ("订单号", number), *paid]
        if trade["state"] == "open":
            about.append(("请在此前支付", f"{ends:%m月%d日 %H:%M}"))
        first = note + p.sum_of(trade["subject"], trade["fen"]) + p.facts(about)
        act = ""
        if trade["state"] == "open" and said != "cancelled":
            act = p.buttons(address, (("pay", "确认支付"), ("cancel", "取消")))
        elif said == "cancelled":
            act = p.link(address, "重新支付", second=bool(home))
        if home and act != "" and said == "cancelled":
            act = p.link(home, "返回商家") + act
        elif home and trade["state"] != "open":
            act = p.link(home, "返回商家")
        trouble = p.buttons(address, TROUBLES, second=True)
        hint = '<p class="hint">这些按钮让渠道做错一件事，看商家怎样应对。</p>'
        return p.page(
            channel,
            f"{NAMES[channel]} · {trade['subject']}",
            NAMES[channel],
            first,
            act,
            p.unfold("演示：让渠道出错", hint + trouble),
        )


def _safe(address: str) -> str:
    """An address of a page on the web, or nothing."""
    return address if urlsplit(address).scheme in ("http", "https") else ""
