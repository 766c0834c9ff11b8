"""Makes the vectors of card keys anew: `python -m tests.contracts.card_bureau.make_key_vectors`.

For the public test keys of `vector/`. Only for a new version of the format.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.contracts.card_bureau.make_vector import BATCH, FOLDER, HEAD, records
from xueka.contexts.keys.adapters import key_blocks
from xueka.contexts.keys.domain.factors import from_digits
from xueka.contexts.keys.domain.key_block import KeySpec
from xueka.contexts.production.adapters.bureau_package import build_package
from xueka.contexts.production.domain.bureau import card_keys as k
from xueka.platform.crypto import card_batches, card_ciphers
from xueka.platform.crypto.sm2 import PrivateKey

KEYS = FOLDER.with_name("vector-1.1")
# Public test keys; no two halves are equal.
TRANSPORT = bytes.fromhex("8f0e1d2c3b4a59687786a5b4c3d2e1f0")
PARTNER = bytes.fromhex("102132435465768798a9bacbdcedfe0f")
ABOVE = "1100000020260901"
MASTERS = {
    "education.adf.internal": ("3des", bytes.fromhex("0123456789abcdef23456789abcdef01"), ()),
    "education_sm4.adf.internal": ("sm4", bytes.fromhex("fedcba98765432100f1e2d3c4b5a6978"), (ABOVE,)),
}


def control_sum(kcvs: bytes) -> str:
    total = 0
    for place in range(0, len(kcvs), k.KCV_SIZE):
        total ^= int.from_bytes(kcvs[place : place + k.KCV_SIZE], "big")
    return f"{total:06x}"


def key_of(name: str) -> PrivateKey:
    return PrivateKey.from_pem((FOLDER / f"PUBLIC-TEST-{name}.key.pem").read_bytes())


def transport(form: str) -> k.TransportKey:
    kcv = card_ciphers.kcv("sm4", TRANSPORT)
    if form == "SM2":
        text = base64.b64encode(key_of("bureau-enc").public.encrypt(TRANSPORT)).decode()
        return k.TransportKey("sm4", kcv, form, text)
    block = key_blocks.seal(KeySpec(f"batch.{BATCH}", 1, "sm4", "batch", True), TRANSPORT, PARTNER, "sm4")
    under = ("transport.bureau", 2, card_ciphers.kcv("sm4", PARTNER))
    return k.TransportKey("sm4", kcv, form, block.decode(), under)


def plan(way: str, form: str = "") -> k.KeyPlan:
    masters = tuple(k.MasterPlan(label, k.CARD_NUMBER, above) for label, (_, _, above) in MASTERS.items())
    return k.KeyPlan(way, masters, transport={"": "", "SM2": "SM2", "block": "transport.bureau"}[form])


def columns(of: k.KeyPlan, numbers: Sequence[str]) -> tuple[k.MasterColumn, ...]:
    """What the masters give for these cards, by the rules alone."""
    made = []
    for master in of.masters:
        algorithm, value, above = MASTERS[master.label]
        outer = card_ciphers.diversify(algorithm, value, *map(bytes.fromhex, above))
        keys = card_batches.diversify_many(algorithm, outer, b"".join(map(from_digits, numbers)))
        kcvs = card_batches.kcvs(algorithm, keys)
        sealed = card_ciphers.encrypt("sm4", TRANSPORT, keys) if of.way == k.FILE else b""
        kcv = card_ciphers.kcv(algorithm, value)
        made.append(k.MasterColumn(master, 3, algorithm, kcv, control_sum(kcvs), sealed, kcvs))
    return tuple(made)


def card_keys(way: str, form: str = "") -> k.CardKeys:
    of = plan(way, form)
    return k.CardKeys(
        of, columns(of, [record.card_number for record in records()]), transport(form) if form else None
    )


def package(keys: k.CardKeys, number: int = 1) -> bytes:
    head = replace(HEAD, version=k.VERSION, keyref=keys.plan.reference, package=number)
    plain = [record._replace(has_photo=False) for record in records()]
    return build_package(head, plain, {}, key_of("city-sign"), key_of("bureau-enc").public, keys)


def main() -> None:
    KEYS.mkdir(exist_ok=True)
    (KEYS / ".gitattributes").write_text("* -text\n")
    for form, name in (("SM2", "sm2"), ("block", "block")):
        (Path(KEYS) / f"XKP_{BATCH}_1-{name}.zip").write_bytes(package(card_keys(k.FILE, form)))
    numbers = [record.card_number for record in records()]
    facts = {
        "transport_key": TRANSPORT.hex(),
        "partner_key": {"label": "transport.bureau", "version": 2, "value": PARTNER.hex()},
        "masters": {label: value.hex() for label, (_, value, _) in MASTERS.items()},
        "card_keys": {
            number: {
                label: card_ciphers.diversify(
                    algorithm, value, *map(bytes.fromhex, above), from_digits(number)
                ).hex()
                for label, (algorithm, value, above) in MASTERS.items()
            }
            for number in numbers
        },
    }
    (KEYS / "vector.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
