"""Storing and reading files."""

from cryptography.hazmat.primitives import hashes

from xueka.kernel import clock
from xueka.platform.crypto import fields
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor


def sm3(content: bytes) -> bytes:
    """SM3 digest, 32 bytes (GB/T 32905)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize()


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
    """The plain bytes."""
    content = bytes(file.content)
    return fields.open_bytes(content) if file.sealed else content
