"""Reading and judging a production package: card-bureau.md §4 to §7, in the order of §7."""

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xueka.sandbox.bureau import card_keys, characters
from xueka.sandbox.common import openssl

NAME = re.compile(r"XKP_([A-Z0-9][A-Z0-9-]{3,23})_([1-9][0-9]{0,2})\.zip")
FIELDS = 17
MANIFEST_LIMIT = 65_536
_TEXTS = (
    "format",
    "version",
    "city",
    "batch",
    "kind",
    "created_at",
    "transit",
    "beijing_tong",
    "signer",
    "recipient",
)


class Refused(Exception):
    """A package the bureau does not take: code of §7 and the reason for a person, without personal data."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Order:
    """One card to make, as far as the return file needs it."""

    sequence: int
    card_number: str
    transit_number: str
    beijing_tong_number: str
    blank_uid: str
    keyref: str


@dataclass(frozen=True, slots=True)
class Package:
    batch: str
    number: int
    sm3: str
    manifest: dict[str, Any]
    orders: list[Order]


@dataclass(frozen=True, slots=True)
class Keys:
    """What the bureau holds: the city's public key, its own encryption key, and the fingerprints."""

    city: Path
    own: Path
    vault: card_keys.Vault

    @property
    def city_fingerprint(self) -> str:
        return openssl.fingerprint(self.city)

    @property
    def own_fingerprint(self) -> str:
        return openssl.fingerprint(openssl.public(self.own))


def examine(name: str, content: bytes, keys: Keys, accepted_before: str | None) -> Package:
    """Take a package apart. `accepted_before` is the digest accepted for its batch. Raises Refused."""
    match = NAME.fullmatch(name)
    if match is None:
        raise Refused("FORMAT", "文件名不合约定")
    digest = openssl.sm3(content)
    members = _members(content)
    manifest = _manifest(members["manifest.json"])
    if manifest.get("signer") != keys.city_fingerprint or not openssl.verify(
        keys.city, members["manifest.json"], members["manifest.sig"]
    ):
        raise Refused("SIGNATURE", "签名与已确认的市方签名公钥不符")
    _check_fields(manifest, match[1], int(match[2]))
    if manifest["version"].split(".")[0] != "1":
        raise Refused("VERSION", f"不支持的版本 {manifest['version']}")
    if accepted_before is not None and accepted_before != digest:
        raise Refused("DUPLICATE_BATCH_DIFFERENT", "该批次已收妥过另一份内容不同的文件")
    _check_digests(manifest, members)
    if manifest["recipient"] != keys.own_fingerprint:
        raise Refused("KEY", "不是为本卡厂的加密公钥制作的文件")
    plain = _decrypt(manifest, members, keys)
    orders = _records(manifest, plain["records.sm4"])
    _check_photos(manifest, orders, plain.get("photos.sm4"))
    try:
        made = [order for order, _ in orders]
        references = {order.keyref for order in made}
        card_keys.check(manifest, made, references, plain.get("keys.sm4"), keys.own, keys.vault)
    except card_keys.KeysRefused as reason:
        raise Refused("KEYS", str(reason)) from None
    return Package(match[1], int(match[2]), digest, manifest, [order for order, _ in orders])


