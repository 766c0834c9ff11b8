"""`python -m xueka.sandbox.exchange`: one counterpart of the data exchange, on one loopback port.

Below --home: `partner.json` is what the counterpart hands over (exchange.md §2), with `port` and
`control_token` besides. `--site` is where Xueka is: an address, or a JSON file with `address`. With `--sign
v1sm2` Xueka's public keys are read from `city/*.pub.pem`, and `keys/sign.pub.pem` is its own.
"""

import argparse
import itertools
import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

from xueka.sandbox.common import http, process, struck
from xueka.sandbox.common import notices as common_notices
from xueka.sandbox.common.control import Control, body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import HANG_UP, Answer, Request, json_answer
from xueka.sandbox.common.notices import Letter, Manner, Notices
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.common.struck import Calls, Words
from xueka.sandbox.exchange.book import SCHEMA, Book, refused
from xueka.sandbox.exchange.signing import Keys, Wrong
from xueka.sandbox.exchange.transit import OWN_FAULTS, Desk
from xueka.sandbox.exchange.transit import SCHEMA as TRANSIT_SCHEMA
from xueka.sandbox.exchange.welfare import SCHEMA as WELFARE_SCHEMA
from xueka.sandbox.exchange.welfare import Grants

NAMES = {"beijing-tong": "北京通（模拟器）", "welfare": "民生卡权益（模拟器）", "transit": "一卡通（模拟器）"}
#: Until Xueka takes a message, for years; `--speed` divides.
GAPS = (2, 5, 15, 60, *[300] * 5000)
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 300},
    "none": {"refuse": 0, "stale": 0, "notice_lost": 0, **OWN_FAULTS},
    "light": {**struck.LIGHT, "duplicate": 0.05, "shuffle": 0.05},
    "heavy": {
        **struck.HEAVY,
        "forget": 0.02,
        "drift": 0.1,
        "stale": 0.2,
        "duplicate": 0.3,
        "shuffle": 0.3,
        "notice_drop": 0.2,
        "forged": 0.05,
    },
}

