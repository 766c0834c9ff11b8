"""SF's open platform (docs/interfaces/couriers.md §2)."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from xueka.contexts.couriers.adapters import partner
from xueka.contexts.couriers.domain import sf
from xueka.contexts.couriers.domain.rules import Address
from xueka.contexts.couriers.domain.status import Heard
from xueka.contexts.couriers.ports import (
    Courier,
    CourierRefused,
    CourierUnavailable,
    Parcel,
    Piece,
    Placed,
    PushRefused,
    Told,
)
from xueka.kernel import clock
from xueka.kernel.foreign import json_of
from xueka.platform import outward

_SECONDS = 5
_BEIJING = ZoneInfo("Asia/Shanghai")
_AGAIN = {"A1005", "A1009", "A1099"}
_KNOWN, _UNKNOWN, _OFF, _TOO_LATE = "8016", "8018", "8037", "8024"
_OUT_OF_REACH = {"1": "收方地址不在服务范围", "2": "寄方地址不在服务范围"}
_CITY = "北京市"
#: Where SF keeps the files that it prints, unless the account says another place.
_LABEL_HOSTS = ("eos-scp-core-shenzhen-futian1-oss.sf-express.com",)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_LABELS = 20  # in one call
_LABEL_BYTES = 5 * 1024 * 1024


def connect() -> Courier:
    return Sf(partner.card("sf"))


class Sf:
    """One signed call each. What is not readable as an answer is no answer."""

    def __init__(self, account: dict[str, Any]) -> None:
        self._account = account

    def order(self, parcel: Parcel) -> Placed:
        message = {
            "language": "zh-CN",
            "orderId": parcel.order_id,
            "cargoDetails": [{"name": "证件", "count": parcel.pieces}],
            "contactInfoList": [_contact(1, parcel.sender), _contact(2, parcel.receiver)],
            "monthlyCard": self._account["monthly_card"],
            "payMethod": 1,
            "expressTypeId": 1,
            "parcelQty": parcel.pieces,
            "isDocall": 1,
            "isReturnRoutelabel": 1,
            "isUnifiedWaybillNo": 1,
            "remark": parcel.remark[:100],
        }
        code, data, said = self._call("EXP_RECE_CREATE_ORDER", message)
        if code == _KNOWN:
            found = self.search(parcel.order_id)
            if found is None:
                raise _unreadable()
            return found
        if code != "S0000":
            raise CourierRefused("COURIER_REFUSED", f"顺丰不受理：{said or code}")
        return _placed(data)

    def search(self, order_id: str) -> Placed | None:
        message = {"searchType": "1", "orderId": order_id, "language": "zh-CN"}
        code, data, said = self._call("EXP_RECE_SEARCH_ORDER_RESP", message)
        if code == _UNKNOWN:
            return None
        if code == _OFF:
            return Placed("off", why="已取消")
        if code != "S0000":
            raise CourierUnavailable("COURIER_ANSWER", f"顺丰没有给出结果：{said or code}")
        return _placed(data)

    def cancel(self, order_id: str) -> bool:
        message = {"dealType": 2, "language": "zh-CN", "orderId": order_id}
        code, _, said = self._call("EXP_RECE_UPDATE_ORDER", message)
        if code in ("S0000", _UNKNOWN, _OFF):
            return True
        if code == _TOO_LATE:
            return False
        raise CourierUnavailable("COURIER_ANSWER", f"顺丰没有取消：{said or code}")

    def routes(self, waybills: Sequence[str]) -> list[Heard]:
        message = {
            "language": "0",
            "trackingType": "1",
            "trackingNumber": list(waybills),
            "methodType": "1",
        }
        code, data, said = self._call("EXP_RECE_SEARCH_ROUTES", message)
        if code != "S0000":
            raise CourierUnavailable("COURIER_ANSWER", f"顺丰没有给出路由：{said or code}")
        found = []
        for each in _list(data.get("routeResps")):
            for route in _list(each.get("routes")):
                heard = _heard(str(each.get("mailNo", "")), route)
                if heard and heard.waybill in waybills:
                    found.append(heard)
        return found

    def intercept(self, waybill: str) -> None:
        message = {"waybillNo": waybill, "serviceCode": "2", "payMode": "1"}
        code, _, said = self._call("EXP_RECE_WANTED_INTERCEPT", message)
        if code != "S0000":
            raise CourierRefused("COURIER_REFUSED", f"顺丰不能拦截：{said or code}")

    def label(self, pieces: Sequence[Piece]) -> bytes | None:
        template = str(self._account.get("label_template") or "")
        if not template:
            return None
        if len(pieces) > _MOST_LABELS:
            raise CourierRefused("COURIER_REFUSED", f"顺丰一次最多打印 {_MOST_LABELS} 张面单。")
        message = {
            "templateCode": template,
            "version": "2.0",
            "fileType": "pdf",
            "sync": True,
            "documents": _documents(pieces),
            "extJson": {"mergePdf": True, "mergeType": "all"},
        }
        result = self._result("COM_RECE_CLOUD_PRINT_WAYBILLS", message)
        if not result.get("success"):
            said = str(result.get("errorMessage") or result.get("errorMsg") or result.get("errorCode") or "")
            raise CourierRefused("COURIER_REFUSED", f"顺丰不打印面单：{said[:120]}")
        made = result.get("obj")
        files = _list(made.get("files")) if isinstance(made, dict) else []
        numbers = {piece.waybill for piece in pieces}
        if len(files) != 1 or str(files[0].get("waybillNo") or pieces[0].waybill) not in numbers:
            raise _unreadable()
        return self._fetched(str(files[0].get("url") or ""), str(files[0].get("token") or ""))

    def _fetched(self, address: str, token: str) -> bytes:
        """A file that SF has made, only from where this account keeps its files: the address is not ours."""
        if not token.isascii() or not token.isprintable() or not _is_ours(address, self._hosts()):
            raise CourierUnavailable("COURIER_FILE", "顺丰给的面单地址不在允许的范围。", found=address[:120])
        headers = {"X-Auth-token": token}
        try:
            got = outward.request("GET", address, _SECONDS, headers=headers, most=_LABEL_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise CourierUnavailable(
                "COURIER_FILE", "顺丰的面单文件没有取到。", found=type(error).__name__
            ) from None
        whole = got.content.startswith(b"%PDF-") and b"%%EOF" in got.content[-1024:]
        if got.status_code != 200 or not whole:
            raise CourierUnavailable("COURIER_FILE", "顺丰给的面单不是完整的 PDF。", found=got.status_code)
        return got.content

    def _hosts(self) -> tuple[str, ...]:
        return tuple(str(each).lower() for each in self._account.get("label_hosts") or _LABEL_HOSTS)

    def read_push(self, content_type: str, raw: bytes) -> Told:
        try:
            items = partner.parsed(raw)["Body"]["WaybillRoute"]
        except (ValueError, KeyError, TypeError):
            raise PushRefused("PUSH_UNREADABLE", "推送不是约定的格式。") from None
        heard = [_heard(str(item.get("mailno", "")), item) for item in _list(items)]
        return Told([each for each in heard if each], confirmed=False)

    def answer(self, accepted: bool) -> tuple[int, bytes, str]:
        said = {"return_code": "0000", "return_msg": "成功"}
        if not accepted:
            said = {"return_code": "1000", "return_msg": "失败"}
        return 200, json.dumps(said, ensure_ascii=False).encode(), "application/json"

    def _call(self, service: str, message: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        """(errorCode, msgData, errorMsg). Raises CourierUnavailable for all that is no answer."""
        result = self._result(service, message)
        data = result.get("msgData")
        error_code = str(result.get("errorCode") or ("S0000" if result.get("success") else ""))
        return error_code, data if isinstance(data, dict) else {}, str(result.get("errorMsg") or "")[:120]

    def _result(self, service: str, message: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        stamp = str(int(clock.now().timestamp() * 1000))
        form = {
            "partnerID": self._account["partner_id"],
            "requestID": secrets.token_hex(16),
            "serviceCode": service,
            "timestamp": stamp,
            "msgDigest": sf.digest(text, stamp, self._account["checkword"]),
            "msgData": text,
        }
        try:
            got = outward.post(self._account["gateway"], form, _SECONDS)
            answer = json_of(got.content)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise CourierUnavailable("COURIER_SILENT", "顺丰没有回应。", found=type(error).__name__) from None
        if not isinstance(answer, dict):
            raise _unreadable()
        code = str(answer.get("apiResultCode", ""))
        if code != "A1000":
            again = "请稍后再试" if code in _AGAIN else "请核对账号和校验码"
            raise CourierUnavailable(
                "COURIER_ANSWER",
                f"顺丰不受理（{code[:8]}）。",
                found=str(answer.get("apiErrorMsg", ""))[:80],
                action=again,
            )
        result = sf.result(answer)
        if result is None:
            raise _unreadable()
        return result


def _documents(pieces: Sequence[Piece]) -> list[dict[str, str]]:
    """The mother alone is named by herself; each of several says its place."""
    found = []
    for place, piece in enumerate(pieces, 1):
        one = {"masterWaybillNo": pieces[0].waybill}
        if place > 1:
            one["branchWaybillNo"] = piece.waybill
        if len(pieces) > 1:
            one |= {"seq": str(place), "sum": str(len(pieces))}
        found.append(one | ({"remark": piece.remark} if piece.remark else {}))
    return found


def _is_ours(address: str, hosts: Sequence[str]) -> bool:
    """Whether a file may be fetched there: TLS, but for the loopback, and nobody else's host or port."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    where = url.host if url.port is None else f"{url.host}:{url.port}"
    secure = url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK)
    return secure and where in hosts and not url.userinfo and not url.fragment


