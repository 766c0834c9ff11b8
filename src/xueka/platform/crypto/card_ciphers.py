"""The arithmetic of card keys: encryption, MAC, diversification and check values, as CPU cards compute them.

Algorithms: `des` (keys of 8 bytes), `3des` (16 bytes K1 K2, used as K1 K2 K1), `sm4` (16) and `aes` (16, 24
or 32; check values of wrapping keys only). The rules are those of PBOC and FMCOS for DES and 3DES. For SM4 no
public text was found: diversification in one block and a CBC-MAC with blocks of 16 bytes are the form of
PBOC 3.0 as the trade remembers it, and a card profile has to choose it knowingly.
"""

from typing import NoReturn

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xueka.kernel.errors import BadInput

FACTOR_SIZE = 8
MAC_SIZE = 4
KCV_SIZE = 3

_BLOCKS = {"des": 8, "3des": 8, "sm4": 16, "aes": 16}
_KEYS = {"des": (8,), "3des": (16,), "sm4": (16,), "aes": (16, 24, 32)}
_CHALLENGES = {"des": (4, 8), "3des": (4, 8), "sm4": (4, 8, 16)}
_DIVERSIFIES = ("3des", "sm4")


def block_size(alg: str) -> int:
    """Bytes of one block. Raises BadInput `CARD_ALGORITHM`."""
    _known(alg, tuple(_BLOCKS))
    return _BLOCKS[alg]


def pad_80(data: bytes, alg: str) -> bytes:
    """`data`, 80, and 00 up to the block's end: always, so a whole block when `data` ends on one."""
    size = block_size(alg)
    return data + b"\x80" + bytes(-(len(data) + 1) % size)


def encrypt(alg: str, key: bytes, data: bytes) -> bytes:
    """ECB of whole blocks. Raises BadInput `CARD_KEY_LENGTH`, `CARD_DATA_LENGTH`."""
    _whole_blocks(alg, data)
    box = Cipher(algorithm(alg, key), modes.ECB()).encryptor()  # noqa: S305 - the cards' own rule
    return box.update(data) + box.finalize()


def decrypt(alg: str, key: bytes, data: bytes) -> bytes:
    """The other way."""
    _whole_blocks(alg, data)
    box = Cipher(algorithm(alg, key), modes.ECB()).decryptor()  # noqa: S305
    return box.update(data) + box.finalize()


def diversify(alg: str, key: bytes, *factors: bytes) -> bytes:
    """The key of one issuer, application or card: E(f) || E(not f) per level, the outermost level first.

    A factor has 8 bytes. With SM4 both halves are one block. Raises BadInput `CARD_FACTOR_LENGTH`.
    """
    check_diversifies(alg)
    for factor in factors:
        if len(factor) != FACTOR_SIZE:
            _wrong_length("CARD_FACTOR_LENGTH", "分散因子的长度不对。", len(factor), (FACTOR_SIZE,))
        key = encrypt(alg, key, factor + bytes(byte ^ 0xFF for byte in factor))
    return key


def mac(alg: str, key: bytes, challenge: bytes, data: bytes) -> bytes:
    """The 4 bytes that protect a command (its head, Lc with the MAC counted, and data) or an answer's data.

    The initial value is the card's challenge, zeros to its right. With 3DES all blocks go through DES under
    the left half, the last one then through the right half and back (ISO 9797-1, algorithm 3).
    """
    _known(alg, tuple(_CHALLENGES))
    if len(challenge) not in _CHALLENGES[alg]:
        _wrong_length("CARD_CHALLENGE_LENGTH", "随机数的长度不对。", len(challenge), _CHALLENGES[alg])
    algorithm(alg, key)  # judges the whole key; below its left half stands alone
    left, right = (key[:8], key[8:]) if alg == "3des" else (key, b"")
    chain = "des" if alg == "3des" else alg
    box = Cipher(algorithm(chain, left), modes.CBC(challenge.ljust(block_size(alg), b"\0"))).encryptor()
    last = (box.update(pad_80(data, alg)) + box.finalize())[-block_size(alg) :]
    if right:
        last = encrypt("des", left, decrypt("des", right, last))
    return last[:MAC_SIZE]


