"""SM3 digests (GB/T 32905-2016)."""

from cryptography.hazmat.primitives import hashes


def digest(data: bytes) -> bytes:
    """The 32 bytes of SM3 over `data`."""
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


def hexdigest(data: bytes) -> str:
    """The same as 64 lower-case hexadecimal digits."""
    return digest(data).hex()
