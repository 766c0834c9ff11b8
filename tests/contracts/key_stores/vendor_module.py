"""A module of a vendor that knows SM4, played in memory: the calls of a PKCS#11 session and its refusals.

It stands where `Sessions` stands, so that the store above is the real one. What it proves is that table and
store carry a second algorithm through every call; what a real module does, only that module can show.
"""

import threading
from collections.abc import Callable
from typing import Any

import PyKCS11
from cryptography.hazmat.primitives import cmac, keywrap
from cryptography.hazmat.primitives.ciphers import algorithms
from PyKCS11 import PyKCS11Error

from xueka.contexts.keys.adapters.pkcs11_table import Table
from xueka.platform.crypto import card_ciphers
from xueka.platform.crypto.card_ciphers import encrypt

Template = list[tuple[int, Any]]


class VendorSessions:
    """`run(act)`, as pkcs11_session.Sessions."""

    def __init__(self, table: Table) -> None:
        self._session = VendorSession(table)
        self._lock = threading.RLock()

    def run(self, act: Callable[[Any], Any]) -> Any:
        with self._lock:
            return act(self._session)

    def close(self) -> None:
        """Nothing is open."""


class VendorSession:
    """Objects are dictionaries of attributes; a mechanism fits one key type; templates forbid."""

    def __init__(self, table: Table) -> None:
        self._objects: list[dict[int, Any]] = []
        self._names = {each.key_type: name for name, each in table.algorithms.items()}
        self._table = table

    def generateKey(self, template: Template, mechanism: Any) -> dict[int, Any]:
        name = self._names[dict(template)[PyKCS11.CKA_KEY_TYPE]]
        _need(_number(mechanism) == self._table.algorithms[name].generate)
        size = dict(template).get(PyKCS11.CKA_VALUE_LEN, 16)
        _need(size == (32 if name == "aes" else 16))
        return self._add(template, bytes(range(len(self._objects), len(self._objects) + size)))

    def createObject(self, template: Template) -> dict[int, Any]:
        return self._add(template, bytes(dict(template)[PyKCS11.CKA_VALUE]))

    def findObjects(self, template: Template) -> list[dict[int, Any]]:
        return [
            each
            for each in self._objects
            if all(bytes(each.get(name, b"")) == bytes(value) for name, value in template)
        ]

    def getAttributeValue(self, found: dict[int, Any], names: list[int]) -> list[Any]:
        _need(PyKCS11.CKA_VALUE not in names)
        return [found[name] for name in names]

    def destroyObject(self, found: dict[int, Any]) -> None:
        self._objects = [each for each in self._objects if each is not found]

    def encrypt(self, found: dict[int, Any], data: bytes, mechanism: Any) -> bytes:
        name = self._allowed(found, PyKCS11.CKA_ENCRYPT)
        _need(_number(mechanism) == self._table.algorithms[name].encrypt)
        return encrypt(name, found[PyKCS11.CKA_VALUE], data)

    def deriveKey(self, found: dict[int, Any], template: Template, mechanism: Any) -> dict[int, Any]:
        name = self._allowed(found, PyKCS11.CKA_DERIVE)
        _need(_number(mechanism) == self._table.algorithms[name].derive)
        value = encrypt(name, found[PyKCS11.CKA_VALUE], bytes(mechanism._data))
        if name == "3des":  # as modules do: parity is forced
            value = bytes(byte & 0xFE | (bin(byte >> 1).count("1") + 1) % 2 for byte in value)
        return self._add(template, value)

    def wrapKey(self, wrapping: dict[int, Any], found: dict[int, Any], mechanism: Any) -> bytes:
        self._allowed(wrapping, PyKCS11.CKA_WRAP)
        _need(found[PyKCS11.CKA_EXTRACTABLE] and _number(mechanism) == self._table.wrap)
        return keywrap.aes_key_wrap(wrapping[PyKCS11.CKA_VALUE], found[PyKCS11.CKA_VALUE])

    def unwrapKey(
        self, wrapping: dict[int, Any], cipher: bytes, template: Template, mechanism: Any
    ) -> dict[int, Any]:
        self._allowed(wrapping, PyKCS11.CKA_UNWRAP)
        _need(_number(mechanism) == self._table.wrap)
        return self._add(template, keywrap.aes_key_unwrap(wrapping[PyKCS11.CKA_VALUE], cipher))

    def sign(self, found: dict[int, Any], data: bytes, mechanism: Any) -> bytes:
        self._allowed(found, PyKCS11.CKA_SIGN)
        _need(_number(mechanism) == self._table.mac)
        state = cmac.CMAC(algorithms.AES(found[PyKCS11.CKA_VALUE]))
        state.update(data)
        return state.finalize()

    def _allowed(self, found: dict[int, Any], use: int) -> str:
        _need(any(found is each for each in self._objects) and bool(found.get(use)))
        return self._names[found[PyKCS11.CKA_KEY_TYPE]]

    def _add(self, template: Template, value: bytes) -> dict[int, Any]:
        made = dict(template) | {PyKCS11.CKA_VALUE: value}
        card_ciphers.kcv(self._names[made[PyKCS11.CKA_KEY_TYPE]], value)  # the length fits
        self._objects.append(made)
        return made


def _number(mechanism: Any) -> int:
    return int(mechanism.to_native().mechanism)


def _need(right: bool) -> None:
    if not right:
        raise PyKCS11Error(PyKCS11.CKR_MECHANISM_INVALID)
