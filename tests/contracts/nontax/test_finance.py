"""The finance simulator against docs/interfaces/nontax.md; SM2 by the OpenSSL command."""

import base64
import hashlib
import json
import re
import socket
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.collector import CODE, Collector, finance, frame, opened
from xueka.sandbox.finance import frames

DAY = "2026-11-26T10:00:00+08:00"
DOCUMENT = Path(__file__).parents[3] / "docs/interfaces/nontax.md"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with finance(tmp_path) as made:
        made.clock(DAY)
        yield made


def test_published_vector():
    text = DOCUMENT.read_text("utf-8")
    xml = re.search(r"^`(<\?xml.*</CFX>)`$", text, re.MULTILINE)[1].encode("gbk")
    assert len(xml) == 603
    made = frames.framed("5001", xml, "xueka-test-token")
    assert made[:8] == b"690     " and len(made) == 690
    assert made[-64:].decode() == "cf8cace3ad108c60dacbbace1edbadc4ee97ea38d3653059353a41b48fa96eba"
    message = frames.unpack(made, "xueka-test-token")
    assert (message.number, message.vouchers) == (
        "5001",
        [{"OriMsgNo": "8994", "Result": "00000", "Information": "成功"}],
    )
    assert hashlib.sha256(b"xueka-test-token" + xml).hexdigest() == made[-64:].decode()


def test_a_notice_gives_the_address_of_the_pay_page(collector):
    (said,) = collector.ask("8994", collector.notice())
    assert said["Result"] == "00000" and said["OriMsgNo"] == "8994" and said["PayCode"] == CODE
    assert said["Information"] == f"{collector.card['pages']}/qrcode?billId={CODE}"
    assert collector.ask("8994", collector.notice())[0]["Information"] == said["Information"]
    page = collector.client.get(said["Information"])
    assert "确认缴款" in page.text and "学生卡补卡工本费" in page.text and "样例市数字教育中心" in page.text


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({"Amt": "21.00"}, "10001"),
        ({"PayInfo": "103070610|费|19.00|张|1|不限制|0.0#"}, "10001"),
        ({"PayCode": "123"}, "10001"),
        ({"PayerName": ""}, "10001"),
        ({"ChgAgenCode": "999"}, "10001"),
        ({"PayStats": "5"}, "10001"),
        ({"Hold2": "morgen"}, "10001"),
    ],
)
def test_a_wrong_notice_is_named(collector, change, result):
    assert collector.ask("8994", collector.notice(**change))[0]["Result"] == result


def test_repeated_with_another_content_and_voided(collector):
    collector.ask("8994", collector.notice())
    assert collector.ask("8994", collector.notice(yuan="21.00"))[0]["Result"] == "10007"
    assert collector.ask("8994", collector.notice(PayStats="2"))[0]["Result"] == "00000"
    assert collector.ask("8997", {"AdmDivCode": "110000", "PayCode": CODE})[0]["PayStats"] == "2"
    page = collector.client.post(f"/qrcode?billId={CODE}", data={"act": "pay"}, follow_redirects=True)
    assert "没有扣款" in page.text


def test_a_payment_is_confirmed_until_accepted(collector):
    collector.ask("8994", collector.notice())
    page = collector.client.post(
        f"/qrcode?billId={CODE}", data={"act": "pay", "mode": "05"}, follow_redirects=True
    )
    assert "缴款成功" in page.text
    ((id, content),) = collector.confirmations()
    number, (told,) = opened(content, collector.card["token"])
    assert (number, told["PayCode"], told["Amt"], told["PayMode"]) == ("5996", CODE, "20.00", "05")
    assert (told["CfmDate"], told["CfmTime"], told["PayerName"]) == ("20261126", "100000", "样例监护人")
    assert not collector.accept(id, "99999")
    assert collector.confirmations() == []
    collector.clock("2026-11-26T10:00:15+08:00")
    ((again, _),) = collector.confirmations()
    assert again == id and collector.accept(id)
    collector.clock("2026-11-27T10:00:00+08:00")
    assert collector.confirmations() == []


