"""Key blocks under a key that this process holds: making and opening them.

Form 1: SM4-CBC and CMAC-SM4 under two keys derived from the wrapping key, the MAC over head and plaintext
being the initial value as well (the construction of TR-31 version D). Form 2, for modules that know no SM4:
AES key wrap (RFC 3394), and CMAC-AES over head and cipher. docs/interfaces/key-scheme.md has the bytes.
"""

import hmac
import secrets

from cryptography.hazmat.primitives import cmac, keywrap
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xueka.contexts.keys.domain.key_block import (
    AES_BLOCK,
    KEY_SIZES,
    SM4_BLOCK,
    KeySpec,
    broken,
    head_of,
    parse,
)
from xueka.platform.crypto import card_ciphers

#: CMAC counter-mode derivation: counter, purpose, separator, algorithm (ours), bits of the key.
_ENCRYPTION = bytes.fromhex("01 0000 00 5334 0080")
_MAC = bytes.fromhex("01 0001 00 5334 0080")
#: What a module enciphers (ECB) with the AES wrapping key to get its two keys.
AES_ENCRYPTION = b"xueka key block 2, wrapping".ljust(32, b".")
AES_MAC = b"xueka key block 2, mac".ljust(32, b".")
_BLOCK = 16


def form_for(algorithm: str) -> str:
    """The form of a block under a wrapping key of this algorithm."""
    return {"sm4": SM4_BLOCK, "aes": AES_BLOCK}[algorithm]


def seal(spec: KeySpec, key: bytes, wrapping: bytes, algorithm: str) -> bytes:
    """The block of `key` under `wrapping`, a key of `algorithm` (`sm4` or `aes`). ASCII."""
    return _seal_aes(spec, key, wrapping) if algorithm == "aes" else _seal_sm4(spec, key, wrapping)


def unseal(block: bytes, wrapping: bytes, algorithm: str) -> tuple[KeySpec, bytes]:
    """What the block holds. Raises BadInput `KEY_BLOCK_FORMAT`, `KEY_BLOCK_BROKEN`."""
    parts = parse(block)
    if parts.form != form_for(algorithm):
        raise broken()
    opened = _open_aes if algorithm == "aes" else _open_sm4
    key = opened(parts.head, parts.cipher, parts.mac, wrapping)
    if len(key) not in KEY_SIZES[parts.spec.algorithm]:
        raise broken()
    return parts.spec, key


def _seal_sm4(spec: KeySpec, key: bytes, wrapping: bytes) -> bytes:
    plain = (8 * len(key)).to_bytes(2, "big") + key
    plain += secrets.token_bytes(-len(plain) % _BLOCK)
    head = head_of(SM4_BLOCK, spec, len(plain))
    mac = _cmac(algorithms.SM4(_derived(wrapping, _MAC)), head + plain)
    box = Cipher(algorithms.SM4(_derived(wrapping, _ENCRYPTION)), modes.CBC(mac)).encryptor()
    return head + (box.update(plain) + box.finalize() + mac).hex().upper().encode("ascii")


def _open_sm4(head: bytes, cipher: bytes, mac: bytes, wrapping: bytes) -> bytes:
    if len(cipher) % _BLOCK:
        raise broken()
    box = Cipher(algorithms.SM4(_derived(wrapping, _ENCRYPTION)), modes.CBC(mac)).decryptor()
    plain = box.update(cipher) + box.finalize()
    if not hmac.compare_digest(_cmac(algorithms.SM4(_derived(wrapping, _MAC)), head + plain), mac):
        raise broken()
    size, rest = divmod(int.from_bytes(plain[:2], "big"), 8)
    if rest or not 0 <= len(plain) - 2 - size < _BLOCK:
        raise broken()
    return plain[2 : 2 + size]


def _seal_aes(spec: KeySpec, key: bytes, wrapping: bytes) -> bytes:
    cipher = keywrap.aes_key_wrap(card_ciphers.encrypt("aes", wrapping, AES_ENCRYPTION), key)
    head = head_of(AES_BLOCK, spec, len(cipher))
    mac = _cmac(algorithms.AES(card_ciphers.encrypt("aes", wrapping, AES_MAC)), head + cipher)
    return head + (cipher + mac).hex().upper().encode("ascii")


def _open_aes(head: bytes, cipher: bytes, mac: bytes, wrapping: bytes) -> bytes:
    expected = _cmac(algorithms.AES(card_ciphers.encrypt("aes", wrapping, AES_MAC)), head + cipher)
    if not hmac.compare_digest(expected, mac):
        raise broken()
    return unwrapped(card_ciphers.encrypt("aes", wrapping, AES_ENCRYPTION), cipher)


def unwrapped(key: bytes, cipher: bytes) -> bytes:
    """What AES key wrap (RFC 3394) holds. Raises BadInput `KEY_BLOCK_BROKEN`."""
    try:
        return keywrap.aes_key_unwrap(key, cipher)
    except (keywrap.InvalidUnwrap, ValueError):
        raise broken() from None


def _derived(wrapping: bytes, purpose: bytes) -> bytes:
    return _cmac(algorithms.SM4(wrapping), purpose)


def _cmac(algorithm: algorithms.SM4 | algorithms.AES, data: bytes) -> bytes:
    state = cmac.CMAC(algorithm)
    state.update(data)
    return state.finalize()
