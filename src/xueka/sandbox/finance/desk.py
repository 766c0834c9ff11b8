"""The desk that frames come to, and the messenger that takes confirmations out (nontax.md §3, §6)."""

import contextlib
import json
import socket
import socketserver
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xueka.sandbox.common.notices import Letter
from xueka.sandbox.common.struck import Calls, Words
from xueka.sandbox.finance import frames
from xueka.sandbox.finance.frames import Fields, FrameBroken, MacWrong, Message
from xueka.sandbox.finance.office import Office, Refused, yuan
from xueka.sandbox.finance.receipts import Receipts, Stalled

SRC, DES, DIVISION = "F110000", "K1100000001", "110000"
GAPS = (15, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 43200)
PAGE = 200
LIMIT = 5.0  # seconds for one exchange
BUSY = "99999"


@dataclass(frozen=True, slots=True)
class House:
    """Where things are: `pages` is the address of pay and receipt pages."""

    token: str
    pages: str
    city: Path


class Desk:
    def __init__(self, office: Office, receipts: Receipts, house: House) -> None:
        self._office, self._receipts, self._house = office, receipts, house
        self._calls = Calls(office.store, office.dial)

    # ---- questions

    def answer(self, frame: bytes) -> bytes | None:
        """The answering frame; None when the dial swallows it. Raises FrameBroken."""
        try:
            message = frames.unpack(frame, self._house.token)
        except MacWrong as wrong:
            said = {"OriMsgNo": wrong.number, "Result": "18012", "Information": "MAC校验失败"}
            return self._pack("5001", [said], "")
        words: Words[bytes | None] = Words(
            failed=lambda done: self._pack(
                "5001", [_said(message.number, BUSY, "系统忙，请稍后再试")], message.id
            ),
            hang_up=None,
            forged=lambda said: frames.sealed_again(said, "a stranger's token") if said else said,
        )
        return self._calls.struck("nontax", words, lambda: self._work(message), kind="frame")

    def _work(self, message: Message) -> bytes:
        """Do it, or answer a repetition as before."""
        store = self._office.store
        key = f"{message.number}/{message.day}/{message.id}"
        before = store.one("select answer from asked where id = ?", key) if message.id else None
        # A question for a state is asked again to hear the new one.
        if before and message.number not in ("8997", "8991", "8982"):
            return bytes(before["answer"])
        answer = self._do(message)
        if message.id and BUSY.encode() not in answer:
            store.run("insert or replace into asked values (?, ?)", key, answer)
        return answer

    def _do(self, message: Message) -> bytes:
        if message.number == "8997":
            return self._pack(
                "5997", [each for asked in message.vouchers for each in self._state(asked)], message.id
            )
        act = {
            "8994": self._notice,
            "8999": self._receipts.draw,
            "8981": self._receipts.issue,
            "8982": lambda fields: self._receipts.download(fields, self._house.pages),
            "8991": self._refund,
        }.get(message.number)
        said = []
        for fields in message.vouchers:
            about = {"PayCode": fields["PayCode"]} if fields.get("PayCode") else {}
            try:
                if act is None:
                    raise Refused("10001", "没有这种报文")
                said.append({**_said(message.number, "00000", "成功"), **about, **act(fields)})
            except Refused as refused:
                said.append({**_said(message.number, refused.code, refused.information), **about})
            except Stalled as stalled:
                self._receipts.stalled(stalled.code, stalled.number)
                said.append({**_said(message.number, BUSY, "票据系统忙，请稍后再试"), **about})
        return self._pack("5001", said, message.id)

    def _notice(self, fields: Mapping[str, str]) -> Fields:
        url = f"{self._house.pages}/qrcode?billId={self._office.take(fields)}"
        return {"Information": url, "Url": url}

    def _refund(self, fields: Mapping[str, str]) -> Fields:
        made = self._office.refund(fields)
        words = {"0": "已受理", "1": "已退付", "2": "不予退付"}
        return {"Information": words[made["state"]], "RefundState": made["state"]}

    def _state(self, asked: Mapping[str, str]) -> list[Fields]:
        """5997: one voucher for each payment."""
        if asked.get("CfmDate"):
            text = asked["CfmDate"]
            found = self._office.of_day(f"{text[:4]}-{text[4:6]}-{text[6:]}")
            page = int(asked.get("PageNo") or 1)
            pages = str(max(1, -(-len(found) // PAGE)))
            shown = found[(page - 1) * PAGE : page * PAGE]
            return [{**self._one(each), "PageCount": pages} for each in shown]
        code = asked.get("PayCode", "")
        bill = self._office.bill(code)
        if bill is None:
            return [{"PayCode": code, "Result": "10002", "Information": "没有这个缴款码", "PageCount": "1"}]
        payments = self._office.payments(code)
        if not payments:
            state = "2" if bill["state"] == "voided" else "0"
            plain = {"PayCode": code, "Amt": yuan(bill["fen"]), "PayStats": state}
            return [
                {**plain, "RefundAmt": "0.00", "Result": "00000", "Information": "成功", "PageCount": "1"}
            ]
        return [{**self._one(each), "PageCount": "1"} for each in payments]

    def _one(self, payment: sqlite3.Row) -> Fields:
        returned = self._office.refunded(payment["tra_no"])
        receipt = self._receipts.issued_for(payment["code"])
        return {
            **self._office.confirmation(payment),
            "PayStats": "3" if returned else "1",
            "RefundAmt": yuan(returned),
            "EInvoiceCode": receipt["code"] if receipt else "",
            "EInvoiceNumber": receipt["number"] if receipt else "",
            "Result": "00000",
            "Information": "成功",
        }

    def _pack(self, number: str, vouchers: list[Fields], ref: str, id: str = "", token: str = "") -> bytes:
        now = self._office.clock.now()
        serial = self._office.store.number("messages")
        message = Message(number, id or f"{now:%y%m%d%H%M%S}{serial:08d}", vouchers, ref, f"{now:%Y%m%d}")
        return frames.pack(message, token or self._house.token, src=SRC, des=DES, division=DIVISION)

    # ---- confirmations

    def letter(self, row: sqlite3.Row, tries: int) -> Letter:
        """5996 for one payment; the message id stays over the tries."""
        content, forged = json.loads(row["content"]), row["forged"]
        if content.get("forged_for"):
            bill = self._office.known(content["forged_for"])
            terms = json.loads(bill["content"])
            now = self._office.clock.now()
            fields = {
                "PayCode": bill["code"],
                "CfmDate": f"{now:%Y%m%d}",
                "CfmTime": f"{now:%H%M%S}",
                "Amt": yuan(bill["fen"]),
                "PayMode": "04",
                "TraNoBus": f"9{row['number']:015d}",
                "PayerName": bill["payer"],
                "RecAcctType": terms["RecAcctType"],
                "RecAcct": terms["RecAcct"],
            }
            if forged == "agency":
                fields |= {"PayCode": f"999999{bill['code'][6:]}", "RecAcct": "0000000000"}
        else:
            payment = self._office.store.one("select * from payment where tra_no = ?", content["tra_no"])
            assert payment is not None
            fields = self._office.confirmation(payment)
            if content["wrong_amount"]:
                fields["Amt"] = yuan(payment["fen"] + 100)
        token = "a stranger's token" if forged == "key" else ""
        frame = self._pack("5996", [fields], "", row["id"], token)
        if forged == "length":
            frame = f"{len(frame) - 1:<8}".encode("ascii") + frame[8:]
        return Letter("", {}, frame)

    def accepted(self, status: int, body: bytes) -> bool:
        """Whether these bytes are 8001 with result 00000."""
        try:
            message = frames.unpack(body, self._house.token)
        except (FrameBroken, MacWrong):
            return False
        return message.number == "8001" and [each.get("Result") for each in message.vouchers] == ["00000"]

    def deliver(self, letter: Letter) -> tuple[int, bytes] | None:
        """Over TCP to where the city says it listens; nowhere but to the loopback."""
        try:
            where = json.loads((self._house.city / "nontax.json").read_text("utf-8"))
            host, port = str(where["host"]), int(where["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if host not in ("127.0.0.1", "localhost", "::1"):
            return None
        try:
            with socket.create_connection((host, port), LIMIT) as connection:
                connection.settimeout(LIMIT)
                connection.sendall(letter.body)
                return 200, frames.read(connection)
        except (OSError, FrameBroken):
            return None


def _said(number: str, result: str, information: str) -> Fields:
    return {"OriMsgNo": number, "Result": result, "Information": information}


class Line:
    """The TCP port on the loopback."""

    def __init__(self, port: int, desk: Desk) -> None:
        class Exchange(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                connection: socket.socket = self.request
                connection.settimeout(60)
                with contextlib.suppress(OSError, FrameBroken):
                    while frame := frames.read(connection):
                        done = desk.answer(frame)
                        if done is None:
                            return
                        connection.sendall(done)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

        self._server = Listener(("127.0.0.1", port), Exchange)
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
