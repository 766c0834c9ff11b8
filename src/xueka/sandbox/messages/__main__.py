"""`python -m xueka.sandbox.messages`: the gateway's process, on one loopback port.

Below --home: `partner.json` is what the gateway hands over, written when the port listens (messages.md §1).
"""

import argparse
import hashlib
import hmac
import json
import re
import secrets
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from xueka.sandbox.common import http, pages, process, struck
from xueka.sandbox.common.control import Control
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import HANG_UP, Answer, Request, html_answer, json_answer
from xueka.sandbox.common.notices import Letter, Manner, Notices
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.common.struck import Calls, Words
from xueka.sandbox.messages.gateway import SCHEMA, Gateway, Refused, report

APP, SIGNATURE = "xueka", "【学卡】"
GAPS = (5, 30, 120, 600, 3600)
TOLERANCE = 300
LARGEST = 64 << 10
STATES = {
    "accepted": "已受理",
    "sent": "发送中",
    "delivered": "已送达",
    "failed": "未送达",
    "expired": "已过期",
}
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 400, "per_hour": 10, "per_minute": 1, "approval_seconds": 0},
    "none": {},
    "light": {
        **struck.LIGHT,
        "undelivered": 0.01,
        "slow": 0.05,
        "report_lost": 0.01,
        "report_duplicate": 0.05,
        "report_shuffle": 0.05,
    },
    "heavy": {
        **struck.HEAVY,
        "answer_forged": 0.02,
        "notice_drop": 0.2,
        "undelivered": 0.05,
        "slow": 0.2,
        "report_lost": 0.1,
        "report_duplicate": 0.3,
        "report_shuffle": 0.3,
        "forged": 0.05,
        "stale": 0.05,
        "drift": 0.2,
    },
}


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self.card, self._keys = home / "partner.json", home / "keys"
        self._push = options.notices == "push"
        self._keys.mkdir(exist_ok=True)
        self._keys.chmod(0o700)
        self._secret = self._kept("secret")
        self.store = Store(home / "messages.sqlite3", SCHEMA)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.calls = Calls(self.store, self.dial)
        self.notices = Notices(self.store, self.clock, self.dial, options.speed)
        self.notices.manners = {"messages": Manner(GAPS, self._letter, _accepted)}
        self.gateway = Gateway(
            self.store, self.clock, self.dial, self.notices, speed=options.speed, signature=SIGNATURE
        )
        self.control = Control(self.clock, self.dial, self.notices, self._kept("control"))
        wanted = options.port or http.port_before(self.card)
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)
        self._stopping = threading.Event()

    def start(self) -> None:
        self.server.start()
        if self._push:
            self.notices.start()
            threading.Thread(target=self._settle, daemon=True).start()
        http.write_card(
            self.card,
            {
                "code": "demo-messages",
                "name": "短信网关（模拟器）",
                "base": self.server.base,
                "port": self.server.port,
                "app": APP,
                "secret": self._secret,
                "signature": SIGNATURE,
                "phones": f"{self.server.base}/phones",
                "control_token": self._kept("control"),
            },
        )

    def stop(self) -> None:
        self._stopping.set()
        self.notices.stop()
        self.server.stop()

    def _settle(self) -> None:
        while not self._stopping.wait(0.1):
            self.gateway.settle()

    # ---- calls

    def answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/_sim/"):
            return self._controlled(request)
        if path == "/style.css":
            return pages.style()
        if path.startswith("/phones"):
            return self._replied(request) if request.method == "POST" else self._phones(path)
        return self._struck(request)

    def _struck(self, request: Request) -> Answer:
        def busy(status: int, code: str) -> Answer:
            return self._signed(status, {"code": code, "message": "网关忙，请稍后再试", "field": None})

        def forged(said: Answer) -> Answer:
            wrong = _digest(said.headers["X-Sms-Signature"].encode())
            return Answer(said.status, said.body, {**said.headers, "X-Sms-Signature": wrong})

        words = Words(lambda done: busy(500, "INTERNAL"), HANG_UP, lambda: busy(429, "TOO_MANY"), forged)
        return self.calls.struck("messages", words, lambda: self._drifted(request, self._called(request)))

    def _drifted(self, request: Request, done: Answer) -> Answer:
        """As after an update that nobody told of: fields that are not in the document."""
        what = request.header("X-Sms-Nonce")
        if not self.dial.strikes("drift", what):
            return done
        self.dial.record("drift", "messages", what)
        value = json.loads(done.body)
        if isinstance(value, dict):
            value |= {"trace": secrets.token_hex(4), "ext": {"carrier": "mobile", "retry": None}}
        return self._signed(done.status, value)

    def _called(self, request: Request) -> Answer:
        try:
            self._check(request)
            return self._signed(*self._act(request))
        except Refused as refused:
            done = self._signed(refused.status, refused.body)
            if refused.wait:
                done.headers["Retry-After"] = str(refused.wait)
            return done

    def _check(self, request: Request) -> None:
        if len(request.body) > LARGEST:
            raise Refused(413, "TOO_LARGE", "内容超过 64 KiB")
        stamp, nonce = request.header("X-Sms-Timestamp"), request.header("X-Sms-Nonce")
        text = f"{request.method}\n{request.target}\n{stamp}\n{nonce}\n{_digest(request.body)}\n"
        given = request.header("X-Sms-Signature")
        if request.header("X-Sms-App") != APP or not hmac.compare_digest(given, self._mac(text)):
            raise Refused(401, "SIGNATURE_WRONG", "签名不对")
        now = self.clock.now()
        near = [abs(float(stamp) - each) <= TOLERANCE for each in (time.time(), now.timestamp())]
        if not any(near):
            raise Refused(401, "TIMESTAMP_WRONG", "时间戳与网关相差超过 5 分钟")
        if not re.fullmatch(r"[A-Za-z0-9]{16,64}", nonce):
            raise Refused(401, "NONCE_REPEATED", "随机串应为 16 到 64 位字母数字，每次不同")
        try:
            self.store.insert("nonce", value=nonce, at=now.isoformat())
        except sqlite3.IntegrityError:
            raise Refused(401, "NONCE_REPEATED", "随机串用过了") from None
        self.store.run("delete from nonce where at < ?", (now - timedelta(hours=1)).isoformat())

    def _act(self, request: Request) -> tuple[int, Any]:
        gateway, path = self.gateway, request.path
        match request.method, path:
            case "POST", "/v1/messages":
                return gateway.send(_object(request))
            case "GET", "/v1/messages":
                return 200, gateway.find("key", request.query.get("key", ""))
            case "GET", "/v1/templates":
                return 200, {"templates": gateway.templates()}
            case "GET", "/v1/reports" | "/v1/replies":
                return 200, self._listed(path.removeprefix("/v1/"), request.query)
        if found := re.fullmatch(r"/v1/templates/([^/]+)", path):
            if request.method == "PUT":
                given = _object(request)
                return 200, gateway.put_template(found[1], given.get("text"), given.get("approval"))
        elif (found := re.fullmatch(r"/v1/messages/([^/]+)", path)) and request.method == "GET":
            return 200, gateway.find("message_id", found[1])
        raise Refused(404, "NOT_FOUND", "没有这个接口")

    def _listed(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        after, limit = query.get("after", "0"), query.get("limit", "100")
        if not (after.isdecimal() and limit.isdecimal() and 1 <= int(limit) <= 1000):
            raise Refused(400, "BODY_UNREADABLE", "after、limit 应为数字，limit 最多 1000")
        self.gateway.settle()
        listed = self.gateway.reports if name == "reports" else self.gateway.replies
        found, following = listed(int(after), int(limit))
        return {name: found, "next": following}

    def _signed(self, status: int, value: Any) -> Answer:
        done = json_answer(value, status)
        stamp, nonce = str(int(self.clock.now().timestamp())), secrets.token_hex(16)
        signature = self._mac(f"{status}\n{stamp}\n{nonce}\n{_digest(done.body)}\n")
        done.headers |= {"X-Sms-Timestamp": stamp, "X-Sms-Nonce": nonce, "X-Sms-Signature": signature}
        return done

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret.encode("ascii"), text.encode(), hashlib.sha256).hexdigest()

    # ---- reports

    def _letter(self, row: sqlite3.Row, tries: int) -> Letter:
        content, forged = json.loads(row["content"]), row["forged"]
        found = self.store.one("select * from report where report_id = ?", content["report_id"])
        assert found is not None
        told = report(found)
        if forged == "forged":
            told |= {"report_id": row["id"], "state": "failed", "reason": "UNKNOWN_NUMBER"}
        if self.dial.strikes("drift", row["id"]):
            told |= {"ext": {"carrier": "mobile"}, "reason": told["reason"] and f"{told['reason']}_V2"}
        body = json.dumps({"reports": [told]}, ensure_ascii=False).encode()
        target = re.sub(r"^https?://[^/]+", "", row["url"]) or "/"
        age = 3600 if forged == "stale" else 0
        stamp, nonce = str(int(self.clock.now().timestamp()) - age), secrets.token_hex(16)
        signature = self._mac(f"POST\n{target}\n{stamp}\n{nonce}\n{_digest(body)}\n")
        headers = {"Content-Type": "application/json; charset=utf-8", "X-Sms-App": APP}
        headers |= {"X-Sms-Timestamp": stamp, "X-Sms-Nonce": nonce}
        headers["X-Sms-Signature"] = _digest(signature.encode()) if forged == "forged" else signature
        return Letter(row["url"], headers, body)

    # ---- phones and control

    def _phones(self, path: str) -> Answer:
        if found := re.fullmatch(r"/phones/(1\d{10})(\.json)?", path):
            inbox = self.gateway.inbox(found[1])
            if found[2]:
                names = ("message_id", "text", "state")
                told = [{**{name: each[name] for name in names}, "at": each["ended"]} for each in inbox]
                return json_answer({"messages": told})
            bubbles = "".join(
                f'<p class="bubble">{pages.escape(each["text"])}</p>'
                f'<p class="hint">{_clock(each["ended"])}</p>'
                for each in inbox
            )
            back = pages.link("/phones", "所有手机", second=True)
            title = f"手机 {found[1]}"
            form = (
                f'<form method="post" action="/phones/{found[1]}"><label>回复 '
                '<input name="text" inputmode="text" maxlength="70" required></label> '
                '<button class="second">发送</button></form>'
            )
            shown = bubbles or pages.state("还没有短信")
            return html_answer(pages.page("phones", title, title, shown, form, back))
        items = "".join(
            f'<li><a href="/phones/{each["phone"]}">{each["phone"]} · {each["count"]} 条 · '
            f"{_clock(each['latest'])}</a></li>"
            for each in self.gateway.phones()
        )
        listed = f'<h1>演示手机</h1><ul class="list">{items}</ul>' if items else pages.state("还没有短信")
        return html_answer(pages.page("phones", "演示手机", "短信", listed))

    def _replied(self, request: Request) -> Answer:
        """The page's form: what the owner of the phone answers."""
        found = re.fullmatch(r"/phones/(1\d{10})", request.path)
        text = request.form.get("text", "").strip()
        if not found or not text:
            return json_answer({"code": "FORM", "message": "没有内容"}, 400)
        self.gateway.reply(found[1], text)
        return http.redirect(f"/phones/{found[1]}")

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        if request.path in ("/_sim/notices", "/_sim/told"):
            self.gateway.settle()
        try:
            done = self.control.answer(request)
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)
        if done is None and (request.method, request.path) == ("POST", "/_sim/replies"):
            given = json.loads(request.body)
            self.gateway.reply(str(given["from"]), str(given["text"]))
            done = json_answer({})
        if done is None and (request.method, request.path) == ("GET", "/_sim/messages"):
            self.gateway.settle()
            found = self.store.all("select * from message order by accepted, key")
            done = json_answer(rows(found))
        return done or json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)

    def _kept(self, name: str) -> str:
        path = self._keys / f"{name}.secret"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(secrets.token_hex(32), "ascii")
            part.rename(path)
        return path.read_text("ascii")


def _accepted(status: int, body: bytes) -> bool:
    return status in (200, 204)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _object(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "BODY_UNREADABLE", "请求体不是 JSON 对象")
    return value


def _clock(at: str) -> str:
    return at[5:16].replace("T", " ")


def parser() -> argparse.ArgumentParser:
    return process.parser("messages", __doc__, speed="of delivery and reports")


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
