"""Sealing production packages and opening what the bureau sends back (docs/interfaces/card-bureau.md).

The domain knows what the files say; here are the ZIPs, the ciphers and the signatures around them.
"""

import base64
import io
import json
import secrets
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xueka.contexts.production.adapters.foreign_zip import read_members
from xueka.contexts.production.domain.bureau import acknowledgement, returns
from xueka.contexts.production.domain.bureau.acknowledgement import Acknowledgement
from xueka.contexts.production.domain.bureau.card_keys import CardKeys
from xueka.contexts.production.domain.bureau.records import (
    BatchHead,
    CardRecord,
    RecordsFile,
    render_records,
)
from xueka.contexts.production.domain.bureau.returns import ReturnFile
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.crypto import sm3
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey

MAX_PHOTO = 204_800
_MAX_PACKAGE = 2**32 - 2**20
_JPEG = b"\xff\xd8\xff"

_RETURN_MEMBERS = {
    "manifest.json": 64 * 1024,
    "manifest.sig": 256,
    "returns.txt": returns.MAX_RETURNS_SIZE,
}


class _Member(NamedTuple):
    name: str
    nonce: bytes
    data: bytes

    def entry(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "cipher": "SM4-GCM",
            "nonce": self.nonce.hex(),
            "size": len(self.data),
            "sm3": sm3.hexdigest(self.data),
        }


def build_package(
    head: BatchHead,
    records: Iterable[CardRecord],
    photos: Mapping[str, bytes],
    signing_key: PrivateKey,
    bureau_key: PublicKey,
    card_keys: CardKeys | None = None,
) -> bytes:
    """The bytes of `XKP_<batch>_<n>.zip` (§4): signed by the city, readable by the bureau only.

    `photos` are JPEG files by card number, one for each record with `has_photo`; `card_keys` are in the order
    of the records (§15). Content key and nonces are
    new at every call: build once, store, and send the stored bytes. Raises BadInput as `render_records` does,
    and `PHOTO_MISSING`, `PHOTO_UNUSABLE`, `PACKAGE_TOO_LARGE`.
    """
    rendered = render_records(head, records)
    plain_keys = card_keys.render(head.batch, rendered.cards) if card_keys else b""
    key = secrets.token_bytes(16)
    members = [_seal("records.sm4", key, rendered.data)]
    if rendered.photos:
        members.append(_seal("photos.sm4", key, _photo_pack(head, rendered.photos, photos)))
    if plain_keys:
        members.append(_seal("keys.sm4", key, plain_keys))
    if sum(len(member.data) for member in members) > _MAX_PACKAGE:
        raise BadInput(
            "PACKAGE_TOO_LARGE",
            f"批次 {head.batch} 的制卡包超过 4 GiB。",
            where=f"批次 {head.batch}",
            action="请把批次拆小。",
        )
    manifest = _manifest(head, rendered, members)
    manifest["content_key"] = {
        "wrap": "SM2",
        "ciphertext": base64.b64encode(bureau_key.encrypt(key)).decode("ascii"),
    }
    manifest["keys"] = card_keys.manifest() if card_keys else None
    manifest["signer"] = signing_key.public.fingerprint
    manifest["recipient"] = bureau_key.fingerprint
    text = json.dumps(manifest, ensure_ascii=False, indent=2).encode("utf-8")
    files = {"manifest.json": text, "manifest.sig": signing_key.sign(text)}
    return _zip(head, files | {member.name: member.data for member in members})


