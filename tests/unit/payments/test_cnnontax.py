"""CNNONTAX frames: the published vector, a round trip, and every flipped bit."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.size import dial
from xueka.contexts.payments.api import cnnontax
from xueka.kernel.errors import BadInput

TOKEN = "xueka-test-token"
VECTOR = (
    '<?xml version="1.0" encoding="GBK"?><CFX><HEAD><APP>CNNONTAX</APP><VER>1.0</VER><SRC>F110000</SRC>'
    "<DES>K1100000001</DES><MsgNo>5001</MsgNo><MsgID>20261126093000000001</MsgID>"
    "<MsgRef>20261126092959000001</MsgRef><WorkDate>20261126</WorkDate><Reserve/></HEAD><MSG><MOF>"
    '<VoucherCount>1</VoucherCount><VoucherBody AdmDivCode="110000" StYear="2026" VtCode="5001"'
    ' VoucherNo="1">'
    "<Voucher>PD94bWwgdmVyc2lvbj0iMS4wIiBlbmNvZGluZz0iR0JLIj8+PFZvdWNoZXI+PE9yaU1zZ05vPjg5OTQ8L09yaU1zZ05vPjxS"
    "ZXN1bHQ+MDAwMDA8L1Jlc3VsdD48SW5mb3JtYXRpb24+s8m5pjwvSW5mb3JtYXRpb24+PC9Wb3VjaGVyPg==</Voucher>"
    "</VoucherBody></MOF></MSG></CFX>"
)
MAC = "cf8cace3ad108c60dacbbace1edbadc4ee97ea38d3653059353a41b48fa96eba"
ANSWER = cnnontax.Message(
    "5001",
    "F110000",
    "K1100000001",
    "20261126093000000001",
    "20261126",
    "20261126092959000001",
    [{"OriMsgNo": "8994", "Result": "00000", "Information": "成功"}],
    "110000",
    "2026",
)


def test_the_published_vector_both_ways() -> None:
    frame = b"690     CNNONTAX1.05001" + VECTOR.encode("gbk") + MAC.encode()
    assert cnnontax.encode(ANSWER, TOKEN) == frame
    assert cnnontax.receive(frame, TOKEN) == ANSWER
    assert cnnontax.declared_length(frame) == len(frame) == 690


_text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).map(str.strip)


@settings(max_examples=dial(100, 2000), deadline=None)
@given(st.lists(st.dictionaries(st.from_regex(r"\A[A-Z][a-z]{1,9}\Z"), _text, max_size=4), max_size=3))
def test_what_is_sent_arrives_rare_characters_too(vouchers: list[dict[str, str]]) -> None:
    sent = cnnontax.Message("8994", "甲", "乙", "1", "20261126", "", vouchers, "110000", "2026")
    frame = cnnontax.encode(sent, TOKEN)
    got = cnnontax.receive(frame, TOKEN)
    assert [{name: text.strip() for name, text in each.items()} for each in vouchers] == list(got.vouchers)
    assert (got.source, got.destination) == ("甲", "乙")


def test_a_name_outside_gbk_goes_as_a_reference() -> None:
    sent = cnnontax.Message(
        "8994", "a", "b", "1", "20261126", "", [{"PayerName": "彭𠮷文"}], "110000", "2026"
    )
    frame = cnnontax.encode(sent, TOKEN)
    [voucher] = re.findall(rb"<Voucher>([^<]+)", frame)
    assert b"&#134071;" in base64.b64decode(voucher)
    assert cnnontax.receive(frame, TOKEN).vouchers == [{"PayerName": "彭𠮷文"}]


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    frame = cnnontax.encode(ANSWER, TOKEN)
    # The number and version before the XML are not under the MAC: they must be those of the XML.
    for place in range(len(frame) * 8):
        flipped = bytearray(frame)
        flipped[place // 8] ^= 1 << place % 8
        try:
            got = cnnontax.receive(bytes(flipped), TOKEN)
        except BadInput as error:
            assert error.code.startswith("CNNONTAX_")
            assert error.message
        else:  # the case of a hexadecimal digit of the MAC
            assert (got, bytes(flipped).lower()) == (ANSWER, frame.lower())
    for end in range(0, len(frame), 7):
        with pytest.raises(BadInput):
            cnnontax.receive(frame[:end], TOKEN)


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ('<!DOCTYPE a [<!ENTITY a "b">]><CFX/>', "CNNONTAX_XML"),
        ("<CFX><HEAD/></CFX>", "CNNONTAX_XML"),
        ("<CFX>", "CNNONTAX_XML"),
        (VECTOR.replace("<VoucherCount>1", "<VoucherCount>2"), "CNNONTAX_COUNT"),
        (VECTOR.replace("<Voucher>PD94", "<Voucher>?D94"), "CNNONTAX_VOUCHER"),
        (VECTOR.replace("<Voucher>PD94", "<Voucher>AAAA"), "CNNONTAX_XML"),
        (VECTOR.replace("<MsgNo>5001", "<MsgNo>5996"), "CNNONTAX_MSG_NO"),
    ],
)
def test_a_frame_whose_content_is_broken(xml: str, code: str) -> None:
    raw = xml.encode("gbk")
    length = 23 + len(raw) + 64
    frame = f"{length:<8}CNNONTAX1.05001".encode() + raw + cnnontax.mac(raw, TOKEN).encode()
    with pytest.raises(BadInput) as refused:
        cnnontax.receive(frame, TOKEN)
    assert refused.value.code == code


def test_what_no_frame_can_hold_is_not_sent() -> None:
    for name, text in (("a b", "x"), ("Memo", "\x00")):
        with pytest.raises(BadInput):
            cnnontax.encode(cnnontax.Message("8994", "", "", "1", "", "", [{name: text}]), TOKEN)
