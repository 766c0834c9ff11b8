"""SM2 keys: sign, verify, encrypt, decrypt (GB/T 32918, encodings of GM/T 0009), by the system's libcrypto.

Signatures are DER, made over SM3 with the user id of GM/T 0009; ciphertext is the ASN.1 SM2Cipher. Keys are
immutable. Every call makes its own OpenSSL contexts, so one key may be used by many threads at once.
"""

import ctypes
import secrets
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_size_t, c_void_p
from functools import cached_property
from typing import Any, NoReturn

from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.crypto import sm3
from xueka.platform.crypto.libcrypto import library

USER_ID = b"1234567812345678"
SPKI_SIZE = 91
"""Bytes of a SubjectPublicKeyInfo with a named curve and an uncompressed point: the one form we accept."""

_PASSPHRASE_ROUNDS = 600_000
_BIO_CTRL_INFO = 3
_PBES2 = -1
_OVERHEAD = 256
_MAX_PASSPHRASE = 1024


class PublicKey:
    """The half that verifies and encrypts."""

    def __init__(self, handle: int) -> None:
        """Take over an EVP_PKEY. Use `from_pem`, `from_der` or `PrivateKey.public`."""
        self._handle = _owned(self, handle)
        if len(self.der) != SPKI_SIZE:
            _refuse_key("公钥应为 SM2 命名曲线、非压缩形式。")

    @classmethod
    def from_pem(cls, pem: bytes) -> "PublicKey":
        """Read `-----BEGIN PUBLIC KEY-----`. Raises BadInput `SM2_KEY`."""
        lib = library()
        with _reader(pem) as bio:
            return cls(_sm2_only(lib.PEM_read_bio_PUBKEY(bio, None, None, b"")))

    @classmethod
    def from_der(cls, der: bytes) -> "PublicKey":
        """Read a SubjectPublicKeyInfo. Raises BadInput `SM2_KEY`."""
        buffer = ctypes.create_string_buffer(der, len(der))
        position = c_void_p(ctypes.addressof(buffer))
        key = cls(_sm2_only(library().d2i_PUBKEY(None, byref(position), len(der))))
        if key.der != der:
            _refuse_key("公钥编码不规范，或其后有多余的数据。")
        return key

    @cached_property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo, 91 bytes."""
        lib = library()
        size = lib.i2d_PUBKEY(self._handle, None)
        buffer = ctypes.create_string_buffer(max(size, 1))
        position = c_void_p(ctypes.addressof(buffer))
        if size <= 0 or lib.i2d_PUBKEY(self._handle, byref(position)) != size:
            _fail("SubjectPublicKeyInfo")
        return buffer.raw[:size]

    @property
    def fingerprint(self) -> str:
        """SM3 of the DER, 64 hexadecimal digits: what two people read to each other."""
        return sm3.hexdigest(self.der)

    def to_pem(self) -> bytes:
        lib = library()
        with _writer() as bio:
            if lib.PEM_write_bio_PUBKEY(bio, self._handle) != 1:
                _fail("PEM")
            return _written(bio)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Is `signature` (DER) this key's signature over `data`? A malformed one is simply not."""
        lib = library()
        with _digest_context(self._handle, lib.EVP_DigestVerifyInit) as context:
            result: int = lib.EVP_DigestVerify(context, signature, len(signature), data, len(data))
        lib.ERR_clear_error()
        return result == 1

    def encrypt(self, plain: bytes) -> bytes:
        """SM2Cipher (DER) of a short secret of at least one byte; a fresh one at every call."""
        if not plain:
            raise ValueError("SM2 encrypts at least one byte")
        lib = library()
        while True:
            cipher = _crypt(self._handle, lib.EVP_PKEY_encrypt_init, lib.EVP_PKEY_encrypt, plain)
            if cipher is None:
                _fail("encrypt")
            # GB/T 32918.4 draws again when the key stream is all zero, which shows as C2 = plaintext (one
            # time in 256 for a single byte). Early OpenSSL 3.0 does not, and strict receivers refuse that.
            if not cipher.endswith(plain):
                return cipher

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)


