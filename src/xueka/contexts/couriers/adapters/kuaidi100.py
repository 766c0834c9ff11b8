"""kuaidi100 (docs/interfaces/couriers.md §3): follows what was posted by hand."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx

from xueka.contexts.couriers.adapters import partner
from xueka.contexts.couriers.domain import kuaidi100 as words
from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain.rules import MOST_SUBSCRIPTIONS
from xueka.contexts.couriers.domain.status import Heard
from xueka.contexts.couriers.ports import (
    CourierRefused,
    CourierUnavailable,
    Follower,
    PushRefused,
    Told,
)
from xueka.kernel.foreign import json_of
from xueka.platform import outward
from xueka.platform.database import home

_SECONDS = 5
_BEIJING = ZoneInfo("Asia/Shanghai")
_TAKEN, _TROUBLE = ("200", "501"), "500"


def connect() -> Follower:
    return Kuaidi100(partner.card("kuaidi100"))


class Kuaidi100:
    def __init__(self, account: dict[str, Any]) -> None:
        self._account = account

    def subscribe(self, waybill: str, company: str, phone: str, callback: str, time: int) -> None:
        parameters = {"callbackurl": callback, "salt": salt_of(waybill, time), "resultv2": "4"}
        if phone:
            parameters["phone"] = phone
        param = {
            "company": company,
            "number": waybill,
            "key": self._account["key"],
            "parameters": parameters,
        }
        form = {"schema": "json", "param": json.dumps(param, ensure_ascii=False)}
        try:
            got = json_of(outward.post(self._account["gateway"], form, _SECONDS).content)
            code, said = str(got["returnCode"]), str(got.get("message", ""))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            raise CourierUnavailable(
                "COURIER_SILENT", "快递100 没有回应。", found=type(error).__name__
            ) from None
        if code == _TROUBLE:
            raise CourierUnavailable("COURIER_ANSWER", "快递100 暂时不受理。", found=said[:80])
        if code not in _TAKEN:
            raise CourierRefused("COURIER_REFUSED", said[:120] or code)

    def read_push(self, content_type: str, raw: bytes) -> Told:
        try:
            form = parse_qs(raw.decode("utf-8"), strict_parsing=True)
            param, sign = form["param"][0], form["sign"][0]
            told = partner.parsed(param)
            last = told.get("lastResult") or {}
            waybill = str(last["nu"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PushRefused("PUSH_UNREADABLE", "推送不是约定的格式。") from None
        times = range(1, MOST_SUBSCRIPTIONS + 1)
        right = [words.sign(param, salt_of(waybill, time)).encode() for time in times]
        if not any(hmac.compare_digest(each, sign.upper().encode()) for each in right):
            raise PushRefused("PUSH_SIGN", "推送的签名不对。")
        said, state = str(told.get("message", "")), str(last.get("state", ""))
        status = str(told.get("status", ""))
        entries = _entries(waybill, state, last.get("data"))
        if status == "abort":
            again = words.is_stale_abort(said)
            return Told(entries, True, waybill, "again" if again else "stopped", said[:120])
        return Told(entries, True, waybill, "over" if status == "shutdown" else "", said[:120])

    def answer(self, accepted: bool) -> tuple[int, bytes, str]:
        said = {"result": accepted, "returnCode": "200" if accepted else "500"}
        said["message"] = "成功" if accepted else "失败"
        return 200, json.dumps(said, ensure_ascii=False).encode(), "application/json"


def salt_of(waybill: str, time: int) -> str:
    """What pushes of a subscription are signed with: nobody else can make it, and nothing has to be kept."""
    key = home.secret("kuaidi100").encode()
    return hmac.new(key, f"{waybill}/{time}".encode(), hashlib.sha256).hexdigest()[:20]


def _entries(waybill: str, state: str, data: Any) -> list[Heard]:
    rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
    found = []
    for place, row in enumerate(rows):
        text = str(row.get("ftime") or row.get("time") or "")
        try:
            at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING)
        except ValueError:
            continue
        code = str(row.get("statusCode") or (state if place == 0 else ""))
        remark = str(row.get("context") or "")
        # Entries of one second are told apart by their words.
        mark = hashlib.sha256(remark.encode()).hexdigest()[:8]
        status = words.status_of(code) if code else s.NOTED
        found.append(Heard(waybill, status, at, mark, "", remark))
    return found
