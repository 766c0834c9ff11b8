"""Return packages and acknowledgements as a bureau would make them, sound or deliberately wrong.

Written from docs/interfaces/card-bureau.md §8 to §10 without our reader's help.
"""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from xueka.platform.crypto.sm2 import PrivateKey

CODES = ("00", "01", "02", "03", "04", "05", "99")
PACKAGE_SM3 = "ab" * 32


def sm3(data: bytes) -> str:
    return hashlib.new("sm3", data).hexdigest()


def line(sequence: object, card: str, **fields: str) -> str:
    """A D line; transit number, Beijing-Tong number, UID and so on may be overridden."""
    given = {
        "transit": f"1000{card}",
        "tong": f"BJT{card}",
        "uid": f"04{int(card):012X}" if card.isdecimal() else "",
        "result": "00",
        "at": "20260903101500",
        "text": "",
    } | fields
    return "|".join(["D", str(sequence), card, *given.values()])


def returns_text(batch: str, number: int, lines: Sequence[str]) -> str:
    """Head, lines and trailer that agree."""
    results = [parts[6] for parts in (text.split("|") for text in lines) if len(parts) == 9]
    totals = [len(lines), *(results.count(code) for code in CODES)]
    head = f"H|XKRET|1.0|{batch}|{number}|{len(lines)}"
    return "\r\n".join([head, *lines, "|".join(["T", *map(str, totals)]), ""])


def manifest(text: bytes, batch: str, number: int, key: PrivateKey, /, **changed: Any) -> dict[str, Any]:
    """A manifest that agrees with `text`, unless a field is overridden."""
    rows = [row.split(b"|") for row in text.split(b"\r\n") if row.startswith(b"D")]
    results = [row[6].decode("latin-1") for row in rows if len(row) == 9]
    return {
        "format": "XKRETURN",
        "version": "1.0",
        "batch": batch,
        "return": number,
        "package_sm3": PACKAGE_SM3,
        "final": True,
        "lines": len(rows),
        "results": {code: results.count(code) for code in CODES},
        "returns": {"name": "returns.txt", "size": len(text), "sm3": sm3(text)},
        "created_at": "2026-09-03T18:00:00+08:00",
        "signer": key.public.fingerprint,
    } | changed


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return target.getvalue()


def signed_return(
    key: PrivateKey,
    lines: Sequence[str],
    /,
    *,
    batch: str = "B26-00001",
    number: int = 1,
    text: bytes | None = None,
    method: int = zipfile.ZIP_STORED,
    **changed: Any,
) -> bytes:
    """A whole return package, signed; `text` replaces returns.txt, `changed` fields of the manifest."""
    body = returns_text(batch, number, lines).encode("gb18030") if text is None else text
    said = json.dumps(manifest(body, batch, number, key, **changed)).encode()
    return pack({"manifest.json": said, "manifest.sig": key.sign(said), "returns.txt": body}, method)


def acknowledgement(key: PrivateKey, **changed: Any) -> bytes:
    """A signed acknowledgement of package 1 of B26-00001."""
    body = json.dumps(
        {
            "format": "XKACK",
            "version": "1.0",
            "batch": "B26-00001",
            "package": 1,
            "file": "XKP_B26-00001_1.zip",
            "sm3": PACKAGE_SM3,
            "result": "accepted",
            "code": "",
            "message": "",
            "records": 3,
            "repeat": False,
            "received_at": "2026-09-01T10:05:00+08:00",
            "signer": key.public.fingerprint,
        }
        | changed
    ).encode()
    return json.dumps(
        {"body": base64.b64encode(body).decode(), "signature": base64.b64encode(key.sign(body)).decode()}
    ).encode()
