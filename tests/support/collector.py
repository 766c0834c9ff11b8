"""A collecting agency's hand for the finance simulator, written from docs/interfaces/nontax.md."""

import base64
import hashlib
import json
import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from xueka.sandbox.finance.__main__ import House, parser

CODE = "11000026300000000001"


@contextmanager
def finance(home: Path, *options: str) -> Iterator["Collector"]:
    house = House(parser().parse_args(["--home", str(home), "--notices", "pull", "--seed", "7", *options]))
    house.start()
    try:
        card = json.loads(house.card.read_text("utf-8"))
        with httpx.Client(base_url=card["control"], trust_env=False, timeout=20) as client:
            yield Collector(house, card, client)
    finally:
        house.stop()


def frame(number: str, vouchers: list[dict[str, str]], token: str, id: str = "1") -> bytes:
    bodies = ""
    for place, fields in enumerate(vouchers, 1):
        inside = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        sealed = base64.b64encode(f"<Voucher>{inside}</Voucher>".encode("gbk")).decode()
        bodies += f'<VoucherBody VoucherNo="{place}"><Voucher>{sealed}</Voucher></VoucherBody>'
    head = f"<APP>CNNONTAX</APP><VER>1.0</VER><SRC>K1100000001</SRC><DES>F110000</DES><MsgNo>{number}</MsgNo>"
    head += f"<MsgID>{id}</MsgID><MsgRef/><WorkDate>20261126</WorkDate><Reserve/>"
    text = (
        f'<?xml version="1.0" encoding="GBK"?><CFX><HEAD>{head}</HEAD><MSG><MOF><VoucherCount>{len(vouchers)}'
    )
    xml = f"{text}</VoucherCount>{bodies}</MOF></MSG></CFX>".encode("gbk")
    mac = hashlib.sha256(token.encode() + xml).hexdigest()
    return f"{23 + len(xml) + 64:<8}CNNONTAX1.0{number}".encode() + xml + mac.encode()


def opened(content: bytes, token: str) -> tuple[str, list[dict[str, str]]]:
    """Message number and vouchers; length and MAC are asserted."""
    assert int(content[:8]) == len(content) and content[8:19] == b"CNNONTAX1.0"
    xml = content[23:-64]
    assert hashlib.sha256(token.encode() + xml).hexdigest().encode() == content[-64:]
    root = ET.fromstring(re.sub(r"<\?xml.*?\?>", "", xml.decode("gbk")))
    found = []
    for voucher in root.iter("Voucher"):
        text = base64.b64decode(voucher.text or "").decode("gbk")
        inner = ET.fromstring(re.sub(r"<\?xml.*?\?>", "", text))
        found.append({child.tag: child.text or "" for child in inner})
    assert root.findtext("MSG/MOF/VoucherCount") == str(len(found))
    return content[19:23].decode(), found


class Collector:
    def __init__(self, house: House, card: dict[str, Any], client: httpx.Client) -> None:
        self.house, self.card, self.client = house, card, client
        self._id = 0

    def send(self, content: bytes) -> bytes:
        """Bytes over a connection of their own; empty when it was closed without an answer."""
        with socket.create_connection((self.card["host"], self.card["port"]), 20) as connection:
            connection.sendall(content)
            found = b""
            while len(found) < 8 or len(found) < int(found[:8]):
                more = connection.recv(65536)
                if not more:
                    return b""
                found += more
            return found

    def ask(self, number: str, *vouchers: dict[str, str], id: str = "") -> list[dict[str, str]]:
        self._id += 1
        token = self.card["token"]
        answer, found = opened(self.send(frame(number, list(vouchers), token, id or str(self._id))), token)
        assert answer == ("5997" if number == "8997" else "5001")
        return found

    def notice(self, code: str = CODE, yuan: str = "20.00", **change: str) -> dict[str, str]:
        """The fields of 8994."""
        account = self.card["account"]
        return {
            "AdmDivCode": "110000",
            "PayCode": code,
            "BillDate": "20261126",
            "PayStats": "0",
            "ChgAgenCode": self.card["agency_code"],
            "ChgAgenName": self.card["agency_name"],
            "PayerName": "样例监护人",
            "Amt": yuan,
            "OriAmt": yuan,
            "DelayAmt": "0.00",
            "RecAcctType": "01",
            "RecName": account["name"],
            "RecAcct": account["number"],
            "RecAcctReal": account["number"],
            "RecOpBk": account["bank"],
            "RecBankNo": account["bank_no"],
            "IsInterBank": "0",
            "PayInfo": f"103070610|学生卡补卡工本费|{yuan}|张|1|不限制|0.0-0.0#",
            "MobilePhone": "13800000000",
            "Hold1": "Y",
            **change,
        }

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.card['control_token']}"}
        answer = self.client.request(method, f"/_sim/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def clock(self, now: str) -> None:
        self.sim("POST", "clock", {"now": now})

    def pay(self, code: str = CODE, **more: Any) -> dict[str, Any]:
        return self.sim("POST", "pay", {"pay_code": code, **more})

    def confirmations(self) -> list[tuple[str, bytes]]:
        """Ids and frames of 5996 that wait."""
        return [(each["id"], base64.b64decode(each["body"])) for each in self.sim("GET", "notices")]

    def accept(self, id: str, result: str = "00000") -> bool:
        said = frame("8001", [{"OriMsgNo": "5996", "Result": result, "Information": ""}], self.card["token"])
        answer = {"body": base64.b64encode(said).decode()}
        return self.sim("POST", f"notices/{id}", answer)["accepted"]
