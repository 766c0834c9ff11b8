"""Opening return packages: what is refused whole, in which order, and that nothing else can happen."""

import io
import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.bureau_files import (
    PACKAGE_SM3,
    line,
    manifest,
    pack,
    returns_text,
    signed_return,
    sm3,
)
from tests.support.size import dial
from xueka.contexts.production.adapters.bureau_package import open_return
from xueka.contexts.production.domain.bureau import lines as lines_module
from xueka.contexts.production.domain.bureau.returns import RESULTS, ReturnRefused
from xueka.kernel.identifiers import card_number
from xueka.platform.crypto.sm2 import PrivateKey

BATCH = "B26-00001"
KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
LINES = [line(place, card_number(2026, place)) for place in range(1, 21)]
TEXT = returns_text(BATCH, 1, LINES)
GOOD = signed_return(KEY, LINES)


def refusal(data: bytes, **given: Any) -> ReturnRefused:
    with pytest.raises(ReturnRefused) as caught:
        open_return(data, [KEY.public], BATCH, **given)
    assert caught.value.action
    assert caught.value.where
    return caught.value


def with_text(text: str | bytes, **changed: Any) -> bytes:
    body = text if isinstance(text, bytes) else text.encode("gb18030")
    return signed_return(KEY, [], text=body, **changed)


