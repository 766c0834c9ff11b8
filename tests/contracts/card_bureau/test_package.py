"""What we seal is what the document promises to the bureau."""

import io
import json
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.contracts.card_bureau.make_vector import HEAD, portrait, records
from tests.contracts.card_bureau.stranger import Opened, open_package, openssl
from tests.support.bureau_files import PACKAGE_SM3, acknowledgement
from xueka.contexts.production.adapters.bureau_package import build_package, read_acknowledgement
from xueka.contexts.production.domain.bureau.acknowledgement import AcknowledgementRefused
from xueka.contexts.production.domain.bureau.records import CardRecord
from xueka.kernel.errors import BadInput
from xueka.platform.crypto.sm2 import PrivateKey

CITY, BUREAU = PrivateKey.generate(), PrivateKey.generate()
PHOTOS = {record.card_number: portrait(record.sequence) for record in records()}


def opened(package: bytes, folder: Path) -> Opened:
    (folder / "package.zip").write_bytes(package)
    (folder / "city-sign.pub.pem").write_bytes(CITY.public.to_pem())
    (folder / "bureau-enc.key").write_bytes(BUREAU.to_pem())
    return open_package(
        folder / "package.zip", folder / "city-sign.pub.pem", folder / "bureau-enc.key", folder
    )


def build(some: list[CardRecord] | None = None, **changed: Any) -> bytes:
    given = records() if some is None else some
    return build_package(replace(HEAD, **changed), given, PHOTOS, CITY, BUREAU.public)


def test_the_openssl_command_reads_a_package(tmp_path: Path) -> None:
    result = opened(build(), tmp_path)
    text = result.records.decode("gb18030")
    assert text.startswith("H|XKREC|1.0|B26-0001|BJT|4\r\nD|1|")
    assert "|𪚥𠮷\ue81e|" in text, "Python's edition of the codec shows U+9FB4 as U+E81E"
    assert text.endswith("T|4|2|40000000118\r\n")
    with zipfile.ZipFile(io.BytesIO(result.photos or b"")) as photos:
        assert {name: photos.read(name) for name in photos.namelist()} == {
            record.photo: PHOTOS[record.card_number] for record in records() if record.has_photo
        }
    manifest = result.manifest
    assert manifest["signer"] == CITY.public.fingerprint
    assert manifest["recipient"] == BUREAU.public.fingerprint
    assert manifest["created_at"] == "2026-09-01T10:00:00+08:00"
    assert manifest["counts"] == {"records": 4, "photos": 2}
    assert manifest["totals"]["card_sum"] == 40000000118


def test_the_tag_binds_the_ciphertext(tmp_path: Path) -> None:
    result = opened(build(), tmp_path)
    [entry, _] = result.manifest["members"]
    data = (tmp_path / "records.sm4").read_bytes()
    modes_ = modes.GCM(bytes.fromhex(entry["nonce"]), data[-16:])
    cipher = Cipher(algorithms.SM4(result.key), modes_)
    opening = cipher.decryptor()
    assert opening.update(data[:-16]) + opening.finalize() == result.records
    opening = cipher.decryptor()
    opening.update(bytes([data[0] ^ 1]) + data[1:-16])
    with pytest.raises(InvalidTag):
        opening.finalize()


def test_no_key_and_no_nonce_is_used_twice(tmp_path: Path) -> None:
    seen = set()
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        result = opened(build(), folder)
        seen |= {result.key, *(member["nonce"] for member in result.manifest["members"])}
    assert len(seen) == 15


def test_a_kind_without_photo_has_no_photo_member(tmp_path: Path) -> None:
    plain = [record._replace(has_photo=False) for record in records()]
    result = opened(build(plain), tmp_path)
    assert result.photos is None
    assert [member["name"] for member in result.manifest["members"]] == ["records.sm4"]
    assert result.manifest["counts"]["photos"] == 0


