"""Storing and reading files."""

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import fields
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor


def store(actor: Actor, name: str, media_type: str, content: bytes, *, personal: bool = False) -> StoredFile:
    """Keep `content` in the caller's transaction; `personal` content is sealed.

    Size and digest are those of the plain bytes.
    """
    return StoredFile.objects.create(
        name=name,
        media_type=media_type,
        size=len(content),
        sm3=sm3(content),
        sealed=personal,
        content=fields.seal_bytes(content) if personal else content,
        created_at=clock.now(),
        created_by=actor.username,
    )


def read(file: StoredFile) -> bytes:
    """The plain bytes. Raises XuekaError `FILE_ALTERED` if they are not those that were stored."""
    content = bytes(file.content)
    plain = fields.open_bytes(content) if file.sealed else content
    if sm3(plain) != bytes(file.sm3):
        raise XuekaError(
            "FILE_ALTERED",
            f"文件“{file.name}”的内容与入库时的摘要不符，可能已被改动。",
            found=sm3(plain).hex(),
            expected=bytes(file.sm3).hex(),
            action="请勿使用该文件，并联系系统管理员。",
        )
    return plain