def test_confirmations_are_pushed_to_where_the_city_listens(tmp_path):
    taken: list[bytes] = []
    with finance(tmp_path, "--notices", "push", "--speed", "1000") as collector, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        token = collector.card["token"]

        def city() -> None:
            for turn in range(2):
                connection, _ = listener.accept()
                with connection:
                    taken.append(frames.read(connection))
                    said = {"OriMsgNo": "5996", "Result": "00000" if turn else "99999", "Information": ""}
                    connection.sendall(frame("8001", [said], token))

        thread = threading.Thread(target=city)
        thread.start()
        (tmp_path / "city").mkdir()
        where = {"host": "127.0.0.1", "port": listener.getsockname()[1]}
        (tmp_path / "city" / "nontax.json").write_text(json.dumps(where))
        collector.ask("8994", collector.notice())
        collector.pay()
        thread.join(20)
    assert len(taken) == 2
    assert [opened(each, token)[1][0]["PayCode"] for each in taken] == [CODE, CODE]


def test_states_by_code_and_by_day(collector):
    ask = {"AdmDivCode": "110000", "PayCode": CODE}
    assert collector.ask("8997", ask)[0]["Result"] == "10002"
    collector.ask("8994", collector.notice())
    assert collector.ask("8997", ask)[0]["PayStats"] == "0"
    first = collector.pay()
    assert (collector.ask("8997", ask)[0]["PayStats"], collector.ask("8997", ask)[0]["TraNoBus"]) == (
        "1",
        first["tra_no"],
    )
    collector.pay(force=True)
    assert len({each["TraNoBus"] for each in collector.ask("8997", ask)}) == 2
    assert len(collector.ask("8997", {"AdmDivCode": "110000", "CfmDate": "20261126"})) == 2
    assert collector.ask("8997", {"AdmDivCode": "110000", "CfmDate": "20261125"}) == []


def test_broken_frames(collector):
    good = frame("8997", [{"PayCode": CODE}], collector.card["token"])
    number, (said,) = opened(collector.send(good[:-1] + b"0"), collector.card["token"])
    assert (number, said["Result"]) == ("5001", "18012") or good.endswith(b"0")
    assert collector.send(b"99      CNNONTAX1.08997" + good[23:]) == b""
    assert collector.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    assert collector.ask("8994", {"PayCode": "1"})[0]["Result"] == "10001"
    assert collector.ask("7777", {"PayCode": "1"})[0]["Result"] == "10001"


def _receipt(fields: dict[str, str], total: str, related: str = "") -> str:
    code, number = fields["EInvoiceCode"], fields["EInvoiceNumber"]
    main = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in {
            "EInvoiceName": "非税收入一般缴款书（电子）",
            "EInvoiceCode": code,
            "EInvoiceNumber": number,
            "RandomNumber": fields["RandomNumber"],
            "EInvoiceSpecimenCode": "1",
            "SupervisorAreaCode": "110000",
            "TotalAmount": total,
            "IssueDate": "20261126",
            "IssueTime": "10:00:00",
            "InvoicingParty": "",
            "PayerParty": "<PayerPartyName>样例监护人</PayerPartyName>",
            "PayMode": "04",
            "MainExt": f"<PayCode>{fields['PayCode']}</PayCode>{related}",
        }.items()
    )
    head = f"<Header><EInvoiceID>{number[::-1]}-{code[::-1]}</EInvoiceID></Header>"
    item = f"<Details><Item><ItemAmount>{total}</ItemAmount></Item></Details>"
    text = f"<EInvoice>{head}<EInvoiceData><Main>{main}</Main>{item}</EInvoiceData></EInvoice>"
    return base64.b64encode(text.encode()).decode()