def _members(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {
                info.filename: archive.read(info) for info in archive.infolist() if info.compress_type == 0
            }
    except (zipfile.BadZipFile, RuntimeError, OSError, ValueError, NotImplementedError):
        raise Refused("FORMAT", "压缩包无法读取") from None
    if (
        not {"manifest.json", "manifest.sig", "records.sm4"}
        <= set(found)
        <= {
            "manifest.json",
            "manifest.sig",
            "records.sm4",
            "photos.sm4",
            "keys.sm4",
        }
    ):
        raise Refused("FORMAT", "压缩包成员缺失或多余")
    if len(found["manifest.json"]) > MANIFEST_LIMIT:
        raise Refused("FORMAT", "清单过大")
    return found


def _manifest(content: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("key twice")
        return dict(pairs)

    try:
        manifest = json.loads(content.decode("utf-8"), object_pairs_hook=once)
    except ValueError:
        raise Refused("FORMAT", "清单不是合格的 JSON") from None
    if not isinstance(manifest, dict):
        raise Refused("FORMAT", "清单不是 JSON 对象")
    return manifest


def _check_fields(manifest: dict[str, Any], batch: str, number: int) -> None:
    texts = all(isinstance(manifest.get(key), str) for key in _TEXTS)
    shapes = (
        texts
        and manifest["format"] == "XKPROD"
        and isinstance(manifest.get("chip"), bool)
        and manifest["transit"] in ("sent", "blank", "none")
        and manifest["beijing_tong"] in ("sent", "none")
        and isinstance(manifest.get("counts"), dict)
        and isinstance(manifest.get("totals"), dict)
        and isinstance(manifest.get("members"), list)
        and isinstance(manifest.get("content_key"), dict)
        and isinstance(manifest.get("face"), dict)
        and "remake_of" in manifest
        and "keys" in manifest
        and card_keys.is_well_formed(manifest["keys"], manifest["version"])
    )
    if not shapes:
        raise Refused("FORMAT", "清单字段缺失或不合格式")
    if manifest["batch"] != batch or manifest.get("package") != number:
        raise Refused("FORMAT", "清单中的批次号或包号与文件名不一致")


def _check_digests(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
    listed = {member["name"]: member for member in manifest["members"]}
    if set(listed) != set(members) - {"manifest.json", "manifest.sig"}:
        raise Refused("FORMAT", "清单所列成员与压缩包不一致")
    for name, member in listed.items():
        if member["size"] != len(members[name]) or member["sm3"] != openssl.sm3(members[name]):
            raise Refused("DIGEST", f"{name} 的大小或摘要与清单不符")


def _decrypt(manifest: dict[str, Any], members: dict[str, bytes], keys: Keys) -> dict[str, bytes]:
    nonces = {member["name"]: member["nonce"] for member in manifest["members"]}
    try:
        key = openssl.unwrap(keys.own, manifest["content_key"]["ciphertext"])
        if len(key) != 16:
            raise Refused("DECRYPT", "内容密钥长度不对")
        return {name: openssl.decrypt(key, nonces[name], members[name]) for name in nonces}
    except (openssl.OpenSSLError, ValueError, KeyError):
        raise Refused("DECRYPT", "内容密钥无法解开") from None


def _records(manifest: dict[str, Any], content: bytes) -> list[tuple[Order, str]]:
    """The cards to make, each with its photo name."""
    if openssl.sm3(content) != manifest["totals"].get("records_sm3"):
        raise Refused("TOTALS", "记录文件的摘要与清单不符")
    try:
        text = characters.decode(content)
    except UnicodeDecodeError:
        raise Refused("RECORDS", "记录文件不是合格的 GB 18030 文本") from None
    if not text.endswith("\r\n"):
        raise Refused("RECORDS", "记录文件末行不完整")
    head, *lines, trailer = (line.split("|") for line in text[:-2].split("\r\n"))
    count = manifest["counts"].get("records")
    if head != ["H", "XKREC", manifest["version"], manifest["batch"], manifest["kind"], str(count)]:
        raise Refused("TOTALS", "记录文件首行与清单不一致")
    orders = [_order(manifest, fields, number) for number, fields in enumerate(lines, 1)]
    card_sum = sum(int(order.card_number) for order, _ in orders) % 10**12
    photos = sum(1 for _, photo in orders if photo)
    totals = [str(len(orders)), str(photos), str(card_sum)]
    if len(orders) != count or photos != manifest["counts"].get("photos"):
        raise Refused("TOTALS", "记录条数与清单不符")
    if trailer != ["T", *totals] or card_sum != manifest["totals"].get("card_sum"):
        raise Refused("TOTALS", "控制合计不符")
    if len({order.card_number for order, _ in orders}) != len(orders):
        raise Refused("RECORDS", "同一学卡号出现两次")
    return orders


def _order(manifest: dict[str, Any], fields: list[str], number: int) -> tuple[Order, str]:
    def refuse(what: str) -> Refused:
        return Refused("RECORDS", f"第 {number} 条记录：{what}")

    if len(fields) != FIELDS or fields[0] != "D":
        raise refuse("字段数不对")
    _, sequence, card, transit, citizen, blank, education, name, sex, school, school_name = fields[:11]
    class_name, stage, valid_from, valid_until, photo, keyref = fields[11:]
    rules = {
        "sequence": sequence == str(number),
        "card_number": re.fullmatch(r"\d{12}", card, re.ASCII) and _check_digit(card[:11]) == card[11],
        "transit_number": re.fullmatch(
            r"[0-9A-Za-z]{1,32}" if manifest["transit"] == "sent" else "", transit
        ),
        "beijing_tong_number": re.fullmatch(
            r"[0-9A-Za-z]{1,32}" if manifest["beijing_tong"] == "sent" else "", citizen
        ),
        "blank_uid": re.fullmatch(r"(?:[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{16}|[0-9A-F]{20})?", blank),
        "education_id": re.fullmatch(r"[0-9A-Za-z]{1,20}", education),
        "name": _is_text(name, 50),
        "sex": sex in ("0", "1", "2", "9"),
        "school_code": re.fullmatch(r"\d{10}", school, re.ASCII),
        "school_name": _is_text(school_name, 60),
        "class_name": _is_text(class_name, 40),
        "stage": stage in ("P", "J", "S", "O"),
        "valid_from": re.fullmatch(r"\d{8}", valid_from, re.ASCII),
        "valid_until": re.fullmatch(r"\d{8}", valid_until, re.ASCII) and valid_from <= valid_until,
        "photo": photo in ("", f"{card}.jpg"),
        "keyref": re.fullmatch(r"[A-Za-z0-9._-]{0,32}" if manifest["version"] != "1.0" else "", keyref),
    }
    for field, fits in rules.items():
        if not fits:
            raise refuse(f"{field} 不合格式")
    return Order(number, card, transit, citizen, blank, keyref), photo


def _check_digit(digits: str) -> str:
    """ISO/IEC 7064 MOD 11,10, as §5 spells it out."""
    p = 10
    for digit in digits:
        s = (p + int(digit)) % 10 or 10
        p = 2 * s % 11
    return str((11 - p) % 10)


def _is_text(field: str, limit: int) -> bool:
    plain = re.sub(r"\\([\\p])", lambda m: "|" if m[1] == "p" else "\\", field)
    escaped = re.fullmatch(r"(?:[^\\]|\\[\\p])*", field) is not None
    control = any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0xE000 <= ord(c) <= 0xF8FF for c in plain)
    return escaped and not control and 1 <= len(plain) <= limit and plain == plain.strip()


def _check_photos(manifest: dict[str, Any], orders: list[tuple[Order, str]], content: bytes | None) -> None:
    wanted = {photo for _, photo in orders if photo}
    if content is None:
        if wanted:
            raise Refused("PHOTOS", "缺少照片包")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            sound = all(archive.read(name)[:2] == b"\xff\xd8" for name in names)
    except (zipfile.BadZipFile, RuntimeError, OSError):
        raise Refused("PHOTOS", "照片包无法读取") from None
    if set(names) != wanted or len(names) != len(wanted) or not sound:
        raise Refused("PHOTOS", "照片与记录不一致，或不是 JPEG")