def _placed(data: dict[str, Any]) -> Placed:
    outcome = str(data.get("filterResult", ""))
    if outcome == "1":
        return Placed("waiting")
    if outcome == "3":
        why = _OUT_OF_REACH.get(str(data.get("remark", "")), "顺丰不收：其他原因")
        return Placed("refused", why=why)
    rows = [row for row in _list(data.get("waybillNoInfoList")) if row.get("waybillNo")]
    rows.sort(key=lambda row: str(row.get("waybillType")) != "1")
    if outcome != "2" or not rows:
        raise _unreadable()
    label = ""
    for row in _list(data.get("routeLabelInfo")):
        label = str((row.get("routeLabelData") or {}).get("destRouteLabel") or label)
    return Placed("taken", tuple(str(row["waybillNo"]) for row in rows), label)


def _heard(waybill: str, route: dict[str, Any]) -> Heard | None:
    """One entry; None for one without a time that we can read."""
    try:
        at = datetime.strptime(str(route.get("acceptTime", "")), "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING)
    except ValueError:
        return None
    code, remark = str(route.get("opCode", "")), str(route.get("remark") or "")
    first, second = str(route.get("firstStatusCode") or ""), str(route.get("secondaryStatusCode") or "")
    return Heard(
        waybill=waybill,
        status=sf.status_of(code, remark, first, second),
        at=at,
        code=code,
        place=str(route.get("acceptAddress") or ""),
        remark=remark,
        id=str(route.get("id") or ""),
    )


def _contact(sort: int, who: Address) -> dict[str, Any]:
    return {
        "contactType": sort,
        "contact": who.name,
        "mobile": who.phone,
        "country": "CN",
        "province": _CITY,
        "city": _CITY,
        "address": who.address,
    }


def _list(found: Any) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _unreadable() -> CourierUnavailable:
    return CourierUnavailable("COURIER_ANSWER", "顺丰的回答无法识别。")
