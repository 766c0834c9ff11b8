"""The few functions of the system's libcrypto that SM2 needs, typed for ctypes.

OpenSSL 3 has SM2 and Python's cryptography has not. The library is loaded at first use, so that a machine
without it can still do everything else; then the refusal names the package that brings it.
"""

import ctypes
import ctypes.util
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from functools import cache
from typing import NoReturn

from xueka.kernel.errors import XuekaError

_MINIMUM = 0x3000_0000

# name: (result, arguments). Buffers that are written to are passed as c_void_p or create_string_buffer.
_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "OpenSSL_version_num": (c_ulong, ()),
    "ERR_clear_error": (None, ()),
    "ERR_peek_last_error": (c_ulong, ()),
    "ERR_error_string_n": (None, (c_ulong, c_char_p, c_size_t)),
    "BIO_new": (c_void_p, (c_void_p,)),
    "BIO_s_secmem": (c_void_p, ()),
    "BIO_new_mem_buf": (c_void_p, (c_char_p, c_int)),
    "BIO_ctrl": (c_long, (c_void_p, c_int, c_long, c_void_p)),
    "BIO_free": (c_int, (c_void_p,)),
    "EVP_PKEY_free": (None, (c_void_p,)),
    "EVP_PKEY_is_a": (c_int, (c_void_p, c_char_p)),
    "EVP_PKEY_CTX_new_from_name": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "EVP_PKEY_CTX_new": (c_void_p, (c_void_p, c_void_p)),
    "EVP_PKEY_CTX_free": (None, (c_void_p,)),
    "EVP_PKEY_CTX_set1_id": (c_int, (c_void_p, c_char_p, c_size_t)),
    "EVP_PKEY_keygen_init": (c_int, (c_void_p,)),
    "EVP_PKEY_generate": (c_int, (c_void_p, POINTER(c_void_p))),
    "EVP_PKEY_public_check": (c_int, (c_void_p,)),
    "EVP_PKEY_pairwise_check": (c_int, (c_void_p,)),
    "EVP_PKEY_encrypt_init": (c_int, (c_void_p,)),
    "EVP_PKEY_encrypt": (c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    "EVP_PKEY_decrypt_init": (c_int, (c_void_p,)),
    "EVP_PKEY_decrypt": (c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_MD_CTX_free": (None, (c_void_p,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (c_void_p, c_void_p)),
    "EVP_sm3": (c_void_p, ()),
    "EVP_aes_256_cbc": (c_void_p, ()),
    "EVP_DigestSignInit": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EVP_DigestSign": (c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    "EVP_DigestSignUpdate": (c_int, (c_void_p, c_char_p, c_size_t)),
    "EVP_DigestSignFinal": (c_int, (c_void_p, c_char_p, POINTER(c_size_t))),
    "EVP_DigestVerifyInit": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EVP_DigestVerify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    "PEM_read_bio_PrivateKey": (c_void_p, (c_void_p, c_void_p, c_void_p, c_char_p)),
    "PEM_read_bio_PUBKEY": (c_void_p, (c_void_p, c_void_p, c_void_p, c_char_p)),
    "PEM_write_bio_PUBKEY": (c_int, (c_void_p, c_void_p)),
    "PEM_write_bio_PKCS8PrivateKey": (
        c_int,
        (c_void_p, c_void_p, c_void_p, c_char_p, c_int, c_void_p, c_void_p),
    ),
    "PEM_write_bio_PKCS8": (c_int, (c_void_p, c_void_p)),
    "EVP_PKEY2PKCS8": (c_void_p, (c_void_p,)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (c_void_p,)),
    "PKCS8_encrypt": (
        c_void_p,
        (c_int, c_void_p, c_char_p, c_int, c_char_p, c_int, c_int, c_void_p),
    ),
    "X509_SIG_free": (None, (c_void_p,)),
    "i2d_PUBKEY": (c_int, (c_void_p, POINTER(c_void_p))),
    "d2i_PUBKEY": (c_void_p, (c_void_p, POINTER(c_void_p), c_long)),
}


@cache
def library() -> ctypes.CDLL:
    """The typed library. Raises XuekaError `CRYPTO_LIBRARY` when it is missing, too old or without SM2."""
    for name in _candidates():
        try:
            found = ctypes.CDLL(name)
        except OSError:
            continue
        return typed(found)
    _refuse("系统中没有找到 OpenSSL 的加密库 libcrypto。", found="无")


def typed(found: ctypes.CDLL) -> ctypes.CDLL:
    """Check version and SM2 of a loaded library and give its functions their types."""
    try:
        found.OpenSSL_version_num.restype = c_ulong
        version = found.OpenSSL_version_num()
    except AttributeError:
        version = 0
    if version < _MINIMUM:
        _refuse("系统的 OpenSSL 加密库版本过低。", found=f"{version >> 28}.{version >> 20 & 0xFF}")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    context = found.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
    if not context:
        found.ERR_clear_error()
        _refuse("系统的 OpenSSL 加密库不含国密算法 SM2。", found="不含 SM2 的 OpenSSL")
    found.EVP_PKEY_CTX_free(context)
    return found


def _candidates() -> Iterator[str]:
    yield "libcrypto.so.3"
    yield "libcrypto.3.dylib"
    if name := ctypes.util.find_library("crypto"):
        yield name


def _refuse(message: str, *, found: str) -> NoReturn:
    raise XuekaError(
        "CRYPTO_LIBRARY",
        message,
        found=found,
        expected="OpenSSL 3.0 或更高版本，含 SM2",
        action="请安装系统软件包 libssl3（Debian 12、Ubuntu 22.04；更新的版本名为 libssl3t64）。",
    )