def open_return(
    data: bytes,
    bureau_keys: Sequence[PublicKey],
    expected_batch: str,
    *,
    expected_number: int | None = None,
    expected_package_sm3: str | None = None,
) -> ReturnFile:
    """A return file that one of `bureau_keys` has signed and that agrees with itself; its lines are still to
    be reconciled. The manifest's `signer` is the fingerprint of that key.

    Makes the checks of §11.1 in their order and raises `ReturnRefused` with the code of the first that fails.
    The return number and the package digest are compared where they are given.
    """
    members = read_members(data, _RETURN_MEMBERS)
    manifest_bytes = members["manifest.json"]
    bureau_key = _signer_of(manifest_bytes, members["manifest.sig"], bureau_keys)
    if bureau_key is None:
        returns.refuse(
            "RETURN_SIGNATURE",
            "回盘文件的签名与已确认的卡厂公钥不符。",
            where="manifest.sig",
            expected=_fingerprints(bureau_keys),
        )
    manifest = returns.read_manifest(manifest_bytes)
    for code, field, label, found, expected in (
        ("RETURN_SIGNATURE", "signer", "签名公钥指纹", manifest.signer, bureau_key.fingerprint),
        ("RETURN_BATCH", "batch", "批次号", manifest.batch, expected_batch),
        ("RETURN_NUMBER", "return", "回盘号", manifest.number, expected_number),
        ("RETURN_PACKAGE", "package_sm3", "制卡包摘要", manifest.package_sm3, expected_package_sm3),
    ):
        if expected is not None and found != expected:
            returns.refuse(
                code,
                f"回盘清单中的{label}不符。",
                where=f"manifest.json: {field}",
                found=found,
                expected=expected,
            )
    body = members["returns.txt"]
    for label, found, expected in (
        ("大小", len(body), manifest.size),
        ("摘要", sm3.hexdigest(body), manifest.sm3),
    ):
        if found != expected:
            returns.refuse(
                "RETURN_DIGEST",
                f"回盘明细的{label}与清单不一致。",
                where="returns.txt",
                found=found,
                expected=expected,
            )
    return returns.parse_returns(body, manifest)


def read_acknowledgement(
    data: bytes, bureau_keys: Sequence[PublicKey], *, batch: str, package: int, package_sm3: str
) -> Acknowledgement:
    """The bureau's word on the package that was sent (§8). Raises AcknowledgementRefused."""
    body, signature = acknowledgement.read_envelope(data)
    bureau_key = _signer_of(body, signature, bureau_keys)
    if bureau_key is None:
        acknowledgement.refuse("ACK_SIGNATURE", "回执的签名与已确认的卡厂公钥不符。", "signature")
    said = acknowledgement.read_body(body)
    for code, field, found, expected in (
        ("ACK_SIGNATURE", "signer", said.signer, bureau_key.fingerprint),
        ("ACK_PACKAGE", "batch", said.batch, batch),
        ("ACK_PACKAGE", "package", said.package, package),
        ("ACK_DIGEST", "sm3", said.sm3, package_sm3),
    ):
        if found != expected:
            acknowledgement.refuse(code, "回执所指的不是送出的制卡包。", field, found, expected)
    return said


def _signer_of(signed: bytes, signature: bytes, keys: Sequence[PublicKey]) -> PublicKey | None:
    return next((key for key in keys if key.verify(signature, signed)), None)


def _fingerprints(keys: Sequence[PublicKey]) -> str:
    return "、".join(key.fingerprint for key in keys)


def _manifest(head: BatchHead, rendered: RecordsFile, members: list[_Member]) -> dict[str, Any]:
    return {
        "format": "XKPROD",
        "version": head.version,
        "city": head.city,
        "batch": head.batch,
        "package": head.package,
        "kind": head.kind,
        "remake_of": head.remake_of,
        "created_at": clock.local(head.created_at).isoformat(timespec="seconds"),
        "face": head.face._asdict(),
        **head.contents._asdict(),
        "counts": {"records": rendered.records, "photos": len(rendered.photos)},
        "totals": {"card_sum": rendered.card_sum, "records_sm3": sm3.hexdigest(rendered.data)},
        "members": [member.entry() for member in members],
    }


def _seal(name: str, key: bytes, plain: bytes) -> _Member:
    nonce = secrets.token_bytes(12)
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    return _Member(name, nonce, encryptor.update(plain) + encryptor.finalize() + encryptor.tag)


def _photo_pack(head: BatchHead, names: Iterable[str], photos: Mapping[str, bytes]) -> bytes:
    files = {}
    for name in names:
        card = name.removesuffix(".jpg")
        photo = photos.get(card)
        if photo is None:
            raise BadInput("PHOTO_MISSING", f"学卡 {card} 需要印照片，但没有照片。", where=f"学卡 {card}")
        if not photo.startswith(_JPEG) or len(photo) > MAX_PHOTO:
            raise BadInput(
                "PHOTO_UNUSABLE",
                f"学卡 {card} 的照片不是 JPEG 或超过 200 KB。",
                where=f"学卡 {card}",
                found=len(photo),
                expected=f"JPEG，不超过 {MAX_PHOTO} 字节",
            )
        files[name] = photo
    return _zip(head, files)


def _zip(head: BatchHead, files: Mapping[str, bytes]) -> bytes:
    """Stored, in the given order, dated with the package."""
    moment = clock.local(head.created_at)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, moment.timetuple()[:6]), data)
    return target.getvalue()
