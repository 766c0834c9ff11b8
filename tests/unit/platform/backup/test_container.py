"""A sealed file can be read whole and in order, or not at all."""

import io
import random
import secrets

import pytest

from xueka.kernel.errors import BadInput
from xueka.platform.backup import container

SEED = 20261125


def made(contents: dict[int, bytes], key: bytes) -> bytes:
    file = io.BytesIO()
    sealer = container.Sealer(file, key, {"format": 1})
    for section, content in contents.items():
        for start in range(0, len(content), 70_000):
            sealer.write(section, content[start : start + 70_000])
    sealer.close()
    return file.getvalue()


def read(file: bytes, key: bytes) -> dict[int, bytes]:
    stream, found = io.BytesIO(file), {}
    _, bound = container.read_head(stream)
    for section, content in container.opened(stream, key, bound):
        found[section] = found.get(section, b"") + content
    return found


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "CHUNK", 1000)


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 2000, 123_456])
def test_what_goes_in_comes_out(size: int) -> None:
    key, content = secrets.token_bytes(16), secrets.token_bytes(size)
    assert read(made({1: b"{}", 3: content, 4: b"end"}, key), key) == {1: b"{}", 3: content, 4: b"end"}


def frames(file: bytes) -> tuple[bytes, list[bytes]]:
    start = 12 + int.from_bytes(file[8:12], "big")
    chunks, at = [], start
    while at < len(file):
        end = at + 6 + int.from_bytes(file[at + 2 : at + 6], "big")
        chunks.append(file[at:end])
        at = end
    return file[:start], chunks


def test_every_flipped_bit_is_found() -> None:
    key, chance = secrets.token_bytes(16), random.Random(SEED)
    file = made({1: b"{}", 3: secrets.token_bytes(5000)}, key)
    places = [*range(120), *(chance.randrange(len(file)) for _ in range(1500))]
    for place in places:
        changed = bytearray(file)
        changed[place] ^= 1 << chance.randrange(8)
        with pytest.raises(BadInput, match="备份"):
            read(bytes(changed), key)


def test_every_cut_is_found() -> None:
    key = secrets.token_bytes(16)
    file = made({1: b"{}", 3: secrets.token_bytes(5000)}, key)
    head, chunks = frames(file)
    whole = [head + b"".join(chunks[:count]) for count in range(len(chunks))]
    for cut in [*whole, *(file[:size] for size in range(0, len(file), 37))]:
        with pytest.raises(BadInput):
            read(cut, key)
    with pytest.raises(BadInput):
        read(file + b"x", key)


def test_chunks_moved_doubled_left_out_or_foreign_are_found() -> None:
    key = secrets.token_bytes(16)
    head, chunks = frames(made({3: secrets.token_bytes(5000)}, key))
    other = frames(made({3: secrets.token_bytes(5000)}, key))[1]  # the same key, on purpose
    assert len(chunks) == 5
    same_head_other_key = frames(made({3: secrets.token_bytes(5000)}, secrets.token_bytes(16)))[1]
    wrong = [
        [chunks[1], chunks[0], *chunks[2:]],
        [chunks[0], chunks[0], *chunks[1:]],
        [chunks[0], *chunks[2:]],
        [*chunks[:-1]],
        [chunks[-1]],
        [same_head_other_key[0], *chunks[1:]],
    ]
    for order in wrong:
        with pytest.raises(BadInput, match="备份文件"):
            read(head + b"".join(order), key)
    assert other[0] != chunks[0]


def test_chunks_are_bound_to_their_head() -> None:
    key = secrets.token_bytes(16)
    file = io.BytesIO()
    sealer = container.Sealer(file, key, {"format": 1, "made_at": "2026-01-01"})
    sealer.write(3, b"content")
    sealer.close()
    moved = file.getvalue().replace(b"2026-01-01", b"2026-09-09")
    with pytest.raises(BadInput):
        read(moved, key)


@pytest.mark.parametrize(
    "file", [b"", b"PK\x03\x04", b"XUEKABK1", b"XUEKABK1\xff\xff\xff\xff", b"XUEKABK1\0\0\0\2[]"]
)
def test_what_is_no_backup(file: bytes) -> None:

    with pytest.raises(BadInput) as refused:
        read(file, bytes(16))
    assert refused.value.code == "BACKUP_NOT_ONE"