def _issue(
    collector: Collector, total: str = "20.00", **change: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The fields sent and what was said."""
    fields = {"PayCode": CODE, "EInvoiceCode": "11010126", "RandomNumber": "a1b2c3"}
    red = change.get("Red", "0")
    (drawn,) = collector.ask("8999", {**fields, "AgencyCode": "110000001", "Red": red})
    assert drawn["Result"] == "00000" and re.fullmatch(r"\d{10}", drawn["Information"])
    fields |= {"EInvoiceNumber": drawn["Information"], "Red": red, "RandomNumber": "123456", **change}
    fields["EInvoice"] = _receipt(fields, total)
    (said,) = collector.ask("8981", fields)
    return fields, said


def test_a_receipt_is_issued_signed_and_downloaded(collector, tmp_path):
    collector.ask("8994", collector.notice())
    assert _issue(collector)[1]["Result"] == "20002"
    collector.pay()
    fields, said = _issue(collector)
    assert said["Result"] == "00000"
    assert collector.ask("8981", fields)[0]["Result"] == "00000"
    assert collector.ask("8981", {**fields, "EInvoice": _receipt(fields, "19.00")})[0]["Result"] == "20003"
    look = {name: fields[name] for name in ("PayCode", "EInvoiceCode", "EInvoiceNumber")}
    (found,) = collector.ask("8982", look)
    content = base64.b64decode(found["FileContent"])
    signature = ET.fromstring(base64.b64decode(found["Signature"]).decode())
    assert signature.findtext("Format") == "DETACH"
    (tmp_path / "seal.pem").write_text(collector.card["seal_certificate"])
    (tmp_path / "sig").write_bytes(base64.b64decode(signature.findtext("Value") or ""))
    command = ["openssl", "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-verify", "seal.pem"]
    for text, code in ((content, 0), (content + b" ", 1)):
        done = subprocess.run([*command, "-signature", "sig"], input=text, cwd=tmp_path, capture_output=True)
        assert done.returncode == code
    main = ET.fromstring(content).find("EInvoiceData/Main")
    assert main is not None and main.findtext("SupervisorPartySeal/SealId") == collector.card["seal_id"]
    page = collector.client.get(found["PageUrl"])
    assert "验真通过" in page.text and "20.00" in page.text
    assert collector.client.get(found["PageUrl"][:-1] + "9").status_code == 404
    assert collector.ask("8997", {"PayCode": CODE})[0]["EInvoiceNumber"] == fields["EInvoiceNumber"]


def test_a_refund_and_its_red_receipt(collector):
    collector.ask("8994", collector.notice())
    paid = collector.pay()
    blue, _ = _issue(collector)
    related = {"RelatedInvoiceCode": blue["EInvoiceCode"], "RelatedInvoiceNumber": blue["EInvoiceNumber"]}
    assert _issue(collector, "-20.00", Red="1", **related)[1]["Result"] == "20005"
    ask = {"PayCode": CODE, "TraNoBus": paid["tra_no"], "RefundNo": "R1", "RefundAmt": "15.00"}
    assert collector.ask("8991", ask)[0]["RefundState"] == "0"
    assert collector.ask("8991", {**ask, "RefundAmt": "14.00"})[0]["Result"] == "10007"
    assert collector.ask("8991", {**ask, "RefundNo": "R2", "RefundAmt": "5.01"})[0]["Result"] == "10009"
    collector.clock("2026-11-26T10:00:02+08:00")
    assert collector.ask("8991", ask)[0]["RefundState"] == "1"
    assert collector.ask("8997", {"PayCode": CODE})[0]["RefundAmt"] == "15.00"
    assert _issue(collector, "-20.00", Red="1", **related)[1]["Result"] == "20005"
    assert _issue(collector, "-15.00", Red="1", **related)[1]["Result"] == "00000"
    assert _issue(collector, "-1.00", Red="1", **related)[1]["Result"] == "20005"


def test_a_receipt_for_money_that_the_agency_collected(collector):
    """Finance knows no payment: the number comes from the drawn stock, the code from the agency."""
    draw = {"AdmDivCode": "110000", "AgencyCode": "110000001", "EInvoiceCode": "11010126", "Draw": "5"}
    first = int(collector.ask("8999", draw)[0]["Information"])

    def issue(place: int, total: str, code: str = CODE[:8] + "31" + CODE[10:], **more: str) -> str:
        number = f"{first + place:010d}"
        fields = {"PayCode": code, "EInvoiceCode": "11010126", "EInvoiceNumber": number}
        fields |= {"RandomNumber": "123456", "Red": "0", "Collected": "1", **more}
        return collector.ask("8981", {**fields, "EInvoice": _receipt(fields, total)})[0]["Result"]

    red = {"Red": "1", "RelatedInvoiceCode": "11010126", "RelatedInvoiceNumber": f"{first:010d}"}
    assert issue(0, "20.00", Collected="0") == "10002"
    assert (issue(0, "20.00"), issue(0, "20.00"), issue(1, "20.00")) == ("00000", "00000", "20003")
    assert issue(2, "-25.00", **red) == "20003"
    assert (issue(2, "-15.00", **red), issue(3, "-5.01", **red)) == ("00000", "20003")
    collector.ask("8994", collector.notice())
    assert issue(4, "20.00", CODE) == "10001"


def test_the_stock_of_numbers(collector):
    collector.sim("PUT", "stock", {"left": 10})
    draw = {"AdmDivCode": "110000", "AgencyCode": "110000001", "EInvoiceCode": "11010126", "Draw": "8"}
    (first,) = collector.ask("8999", draw)
    assert (first["Count"], collector.sim("GET", "stock")) == ("8", {"left": 2})
    assert collector.ask("8999", draw)[0]["Result"] == "20001"


def test_a_question_repeated_is_answered_as_before(collector):
    first = collector.ask("8994", collector.notice(), id="77")
    assert collector.ask("8994", collector.notice(yuan="21.00"), id="77") == first


def test_wechat_non_tax_statement(collector):
    collector.ask("8994", collector.notice())
    collector.pay()
    collector.clock("2026-11-27T05:59:00+08:00")
    wechat = collector.card["wechat_nontax"]
    query = {"grant_type": "client_credential", "appid": wechat["appid"], "secret": wechat["secret"]}
    token = collector.client.get("/cgi-bin/token", params=query).json()["access_token"]
    assert collector.client.get("/cgi-bin/token", params={**query, "secret": "x"}).json()["errcode"] == 40001
    ask = {"appid": wechat["appid"], "mch_id": wechat["mch_id"], "bill_date": "20261126"}

    def download(**change: str) -> bytes:
        return collector.client.post(
            f"/nontax/downloadbill?access_token={token}", json={**ask, **change}
        ).content

    assert json.loads(download())["errcode"] == 89504
    collector.clock("2026-11-27T06:00:00+08:00")
    assert json.loads(download(bill_date="20261125"))["errcode"] == 89503
    head, row, totals_head, totals = download().decode().split("\r\n")[:-1]
    assert len(head.split(",")) == len(row.split(",`")) == 27
    named = dict(zip(head.split(","), row.removeprefix("`").split(",`"), strict=True))
    assert (named["缴费通知书编号(或平台订单号)"], named["总金额"]) == (CODE, "20.00")
    assert totals_head == "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额"
    assert totals == "`1,`20.00,`0.00,`0.00,`0.00000"


def test_faults_are_thrown_and_recorded(collector):
    collector.sim("PUT", "dial", {"errors": 1})
    assert collector.ask("8994", collector.notice())[0]["Result"] == "99999"
    collector.sim("PUT", "dial", {"preset": "none", "drop": 1})
    assert collector.send(frame("8994", [collector.notice()], collector.card["token"], "9")) == b""
    collector.sim("PUT", "dial", {"preset": "none", "answer_forged": 1})
    said = collector.send(frame("8994", [collector.notice()], collector.card["token"], "10"))
    with pytest.raises(frames.MacWrong):
        frames.unpack(said, collector.card["token"])
    collector.sim("PUT", "dial", {"preset": "none", "double_pay": 1, "wrong_amount": 1})
    assert len(collector.pay()["made"]) == 2
    told = [opened(content, collector.card["token"])[1][0] for _, content in collector.confirmations()]
    assert [each["Amt"] for each in told] == ["21.00", "21.00"]
    assert {each["Amt"] for each in collector.ask("8997", {"PayCode": CODE})} == {"20.00"}
    kinds = {each["kind"] for each in collector.sim("GET", "faults")}
    assert kinds == {"errors", "drop", "answer_forged", "double_pay", "wrong_amount"}


def test_forged_confirmations_do_not_hold(collector):
    collector.ask("8994", collector.notice())
    for _ in range(6):
        collector.sim("POST", "trouble", {"pay_code": CODE, "kind": "forged"})
    seen = set()
    for _, content in collector.confirmations():
        try:
            told = opened(content, collector.card["token"])[1][0]
            seen.add("agency" if told["PayCode"] != CODE else "good")
        except AssertionError:
            seen.add("length" if int(content[:8]) != len(content) else "mac")
    assert seen <= {"agency", "length", "mac"} and len(seen) >= 2
    assert collector.ask("8997", {"PayCode": CODE})[0]["PayStats"] == "0"