def kcv(alg: str, key: bytes) -> str:
    """The check value that people compare: the first 3 bytes of E(zeros), 6 hexadecimal digits."""
    return encrypt(alg, key, bytes(block_size(alg)))[:KCV_SIZE].hex()


class CardKey:
    """One key of one card (or a blank's transport key), in memory while its card is being made.

    It shows itself by label, version and check value only, and can be neither copied nor pickled. The two
    ways in which its value reaches a card are `sealed_under` and `plain_write_body`.
    """

    __slots__ = ("__value", "algorithm", "kcv", "label", "version")

    def __init__(self, value: bytes, *, algorithm: str, label: str, version: int) -> None:
        self.__value = bytes(value)
        self.algorithm = algorithm
        self.label = label
        self.version = version
        self.kcv = kcv(algorithm, value)

    def encrypt(self, data: bytes, pad: bool = False) -> bytes:
        """ECB, as for EXTERNAL and INTERNAL AUTHENTICATE; with `pad` after `pad_80`."""
        return encrypt(self.algorithm, self.__value, pad_80(data, self.algorithm) if pad else data)

    def decrypt(self, data: bytes) -> bytes:
        """The other way, for data that a card enciphered; padding is left on."""
        return decrypt(self.algorithm, self.__value, data)

    def mac(self, challenge: bytes, data: bytes) -> bytes:
        return mac(self.algorithm, self.__value, challenge, data)

    def sealed_under(self, other: "CardKey", head: bytes) -> bytes:
        """Data of an enciphered WRITE KEY without its MAC: E_other(LD || head || this key || 80 00..)."""
        body = head + self.__value
        return other.encrypt(bytes([len(body)]) + body, pad=True)

    def plain_write_body(self, head: bytes) -> bytes:
        """Data of a WRITE KEY in clear: head || this key. Who may call it is listed in a test."""
        return head + self.__value

    def __repr__(self) -> str:
        return f"CardKey({self.label!r}, version={self.version}, {self.algorithm}, kcv={self.kcv})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a card key does not leave its process")


def check_diversifies(alg: str) -> None:
    """Raises BadInput `CARD_ALGORITHM` for one without a rule of diversification."""
    _known(alg, _DIVERSIFIES)


def algorithm(alg: str, key: bytes) -> TripleDES | algorithms.SM4 | algorithms.AES:
    """The key as the library's cipher takes it. Raises BadInput `CARD_KEY_LENGTH`."""
    _known(alg, tuple(_KEYS))
    if len(key) not in _KEYS[alg]:
        _wrong_length("CARD_KEY_LENGTH", f"{alg.upper()} 密钥的长度不对。", len(key), _KEYS[alg])
    if alg == "sm4":
        return algorithms.SM4(key)
    if alg == "aes":
        return algorithms.AES(key)
    return TripleDES(key + key[:8] if alg == "3des" else key * 3)


def _whole_blocks(alg: str, data: bytes) -> None:
    if len(data) % block_size(alg):
        raise BadInput(
            "CARD_DATA_LENGTH",
            "数据长度不是分组长度的整数倍。",
            found=f"{len(data)} 字节",
            expected=f"{block_size(alg)} 字节的整数倍",
            action="请补足数据，或按 80 00 … 填充后再加密。",
        )


def _known(alg: str, known: tuple[str, ...]) -> None:
    if alg not in known:
        raise BadInput("CARD_ALGORITHM", "这项运算不能用该算法。", found=alg, expected="、".join(known))


def _wrong_length(code: str, message: str, found: int, expected: tuple[int, ...]) -> NoReturn:
    sizes = " 或 ".join(map(str, expected))
    raise BadInput(
        code, message, found=f"{found} 字节", expected=f"{sizes} 字节", action="请核对输入的十六进制数。"
    )
