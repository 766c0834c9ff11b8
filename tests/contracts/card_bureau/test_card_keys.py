"""Card keys in a package: the document, the published vectors, and the two sides that share only these."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.card_bureau import make_key_vectors as m
from tests.contracts.card_bureau.make_vector import BATCH, FOLDER, records
from tests.contracts.card_bureau.stranger import openssl
from xueka.contexts.production.adapters.bureau_package import read_acknowledgement
from xueka.contexts.production.domain.bureau import card_keys as k
from xueka.platform.crypto import card_ciphers, sm3
from xueka.platform.crypto.sm2 import PublicKey
from xueka.sandbox.bureau import card_keys as theirs
from xueka.sandbox.bureau.works import Works

FACTS = json.loads((m.KEYS / "vector.json").read_text("utf-8"))
DOCUMENT = (Path(__file__).parents[3] / "docs/interfaces/card-bureau.md").read_text("utf-8")
SECTION = DOCUMENT[DOCUMENT.index("## 15. ") :]


@pytest.fixture
def works(tmp_path: Path) -> Works:
    """A bureau with the public test keys; what is loaded there is up to the test."""
    (tmp_path / "city").mkdir()
    (tmp_path / "keys").mkdir()
    (tmp_path / "city/city-sign.pub.pem").write_bytes((FOLDER / "city-sign.pub.pem").read_bytes())
    for name in ("bureau-enc", "bureau-sign"):
        private = (FOLDER / f"PUBLIC-TEST-{name}.key.pem").read_bytes()
        (tmp_path / f"keys/{name}.key").write_bytes(private[private.index(b"-----") :])
        (tmp_path / f"keys/{name}.pub.pem").write_bytes((FOLDER / f"{name}.pub.pem").read_bytes())
    return Works(tmp_path, seed=7, faults="none")


def said(works: Works, content: bytes) -> tuple[bool, str, str]:
    """Hand a package in: was it taken, with which code, in which words."""
    (works.box_in / f"XKP_{BATCH}_1.zip").write_bytes(content)
    works.look()
    answer = read_acknowledgement(
        (works.box_out / f"XKA_{BATCH}_1.json").read_bytes(),
        [PublicKey.from_pem((works.keys_folder / "bureau-sign.pub.pem").read_bytes())],
        batch=BATCH,
        package=1,
        package_sm3=sm3.hexdigest(content),
    )
    return answer.accepted, answer.code, answer.message


def made(works: Works) -> bool:
    return (works.box_out / f"XKR_{BATCH}_1.zip").exists()


def load_partner_key(works: Works) -> None:
    works.vault.load("transport.bureau", 2, m.PARTNER)


def load_masters(works: Works) -> None:
    for label, (_, value, _) in m.MASTERS.items():
        works.vault.load(label, 3, value)


@pytest.mark.parametrize("name", ["sm2", "block"])
def test_a_published_package_is_taken(works: Works, name: str) -> None:
    load_partner_key(works)
    published = (m.KEYS / f"XKP_{BATCH}_1-{name}.zip").read_bytes()
    assert said(works, published) == (True, "", "")
    assert made(works)


def test_the_three_ways(works: Works) -> None:
    load_masters(works)
    works.vault.own("EDU-2026")
    own = k.CardKeys(k.KeyPlan(k.OWN, reference="EDU-2026"), ())
    for keys in (m.card_keys(k.FILE, "SM2"), m.card_keys(k.LOADED), own):
        for old in [*works.books.iterdir(), *works.box_out.iterdir()]:
            old.unlink()
        assert said(works, m.package(keys)) == (True, "", "")
        assert made(works)


def test_the_vector_s_card_keys_follow_from_the_masters_by_the_openssl_command() -> None:
    for number, keys in FACTS["card_keys"].items():
        factor = number[-16:].rjust(16, "0")
        for label, levels, cipher in (
            ("education.adf.internal", [factor], "-des-ede"),
            ("education_sm4.adf.internal", [m.ABOVE, factor], "-sm4-ecb"),
        ):
            key = FACTS["masters"][label]
            for level in levels:
                both = level + bytes(0xFF ^ byte for byte in bytes.fromhex(level)).hex()
                key = openssl("enc", cipher, "-nopad", "-K", key, given=bytes.fromhex(both)).hex()
            assert key == keys[label]


def test_the_commands_of_the_document_open_a_card_key(tmp_path: Path) -> None:
    keys = m.card_keys(k.FILE, "SM2")
    assert keys.transport is not None
    (tmp_path / "bureau-enc.key").write_bytes(m.key_of("bureau-enc").to_pem())
    [commands] = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
    number = records()[1].card_number
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{commands}\necho $KEY"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "TEXT": keys.transport.text,
            "CRYPTOGRAM": keys.columns[1].cryptograms[16:32].hex(),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    transport_kcv, key_kcv, key = ran.stdout.split("\n")[:3]
    assert transport_kcv.replace(" ", "") == keys.transport.kcv
    assert key == FACTS["card_keys"][number]["education_sm4.adf.internal"]
    assert key_kcv.replace(" ", "") == keys.columns[1].kcvs[3:6].hex()


def test_the_manifest_has_the_fields_of_the_document() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL)
    shape = json.loads(shown)
    manifest = m.card_keys(k.FILE, "SM2").manifest()
    assert set(manifest) == set(shape)
    assert list(manifest["transport"]) == list(shape["transport"])
    assert list(manifest["masters"][0]) == list(shape["masters"][0])
    table = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", SECTION, re.MULTILINE))
    assert [table[way] for way in (k.FILE, k.LOADED, k.OWN)] == [
        k.WAYS[way] for way in (k.FILE, k.LOADED, k.OWN)
    ]


def test_no_key_is_in_clear_in_a_package() -> None:
    for name in ("sm2", "block"):
        content = (m.KEYS / f"XKP_{BATCH}_1-{name}.zip").read_bytes().lower()
        secrets = [m.TRANSPORT, m.PARTNER, *(value for _, value, _ in m.MASTERS.values())]
        secrets += [bytes.fromhex(key) for keys in FACTS["card_keys"].values() for key in keys.values()]
        for secret in secrets:
            assert secret not in content and secret.hex().encode() not in content


def test_a_member_that_nobody_announced_is_refused(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k.CardKeys, "manifest", lambda keys: None)
    assert said(works, m.package(m.card_keys(k.FILE, "SM2")))[:2] == (False, "KEYS")


COLUMN = Callable[[k.MasterColumn], k.MasterColumn]


def spoiled(keys: k.CardKeys, change: COLUMN, place: int = 1) -> k.CardKeys:
    changed = [change(column) if at == place else column for at, column in enumerate(keys.columns)]
    return replace(keys, columns=tuple(changed))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: replace(c, cryptograms=c.cryptograms[:32] + bytes(16) + c.cryptograms[48:]), "第 3 张卡"),
        (lambda c: replace(c, cryptograms=c.cryptograms[16:] + c.cryptograms[:16]), "第 1 张卡"),
        (lambda c: replace(c, kcvs=c.kcvs[:9] + bytes(3)), "第 4 张卡"),
        (lambda c: replace(c, control="000000"), "控制校验值"),
    ],
)
def test_a_wrong_key_or_check_value_refuses_the_whole_package(
    works: Works, change: COLUMN, words: str
) -> None:
    taken, code, message = said(works, m.package(spoiled(m.card_keys(k.FILE, "SM2"), change)))
    assert (taken, code) == (False, "KEYS")
    assert words in message
    assert not made(works)


def changed_transport(**changed: Any) -> k.CardKeys:
    keys = m.card_keys(k.FILE, changed.pop("form_", "SM2"))
    assert keys.transport is not None
    return replace(keys, transport=replace(keys.transport, **changed))


def _another_end(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


@pytest.mark.parametrize(
    "keys",
    [
        lambda: changed_transport(kcv="000000"),
        lambda: changed_transport(text="AAAA"),
        lambda: changed_transport(algorithm="aes"),
        lambda: changed_transport(form_="block", under=("transport.bureau", 3, "000000")),
        lambda: changed_transport(form_="block", under=("transport.bureau", 2, "000000")),
        lambda: changed_transport(form_="block", text=_another_end(m.transport("block").text)),
    ],
)
def test_a_transport_key_that_is_not_the_right_one_refuses_it(
    works: Works, keys: Callable[[], k.CardKeys]
) -> None:
    load_partner_key(works)
    assert said(works, m.package(keys()))[:2] == (False, "KEYS")
    assert not made(works)


def test_masters_that_differ_or_are_missing_refuse_it(works: Works) -> None:
    loaded = m.package(m.card_keys(k.LOADED))
    assert said(works, loaded)[1] == "KEYS"  # nothing is loaded
    load_masters(works)
    works.vault.load("education_sm4.adf.internal", 3, bytes(16))
    assert "校验值不符" in said(works, loaded)[2]
    load_masters(works)
    wrong = spoiled(m.card_keys(k.LOADED), lambda c: replace(c, control="123456"))
    assert "控制校验值" in said(works, m.package(wrong))[2]
    own = k.CardKeys(k.KeyPlan(k.OWN, reference="EDU-2027"), ())
    assert "EDU-2027" in said(works, m.package(own))[2]
    assert not made(works)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda keys: keys.update(way="post"), "FORMAT"),
        (lambda keys: keys.update(masters=[]), "FORMAT"),
        (lambda keys: keys.update(masters=keys["masters"][:1] * 2), "FORMAT"),
        (lambda keys: keys.update(transport=None), "FORMAT"),
        (lambda keys: keys["masters"][0].update(factor="moon"), "FORMAT"),
        (lambda keys: keys["masters"][0].pop("label"), "FORMAT"),
        (lambda keys: keys["masters"][0].update(algorithm="SM1"), "KEYS"),
        (lambda keys: keys["masters"][0].pop("control"), "KEYS"),
        (lambda keys: keys["transport"].pop("cipher"), "KEYS"),
        (lambda keys: keys.update(reference="EDU"), "KEYS"),
        (lambda keys: keys.update(way="loaded", transport=None), "KEYS"),
    ],
)
def test_a_manifest_that_breaks_section_15_is_refused(
    works: Works, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    keys = m.card_keys(k.FILE, "SM2")
    said_of_keys = keys.manifest()
    change(said_of_keys)
    monkeypatch.setattr(k.CardKeys, "manifest", lambda _: said_of_keys)
    assert said(works, m.package(keys))[:2] == (False, code)
    assert not made(works)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("XKKEY", "XKREC"), "首行"),
        (lambda text: text.replace("K|2|", "K|3|"), "第 2 条"),
        (lambda text: text[:-2], "末行"),
        (lambda text: text.replace("\r\nT|4", "\r\nT|5"), "末行"),
        (lambda text: text.replace("\r\nK|4", "\r\nX|4"), "第 4 条"),
        (lambda text: text.upper(), "不合格式"),
        (lambda text: text.replace("K|1|", "键|1|"), "ASCII"),
        (lambda text: "\r\n".join([*text.split("\r\n")[:4], *text.split("\r\n")[5:]]), "条数"),
        (lambda text: text[:-4] + ("0" if text[-3] != "0" else "1") + text[-3:], "控制校验值"),
    ],
)
def test_a_keys_file_that_breaks_section_15_is_refused(
    works: Works, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str], words: str
) -> None:
    keys = m.card_keys(k.FILE, "SM2")
    plain = keys.render(BATCH, [record.card_number for record in records()]).decode()
    assert change(plain) != plain
    monkeypatch.setattr(k.CardKeys, "render", lambda *_: change(plain).encode())
    taken, code, message = said(works, m.package(keys))
    assert (taken, code) == (False, "KEYS")
    assert words in message


def test_the_bureau_opens_the_key_block_of_the_key_scheme() -> None:
    from tests.unit.keys.test_key_blocks import KEY, PUBLISHED_SM4, WRAPPING

    assert theirs.open_block(PUBLISHED_SM4.decode(), WRAPPING) == KEY
    for place in (3, 20, 60, len(PUBLISHED_SM4) - 1):
        text = PUBLISHED_SM4.decode()
        changed = text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]
        with pytest.raises(theirs.KeysRefused):
            theirs.open_block(changed, WRAPPING)


def test_both_sides_compute_the_same_check_values() -> None:
    for name, theirs_name in (("3des", "3DES"), ("sm4", "SM4")):
        for _, value, _ in m.MASTERS.values():
            assert theirs.kcv(theirs_name, value) == card_ciphers.kcv(name, value)
