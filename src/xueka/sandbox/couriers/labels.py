"""SF's printing in its cloud: a file of labels, and a token to fetch it with (couriers.md §2.8)."""

import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import Answer, json_answer
from xueka.sandbox.common.store import Store

MOST = 20
KEPT = timedelta(hours=24)
_PAGES = """
#set page(width: 100mm, height: 150mm, margin: 6mm)
#for (index, page) in json(bytes(sys.inputs.at("pages"))).enumerate() [
  #if index > 0 { pagebreak() }
  #text(18pt)[SF EXPRESS #h(1fr) #page.place]

  #text(14pt)[#page.waybill]

  #page.mother

  #page.remark
]
"""


class Labels:
    def __init__(self, store: Store, clock: Clock, dial: Dial, partner: str, base: Callable[[], str]) -> None:
        self.store, self.clock, self.dial, self._base = store, clock, dial, base
        self.template = f"fm_150_standard_{partner}"

    def print(self, message: dict[str, Any]) -> dict[str, Any]:
        """`apiResultData`. Raises KeyError, TypeError for a message that is none."""
        documents, template = list(message["documents"]), str(message["templateCode"])
        whole = message["version"] == "2.0" and message.get("fileType", "pdf") == "pdf"
        mother = str(documents[0]["masterWaybillNo"]) if documents else ""
        if not whole or template != self.template:
            return _refused("模板不存在")
        if not 1 <= len(documents) <= MOST:
            return _refused("一批 1 至 20 个运单")
        pages = [self._page(each) for each in documents]
        if None in pages or len({page["waybill"] for page in pages if page}) < len(pages):
            return _refused("运单不存在")
        if self._strikes("label_refused", mother):
            return _refused("系统繁忙，打印失败")
        merged = (message.get("extJson") or {}).get("mergePdf") is True
        groups = [pages] if merged else [[page] for page in pages]
        files = [self._keep(group, template, place) for place, group in enumerate(groups, 1)]
        made = {"clientCode": template.rpartition("_")[2], "templateCode": template, "fileType": "pdf"}
        return {
            "success": True,
            "errorCode": "S0000",
            "errorMessage": None,
            "requestId": secrets.token_hex(16),
            "obj": {**made, "files": files},
        }

    def file(self, name: str, token: str) -> Answer:
        found = self.store.one("select * from printed where file = ?", name)
        if found is None:
            return json_answer({"message": "not found"}, 404)
        old = self.clock.now() - datetime.fromisoformat(found["made"]) > KEPT
        if old or not secrets.compare_digest(token.encode(), found["token"].encode()):
            return json_answer({"message": "unauthorized"}, 401)
        headers = {"Content-Type": "application/pdf"}
        if self._strikes("label_broken", found["waybill"]):
            return Answer(200, b"<html>busy</html>", headers)
        return Answer(200, _drawn(found["pages"]), headers)

    def _page(self, document: dict[str, Any]) -> dict[str, str] | None:
        mother, branch = str(document["masterWaybillNo"]), str(document.get("branchWaybillNo") or "")
        row = self.store.one("select * from parcel where waybill = ?", branch or mother)
        if row is None or row["state"] == "off" or bool(branch) != (row["position"] > 1):
            return None
        many = self.store.all("select 1 from parcel where order_id = ?", row["order_id"])
        place = f"{document.get('seq') or 1}/{document.get('sum') or 1}"
        if place != f"{row['position']}/{len(many)}":
            return None
        remark = str(document.get("remark") or "")
        return {
            "waybill": branch or mother,
            "mother": mother if branch else "",
            "place": place,
            "remark": remark,
        }

    def _keep(self, pages: list[Any], template: str, place: int) -> dict[str, Any]:
        file, token = f"{secrets.token_hex(12)}.pdf", f"AUTH_tkv12_{secrets.token_hex(32)}"
        waybill = pages[0]["waybill"]
        text = json.dumps(pages, ensure_ascii=False)
        made = self.clock.now().isoformat()
        self.store.insert(
            "printed", file=file, token=token, waybill=waybill, template=template, pages=text, made=made
        )
        base = self._base()
        if self._strikes("label_elsewhere", waybill):
            base = base.replace("127.0.0.1", "localhost")
        return {
            "url": f"{base}/print-file/{file}",
            "token": token,
            "waybillNo": waybill,
            "seqNo": place,
            "areaNo": 1,
            "pageNo": 1,
            "pageCount": 0,
        }

    def _strikes(self, kind: str, waybill: str) -> bool:
        hit = self.dial.strikes(kind, f"{waybill}/{self.store.number('labels')}")
        if hit:
            self.dial.record(kind, "sf", waybill)
        return hit


def _drawn(pages: str) -> bytes:
    import typst

    return bytes(typst.compile(_PAGES.encode(), ignore_system_fonts=True, sys_inputs={"pages": pages}))


def _refused(why: str) -> dict[str, Any]:
    return {"success": False, "errorCode": "8999", "errorMessage": why, "requestId": secrets.token_hex(16)}
