"""What lies in a backup file, and reading it whole before anything is believed."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from xueka.kernel.errors import BadInput
from xueka.platform.backup import container

MANIFEST, HOME, DUMP, TOTALS = 1, 2, 3, 4
SMALL = 256 * 2**20  # bytes that the sections kept in memory may have
READS = {1}  # formats that this version reads


@dataclass(frozen=True, slots=True)
class Contents:
    """A backup that was read to its end: all of it is authentic and complete."""

    head: dict[str, Any]
    manifest: dict[str, Any]
    files: dict[str, bytes]
    dump_size: int


def check(file: BinaryIO, unlock: Callable[[dict[str, Any]], bytes]) -> Contents:
    """Read everything, write nothing. Raises BadInput `BACKUP_…` where the file is not whole and ours, and
    what `unlock` raises without the right secret.
    """
    head, bound = container.read_head(file)
    if head.get("format") not in READS or not isinstance(head.get("seal"), dict):
        raise BadInput(
            "BACKUP_FORMAT",
            "备份文件的格式版本不认识。",
            found=head.get("format"),
            expected=max(READS),
            action="请用生成它的版本或更新的版本恢复。",
        )
    key = unlock(head["seal"])
    small = {MANIFEST: bytearray(), HOME: bytearray(), TOTALS: bytearray()}
    digest, size = hashlib.sha256(), 0
    for section, content in container.opened(file, key, bound):
        if section == DUMP:
            digest.update(content)
            size += len(content)
        elif section in small and len(small[section]) + len(content) <= SMALL:
            small[section] += content
        else:
            raise _inconsistent("有不认识的部分")
    try:
        manifest, totals = json.loads(small[MANIFEST]), json.loads(small[TOTALS])
        files = dict(_unpacked(bytes(small[HOME])))
    except (ValueError, tarfile.TarError):
        raise _inconsistent("清单无法读取") from None
    if (totals.get("dump_size"), totals.get("dump_sha256")) != (size, digest.hexdigest()):
        raise _inconsistent("数据库部分与合计不符")
    for named in manifest["files"]:
        held = files.get(named["path"])
        own = named["path"] == "audit/head.json"  # written from the snapshot
        if held is None or (not own and hashlib.sha256(held).hexdigest() != named["sha256"]):
            raise _inconsistent(f"文件 {named['path']} 与清单不符")
    return Contents(head, manifest, files, size)


def dump_of(path: Path, unlock: Callable[[dict[str, Any]], bytes]) -> Iterator[bytes]:
    """The bytes of the database's part, in order."""
    with path.open("rb") as file:
        head, bound = container.read_head(file)
        key = unlock(head["seal"])
        for section, content in container.opened(file, key, bound):
            if section == DUMP:
                yield content


def _unpacked(packed: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
        for entry in tar:
            path = PurePosixPath(entry.name)
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is None or path.is_absolute() or ".." in path.parts:
                raise _inconsistent(f"不该有的文件 {entry.name}")
            yield entry.name, content.read()


def _inconsistent(what: str) -> BadInput:
    return BadInput(
        "BACKUP_INCONSISTENT",
        "备份文件的内容自相矛盾。",
        found=what,
        action="没有改动任何数据。请换用另一份备份。",
    )
