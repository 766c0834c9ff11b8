"""The integration pack: complete, kept as handed over, and without any key that opens a card."""

import io
import json
import zipfile

import pytest
from django.db import DatabaseError, transaction

from tests.unit.multiapp.conftest import ONE, OTHER, Partners, add_version
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.multiapp.models import Pack
from xueka.contexts.personalization import api as personalization
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.crypto import card_ciphers, sm3


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_lies_in_a_pack(partners: Partners) -> None:
    grant = partners.proposed(partners.vendor.code)
    with pytest.raises(Refused) as early:
        multiapp.make_pack(ONE, grant.number)
    assert early.value.code == "PACK_GRANT"
    multiapp.approve_grant(OTHER, grant.number)
    with pytest.raises(Refused) as bare:
        multiapp.make_pack(ONE, grant.number)
    assert bare.value.code == "KEY_NONE_ACTIVE"
    for label, kcv in (("external", "8baf47"), ("internal", "112233")):
        add_version(f"education.adf.{label}", kcv=kcv)
    made = multiapp.make_pack(ONE, grant.number)
    name, content = multiapp.download_pack(ONE, grant.number, 1)
    assert (name, sm3.hexdigest(content)) == (f"{grant.number}-1.zip", made.digest)
    found = members(content)
    assert set(found) == {
        "README.md",
        "grant.json",
        "test-card.json",
        "hot-list-sign.pub.pem",
        "digests.json",
    }
    digests = json.loads(found.pop("digests.json"))
    assert digests == {each: sm3.hexdigest(found[each]) for each in found}
    told = json.loads(found["grant.json"])
    assert (told["aid"], told["fid"], told["size"]) == ("a000000001c001", "3f03", 400)
    assert {(key["label"], key["version"], key["kcv"]) for key in told["keys"]} == {
        ("education.adf.external", 1, "8baf47"),
        ("education.adf.internal", 1, "112233"),
    }
    assert [each["id"] for each in told["files"]] == ["0001", "0002"]
    text = found["README.md"].decode()
    for word in (
        "晨光一卡通公司",
        "a000000001c001",
        "8baf47",
        multiapp.public_key().fingerprint,
        "不含任何正式密钥",
    ):
        assert word in text
    assert multiapp.make_pack(ONE, grant.number).version == 2
    with pytest.raises(NotFound):
        multiapp.download_pack(ONE, grant.number, 3)
    with pytest.raises(DatabaseError), transaction.atomic():
        Pack.objects.update(digest="x")


def test_the_test_card_can_be_made_by_anybody_and_says_that_it_is_one(partners: Partners) -> None:
    grant = partners.granted(partners.vendor.code)
    for label in ("external", "internal"):
        add_version(f"education.adf.{label}")
    multiapp.make_pack(ONE, grant.number)
    card = json.loads(members(multiapp.download_pack(ONE, grant.number, 1)[1])["test-card.json"])
    assert "PUBLIC TEST KEYS" in card["warning"]
    for key in card["keys"]:
        master = sm3.digest(f"XUEKA PUBLIC TEST KEY {key['label']}".encode())[:16]
        assert key["test_master"] == master.hex()
        factor = bytes.fromhex(card["factor"])
        assert factor == personalization.factor_of("card_number", card["card_number"]), (
            "the rule of real cards"
        )
        left = card_ciphers.encrypt("3des", master, factor)
        right = card_ciphers.encrypt("3des", master, bytes(each ^ 0xFF for each in factor))
        assert key["card_key"] == (left + right).hex()
        assert key["card_key_kcv"] == card_ciphers.kcv("3des", left + right)
