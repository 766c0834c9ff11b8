"""kuaidi100: subscriptions and signed pushes (couriers.md §3)."""

import hashlib
import json
import sqlite3
from typing import Any
from urllib.parse import urlencode

from xueka.sandbox.common.dial import Dial
from xueka.sandbox.common.notices import Letter, Notices
from xueka.sandbox.common.store import Store
from xueka.sandbox.couriers.parcels import Parcels

COMPANIES = (
    "shunfeng",
    "ems",
    "youzhengguonei",
    "jd",
    "zhongtong",
    "yuantong",
    "yunda",
    "shentong",
)
_STATES = {"50": "1", "44": "5", "70": "2", "648": "6", "99": "6"}


class Follower:
    def __init__(self, store: Store, dial: Dial, parcels: Parcels, notices: Notices, key: str) -> None:
        self.store, self.dial, self.parcels, self.notices, self._key = store, dial, parcels, notices, key

    def subscribe(self, form: dict[str, str]) -> dict[str, Any]:
        try:
            param = json.loads(form["param"])
            number, company = str(param["number"]), str(param["company"])
            parameters = dict(param["parameters"])
            callback, salt = str(parameters["callbackurl"]), str(parameters.get("salt", ""))
        except (KeyError, ValueError, TypeError):
            return _said(False, "700", "订阅参数不对")
        if param.get("key") != self._key:
            return _said(False, "600", "您不是合法的订阅者")
        if company not in COMPANIES or not 6 <= len(number) <= 32 or not number.isalnum():
            return _said(False, "700", "不支持的公司或单号")
        if company == "shunfeng" and not parameters.get("phone"):
            return _said(False, "700", "顺丰须提供手机号后四位")
        follower = json.dumps({"callback": callback, "salt": salt})
        with self.store.work():
            row = self.parcels.parcel(number)
            if row is None:
                self.parcels.add(number, "", 1, self.parcels.clock.now().isoformat())
                row = self.parcels.parcel(number)
            assert row is not None
            before = row["follower"]
            self.store.run(
                "update parcel set follower = ?, company = ?, told = 0 where waybill = ?",
                follower,
                company,
                number,
            )
            times = self.store.number(f"subscribed.{number}")
            if self.dial.strikes("abort", f"{number}/{times}"):
                self.dial.record("abort", "kuaidi100", number)
                self._push(row, callback, salt, "abort", "3天查询无记录", [], times)
                self.store.run("update parcel set follower = '' where waybill = ?", number)
        return _said(False, "501", "重复订阅") if before else _said(True, "200", "提交成功")

    def tell(self) -> None:
        """Push what is new of every parcel that is followed."""
        for row in self.store.all("select * from parcel where follower <> ''"):
            routes = self.parcels.routes(row)
            if len(routes) <= row["told"]:
                continue
            known = json.loads(row["follower"])
            over = self.parcels.is_over(row)
            status, message = ("shutdown", "") if over else ("polling", "")
            with self.store.work():
                self.store.run(
                    "update parcel set told = ?, follower = ? where waybill = ?",
                    len(routes),
                    "" if over else row["follower"],
                    row["waybill"],
                )
                self._push(row, known["callback"], known["salt"], status, message, routes, len(routes))

    def _push(
        self,
        row: sqlite3.Row,
        callback: str,
        salt: str,
        status: str,
        message: str,
        routes: list[dict[str, str]],
        number: int,
    ) -> None:
        data: list[dict[str, str]] = []
        going_back = False
        for each in routes:
            going_back = going_back or each["opCode"] in ("648", "99")
            code = _state(each, going_back)
            data.insert(0, {
                "time": each["acceptTime"], "ftime": each["acceptTime"], "context": each["remark"],
                "status": each["remark"][:4], "statusCode": code,
            })  # fmt: skip
        last = {
            "state": data[0]["statusCode"] if data else "0",
            "nu": row["waybill"],
            "com": row["company"],
            "data": data,
        }
        param = {
            "status": status,
            "message": message,
            "autoCheck": "0",
            "comOld": "",
            "comNew": "",
            "lastResult": last,
        }
        content = {"param": json.dumps(param, ensure_ascii=False), "salt": salt, "reference": row["waybill"]}
        id_ = f"K{row['waybill']}-{status}-{number}"
        trouble = [kind for kind, dial in (("notice_lost", "push_lost"),) if self.dial.strikes(dial, id_)]
        self.notices.add("kuaidi100", id_, callback, content, trouble)
        if self.dial.strikes("forged", id_):
            self.notices.forge("kuaidi100", f"F{id_}", callback, content, "sign")

    def letter(self, row: sqlite3.Row, tries: int) -> Letter:
        content = json.loads(row["content"])
        salt = f"{content['salt']}x" if row["forged"] else content["salt"]
        sign = hashlib.md5((content["param"] + salt).encode(), usedforsecurity=False).hexdigest().upper()
        body = urlencode({"sign": sign, "param": content["param"]}).encode()
        return Letter(row["url"], {"Content-Type": "application/x-www-form-urlencoded"}, body)


def accepted(status: int, body: bytes) -> bool:
    try:
        return status == 200 and str(json.loads(body).get("returnCode")) == "200"
    except (ValueError, AttributeError):
        return False


def _state(route: dict[str, str], going_back: bool) -> str:
    code, words = route["opCode"], route["remark"]
    if code == "80":
        if going_back:
            return "4"
        return "501" if "自助柜" in words and "取出" not in words else "3"
    if code == "70" and "拒" in words:
        return "14"
    return _STATES.get(code, "0")


def _said(result: bool, code: str, message: str) -> dict[str, Any]:
    return {"result": result, "returnCode": code, "message": message}