_LISTS = {
    "/_sim/applied": "select id, key, seq, kind, times from applied order by number",
    "/_sim/counts": "select count(*) applied, coalesce(sum(times - 1), 0) again from applied",
    "/_sim/records": "select dataset, key, text from record order by dataset, key",
}


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self._options, self.card = options, home / "partner.json"
        self.keys = Keys(home, options.sign.split(","))
        tables = SCHEMA + TRANSIT_SCHEMA + WELFARE_SCHEMA + common_notices.SCHEMA
        self.store = Store(home / "exchange.sqlite3", tables)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.notices = Notices(self.store, self.clock, self.dial, options.speed)
        self.notices.manners = {"exchange": Manner(GAPS, self._letter, _taken)}
        self.book = Book(self.store)
        self.desk: Desk | None = None
        if options.code == "transit":
            self.desk = Desk(self.store, self.clock, self.dial, self.book, self._tell)
            self.book.heard = self.desk.heard
        self.grants: Grants | None = None
        if options.code == "welfare":
            self.grants = Grants(self.store, self.clock, self.book, self._tell)
            self.book.heard = self.grants.heard
        self.calls, self._moods = Calls(self.store, self.dial), itertools.count()
        self.control = Control(self.clock, self.dial, self.notices, self.keys.kept("control"))
        wanted = options.port or http.port_before(self.card)
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)

    def start(self) -> None:
        self.server.start()
        if self._options.notices == "push":
            self.notices.start()
        code = self._options.code
        http.write_card(
            self.card,
            {
                "code": code,
                "name": NAMES.get(code, f"{code}（模拟器）"),
                "base": self.server.base,
                "port": self.server.port,
                **self.keys.card(),
                "datasets": self._options.datasets.split(",") if self._options.datasets else [],
                "limits": json.loads(self._options.limits),
                "control_token": self.keys.kept("control"),
            },
        )

    def stop(self) -> None:
        self.notices.stop()
        self.server.stop()

    # ---- calls

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/_sim/"):
            return self._controlled(request)
        return self._struck(request)

    def _struck(self, request: Request) -> Answer:
        """What the dial does to a call, and what this side does by itself: refuses it, forgets it again."""

        def limited() -> Answer:
            done = refused(429, "SLOW_DOWN", "系统忙")
            done.headers["Retry-After"] = "1"
            return done

        words = Words(lambda done: refused(500, "INTERNAL", "系统忙"), HANG_UP, limited)
        return self.calls.struck("exchange", words, lambda: self._moody(request))

    def _moody(self, request: Request) -> Answer:
        what = f"call/{next(self._moods)}"
        strikes, record = self.dial.strikes, self.dial.record
        if strikes("refuse", what):
            record("refuse", "exchange", what)
            return refused(422, "CARD_UNKNOWN", "没有这张卡")
        done = self._called(request)
        if strikes("forget", what) and request.path == "/messages" and done.status == 202:
            key = json.loads(request.body)["key"]
            record("forget", "exchange", key)
            self.book.forget(key)
        return done

    def _called(self, request: Request) -> Answer:
        now = self.clock.now()
        try:
            name = self.keys.check(request.header, request.body, [time.time(), now.timestamp()])
        except Wrong as wrong:
            return refused(401, wrong.code, wrong.title)
        path = request.path
        if (request.method, path) == ("POST", "/messages"):
            return self.book.apply(name, request.body)
        if self.desk is not None and (request.method, path) == ("POST", "/look-up/validity"):
            return self.desk.look_up(request, name)
        if request.method == "PUT" and (found := re.fullmatch(r"/files/([0-9a-f]{64})", path)):
            return self.book.keep_file(found[1], request.body)
        if request.method == "POST" and (found := re.fullmatch(r"/reconcile/([a-z0-9-]+)", path)):
            try:
                asked = json.loads(request.body)
            except ValueError:
                asked = None
            return self.book.answer(found[1], asked, now.isoformat(), lambda what: self._drifts(what, name))
        return refused(404, "NOT_FOUND", "没有这个接口")

    def _drifts(self, what: str, name: str) -> bool:
        hit = self.dial.strikes("drift", name)
        if hit:
            self.dial.record("drift", "exchange", what)
        return hit

    # ---- messages of our own

    def _letter(self, row: sqlite3.Row, tries: int) -> Letter:
        content, forged = json.loads(row["content"]), row["forged"]
        raw = json.dumps(content["message"], ensure_ascii=False).encode()
        stamp = int(self.clock.now().timestamp())
        sign = self.keys.forged if forged else self.keys.sign
        name = content["message"]["id"]
        headers = {"Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": str(stamp)}
        headers["webhook-signature"] = sign(name, stamp, raw)
        return Letter(f"{self._site()}/api/interop/v1/{self._options.code}/messages", headers, raw)

    def _site(self) -> str:
        text = self._options.site
        if text.startswith("http://"):
            return str(text).rstrip("/")
        try:
            return str(json.loads(Path(text).read_text("utf-8"))["address"]).rstrip("/")
        except (OSError, ValueError, KeyError):
            return "http://127.0.0.1:9"

    def _tell(self, told: dict[str, Any]) -> dict[str, Any]:
        with self.store.work():
            seq = self.book.next_told(str(told["key"]))
            message = {
                "id": f"bjt_{self.store.number('told'):012d}",
                "kind": told["kind"],
                "key": told["key"],
                "sequence": seq,
                "occurred_at": self.clock.now().isoformat(),
                "data": told.get("data"),
            }
            if self.dial.strikes("drift", message["id"]):
                self.dial.record("drift", "exchange", message["id"])
                message["new_member"] = {"of": "a later version"}
            content = {"reference": told["key"], "message": message}
            self.notices.add("exchange", message["id"], "", content, told.get("trouble", ()))
            if self.dial.strikes("forged", message["id"]):
                self.notices.forge("exchange", f"{message['id']}.forged", "", content, "signature")
        return message

    # ---- control

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        try:
            done = self.control.answer(request) or self._own(request)
            done = done or (self.desk.control(request) if self.desk else None)
            done = done or (self.grants.control(request) if self.grants else None)
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)
        return done or json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)

    def _own(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "GET", path if path in _LISTS:
                return json_answer(rows(self.store.all(_LISTS[path])))
            case "POST", "/_sim/send":
                return json_answer(self._tell(body(request)))
            case "POST", "/_sim/forget":
                return json_answer({"forgotten": self.book.forget(str(body(request)["key"]))})
            case "PUT", "/_sim/record":
                told = body(request)
                self.book.put(str(told["dataset"]), str(told["key"]), str(told["text"]))
                return json_answer({})
        return None


def _taken(status: int, said: bytes) -> bool:
    return 200 <= status < 300


def parser() -> argparse.ArgumentParser:
    made = process.parser("exchange", __doc__, speed="between tries of its own messages")
    made.add_argument("--code", default="beijing-tong")
    made.add_argument("--datasets", default="card-status")
    made.add_argument("--limits", default="{}", help="what it bears (§2), as JSON")
    made.add_argument("--sign", default="v1", help="versions of either side (§3): v1, v1sm2 or v1,v1sm2")
    made.add_argument("--site", default="http://127.0.0.1:9")
    return made


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
