"""A secret that every process of the installation finds while the machine runs, and no disk ever holds."""

import os
import secrets
import stat
from pathlib import Path

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import sm3
from xueka.platform.crypto.sealing import KEY_SIZE

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of the machine's memory; owner and mode are checked


class MemoryFile:
    """Keys of 16 bytes in a file in memory: `XUEKA_KEYS_RUNTIME` (a tmpfs), else Linux' shared memory."""

    def __init__(self, belongs_to: Path) -> None:
        self._name = f"xueka-{sm3.hexdigest(str(belongs_to.absolute()).encode())[:24]}"

    def read(self) -> list[bytes]:
        """The keys, or none. A file of another user is not ours, whatever its name."""
        try:
            opened = os.open(self._path(), os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return []
        with os.fdopen(opened, "rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                return []
            content = file.read()
        return [content[place : place + KEY_SIZE] for place in range(0, len(content), KEY_SIZE)]

    def write(self, keys: list[bytes]) -> None:
        """Raises XuekaError `KEY_STORE_FAILED` where the machine has no such folder."""
        try:
            replace_privately(self._path(), b"".join(keys), durable=False)
        except OSError as error:
            raise XuekaError(
                "KEY_STORE_FAILED",
                "密钥库无法保持打开：内存目录不能写入。",
                found=str(self._path().parent),
                action="请用 XUEKA_KEYS_RUNTIME 指定一个内存文件系统（tmpfs）的目录。",
                reason=os.strerror(error.errno or 0),
            ) from None

    def remove(self) -> None:
        self._path().unlink(missing_ok=True)

    def _path(self) -> Path:
        return Path(os.environ.get("XUEKA_KEYS_RUNTIME") or _SHARED_MEMORY) / self._name


def replace_privately(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put `content` in the file's place, mode 0600: whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if durable:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
