"""One session with a PKCS#11 module per process: opened when needed, after a fork, and again when lost.

A module's state does not survive a fork: the child would speak with its parent's session. So the process's id
is looked at before every use. Within a process one thread at a time speaks; PKCS#11 calls of one session must
not be mixed.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import PyKCS11
from PyKCS11 import PyKCS11Error

from xueka.contexts.keys.adapters.pkcs11_table import Module
from xueka.kernel.errors import Refused, XuekaError

Result = TypeVar("Result")

#: The session or the device went away; a new session may find it back.
_LOST = {
    PyKCS11.CKR_SESSION_HANDLE_INVALID,
    PyKCS11.CKR_SESSION_CLOSED,
    PyKCS11.CKR_DEVICE_REMOVED,
    PyKCS11.CKR_DEVICE_ERROR,
    PyKCS11.CKR_TOKEN_NOT_PRESENT,
    PyKCS11.CKR_CRYPTOKI_NOT_INITIALIZED,
    PyKCS11.CKR_USER_NOT_LOGGED_IN,
}


#: Libraries by path with the process that began them. They are never let go: PyKCS11 would finish the module
#: when the object of a parent process dies in its child.
_LIBRARIES: dict[str, tuple[Any, int]] = {}


class Sessions:
    """`run(act)` calls `act(session)` with an open, logged-in session and nobody else in it."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()  # the parent's may have been held by a thread that the child has not
        self._session: Any = None

    def run(self, act: Callable[[Any], Result]) -> Result:
        """Raises Refused `KEY_STORE_LOCKED` (PIN), XuekaError `KEY_STORE_FAILED`."""
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            try:
                return act(self._opened())
            except PyKCS11Error as error:
                if error.value not in _LOST:
                    self._fail(error)
            self._forget()
            try:
                return act(self._opened())
            except PyKCS11Error as error:
                self._fail(error)

    def close(self) -> None:
        """Leave the module; the next use opens it again."""
        if self._process == os.getpid():
            with self._lock:
                self._forget()

    def _opened(self) -> Any:
        if self._session is None:
            self._session = self._logged_in(_library(self._module.library))
        return self._session

    def _logged_in(self, library: Any) -> Any:
        wanted = self._module.token
        slots = [
            slot
            for slot in library.getSlotList(tokenPresent=True)
            if library.getTokenInfo(slot).label.strip("\0 ") == wanted
        ]
        if len(slots) != 1:
            raise XuekaError(
                "KEY_STORE_FAILED",
                "密码机中没有找到指定的令牌。" if not slots else "密码机中有几个同名的令牌。",
                found=f"{len(slots)} 个",
                expected=wanted,
                action="请核对 XUEKA_PKCS11_TOKEN 和密码机的连接。",
            )
        session = library.openSession(slots[0], PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
        try:
            session.login(self._pin())
        except PyKCS11Error as error:
            if error.value != PyKCS11.CKR_USER_ALREADY_LOGGED_IN:
                raise Refused(
                    "KEY_STORE_LOCKED",
                    "密码机没有接受 PIN，密钥不能使用。",
                    where=wanted,
                    found=_name(error),
                    action="请核对 PIN 文件；多次不对时密码机会锁住，请联系密钥保管人。",
                ) from None
        return session

    def _pin(self) -> str:
        try:
            return self._module.pin_file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise Refused(
                "KEY_STORE_LOCKED",
                "PIN 文件无法读取，密钥不能使用。",
                where=str(self._module.pin_file),
                action="请核对 XUEKA_PKCS11_PIN_FILE 所指的文件和权限。",
            ) from None

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(PyKCS11Error):  # it may be gone already
                session.closeSession()

    def _fail(self, error: PyKCS11Error) -> NoReturn:
        raise XuekaError(
            "KEY_STORE_FAILED",
            "密码机没有完成这项运算。",
            where=self._module.token,
            found=_name(error),
            action="请检查密码机的状态；没有交出任何密钥。",
        ) from None


def _library(path: str) -> Any:
    """The module, begun in this process. Raises XuekaError `KEY_STORE_FAILED`."""
    library, process = _LIBRARIES.get(path, (None, 0))
    try:
        if library is None:
            library = PyKCS11.PyKCS11Lib()
            library.load(path)
        elif process != os.getpid():
            begun = library.lib.C_Initialize()
            if begun == PyKCS11.CKR_CRYPTOKI_ALREADY_INITIALIZED:  # it takes itself for the parent's
                library.lib.C_Finalize()
                library.lib.C_Initialize()
    except PyKCS11Error as error:
        raise XuekaError(
            "KEY_STORE_FAILED",
            "密码机的 PKCS#11 库不能载入。",
            where=path,
            found=_name(error),
            action="请核对 XUEKA_PKCS11_MODULE；SoftHSM 由系统软件包 softhsm2 提供。",
        ) from None
    _LIBRARIES[path] = (library, os.getpid())
    return library


def _name(error: PyKCS11Error) -> str:
    return str(PyKCS11.CKR.get(error.value, f"0x{error.value:08X}"))
