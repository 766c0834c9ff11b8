"""The couriers' process against docs/interfaces/couriers.md, by a client written from that page alone."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus

import httpx
import pypdf
import pytest

from xueka.sandbox.common.http import Answer, Request, Server, json_answer

MORNING = "2026-11-26T08:00:00+08:00"


def digest(message: str, stamp: str, checkword: str) -> str:
    """§2.1: as Java encodes, then MD5, then Base64."""
    text = quote_plus(message + stamp + checkword, safe="*").replace("~", "%7E")
    return base64.b64encode(hashlib.md5(text.encode()).digest()).decode()


class Town:
    """A city that knows the page: calls both couriers, and listens for their pushes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.got, self.says = folder, list[Request](), True
        self.card = json.loads((folder / "partner.json").read_text("utf-8"))
        self.client = httpx.Client(trust_env=False, timeout=20)
        self.door = Server(0, self._heard)
        self.door.start()
        (folder / "city").mkdir(exist_ok=True)
        told = {"sf": f"{self.door.base}/api/couriers/sf/push"}
        (folder / "city" / "push.json").write_text(json.dumps(told), "utf-8")

    def _heard(self, request: Request) -> Answer:
        self.got.append(request)
        if not self.says:
            return Answer(500)
        sf = request.path.endswith("/sf/push")
        return json_answer({"return_code": "0000"} if sf else {"result": True, "returnCode": "200"})

    def close(self) -> None:
        self.client.close()
        self.door.stop()

    def raw(self, service: str, message: dict[str, Any], **wrong: str) -> dict[str, Any]:
        text, stamp, sf = (
            json.dumps(message, ensure_ascii=False),
            str(int(time.time() * 1000)),
            self.card["sf"],
        )
        form = {
            "partnerID": sf["partner_id"], "requestID": hashlib.md5(text.encode()).hexdigest(),
            "serviceCode": service, "timestamp": stamp, "msgData": text,
            "msgDigest": digest(text, stamp, sf["checkword"]), **wrong,
        }  # fmt: skip
        answer = self.client.post(sf["gateway"], data={key: value for key, value in form.items() if value})
        assert answer.status_code == 200
        return answer.json()

    def sf(self, service: str, **message: Any) -> tuple[str, dict[str, Any]]:
        """(errorCode, msgData); `apiResultData` is an object or its text."""
        answer = self.raw(service, message)
        assert answer["apiResultCode"] == "A1000", answer
        result = answer["apiResultData"]
        found = json.loads(result) if isinstance(result, str) else result
        return found["errorCode"], found["msgData"]

    def print(self, *numbers: str, **more: Any) -> dict[str, Any]:
        """§2.8: `apiResultData` for a mother and her children."""
        documents: list[dict[str, str]] = []
        for place, number in enumerate(numbers, 1):
            one = {"masterWaybillNo": numbers[0], "remark": f"BX{place}"}
            one |= {"branchWaybillNo": number} if place > 1 else {}
            documents.append(
                one | ({"seq": str(place), "sum": str(len(numbers))} if len(numbers) > 1 else {})
            )
        message = {
            "templateCode": self.card["sf"]["label_template"], "version": "2.0", "fileType": "pdf",
            "sync": True, "documents": documents, "extJson": {"mergePdf": True, "mergeType": "all"}, **more,
        }  # fmt: skip
        answer = self.raw("COM_RECE_CLOUD_PRINT_WAYBILLS", message)
        assert answer["apiResultCode"] == "A1000", answer
        result = answer["apiResultData"]
        return json.loads(result) if isinstance(result, str) else result

    def file(self, address: str, token: str) -> httpx.Response:
        return self.client.get(address, headers={"X-Auth-token": token} if token else {})

    def order(self, number: str, **more: Any) -> tuple[str, dict[str, Any]]:
        contacts = [
            {"contactType": 1, "contact": "中心", "mobile": "01000000000", "address": "北京市西城区"},
            {"contactType": 2, "contact": "王建国", "mobile": "13800000001", "address": "东城区某小区 1 号"},
        ]
        cargo = [{"name": "证件", "count": 1}]
        return self.sf(
            "EXP_RECE_CREATE_ORDER", orderId=number, cargoDetails=cargo, contactInfoList=contacts, **more
        )

    def waybills(self, number: str) -> list[str]:
        _, data = self.sf("EXP_RECE_SEARCH_ORDER_RESP", orderId=number, searchType="1")
        return [each["waybillNo"] for each in data["waybillNoInfoList"]]

    def routes(self, waybill: str) -> list[dict[str, str]]:
        _, data = self.sf("EXP_RECE_SEARCH_ROUTES", trackingNumber=[waybill], trackingType="1")
        return data["routeResps"][0]["routes"]

    def subscribe(self, number: str, **wrong: Any) -> dict[str, Any]:
        param = {
            "company": "zhongtong", "number": number, "key": self.card["kuaidi100"]["key"],
            "parameters": {"callbackurl": f"{self.door.base}/k100", "salt": "s1", "resultv2": "4"}, **wrong,
        }  # fmt: skip
        form = {"schema": "json", "param": json.dumps(param)}
        return self.client.post(self.card["kuaidi100"]["gateway"], data=form).json()

    def sim(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.card['control_token']}"}
        answer = self.client.request(
            method, f"{self.card['base']}/_sim/{path}", json=body or None, headers=headers
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def at(self, clock: str) -> None:
        self.sim("POST", "clock", now=f"2026-11-26T{clock}:00+08:00")

    def wait(self, count: int, path: str) -> list[Request]:
        """The pushes to this door, once there are so many."""
        until = time.monotonic() + 30
        while len(found := [each for each in self.got if each.path.endswith(path)]) < count:
            assert time.monotonic() < until, f"{len(found)} pushes"
            time.sleep(0.02)
        return found

    def pushed(self, waybill: str, count: int) -> list[dict[str, Any]]:
        """What SF has pushed of a waybill, once there is so much; other parcels go on besides."""

        def found() -> list[dict[str, Any]]:
            bodies = [
                json.loads(each.body)["Body"]["WaybillRoute"]
                for each in self.got
                if each.path.endswith("/sf/push")
            ]
            return [item for items in bodies for item in items if item["mailno"] == waybill]

        until = time.monotonic() + 30
        while len(found()) < count:
            assert time.monotonic() < until, found()
            time.sleep(0.02)
        return found()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("couriers")
    command = [
        sys.executable,
        "-m",
        "xueka.sandbox.couriers",
        "--home",
        str(folder),
        "--seed",
        "7",
        "--labels",
    ]
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + 60
        while not (folder / "partner.json").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        yield folder
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def town(running: Path) -> Iterator[Town]:
    made = Town(running)
    made.sim("PUT", "dial", preset="none")
    made.sim("POST", "clock", now=MORNING)
    yield made
    made.close()


def test_the_vectors_of_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "interfaces" / "couriers.md").read_text("utf-8")
    rows = re.findall(r"^\| `(.+)` \| `(\d+)` \| `(.+)` \| `(\S+==)` \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for message, stamp, checkword, expected in rows:
        assert digest(message, stamp, checkword) == expected
    told = re.search(r"kuaidi100: `(.+)` with salt `(\w+)` → `(\w{32})`", page)
    assert told is not None
    assert hashlib.md5((told[1] + told[2]).encode()).hexdigest().upper() == told[3]


def test_what_is_wrong_with_a_call(town: Town) -> None:
    for wrong, code in (
        ({"msgDigest": "x"}, "A1006"),
        ({"partnerID": "other"}, "A1006"),
        ({"requestID": ""}, "A1001"),
        ({"timestamp": "1000"}, "A1002"),
    ):
        assert town.raw("EXP_RECE_SEARCH_ORDER_RESP", {"orderId": "x"}, **wrong)["apiResultCode"] == code
    assert town.raw("NO_SUCH_SERVICE", {})["apiResultCode"] == "A1004"


def test_an_order_its_labels_and_the_same_again(town: Town) -> None:
    code, data = town.order("O-1", parcelQty=3)
    assert code == "S0000" and data["filterResult"] == 2
    kinds = [each["waybillType"] for each in data["waybillNoInfoList"]]
    numbers = [each["waybillNo"] for each in data["waybillNoInfoList"]]
    assert kinds == [1, 2, 2] and len(set(numbers)) == 3
    assert data["routeLabelInfo"][0]["routeLabelData"]["destRouteLabel"]
    assert town.order("O-1", parcelQty=1)[0] == "8016" and town.waybills("O-1") == numbers
    assert town.sf("EXP_RECE_SEARCH_ORDER_RESP", orderId="nobody")[0] == "8018"
    assert town.order("")[0] == "S0001"


def test_labels_are_printed_in_the_cloud_and_fetched_with_a_token(town: Town) -> None:
    town.order("O-10", parcelQty=2)
    numbers = town.waybills("O-10")
    made = town.print(*numbers)
    assert made["success"] is True and "msgData" not in made
    [file] = made["obj"]["files"]
    assert file["waybillNo"] in numbers and made["obj"]["fileType"] == "pdf"
    assert file["url"].startswith(f"http://{town.card['sf']['label_hosts'][0]}/")
    pages = pypdf.PdfReader(io.BytesIO(town.file(file["url"], file["token"]).content)).pages
    for page, number, place in zip(pages, numbers, ("1/2", "2/2"), strict=True):
        text = page.extract_text()
        assert number in text and place in text and f"BX{place[0]}" in text
    assert town.file(file["url"], "").status_code == 401 == town.file(file["url"], "x").status_code
    town.sim("POST", "clock", now="2026-11-27T08:01:00+08:00")
    assert town.file(file["url"], file["token"]).status_code == 401, "after a day"
    assert len(town.print(*numbers, extJson={})["obj"]["files"]) == 2, "not merged"


def test_labels_that_are_not_printed(town: Town) -> None:
    town.order("O-11", parcelQty=2)
    mother, child = town.waybills("O-11")
    for wrong in (
        town.print(mother, child, templateCode="fm_150_standard_other"),
        town.print(mother),  # one of two is not the whole
        town.print(child),
        town.print("SF0000000000000"),
        town.print(mother, child, documents=[]),
    ):
        assert wrong["success"] is False and wrong["errorMessage"] and "obj" not in wrong
    town.sim("PUT", "dial", label_refused=1)
    assert town.print(mother, child)["success"] is False
    town.sim("PUT", "dial", label_refused=0, label_broken=1)
    [file] = town.print(mother, child)["obj"]["files"]
    broken = town.file(file["url"], file["token"])
    assert broken.status_code == 200 and not broken.content.startswith(b"%PDF")
    town.sim("PUT", "dial", label_broken=0, label_elsewhere=1)
    [file] = town.print(mother, child)["obj"]["files"]
    assert httpx.URL(file["url"]).netloc.decode() not in town.card["sf"]["label_hosts"]
    kinds = {each["kind"] for each in town.sim("GET", "faults")}
    assert {"label_refused", "label_broken", "label_elsewhere"} <= kinds


def test_decided_by_a_person_and_not_taken(town: Town) -> None:
    town.sim("PUT", "dial", by_hand=1)
    assert town.order("O-2")[1]["filterResult"] == 1 and town.waybills("O-2") == []
    town.at("08:06")
    assert len(town.waybills("O-2")) == 1
    town.sim("PUT", "dial", by_hand=0, no_service=1)
    data = town.order("O-3")[1]
    assert data["filterResult"] == 3 and data["remark"] and data["waybillNoInfoList"] == []


def test_cancelled_in_time_twice_and_too_late(town: Town) -> None:
    def cancel(number: str) -> str:
        return town.sf("EXP_RECE_UPDATE_ORDER", dealType=2, orderId=number)[0]

    town.order("O-4")
    assert (cancel("O-4"), cancel("O-4"), cancel("nobody")) == ("S0000", "8037", "8018")
    assert town.sf("EXP_RECE_SEARCH_ORDER_RESP", orderId="O-4")[0] == "8037"
    town.order("O-5")
    town.at("08:21")
    assert cancel("O-5") == "8024"


def test_the_way_of_a_parcel_and_80_is_not_collected(town: Town) -> None:
    town.order("O-6")
    [waybill] = town.waybills("O-6")
    assert town.routes(waybill) == [] == town.routes("SF0000000000000")
    town.sim("POST", f"parcels/{waybill}", fate="locker")
    town.at("16:01")
    way = town.routes(waybill)
    assert [each["opCode"] for each in way] == ["50", "30", "31", "130", "44", "80"]
    assert "自助柜" in way[-1]["remark"] and way[-1]["firstStatusCode"] == "4"
    assert way[-1]["secondaryStatusCode"] == "401" and "id" not in way[-1]
    town.sim("POST", "clock", now="2026-11-27T00:30:00+08:00")
    last = town.routes(waybill)[-1]
    assert (last["opCode"], last["secondaryStatusCode"]) == ("80", "402") and "取出" in last["remark"]


def test_called_back(town: Town) -> None:
    def back(waybill: str) -> str:
        return town.sf("EXP_RECE_WANTED_INTERCEPT", waybillNo=waybill, serviceCode="2", payMode="1")[0]

    town.order("O-7")
    [waybill] = town.waybills("O-7")
    town.at("09:30")
    assert back(waybill) == "S0000" and back("SF1") == "20036"
    town.at("20:00")
    assert [each["opCode"] for each in town.routes(waybill)] == ["50", "30", "99", "80"]
    assert back(waybill) == "20036"


def test_pushes_are_unsigned_repeated_and_keep_their_id(town: Town) -> None:
    town.order("O-8")
    [waybill] = town.waybills("O-8")
    town.says = False
    town.at("08:25")
    town.pushed(waybill, 1)
    town.says = True
    town.sim("POST", "deliver")
    first, again = town.pushed(waybill, 2)[:2]
    assert first == again and (first["opCode"], first["orderid"]) == ("50", "O-8") and first["id"]
    assert not [name for name in town.got[0].headers if "sign" in name.lower()]
    left = [each["id"] for each in town.sim("GET", "notices?all=1")]
    assert not [each for each in left if waybill[2:] in each], "accepted, it does not come again"


def test_a_forged_push_tells_what_never_was(town: Town) -> None:
    town.sim("PUT", "dial", forged=1)
    town.order("O-9")
    [waybill] = town.waybills("O-9")
    town.at("08:25")
    assert {each["opCode"] for each in town.pushed(waybill, 2)} == {"50", "80"}
    assert [each["opCode"] for each in town.routes(waybill)] == ["50"]


def test_kuaidi100_subscribes_signs_and_gives_up(town: Town) -> None:
    assert town.subscribe("ZT100001", key="wrong")["returnCode"] == "600"
    assert town.subscribe("ZT100001", company="nobody")["returnCode"] == "700"
    assert town.subscribe("SF100001", company="shunfeng")["returnCode"] == "700"  # without the phone
    assert town.subscribe("ZT100001")["returnCode"] == "200"
    assert town.subscribe("ZT100001")["returnCode"] == "501"
    town.at("16:30")
    form = {name: values[0] for name, values in parse_qs(town.wait(1, "/k100")[-1].body.decode()).items()}
    assert form["sign"].lower() == hashlib.md5((form["param"] + "s1").encode()).hexdigest()
    param = json.loads(form["param"])
    assert param["status"] == "shutdown" and param["lastResult"]["nu"] == "ZT100001"
    assert param["lastResult"]["state"] == param["lastResult"]["data"][0]["statusCode"] == "3"
    times = [each["time"] for each in param["lastResult"]["data"]]
    assert times == sorted(times, reverse=True)
    town.sim("PUT", "dial", abort=1)
    town.subscribe("ZT100002")
    told = json.loads(parse_qs(town.wait(2, "/k100")[-1].body.decode())["param"][0])
    assert (told["status"], told["message"]) == ("abort", "3天查询无记录")
