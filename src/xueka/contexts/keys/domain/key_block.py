"""The head of a key block: what a key is and may be used for, bound to it so that neither can be exchanged.

The form follows ANSI X9.143 (TR-31): 16 characters, then optional blocks, all ASCII. The version ids `1` and
`2` are of the range that the standard leaves to owners (docs/interfaces/key-scheme.md).
"""

import re
from dataclasses import dataclass

from xueka.kernel.errors import BadInput

SM4_BLOCK, AES_BLOCK = "1", "2"
VERSIONS = (SM4_BLOCK, AES_BLOCK)
HEAD = 16
LONGEST = 512
MAC_DIGITS = 32

_MASTERS = ("control", "maintain", "internal", "external", "pin_unlock", "pin_reload")
#: Our kinds of keys: usage code and mode of use. Codes of two digits are the standard's range for owners.
_KINDS = {
    "kek": ("K1", "B"),
    "partner": ("K0", "B"),
    "batch": ("K0", "E"),
    "control": ("10", "X"),
    "maintain": ("11", "X"),
    "internal": ("12", "X"),
    "external": ("13", "X"),
    "pin_unlock": ("14", "X"),
    "pin_reload": ("15", "X"),
    "master": ("19", "X"),
    "blank": ("20", "B"),
    # Masters of a city and of an issuer: applications' masters are derived from them, cards' keys never.
    **{f"city.{kind}": (f"3{place}", "X") for place, kind in enumerate(_MASTERS)},
    **{f"issuer.{kind}": (f"4{place}", "X") for place, kind in enumerate(_MASTERS)},
}
_BY_CODE = {code: kind for kind, code in _KINDS.items()}
_ALGORITHMS = {"3des": "T", "sm4": "S", "aes": "A"}
_BY_LETTER = {letter: name for name, letter in _ALGORITHMS.items()}
#: Bytes of a key.
KEY_SIZES = {"3des": (16,), "sm4": (16,), "sm1": (16,), "aes": (16, 32)}

#: Keys that cards' keys come from, that masters come from, that wrap others, that stand in the file of local
#: master keys.
DIVERSIFIED = frozenset({*_MASTERS, "master"})
DERIVING = frozenset(f"{level}.{kind}" for level in ("city", "issuer") for kind in _MASTERS)
WRAPPING = frozenset({"local", "kek", "partner", "batch"})
LOCAL = "local"

_LABEL = re.compile(r"[!-~]{1,100}")
_FIXED = re.compile(r"([12])(\d{4})([0-9A-Z]{2})([A-Z])([A-Z])([0-9A-F]{2})([EN])01(00)")


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What a key is. `usage` is its kind (`control`, `kek`, `blank` …, of a city's or an issuer's master
    `city.control` …), `version` 1 to 255.
    """

    label: str
    version: int
    algorithm: str
    usage: str
    exportable: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A key block taken apart; `head` as it stands, for it is bound byte for byte."""

    form: str
    spec: KeySpec
    head: bytes
    cipher: bytes
    mac: bytes


def head_of(form: str, spec: KeySpec, cipher_size: int) -> bytes:
    """The head of a block whose cipher has `cipher_size` bytes. Raises BadInput `KEY_SPEC`."""
    fits = (
        spec.usage in _KINDS
        and spec.algorithm in _ALGORITHMS
        and 1 <= spec.version <= 255
        and _LABEL.fullmatch(spec.label)
    )
    if not fits:
        raise BadInput(
            "KEY_SPEC",
            "这种密钥不能写成密钥块。",
            where=spec.label[:100],
            found=f"{spec.usage} / {spec.algorithm} / {spec.version}",
            expected=f"类型：{'、'.join(_KINDS)}；算法：{'、'.join(_ALGORITHMS)}；版本 1 至 255",
        )
    code, mode = _KINDS[spec.usage]
    label = f"LB{len(spec.label) + 4:02X}{spec.label}"
    length = HEAD + len(label) + 2 * cipher_size + MAC_DIGITS
    export = "E" if spec.exportable else "N"
    letter = _ALGORITHMS[spec.algorithm]
    return f"{form}{length:04d}{code}{letter}{mode}{spec.version:02X}{export}0100{label}".encode("ascii")


def parse(block: bytes) -> Block:
    """Take a block apart; whether it is genuine is not asked here. Raises BadInput `KEY_BLOCK_FORMAT`."""
    try:
        text = block.decode("ascii")
    except UnicodeDecodeError:
        raise _wrong("含有 ASCII 以外的字符") from None
    fixed = _FIXED.match(text)
    if fixed is None:
        raise _wrong("块头不符合格式")
    form, length, code, letter, mode, version, export, _ = fixed.groups()
    if int(length) != len(text) or len(text) > LONGEST:
        raise _wrong("长度与块头不符")
    kind = _BY_CODE.get((code, mode))
    algorithm = _BY_LETTER.get(letter)
    if kind is None or algorithm is None or version == "00":
        raise _wrong("用途、算法或版本未知")
    label_size = re.match(r"LB([0-9A-F]{2})", text[HEAD:])
    size = int(label_size[1], 16) if label_size else 0
    head, body = text[: HEAD + size], text[HEAD + size :]
    label = head[HEAD + 4 :]
    # Upper-case digits only: one key has one spelling.
    if not _LABEL.fullmatch(label) or not re.fullmatch(r"(?:[0-9A-F]{2})+", body):
        raise _wrong("名称或密文不符合格式")
    raw = bytes.fromhex(body)
    if len(raw) < MAC_DIGITS // 2 + 16:
        raise _wrong("密文太短")
    spec = KeySpec(label, int(version, 16), algorithm, kind, export == "E")
    return Block(form, spec, head.encode("ascii"), raw[: -MAC_DIGITS // 2], raw[-MAC_DIGITS // 2 :])


def broken() -> BadInput:
    """Altered, cut together from two, or under another key: which of these is not told."""
    return BadInput(
        "KEY_BLOCK_BROKEN",
        "密钥块无法打开：内容被改动，或不是用这把密钥保护的。",
        action="没有载入任何密钥。请核对传输密钥的校验值，再请对方重新导出。",
    )


def _wrong(found: str) -> BadInput:
    return BadInput(
        "KEY_BLOCK_FORMAT",
        "这不是密钥块，或已残缺。",
        found=found,
        expected="版本 1 或 2 的密钥块（见密钥方案文档）",
        action="请核对文件是否完整。",
    )