class PrivateKey:
    """The half that signs and decrypts. It never shows itself in `repr`; `to_pem` is the only way out."""

    def __init__(self, handle: int) -> None:
        """Take over an EVP_PKEY. Use `generate` or `from_pem`."""
        self._handle = _owned(self, handle)

    @classmethod
    def generate(cls) -> "PrivateKey":
        lib = library()
        context = lib.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        try:
            handle = c_void_p()
            if lib.EVP_PKEY_keygen_init(context) != 1 or lib.EVP_PKEY_generate(context, byref(handle)) != 1:
                _fail("keygen")
        finally:
            lib.EVP_PKEY_CTX_free(context)
        assert handle.value is not None
        return cls(handle.value)

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: str | None = None) -> "PrivateKey":
        """Read a PEM private key. Raises BadInput `SM2_KEY`, also for a wrong or missing passphrase."""
        lib = library()
        # Never NULL: OpenSSL would ask on the terminal.
        secret = _passphrase(passphrase) if passphrase else b""
        with _reader(pem) as bio:
            key = cls(_sm2_only(lib.PEM_read_bio_PrivateKey(bio, None, None, secret), secret_half=True))
        _ = key.public  # Refuses a key in a form whose fingerprint nobody could compare.
        return key

    def to_pem(self, passphrase: str | None = None) -> bytes:
        """PKCS#8, encrypted (PBES2: PBKDF2-HMAC-SHA256, AES-256-CBC) when a passphrase is given."""
        lib = library()
        with _writer() as bio:
            if passphrase:
                self._write_encrypted(bio, _passphrase(passphrase))
            elif lib.PEM_write_bio_PKCS8PrivateKey(bio, self._handle, None, None, 0, None, None) != 1:
                _fail("PKCS#8")
            return _written(bio)

    def _write_encrypted(self, bio: int, secret: bytes) -> None:
        lib = library()
        plain = lib.EVP_PKEY2PKCS8(self._handle)
        salt = secrets.token_bytes(16)
        sealed = lib.PKCS8_encrypt(
            _PBES2, lib.EVP_aes_256_cbc(), secret, len(secret), salt, len(salt), _PASSPHRASE_ROUNDS, plain
        )
        lib.PKCS8_PRIV_KEY_INFO_free(plain)
        written = sealed and lib.PEM_write_bio_PKCS8(bio, sealed) == 1
        lib.X509_SIG_free(sealed)
        if not written:
            _fail("PKCS#8")

    @cached_property
    def public(self) -> PublicKey:
        lib = library()
        with _writer() as bio:
            if lib.PEM_write_bio_PUBKEY(bio, self._handle) != 1:
                _fail("PEM")
            return PublicKey.from_pem(_written(bio))

    def sign(self, data: bytes) -> bytes:
        """DER signature over `data`: SM2 with SM3 and `USER_ID`."""
        lib = library()
        signature = ctypes.create_string_buffer(_OVERHEAD)
        size = c_size_t(_OVERHEAD)
        with _digest_context(self._handle, lib.EVP_DigestSignInit) as context:
            if lib.EVP_DigestSign(context, signature, byref(size), data, len(data)) != 1:
                _fail("sign")
        return signature.raw[: size.value]

    @contextmanager
    def signing(self) -> Iterator["Signing"]:
        """Sign piece by piece what is too large to be held at once."""
        with _digest_context(self._handle, library().EVP_DigestSignInit) as context:
            yield Signing(context)

    def decrypt(self, cipher: bytes) -> bytes:
        """The secret inside an SM2Cipher (DER). Raises BadInput `SM2_DECRYPT`."""
        lib = library()
        plain = _crypt(self._handle, lib.EVP_PKEY_decrypt_init, lib.EVP_PKEY_decrypt, cipher)
        if plain is None:
            raise BadInput(
                "SM2_DECRYPT",
                "SM2 密文无法解密：不是给此密钥的，或已损坏。",
                action="请核对双方公钥指纹后重新发送。",
            )
        return plain


