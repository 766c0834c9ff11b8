"""`python -m xueka.sandbox.couriers`: SF Express and kuaidi100 in one process, on one loopback port.

Below --home: `partner.json` is what they hand over, written when the port listens (couriers.md §1).
"""

import argparse
import base64
import hashlib
import hmac
import json
import re
import secrets
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from xueka.sandbox.common import http, process, struck
from xueka.sandbox.common.control import Control, body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import HANG_UP, Answer, Request, json_answer
from xueka.sandbox.common.notices import Letter, Manner, Notices
from xueka.sandbox.common.store import Store
from xueka.sandbox.common.struck import Calls, Words
from xueka.sandbox.couriers import follower
from xueka.sandbox.couriers.follower import Follower
from xueka.sandbox.couriers.labels import Labels
from xueka.sandbox.couriers.parcels import SCHEMA, Parcels

PARTNER_ID, MONTHLY_CARD = "DEMOXK", "7551234567"
SF_GAPS = (60, 300, 600, 1800, 3600, 7200, 21600)
KUAIDI_GAPS = (60, 300, 1800, 3600, 21600)
TOLERANCE = 600
_JAVA = re.compile(rb"[A-Za-z0-9.\-*_]")
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 400},
    "none": {},
    "light": {
        **struck.LIGHT, "push_lost": 0.02, "notice_drop": 0.02, "duplicate": 0.1, "shuffle": 0.1,
        "locker": 0.1, "second_attempt": 0.05, "stale": 0.05,
    },
    "heavy": {
        **struck.HEAVY, "push_lost": 0.2, "notice_drop": 0.2, "duplicate": 0.3, "shuffle": 0.3,
        "forged": 0.1, "no_service": 0.05, "by_hand": 0.1, "lost": 0.05, "returned": 0.1, "locker": 0.2,
        "second_attempt": 0.1, "stale": 0.2, "drift": 0.3, "abort": 0.2, "label_refused": 0.1,
        "label_broken": 0.05, "label_elsewhere": 0.05,
    },
}  # fmt: skip


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.card, self._keys = home, home / "partner.json", home / "keys"
        self._push_on, self._hands_out_labels = options.notices == "push", options.labels
        self._keys.mkdir(exist_ok=True)
        self._keys.chmod(0o700)
        self.store = Store(home / "couriers.sqlite3", SCHEMA)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.calls = Calls(self.store, self.dial)
        self.notices = Notices(self.store, self.clock, self.dial, options.speed)
        self.parcels = Parcels(self.store, self.clock, self.dial, options.speed)
        self.labels = Labels(self.store, self.clock, self.dial, PARTNER_ID, lambda: self.server.base)
        self.follower = Follower(self.store, self.dial, self.parcels, self.notices, self._kept("kuaidi100"))
        self.notices.manners = {
            "sf": Manner(SF_GAPS, self._letter, _taken),
            "kuaidi100": Manner(KUAIDI_GAPS, self.follower.letter, follower.accepted),
        }
        self.control = Control(self.clock, self.dial, self.notices, self._kept("control"))
        wanted = options.port or http.port_before(self.card)
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)
        self._stopping = threading.Event()

    def start(self) -> None:
        self.listen()
        if self._push_on:
            self.notices.start()
            threading.Thread(target=self._tell_on, daemon=True).start()

    def listen(self) -> None:
        """Answer calls, and be found; nothing is pushed yet."""
        self.server.start()
        base = self.server.base
        http.write_card(
            self.card,
            {
                "code": "demo-couriers",
                "name": "承运商（模拟器）",
                "base": base,
                "port": self.server.port,
                "control_token": self._kept("control"),
                "sf": {
                    "gateway": f"{base}/std/service",
                    "partner_id": PARTNER_ID,
                    "checkword": self._kept("checkword"),
                    "monthly_card": MONTHLY_CARD,
                    **self._cloud_labels(base),
                },
                "kuaidi100": {"gateway": f"{base}/poll", "key": self._kept("kuaidi100")},
            },
        )

    def _cloud_labels(self, base: str) -> dict[str, Any]:
        if not self._hands_out_labels:
            return {}
        return {"label_template": self.labels.template, "label_hosts": [base.removeprefix("http://")]}

    def stop(self) -> None:
        self._stopping.set()
        self.notices.stop()
        self.server.stop()

    def _tell_on(self) -> None:
        while not self._stopping.wait(0.2):
            self.tell()

    # ---- calls

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/_sim/"):
            return self._controlled(request)
        words = Words(
            lambda done: self._sf_answer("A1099", None) if done else Answer(500, b"oops"),
            HANG_UP,
            lambda: self._sf_answer("A1005", None),
        )
        return self.calls.struck("couriers", words, lambda: self._called(request))

    def _called(self, request: Request) -> Answer:
        if request.method == "GET" and request.path.startswith("/print-file/"):
            return self.labels.file(request.path.rpartition("/")[2], request.header("X-Auth-token"))
        try:
            form = request.form
        except ValueError:
            return json_answer({"message": "not a form"}, 400)
        match request.method, request.path:
            case "POST", "/std/service":
                return self._sf(form)
            case "POST", "/poll":
                return json_answer(self.follower.subscribe(form))
        return json_answer({"message": "not found"}, 404)

    def _sf(self, form: dict[str, str]) -> Answer:
        needed = ("partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData")
        if any(not form.get(name) for name in needed):
            return self._sf_answer("A1001", None)
        stamp = form["timestamp"]
        times = (time.time(), self.clock.now().timestamp())
        if not stamp.isdecimal() or all(abs(int(stamp) / 1000 - each) > TOLERANCE for each in times):
            return self._sf_answer("A1002", None)
        right = _digest(form["msgData"] + stamp + self._kept("checkword"))
        if form["partnerID"] != PARTNER_ID or not hmac.compare_digest(right, form["msgDigest"]):
            return self._sf_answer("A1006", None)
        try:
            message = json.loads(form["msgData"])
            done = self._done(form["serviceCode"], message)
        except (ValueError, TypeError, AttributeError, KeyError):
            return self._sf_answer("A1001", None)
        return self._sf_answer("A1004" if done is None else "A1000", done)

    def _done(self, service: str, message: dict[str, Any]) -> dict[str, Any] | None:
        """`apiResultData`; None for no service of ours."""
        if service == "COM_RECE_CLOUD_PRINT_WAYBILLS":
            return self.labels.print(message)
        served = self._serve(service, message)
        if served is None:
            return None
        code, data = served
        good = code == "S0000"
        result = {"success": good, "errorCode": code, "errorMsg": None if good else f"错误 {code}"}
        return {**result, "msgData": data}

    def _serve(self, service: str, message: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        parcels = self.parcels
        order_id = str(message.get("orderId", ""))
        match service:
            case "EXP_RECE_CREATE_ORDER":
                contacts = {each["contactType"]: each for each in message["contactInfoList"]}
                whole = order_id and all(contacts[sort].get("address") for sort in (1, 2))
                return parcels.order(message) if whole else ("S0001", {})
            case "EXP_RECE_SEARCH_ORDER_RESP":
                return parcels.search(order_id)
            case "EXP_RECE_UPDATE_ORDER":
                return (parcels.cancel(order_id) if message.get("dealType") == 2 else "S0001"), {}
            case "EXP_RECE_SEARCH_ROUTES":
                return "S0000", {"routeResps": self._routes(message["trackingNumber"])}
            case "EXP_RECE_WANTED_INTERCEPT":
                return parcels.intercept(str(message.get("waybillNo", ""))), {}
        return None

    def _routes(self, numbers: list[str]) -> list[dict[str, Any]]:
        found = []
        for number in numbers[:10]:
            row = self.parcels.parcel(number)
            routes = self.parcels.stale(row, self.parcels.routes(row)) if row else []
            plain = [{name: each[name] for name in each if name != "id"} for each in routes]
            found.append({"mailNo": number, "routes": plain})
        return found

    def _sf_answer(self, code: str, result: dict[str, Any] | None) -> Answer:
        drift = self.dial.strikes("drift", f"answer/{self.store.number('answers')}")
        data: Any = json.dumps(result, ensure_ascii=False) if result is not None else ""
        if drift and result is not None:
            self.dial.record("drift", "sf", code)
            data = {**result, "traceId": secrets.token_hex(4), "cost": 3}
        said = "" if code == "A1000" else f"错误 {code}"
        value = {
            "apiErrorMsg": said,
            "apiResponseID": secrets.token_hex(16),
            "apiResultCode": code,
            "apiResultData": data,
        }
        return json_answer(value)

    # ---- pushes

    def tell(self) -> None:
        """What is new: SF pushes to the agreed address, kuaidi100 to each subscriber's."""
        self.follower.tell()
        address = self._push_address()
        if not address:
            return
        for row in self.store.all("select * from parcel where order_id <> '' and state = 'open'"):
            routes = self.parcels.routes(row)
            told = self.store.get(f"pushed.{row['waybill']}", 0)
            for route in routes[told:]:
                self._push(row, route, address)
            if len(routes) > told:
                self.store.put(f"pushed.{row['waybill']}", len(routes))

    def _push(self, row: sqlite3.Row, route: dict[str, str], address: str) -> None:
        item = {
            "mailno": row["waybill"], "orderid": row["order_id"], "acceptTime": route["acceptTime"],
            "acceptAddress": route["acceptAddress"], "opCode": route["opCode"], "remark": route["remark"],
            "id": route["id"], "reasonCode": "", "reasonName": "",
        }  # fmt: skip
        id_ = f"S{route['id']}"
        trouble = ["notice_lost"] if self.dial.strikes("push_lost", id_) else []
        with self.store.work():
            if self.store.one("select 1 from notice where id = ?", id_):
                return
            self.notices.add("sf", id_, address, {"item": item, "reference": row["waybill"]}, trouble)
            if self.dial.strikes("forged", id_):
                lie = {**item, "opCode": "80", "remark": "已签收，签收人：本人", "id": f"9{route['id']}"}
                self.notices.forge(
                    "sf", f"F{id_}", address, {"item": lie, "reference": row["waybill"]}, "lie"
                )

    def _letter(self, row: sqlite3.Row, tries: int) -> Letter:
        item = json.loads(row["content"])["item"]
        if self.dial.strikes("drift", row["id"]):
            item = {**item, "opCode": int(item["opCode"]), "extra": {"a": [1]}}
        text = json.dumps({"Body": {"WaybillRoute": [item]}}, ensure_ascii=False)
        return Letter(row["url"], {"Content-Type": "application/json; charset=utf-8"}, text.encode())

    def _push_address(self) -> str:
        try:
            return str(json.loads((self.home / "city" / "push.json").read_text("utf-8"))["sf"])
        except (OSError, ValueError, KeyError):
            return ""

    # ---- control

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        if request.path in ("/_sim/notices", "/_sim/told"):
            self.tell()
        try:
            done = self.control.answer(request) or self._own_control(request)
        except LookupError:
            return json_answer({"code": "NOT_FOUND", "message": "没有这个运单"}, 404)
        except (ValueError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)
        return done or json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)

    def _own_control(self, request: Request) -> Answer | None:
        if (request.method, request.path) == ("GET", "/_sim/parcels"):
            found = self.store.all("select * from parcel order by made, waybill")
            return json_answer(
                [{**dict(each), "follower": "", "routes": self.parcels.routes(each)} for each in found]
            )
        fate = re.fullmatch(r"/_sim/parcels/(\w+)", request.path)
        if request.method == "POST" and fate:
            self.parcels.set_fate(fate[1], str(body(request).get("fate")))
            return json_answer({"waybill": fate[1]})
        return None

    def _kept(self, name: str) -> str:
        path = self._keys / f"{name}.secret"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(secrets.token_hex(16), "ascii")
            part.rename(path)
        return path.read_text("ascii")


def _digest(text: str) -> str:
    """§2.1, byte by byte."""
    signs = []
    for byte in text.encode():
        sign = bytes([byte])
        signs.append(sign if _JAVA.match(sign) else b"+" if sign == b" " else b"%%%02X" % byte)
    return base64.b64encode(hashlib.md5(b"".join(signs), usedforsecurity=False).digest()).decode()


def _taken(status: int, body: bytes) -> bool:
    try:
        return status == 200 and str(json.loads(body).get("return_code")) == "0000"
    except (ValueError, AttributeError):
        return False


def parser() -> argparse.ArgumentParser:
    made = process.parser("couriers", __doc__, speed="of parcels and pushes")
    made.add_argument("--labels", action="store_true", help="SF prints labels in its cloud for this account")
    return made


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
