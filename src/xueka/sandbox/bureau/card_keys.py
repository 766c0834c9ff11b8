"""Card keys of a package: card-bureau.md §15, with the arithmetic and key blocks of key-scheme.md §1 and §2.

Enciphering is the OpenSSL command's, but for the check values of many different keys: for those a new process
each would take minutes, so the bureau's library computes them.
"""

import hmac
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xueka.sandbox.common import openssl

_ECB = {"SM4-ECB": ("-sm4-ecb", 16), "AES-ECB": ("-aes-256-ecb", 32)}
_CARD_CIPHERS = {"SM4": 16, "3DES": 8}
_FACTORS = ("card_number", "transit_number", "blank_uid", "chip_uid")


class KeysRefused(Exception):
    """A reason for `KEYS`, without any key in it."""


class Vault:
    """What was loaded at the bureau beforehand: `<label>-<version>.hex`, and references to its own keys.

    A real bureau has a module for this; the simulator's folder is as good as its test keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, label: str, version: int, value: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{label}-{version}.hex"
        path.touch(mode=0o600)
        path.write_text(value.hex())

    def key(self, label: str, version: int) -> bytes:
        try:
            return bytes.fromhex((self._folder / f"{label}-{version}.hex").read_text())
        except (OSError, ValueError):
            raise KeysRefused(f"没有装入密钥 {label} 第 {version} 版") from None

    def own(self, reference: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{reference}.own").touch()

    def knows(self, reference: str) -> bool:
        return (self._folder / f"{reference}.own").exists()


def is_well_formed(keys: Any, version: str) -> bool:
    """The shape of the manifest's `keys`: null in 1.0, the object of §15 in 1.1."""
    if version == "1.0":
        return keys is None
    if keys is None:
        return True
    if not isinstance(keys, dict) or keys.get("way") not in ("file", "loaded", "own"):
        return False
    masters = keys.get("masters")
    if not isinstance(masters, list) or not all(map(_is_master, masters)):
        return False
    labels = [master["label"] for master in masters]
    if len(set(labels)) != len(labels) or (not labels and keys["way"] != "own"):
        return False
    return (keys["way"] == "file") == isinstance(keys.get("transport"), dict)


def _is_master(master: Any) -> bool:
    return (
        isinstance(master, dict)
        and isinstance(master.get("label"), str)
        and master.get("factor") in _FACTORS
        and isinstance(master.get("above"), list)
    )


def check(
    manifest: dict[str, Any],
    orders: Sequence[Any],
    keyrefs: set[str],
    content: bytes | None,
    private: Path,
    vault: Vault,
) -> int:
    """Prove a package's keys before anything is made; how many were compared. Raises KeysRefused."""
    try:
        return _checked(manifest, orders, keyrefs, content, private, vault)
    except (KeyError, TypeError, ValueError, IndexError):
        raise KeysRefused("清单或密钥文件中的密钥说明不合格式") from None


def _checked(
    manifest: dict[str, Any],
    orders: Sequence[Any],
    keyrefs: set[str],
    content: bytes | None,
    private: Path,
    vault: Vault,
) -> int:
    keys = manifest["keys"]
    if content is not None and (keys is None or keys["way"] != "file"):
        raise KeysRefused("不应有密钥文件")
    reference = (keys or {}).get("reference") or ""
    if keyrefs != {reference}:
        raise KeysRefused("记录中的密钥引用与清单不符")
    if keys is None:
        return 0
    if keys["way"] == "own":
        if not vault.knows(reference):
            raise KeysRefused(f"不认识密钥引用 {reference}")
        return 0
    if keys["way"] == "loaded":
        return sum(_compare_loaded(master, orders, vault) for master in keys["masters"])
    if content is None:
        raise KeysRefused("缺少密钥文件")
    return _compare_file(manifest, orders, content, private, vault)


def _compare_file(
    manifest: dict[str, Any], orders: Sequence[Any], content: bytes, private: Path, vault: Vault
) -> int:
    keys = manifest["keys"]
    masters = keys["masters"]
    transport = _transport_key(keys["transport"], private, vault)
    head, lines, trailer = _lines(content)
    if head != ["H", "XKKEY", manifest["version"], manifest["batch"], str(len(orders)), str(len(masters))]:
        raise KeysRefused("密钥文件首行与清单不一致")
    if len(lines) != len(orders):
        raise KeysRefused("密钥文件的条数与记录不符")
    for order, line in zip(orders, lines, strict=True):
        if line[:3] != ["K", str(order.sequence), order.card_number] or len(line) != 3 + 2 * len(masters):
            raise KeysRefused(f"密钥文件第 {order.sequence} 条与记录不符")
    cipher, _ = _ECB[keys["transport"]["cipher"]]
    for place, master in enumerate(masters):
        cryptograms, told = (_column(lines, 3 + 2 * place + more, size) for more, size in ((0, 32), (1, 6)))
        plain = openssl.run("enc", "-d", cipher, "-nopad", "-K", transport.hex(), data=b"".join(cryptograms))
        _compare(master, [plain[at : at + 16] for at in range(0, len(plain), 16)], orders, told)
        if [master["control"]] != trailer[2 + place : 3 + place]:
            raise KeysRefused(f"{master['label']} 的控制校验值与末行不符")
    if trailer[:2] != ["T", str(len(orders))] or len(trailer) != 2 + len(masters):
        raise KeysRefused("密钥文件末行不合格式")
    return len(orders) * len(masters)