@pytest.mark.parametrize(
    ("photos", "code"),
    [
        ({}, "PHOTO_MISSING"),
        (PHOTOS | {records()[0].card_number: b"GIF89a"}, "PHOTO_UNUSABLE"),
        (PHOTOS | {records()[0].card_number: b"\xff\xd8\xff" + b"0" * 204_800}, "PHOTO_UNUSABLE"),
    ],
)
def test_a_photo_that_cannot_be_printed_stops_the_package(photos: dict[str, bytes], code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        build_package(HEAD, records(), photos, CITY, BUREAU.public)
    assert refusal.value.code == code
    assert records()[0].card_number in str(refusal.value.where)


def test_the_commands_of_the_document_work(tmp_path: Path) -> None:
    """The shell block of §3 is run as it stands."""
    result = opened(build(batch="B26-0001"), tmp_path)
    (tmp_path / "bureau-sign.key").write_bytes(BUREAU.to_pem())
    (tmp_path / "package.zip").rename(tmp_path / "XKP_B26-0001_1.zip")
    document = (Path(__file__).parents[3] / "docs/interfaces/card-bureau.md").read_text("utf-8")
    commands = next(part.split("```")[0] for part in document.split("```sh\n")[1:] if "manifest.sig" in part)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "WRAPPED": result.manifest["content_key"]["ciphertext"],
            "NONCE": result.manifest["members"][0]["nonce"],
        },
        capture_output=True,
        check=True,
    )
    assert b"Verified OK\nSignature Verified Successfully\n" in ran.stdout
    assert result.manifest["totals"]["records_sm3"].encode() in ran.stdout
    assert (tmp_path / "records.txt").read_bytes() == result.records
    made = (tmp_path / "manifest.sig").read_bytes()
    assert BUREAU.public.verify(made, (tmp_path / "manifest.json").read_bytes())
    assert openssl("asn1parse", "-inform", "DER", given=made).count(b"INTEGER") == 2


def test_the_manifest_has_the_fields_of_the_document(tmp_path: Path) -> None:
    document = (Path(__file__).parents[3] / "docs/interfaces/card-bureau.md").read_text("utf-8")
    shown = next(
        json.loads(part.split("```")[0].replace("…", ""))
        for part in document.split("```json\n")[1:]
        if '"XKPROD"' in part.split("```")[0]
    )

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        return [shape(value[0])] if isinstance(value, list) else type(value)

    assert shape(opened(build(), tmp_path).manifest) == shape(shown)


# --- acknowledgements ---


def read(data: bytes) -> Any:
    return read_acknowledgement(data, [BUREAU.public], batch="B26-00001", package=1, package_sm3=PACKAGE_SM3)


def test_acceptance_and_refusal_are_read() -> None:
    said = read(acknowledgement(BUREAU))
    assert (said.accepted, said.code, said.records) == (True, "", 3)
    said = read(acknowledgement(BUREAU, result="refused", code="TOTALS", message="张数不符", records=None))
    assert (said.accepted, said.code, said.message, said.records) == (False, "TOTALS", "张数不符", None)


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("ACK_FORMAT", {"format": "XKRETURN"}),
        ("ACK_VERSION", {"version": "2.0"}),
        ("ACK_FORMAT", {"file": "XKP_B26-00001_2.zip"}),
        ("ACK_FORMAT", {"result": "ok"}),
        ("ACK_FORMAT", {"code": "TOTALS"}),
        ("ACK_FORMAT", {"result": "refused", "records": None}),
        ("ACK_FORMAT", {"result": "refused", "code": "TOTALS"}),
        ("ACK_FORMAT", {"result": "refused", "code": "BORED", "records": None}),
        ("ACK_FORMAT", {"records": 0}),
        ("ACK_FORMAT", {"repeat": 0}),
        ("ACK_FORMAT", {"message": "a\nb"}),
        ("ACK_FORMAT", {"received_at": "yesterday"}),
        ("ACK_SIGNATURE", {"signer": "00" * 32}),
        ("ACK_PACKAGE", {"batch": "B26-00002", "file": "XKP_B26-00002_1.zip"}),
        ("ACK_PACKAGE", {"package": 2, "file": "XKP_B26-00001_2.zip"}),
        ("ACK_DIGEST", {"sm3": "00" * 32}),
    ],
)
def test_an_acknowledgement_that_proves_nothing_is_refused(code: str, changed: dict[str, Any]) -> None:
    with pytest.raises(AcknowledgementRefused) as refusal:
        read(acknowledgement(BUREAU, **changed))
    assert refusal.value.code == code


def test_an_acknowledgement_by_somebody_else_is_refused() -> None:
    envelope = json.loads(acknowledgement(BUREAU))
    for code, data in (
        ("ACK_SIGNATURE", acknowledgement(CITY)),
        ("ACK_SIGNATURE", acknowledgement(CITY, signer=BUREAU.public.fingerprint)),
        ("ACK_FORMAT", b""),
        ("ACK_FORMAT", json.dumps(envelope | {"body": "=a"}).encode()),
        ("ACK_FORMAT", json.dumps({"body": envelope["body"]}).encode()),
        ("ACK_SIGNATURE", json.dumps(envelope | {"body": envelope["signature"]}).encode()),
    ):
        with pytest.raises(AcknowledgementRefused) as refusal:
            read(data)
        assert refusal.value.code == code
