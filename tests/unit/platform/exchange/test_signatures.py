"""Signatures: the published vector, several at once, the window of time, the SM2 sister."""

import base64
import re
from pathlib import Path

import pytest

from xueka.kernel.errors import BadInput, Refused
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.platform.exchange.signatures import Keys, secret, sign, verify

# The example of the Standard Webhooks documentation.
VECTOR = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, STAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
RIGHT = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = b"another secret of 24 byt"


def headers(signature: str, stamp: object = STAMP, message_id: str = ID) -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": str(stamp), "webhook-signature": signature}


def refused(given: dict[str, str], body: bytes = BODY, keys: Keys | None = None, now: float = STAMP) -> str:
    with pytest.raises(Refused) as refusal:
        verify(given, body, keys or Keys((secret(VECTOR),)), now)
    return refusal.value.code


def test_the_published_vector() -> None:
    keys = Keys((secret(VECTOR),))
    assert sign(ID, STAMP, BODY, keys) == RIGHT
    assert verify(headers(RIGHT), BODY, keys, STAMP + 299) == ID


def test_one_of_several_is_enough_and_versions_nobody_knows_are_passed_over() -> None:
    both = sign(ID, STAMP, BODY, Keys((OTHER, secret(VECTOR))))
    assert len(both.split(" ")) == 2
    for keys in (Keys((OTHER,)), Keys((secret(VECTOR),))):
        assert verify(headers(f"v9,AAAA v1a,AAAA {both}"), BODY, keys, STAMP) == ID
    assert refused(headers(RIGHT), keys=Keys((OTHER,))) == "SIGNATURE_WRONG"


def test_what_is_refused() -> None:
    assert refused(headers(RIGHT), BODY + b" ") == "SIGNATURE_WRONG"
    assert refused(headers(RIGHT, message_id="msg_p5jXN8AQM9LWM0D4loKWxJel")) == "SIGNATURE_WRONG"
    assert refused(headers("v1,!!! v1, v1sm2,AAAA")) == "SIGNATURE_WRONG"
    assert refused(headers(" ".join(["v1,AAAA"] * 20 + [RIGHT]))) == "SIGNATURE_WRONG"
    assert refused(headers(RIGHT), now=STAMP + 301) == refused(headers(RIGHT), now=STAMP - 301)
    assert refused(headers(RIGHT), now=STAMP + 301) == "TIMESTAMP_WRONG"
    assert refused(headers(RIGHT, "١٦")) == refused(headers("")) == refused({}) == "SIGNATURE_MISSING"
    assert refused(headers(RIGHT, message_id="msg p")) == "SIGNATURE_MISSING"
    assert refused(headers(RIGHT), keys=Keys()) == "SIGNATURE_WRONG"  # no key at all is no key for everybody


def test_sm2_over_sm3_beside_the_other() -> None:
    mine = PrivateKey.generate()
    signed = sign(ID, STAMP, BODY, Keys((OTHER,), (mine,)))
    assert [each.split(",")[0] for each in signed.split(" ")] == ["v1", "v1sm2"]
    assert verify(headers(signed), BODY, Keys(public=(mine.public,)), STAMP) == ID
    assert refused(headers(signed), keys=Keys(public=(PrivateKey.generate().public,))) == "SIGNATURE_WRONG"


def test_the_sm2_vector_of_the_page() -> None:
    page = (Path(__file__).parents[4] / "docs" / "interfaces" / "exchange.md").read_text("utf-8")
    [key] = re.findall(r"^  (MFkw[A-Za-z0-9+/=]+)$", page, re.MULTILINE)
    [signature] = re.findall(r"^  (v1sm2,[A-Za-z0-9+/=]+)$", page, re.MULTILINE)
    keys = Keys(public=(PublicKey.from_der(base64.b64decode(key)),))
    assert RIGHT in page and verify(headers(signature), BODY, keys, STAMP) == ID


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", VECTOR.removeprefix("whsec_"), "whsec_密"])
def test_a_secret_that_is_none(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        secret(text)
    assert refusal.value.code == "EXCHANGE_SECRET"
