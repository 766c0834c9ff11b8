"""The city's encoder and the bureau's simulator meet: two hands that share nothing but the document."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from xueka.contexts.production.adapters import bureau_package
from xueka.contexts.production.domain.bureau import records as r
from xueka.contexts.production.domain.bureau.returns import ReturnRefused
from xueka.kernel.identifiers import card_number
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.sandbox.bureau.works import Works

BATCH = "B26-0001"
NAMES = ["欧阳·阿卜杜拉", "王𬴊", "李㛃", "赵|竖线\\斜线", "陈\ufe10", "张" + "长" * 49]


@pytest.fixture
def city(tmp_path: Path) -> PrivateKey:
    key = PrivateKey.generate()
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "city-sign.pub.pem").write_bytes(key.public.to_pem())
    return key


@pytest.fixture
def works(tmp_path: Path, city: PrivateKey) -> Works:
    return Works(tmp_path, seed=7, faults="none")


@pytest.fixture
def package(works: Works, city: PrivateKey) -> bytes:
    return _package(works, city, cards=len(NAMES))


def _package(works: Works, city: PrivateKey, *, cards: int, batch: str = BATCH) -> bytes:
    bureau = PublicKey.from_pem((works.keys_folder / "bureau-enc.pub.pem").read_bytes())
    head = r.BatchHead(
        batch=batch,
        package=1,
        kind="bjt_student",
        contents=r.CardContents(chip=True, transit=r.Source.SENT, beijing_tong=r.Source.SENT),
        face=r.CardFace("BJT-STD", 1, "ab" * 32),
        created_at=datetime(2026, 9, 1, 2, tzinfo=UTC),
    )
    return bureau_package.build_package(head, _records(cards), {}, city, bureau)


def _records(cards: int) -> Iterator[r.CardRecord]:
    for number in range(1, cards + 1):
        yield r.CardRecord(
            number,
            card_number(2026, number),
            f"1000{number:012d}",
            f"BJT{number:011d}",
            "",
            f"{10000000 + number}",
            NAMES[number % len(NAMES)],
            "1",
            "2111000001",
            "样例小学",
            "1年级1班",
            "P",
            date(2026, 9, 1),
            date(2032, 8, 31),
            has_photo=False,
        )


def _hand_in(works: Works, content: bytes, batch: str = BATCH) -> None:
    (works.box_in / f"XKP_{batch}_1.zip").write_bytes(content)
    works.look()


def _bureau_key(works: Works) -> PublicKey:
    return PublicKey.from_pem((works.keys_folder / "bureau-sign.pub.pem").read_bytes())


def _acknowledgement(works: Works, content: bytes, batch: str = BATCH) -> bureau_package.Acknowledgement:
    from xueka.platform.crypto import sm3

    data = (works.box_out / f"XKA_{batch}_1.json").read_bytes()
    return bureau_package.read_acknowledgement(
        data, [_bureau_key(works)], batch=batch, package=1, package_sm3=sm3.hexdigest(content)
    )


def test_a_sound_package_is_accepted_made_and_reported(works: Works, package: bytes) -> None:
    _hand_in(works, package)
    said = _acknowledgement(works, package)
    assert (said.accepted, said.records, said.repeat) == (True, len(NAMES), False)
    data = (works.box_out / f"XKR_{BATCH}_1.zip").read_bytes()
    file = bureau_package.open_return(data, [_bureau_key(works)], BATCH, expected_number=1)
    fields = [line.split("|") for line in file.lines]
    assert sorted(line[2] for line in fields) == [card_number(2026, n) for n in range(1, 7)]
    assert {line[6] for line in fields} == {"00"}
    assert len({line[5] for line in fields}) == len(NAMES)


def test_the_same_package_twice_is_acknowledged_again_and_made_once(works: Works, package: bytes) -> None:
    _hand_in(works, package)
    before = (works.box_out / f"XKR_{BATCH}_1.zip").read_bytes()
    _hand_in(works, package)
    assert _acknowledgement(works, package).repeat
    assert (works.box_out / f"XKR_{BATCH}_1.zip").read_bytes() == before


def test_another_package_for_an_accepted_batch_is_refused(
    works: Works, city: PrivateKey, package: bytes
) -> None:
    _hand_in(works, package)
    other = _package(works, city, cards=3)
    _hand_in(works, other)
    said = _acknowledgement(works, other)
    assert (said.accepted, said.code) == (False, "DUPLICATE_BATCH_DIFFERENT")


def test_every_flipped_byte_is_noticed(works: Works, package: bytes) -> None:
    """One byte changed anywhere: refused, or (in the unsigned frame of the ZIP) read as exactly the same."""
    step = max(1, len(package) // 60)
    for position in range(0, len(package), step):
        for old in works.books.iterdir():
            old.unlink()
        (works.box_out / f"XKR_{BATCH}_1.zip").unlink(missing_ok=True)
        damaged = bytearray(package)
        damaged[position] ^= 0x41
        _hand_in(works, bytes(damaged))
        made = (works.box_out / f"XKR_{BATCH}_1.zip").exists()
        if made:
            file = bureau_package.open_return(
                (works.box_out / f"XKR_{BATCH}_1.zip").read_bytes(), [_bureau_key(works)], BATCH
            )
            assert len(file.lines) == len(NAMES), position


def test_a_package_signed_by_somebody_else_is_refused(works: Works) -> None:
    _hand_in(works, stranger := _package(works, PrivateKey.generate(), cards=2))
    assert _acknowledgement(works, stranger).code == "SIGNATURE"


def test_a_package_for_another_bureau_is_refused(works: Works, city: PrivateKey, tmp_path: Path) -> None:
    (tmp_path / "other" / "city").mkdir(parents=True)
    (tmp_path / "other" / "city" / "city-sign.pub.pem").write_bytes(city.public.to_pem())
    other = Works(tmp_path / "other", seed=1, faults="none")
    _hand_in(works, foreign := _package(other, city, cards=2))
    assert _acknowledgement(works, foreign).code == "KEY"


def test_the_dial_brings_every_kind_of_trouble(tmp_path: Path, city: PrivateKey) -> None:
    """Over some batches the heavy dial shows a refused package and several kinds of bad files."""
    works = Works(tmp_path, seed=11, faults="heavy")
    refusals, finals = set(), 0
    for number in range(1, 9):
        batch = f"B26-1{number:03d}"
        _hand_in(works, content := _package(works, city, cards=120, batch=batch), batch)
        if not _acknowledgement(works, content, batch).accepted:
            refusals.add("bounced")
            continue
        for path in sorted(works.box_out.glob(f"XKR_{batch}_*.zip")):
            k = int(path.stem.rsplit("_", 1)[1])
            try:
                finals += bureau_package.open_return(
                    path.read_bytes(), [_bureau_key(works)], batch, expected_number=k
                ).manifest.final
            except ReturnRefused as refusal:
                refusals.add(refusal.code)
    assert "bounced" in refusals
    assert len(refusals) >= 4, refusals
    assert finals >= 5


def test_what_was_begun_before_a_kill_is_finished(works: Works, package: bytes) -> None:
    """The package lies in work/ when the process dies: the next look acknowledges and makes it."""
    (works.work / f"XKP_{BATCH}_1.zip").write_bytes(package)
    works.look()
    assert _acknowledgement(works, package).accepted
    assert (works.box_out / f"XKR_{BATCH}_1.zip").exists()


def test_the_simulator_imports_nothing_of_the_city() -> None:
    for path in Path(__file__).parents[3].joinpath("src/xueka/sandbox").rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith(("import xueka", "from xueka")):
                assert line.startswith("from xueka.sandbox"), f"{path}: {line}"