@pytest.fixture(autouse=True, params=[100, 4 * 1024 * 1024], ids=["small blocks", "one block"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a file is read in one block or in many makes no difference."""
    monkeypatch.setattr(lines_module, "BLOCK", request.param)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_sound_file_opens(method: int) -> None:
    file = open_return(
        signed_return(KEY, LINES, method=method),
        [KEY.public],
        BATCH,
        expected_number=1,
        expected_package_sm3=PACKAGE_SM3,
    )
    assert list(file.lines) == LINES
    assert file.manifest.final
    assert file.manifest.results["00"] == 20


def test_an_empty_return_is_sound() -> None:
    assert list(open_return(signed_return(KEY, []), [KEY.public], BATCH).lines) == []


def test_a_later_minor_version_is_read() -> None:
    text = TEXT.replace("|1.0|", "|1.7|")
    assert list(open_return(with_text(text, version="1.7", novelty=1), [KEY.public], BATCH).lines) == LINES


def swap(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


SIGNED_DEFECTS: list[tuple[str, str, Callable[[str], str]]] = [
    ("RETURN_TRUNCATED", "no trailer", lambda text: text[: text.rindex("T|")]),
    ("RETURN_TRUNCATED", "no last line end", lambda text: text[:-2]),
    ("RETURN_TRUNCATED", "half of it", lambda text: text[: len(text) // 2]),
    ("RETURN_TRUNCATED", "nothing", lambda text: ""),
    ("RETURN_TRUNCATED", "text after the trailer", lambda text: text + "D|"),
    ("RETURN_FORMAT", "no head", lambda text: text.split("\r\n", 1)[1]),
    ("RETURN_FORMAT", "trailer only", lambda text: text[text.rindex("T|") :]),
    ("RETURN_FORMAT", "head of another file", swap("XKRET", "XKREC")),
    ("RETURN_FORMAT", "byte-order mark", lambda text: "\ufeff" + text),
    ("RETURN_FORMAT", "bare line feed", swap("\r\nD", "\nD")),
    ("RETURN_FORMAT", "bare carriage return", swap("|00|", "|00\r|")),
    ("RETURN_FORMAT", "line feed and return swapped", swap("|00|", "|00\n\r|")),
    ("RETURN_FORMAT", "empty line", swap("\r\nD", "\r\n\r\nD")),
    ("RETURN_FORMAT", "second trailer", lambda text: text + text[text.rindex("T|") :]),
    ("RETURN_FORMAT", "trailer with a field less", lambda text: text[:-4] + "\r\n"),
    ("RETURN_FORMAT", "number with a leading zero", swap("|1|20\r", "|1|020\r")),
    ("RETURN_VERSION", "other version in the head", swap("|1.0|", "|1.1|")),
    ("RETURN_BATCH", "other batch in the head", swap(BATCH, "B26-00002")),
    ("RETURN_NUMBER", "other return number in the head", swap(f"{BATCH}|1|", f"{BATCH}|2|")),
    ("RETURN_TRAILER", "head counts one more", swap("|1|20\r", "|1|21\r")),
    ("RETURN_TRAILER", "trailer counts one more", swap("T|20|20|", "T|21|20|")),
    ("RETURN_TRAILER", "trailer miscounts a result", swap("T|20|20|0", "T|20|19|1")),
    ("RETURN_TRAILER", "a line missing", lambda text: text.replace(LINES[4] + "\r\n", "")),
    ("RETURN_TRAILER", "a line added", lambda text: text.replace(LINES[4], LINES[4] + "\r\n" + LINES[4])),
    ("RETURN_TRAILER", "a result changed", swap("|00|", "|01|")),
]


@pytest.mark.parametrize(
    ("code", "defect"),
    [(code, defect) for code, _, defect in SIGNED_DEFECTS],
    ids=[name for _, name, _ in SIGNED_DEFECTS],
)
def test_a_signed_file_that_disagrees_with_itself_is_refused_whole(
    code: str, defect: Callable[[str], str]
) -> None:
    broken = defect(TEXT)
    assert broken != TEXT
    data = json.dumps(
        manifest(
            TEXT.encode(),
            BATCH,
            1,
            KEY,
            returns={
                "name": "returns.txt",
                "size": len(broken.encode("gb18030")),
                "sm3": sm3(broken.encode("gb18030")),
            },
        )
    ).encode()
    package = pack(
        {"manifest.json": data, "manifest.sig": KEY.sign(data), "returns.txt": broken.encode("gb18030")}
    )
    assert refusal(package).code == code


def test_bytes_that_are_no_text_are_located() -> None:
    body = TEXT.encode().replace(LINES[2].encode(), LINES[2].encode()[:-1] + b"\xff|", 1)
    error = refusal(with_text(body))
    assert (error.code, error.where) == ("RETURN_ENCODING", f"returns.txt 第 4 行 第 {len(LINES[2])} 字节")
    assert error.detail == {"line": 4}


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("RETURN_FORMAT", {"format": "XKPROD"}),
        ("RETURN_FORMAT", {"version": 1.0}),
        ("RETURN_VERSION", {"version": "2.0"}),
        ("RETURN_BATCH", {"batch": "B26-00002"}),
        ("RETURN_FORMAT", {"batch": "B26_00002"}),
        ("RETURN_FORMAT", {"return": True}),
        ("RETURN_FORMAT", {"return": 0}),
        ("RETURN_NUMBER", {"return": 2}),
        ("RETURN_PACKAGE", {"package_sm3": "00" * 32}),
        ("RETURN_FORMAT", {"package_sm3": None}),
        ("RETURN_FORMAT", {"final": "yes"}),
        ("RETURN_FORMAT", {"lines": -1}),
        ("RETURN_TRAILER", {"lines": 19}),
        ("RETURN_FORMAT", {"results": {"00": 20}}),
        ("RETURN_FORMAT", {"results": [20]}),
        ("RETURN_TRAILER", {"results": {"00": 19, "01": 1, "02": 0, "03": 0, "04": 0, "05": 0, "99": 0}}),
        ("RETURN_FORMAT", {"returns": None}),
        ("RETURN_FORMAT", {"returns": {"name": "other.txt", "size": 1, "sm3": "00" * 32}}),
        ("RETURN_DIGEST", {"returns": {"name": "returns.txt", "size": 1, "sm3": sm3(TEXT.encode())}}),
        ("RETURN_DIGEST", {"returns": {"name": "returns.txt", "size": len(TEXT), "sm3": "00" * 32}}),
        ("RETURN_FORMAT", {"created_at": "2026-09-03"}),
        ("RETURN_FORMAT", {"created_at": "2026-02-30T00:00:00+08:00"}),
        ("RETURN_SIGNATURE", {"signer": "00" * 32}),
    ],
)
def test_a_signed_manifest_that_is_wrong_is_refused(code: str, changed: dict[str, Any]) -> None:
    error = refusal(signed_return(KEY, LINES, **changed), expected_number=1, expected_package_sm3=PACKAGE_SM3)
    assert error.code == code


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xef\xbb\xbf{}", b"\xff", b"[" * 100_000]
)
def test_a_manifest_that_is_no_json_object_is_refused(raw: bytes) -> None:
    package = pack({"manifest.json": raw, "manifest.sig": KEY.sign(raw), "returns.txt": b""})
    assert refusal(package).code == "RETURN_FORMAT"


def test_a_manifest_that_says_a_thing_twice_is_refused() -> None:
    said = json.dumps(manifest(TEXT.encode(), BATCH, 1, KEY))
    for raw, code in ((said, None), (said[:-1] + ', "final": false}', "RETURN_FORMAT")):
        package = pack(
            {
                "manifest.json": raw.encode(),
                "manifest.sig": KEY.sign(raw.encode()),
                "returns.txt": TEXT.encode(),
            }
        )
        if code:
            assert refusal(package).code == code
        else:
            assert list(open_return(package, [KEY.public], BATCH).lines) == LINES


def rezip(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        return pack(change({name: archive.read(name) for name in archive.namelist()}))


def flagged(data: bytes, *, method: int | None = None, encrypted: bool = False) -> bytes:
    """Change the central directory's word on the first member."""
    place = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    if encrypted:
        changed[place + 8] |= 1
    if method is not None:
        changed[place + 10] = method
    return bytes(changed)


def bomb() -> bytes:
    """A manifest of 100 MB that deflates to 100 KB."""
    return pack(
        {"manifest.json": b" " * 100_000_000, "manifest.sig": b"", "returns.txt": b""}, zipfile.ZIP_DEFLATED
    )


def lying_bomb() -> bytes:
    """The same, announced as one byte."""
    data = bytearray(bomb())
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = (1).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("RETURN_FORMAT", b""),
        ("RETURN_FORMAT", b"PK"),
        ("RETURN_FORMAT", b"<html>not found</html>"),
        ("RETURN_FORMAT", TEXT.encode()),
        ("RETURN_FORMAT", pack({})),
        ("RETURN_FORMAT", rezip(lambda m: m | {"../evil": b""})),
        ("RETURN_FORMAT", rezip(lambda m: {f"folder/{name}": data for name, data in m.items()})),
        ("RETURN_FORMAT", rezip(lambda m: {name: m[name] for name in ("manifest.json", "manifest.sig")})),
        ("RETURN_FORMAT", rezip(lambda m: m | {"manifest.sig": b"\0" * 257})),
        ("RETURN_FORMAT", flagged(GOOD, encrypted=True)),
        ("RETURN_FORMAT", flagged(GOOD, method=zipfile.ZIP_LZMA)),
        ("RETURN_FORMAT", signed_return(KEY, LINES, method=zipfile.ZIP_BZIP2)),
        ("RETURN_FORMAT", bomb()),
        ("RETURN_FORMAT", lying_bomb()),
        ("RETURN_TRUNCATED", GOOD[: len(GOOD) // 2]),
        ("RETURN_TRUNCATED", GOOD[:-1]),
        ("RETURN_SIGNATURE", rezip(lambda m: m | {"manifest.sig": b""})),
        ("RETURN_SIGNATURE", rezip(lambda m: m | {"manifest.json": m["manifest.json"] + b" "})),
        (
            "RETURN_SIGNATURE",
            rezip(lambda m: m | {"manifest.sig": OTHER.sign(m["manifest.json"])}),
        ),
        ("RETURN_DIGEST", rezip(lambda m: m | {"returns.txt": m["returns.txt"] + b" "})),
        ("RETURN_DIGEST", rezip(lambda m: m | {"returns.txt": m["returns.txt"].replace(b"|00|", b"|01|")})),
    ],
)
def test_a_package_that_is_not_as_signed_is_refused(code: str, data: bytes) -> None:
    assert refusal(data).code == code


def test_every_truncation_is_refused() -> None:
    assert {refusal(GOOD[:size]).code for size in range(4, len(GOOD), 1)} == {"RETURN_TRUNCATED"}


def mutate(chance: random.Random, data: bytearray) -> None:
    place = chance.randrange(len(data))
    kind = chance.randrange(4)
    if kind == 0:
        data[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[place : place + 1] = chance.randbytes(2)
    elif kind == 2:
        del data[place : place + chance.randrange(1, 20)]
    else:
        other = chance.randrange(len(data))
        data[place : place + 8] = data[other : other + 8]


def mutated(chance: random.Random) -> bytes:
    """The sound package with its bytes changed, or with one member changed and packed again."""
    if chance.random() < 0.5:
        data = bytearray(GOOD)
        for _ in range(chance.choice((1, 1, 2, 5))):
            mutate(chance, data)
        return bytes(data)

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        name = chance.choice(list(members))
        data = bytearray(members[name])
        mutate(chance, data)
        return members | {name: bytes(data)}

    return rezip(change)


def test_mutated_unsigned_files_never_pass() -> None:
    """Any change is refused whole, or touches nothing but ZIP fields that carry no content."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    original = open_return(GOOD, [KEY.public], BATCH)
    codes: Counter[str] = Counter()
    for _ in range(dial(1000, 10_000)):
        try:
            opened = open_return(mutated(chance), [KEY.public], BATCH)
        except ReturnRefused as error:
            codes[error.code] += 1
        else:
            codes["unharmed"] += 1
            assert (opened.manifest, list(opened.lines)) == (original.manifest, list(original.lines))
    assert set(codes) == {
        "RETURN_FORMAT",
        "RETURN_TRUNCATED",
        "RETURN_SIGNATURE",
        "RETURN_DIGEST",
        "unharmed",
    }
    assert codes["unharmed"] < codes.total() / 5


@pytest.mark.parametrize(
    ("line_number", "defect"),
    [
        (1, swap("XKRET", "XKREC")),
        (1, swap(BATCH, "B26-00002")),
        (1, swap("|1|20\r", "|1|21\r")),
        (3, swap("\r\nD|2", "\r\nX|2")),
        (5, swap("\r\nD|5", "\nD|5")),
        (22, swap("T|20|20|", "T|21|20|")),
        (22, swap("T|20|20|0", "T|20|19|1")),
        (22, lambda text: text[:-4] + "\r\n"),
    ],
)
def test_the_line_is_told(line_number: int, defect: Callable[[str], str]) -> None:
    body = defect(TEXT).encode()
    error = refusal(with_text(body, lines=20, results=dict.fromkeys(RESULTS, 0) | {"00": 20}))
    assert error.detail["line"] == line_number
    assert f"第 {line_number} 行" in str(error.where)
