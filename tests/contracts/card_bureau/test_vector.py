"""The published exchange: our reader, and a stranger with the OpenSSL command, still read it as made."""

import json
from pathlib import Path

from tests.contracts.card_bureau.make_vector import BATCH, HEAD, records, returned
from tests.contracts.card_bureau.stranger import digest, open_package
from xueka.contexts.production.adapters.bureau_package import open_return, read_acknowledgement
from xueka.contexts.production.domain.bureau.line import ExpectedCard
from xueka.contexts.production.domain.bureau.reconcile import reconcile
from xueka.contexts.production.domain.bureau.records import render_records
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey

FOLDER = Path(__file__).parent / "vector"
FACTS = json.loads((FOLDER / "vector.json").read_text("utf-8"))
BUREAU = PublicKey.from_pem((FOLDER / "bureau-sign.pub.pem").read_bytes())


def test_keys_and_fingerprints() -> None:
    for name, fingerprint in FACTS["fingerprints"].items():
        public = PublicKey.from_pem((FOLDER / f"{name}.pub.pem").read_bytes())
        private = (FOLDER / f"PUBLIC-TEST-{name}.key.pem").read_bytes()
        assert private.startswith(b"PUBLIC TEST KEY")
        assert PrivateKey.from_pem(private).public == public
        assert public.fingerprint == fingerprint


def test_the_package_opens_with_the_openssl_command(tmp_path: Path) -> None:
    package = FOLDER / f"XKP_{BATCH}_1.zip"
    private = FOLDER / "PUBLIC-TEST-bureau-enc.key.pem"
    opened = open_package(package, FOLDER / "city-sign.pub.pem", private, tmp_path)
    assert digest(package.read_bytes()) == FACTS["package_sm3"]
    assert opened.key.hex() == FACTS["content_key"]
    assert digest(opened.records) == FACTS["records_sm3"]
    assert digest(opened.photos or b"") == FACTS["photos_sm3"]
    assert opened.records == (FOLDER / "records.txt").read_bytes()


def test_the_same_records_are_still_rendered() -> None:
    rendered = render_records(HEAD, records())
    assert rendered.data == (FOLDER / "records.txt").read_bytes()


def test_the_acknowledgement_is_read() -> None:
    said = read_acknowledgement(
        (FOLDER / f"XKA_{BATCH}_1.json").read_bytes(),
        [BUREAU],
        batch=BATCH,
        package=1,
        package_sm3=FACTS["package_sm3"],
    )
    assert (said.accepted, said.records, said.repeat) == (True, 4, False)


def test_the_return_is_read_and_reconciled() -> None:
    data = (FOLDER / f"XKR_{BATCH}_1.zip").read_bytes()
    assert digest(data) == FACTS["return_sm3"]
    file = open_return(data, [BUREAU], BATCH, expected_number=1, expected_package_sm3=FACTS["package_sm3"])
    assert list(file.lines) == returned()
    expected = {
        record.card_number: ExpectedCard(
            record.sequence, record.transit_number, record.beijing_tong_number, record.blank_uid
        )
        for record in records()
    }
    counts = reconcile(HEAD.contents, expected, file.lines).counts()
    assert counts == {"lines": 3, **FACTS["outcome"]}