class Signing:
    """A signature in the making; see `PrivateKey.signing`."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def update(self, data: bytes) -> None:
        if library().EVP_DigestSignUpdate(self._context, data, len(data)) != 1:
            _fail("sign")

    def finish(self) -> bytes:
        """The DER signature over everything so far."""
        signature = ctypes.create_string_buffer(_OVERHEAD)
        size = c_size_t(_OVERHEAD)
        if library().EVP_DigestSignFinal(self._context, signature, byref(size)) != 1:
            _fail("sign")
        return signature.raw[: size.value]


def _owned(owner: object, handle: int) -> int:
    """Free the EVP_PKEY when its Python owner goes."""
    weakref.finalize(owner, library().EVP_PKEY_free, handle)
    return handle


def _sm2_only(handle: int | None, *, secret_half: bool = False) -> int:
    """The handle, when it is a sound SM2 key; else free it and refuse."""
    lib = library()
    if not handle:
        _refuse_key("密钥文件无法读取：不是 PEM/DER 格式，或口令不对。")
    context = lib.EVP_PKEY_CTX_new(handle, None)
    check = lib.EVP_PKEY_pairwise_check if secret_half else lib.EVP_PKEY_public_check
    sound = lib.EVP_PKEY_is_a(handle, b"SM2") == 1 and check(context) == 1
    lib.EVP_PKEY_CTX_free(context)
    if not sound:
        lib.EVP_PKEY_free(handle)
        _refuse_key("这不是有效的 SM2 密钥。")
    return handle


def _passphrase(text: str) -> bytes:
    secret = text.encode()
    if b"\0" in secret or len(secret) >= _MAX_PASSPHRASE:
        raise BadInput("SM2_PASSPHRASE", "口令过长或含有空字符。", expected=f"少于 {_MAX_PASSPHRASE} 字节")
    return secret


def _crypt(handle: int, init: Callable[..., int], run: Callable[..., int], data: bytes) -> bytes | None:
    lib = library()
    context = lib.EVP_PKEY_CTX_new(handle, None)
    try:
        buffer = ctypes.create_string_buffer(len(data) + _OVERHEAD)
        size = c_size_t(len(buffer))
        if init(context) == 1 and run(context, buffer, byref(size), data, len(data)) == 1:
            return buffer.raw[: size.value]
        lib.ERR_clear_error()
        return None
    finally:
        lib.EVP_PKEY_CTX_free(context)


@contextmanager
def _digest_context(handle: int, init: Callable[..., int]) -> Iterator[Any]:
    """An EVP_MD_CTX for SM3 with the user id set. The key context stays ours: EVP_MD_CTX_free leaves it."""
    lib = library()
    key_context = lib.EVP_PKEY_CTX_new(handle, None)
    context = lib.EVP_MD_CTX_new()
    try:
        lib.EVP_MD_CTX_set_pkey_ctx(context, key_context)
        if (
            lib.EVP_PKEY_CTX_set1_id(key_context, USER_ID, len(USER_ID)) != 1
            or init(context, None, lib.EVP_sm3(), None, handle) != 1
        ):
            _fail("digest")
        yield context
    finally:
        lib.EVP_MD_CTX_free(context)
        lib.EVP_PKEY_CTX_free(key_context)


@contextmanager
def _reader(data: bytes) -> Iterator[int]:
    lib = library()
    bio = lib.BIO_new_mem_buf(data, len(data))
    try:
        yield bio
    finally:
        lib.BIO_free(bio)


@contextmanager
def _writer() -> Iterator[int]:
    """A memory BIO of the kind that wipes what it held."""
    lib = library()
    bio = lib.BIO_new(lib.BIO_s_secmem())
    try:
        yield bio
    finally:
        lib.BIO_free(bio)


def _written(bio: int) -> bytes:
    start = c_void_p()
    size = library().BIO_ctrl(bio, _BIO_CTRL_INFO, 0, byref(start))
    assert start.value is not None
    return ctypes.string_at(start.value, size)


def _refuse_key(message: str) -> NoReturn:
    library().ERR_clear_error()
    raise BadInput("SM2_KEY", message, expected="SM2 密钥（PEM）", action="请重新导出密钥文件并核对指纹。")


def _fail(step: str) -> NoReturn:
    """An error inside OpenSSL that no input of ours should cause."""
    lib = library()
    text = ctypes.create_string_buffer(256)
    lib.ERR_error_string_n(lib.ERR_peek_last_error(), text, len(text))
    lib.ERR_clear_error()
    raise XuekaError("SM2_FAILED", f"SM2 运算失败（{step}）。", reason=text.value.decode("ascii", "replace"))