def _transport_key(transport: dict[str, Any], private: Path, vault: Vault) -> bytes:
    try:
        cipher, size = _ECB[transport["cipher"]]
        if transport["form"] == "SM2":
            value = openssl.unwrap(private, transport["text"])
        else:
            under = transport["under"]
            outer = vault.key(under["label"], under["version"])
            if kcv("SM4", outer) != under["kcv"]:
                raise KeysRefused(f"装入的 {under['label']} 校验值不符")
            value = open_block(transport["text"], outer)
        zeros = openssl.run("enc", cipher, "-nopad", "-K", value.hex(), data=bytes(16))
    except (openssl.OpenSSLError, KeyError, TypeError, ValueError):
        raise KeysRefused("批次传输密钥无法解开") from None
    if len(value) != size or zeros[:3].hex() != transport["kcv"]:
        raise KeysRefused("批次传输密钥的校验值不符")
    return value


def open_block(block: str, wrapping: bytes) -> bytes:
    """A key block of form 1 (key-scheme.md §2) under an SM4 key. Raises KeysRefused."""
    found = re.fullmatch(r"1\d{4}\S{11}LB([0-9A-F]{2})\S+", block, re.ASCII)
    if found is None or int(block[1:5]) != len(block):
        raise KeysRefused("密钥块不合格式")
    size = 16 + int(found[1], 16)
    head, body = block[:size], bytes.fromhex(block[size:])
    cipher, mac = body[:-16], body[-16:]
    encryption, authentication = (
        _cmac(wrapping, bytes.fromhex(text)) for text in ("0100000053340080", "0100010053340080")
    )
    plain = openssl.run(
        "enc", "-d", "-sm4-cbc", "-nopad", "-K", encryption.hex(), "-iv", mac.hex(), data=cipher
    )
    if not hmac.compare_digest(_cmac(authentication, head.encode("ascii") + plain), mac):
        raise KeysRefused("密钥块被改动，或不是用装入的密钥保护的")
    return plain[2 : 2 + int.from_bytes(plain[:2], "big") // 8]


def _cmac(key: bytes, data: bytes) -> bytes:
    words = ("mac", "-cipher", "SM4-CBC", "-macopt", f"hexkey:{key.hex()}", "CMAC")
    return bytes.fromhex(openssl.run(*words, data=data).decode().strip())


def _compare_loaded(master: dict[str, Any], orders: Sequence[Any], vault: Vault) -> int:
    """Diversify with our own master and compare the control sum."""
    key = vault.key(master["label"], master["version"])
    if kcv(master["algorithm"], key) != master["kcv"]:
        raise KeysRefused(f"装入的 {master['label']} 校验值不符")
    if master["factor"] == "chip_uid":
        return 0  # the chip is not in our hands yet
    for level in master["above"]:
        key = _diversified(master["algorithm"], key, bytes.fromhex(level))
    numbers = [getattr(order, master["factor"]) for order in orders]
    keys = [_diversified(master["algorithm"], key, _factor(number)) for number in numbers]
    _compare(master, keys, orders, None)
    return len(keys)


def _compare(
    master: dict[str, Any], keys: Sequence[bytes], orders: Sequence[Any], told: list[bytes] | None
) -> None:
    """Every check value with what was told, and their sum with the control."""
    total = 0
    for place, key in enumerate(keys):
        found = kcv(master["algorithm"], key)
        if told is not None and found != told[place].hex():
            raise KeysRefused(f"第 {orders[place].sequence} 张卡的 {master['label']} 校验值不符")
        total ^= int(found, 16)
    if f"{total:06x}" != master["control"]:
        raise KeysRefused(f"{master['label']} 的控制校验值不符")


def kcv(algorithm: str, key: bytes) -> str:
    return _encrypt(algorithm, key, bytes(_CARD_CIPHERS[algorithm]))[:3].hex()


def _diversified(algorithm: str, key: bytes, factor: bytes) -> bytes:
    return _encrypt(algorithm, key, factor + bytes(0xFF - byte for byte in factor))


def _encrypt(algorithm: str, key: bytes, data: bytes) -> bytes:
    cipher = algorithms.SM4(key) if algorithm == "SM4" else TripleDES(key + key[:8])
    return Cipher(cipher, modes.ECB()).encryptor().update(data)  # noqa: S305


def _factor(number: str) -> bytes:
    return bytes.fromhex(number[-16:].rjust(16, "0"))


def _lines(content: bytes) -> tuple[list[str], list[list[str]], list[str]]:
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise KeysRefused("密钥文件不是 ASCII 文本") from None
    rows = [line.split("|") for line in text.split("\r\n")]
    if len(rows) < 3 or rows[-1] != [""]:
        raise KeysRefused("密钥文件末行不完整")
    return rows[0], rows[1:-2], rows[-2]


def _column(lines: Sequence[Sequence[str]], place: int, digits: int) -> list[bytes]:
    found = [line[place] for line in lines]
    if not all(re.fullmatch(rf"[0-9a-f]{{{digits}}}", each) for each in found):
        raise KeysRefused("密钥文件中有字段不合格式")
    return [bytes.fromhex(each) for each in found]
