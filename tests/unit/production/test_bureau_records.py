"""The records file: what is written, and every way in which a record is refused before anything leaves."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.size import dial
from xueka.contexts.production.domain.bureau.records import (
    BatchHead,
    CardContents,
    CardFace,
    CardRecord,
    Source,
    acknowledgement_name,
    package_name,
    read_return_name,
    render_records,
    return_name,
)
from xueka.contexts.production.domain.bureau.text import escape, unescape
from xueka.kernel.errors import BadInput
from xueka.kernel.identifiers import card_number

HEAD = BatchHead(
    batch="B26-00001",
    package=1,
    kind="beijing_tong",
    contents=CardContents(chip=True, transit=Source.SENT, beijing_tong=Source.SENT),
    face=CardFace("BJT-STD", 3, "0f" * 32),
    created_at=datetime(2026, 9, 1, 2, 0, tzinfo=UTC),
)


def record(sequence: int = 1, /, **changed: Any) -> CardRecord:
    number = card_number(2026, sequence)
    return CardRecord(
        sequence=sequence,
        card_number=number,
        transit_number=f"1000{number}",
        beijing_tong_number=f"BJT{number}",
        blank_uid="",
        education_id="10000001",
        name="欧阳·阿卜杜拉",
        sex="1",
        school_code="2111000001",
        school_name="东城区示范小学",
        class_name="一年级1班",
        stage="P",
        valid_from=date(2026, 9, 1),
        valid_until=date(2032, 8, 31),
        has_photo=False,
    )._replace(**changed)


def refusal(head: BatchHead, *records: CardRecord) -> BadInput:
    with pytest.raises(BadInput) as caught:
        render_records(head, records)
    return caught.value


def found(head: BatchHead, *records: CardRecord) -> list[tuple[int, str, str]]:
    error = refusal(head, *records)
    assert error.code == "RECORDS_INVALID"
    return [(p["line"], p["column"], p["code"]) for p in error.detail["problems"]]


def test_the_file_as_the_document_shows_it() -> None:
    one, two = card_number(2026, 1), card_number(2026, 2)
    plain, rare = (
        record(1),
        record(2, name="\U0002a6a5𠮷·\ufe10|\\", has_photo=True, blank_uid="04A1B2C3D4E5F6"),
    )
    rendered = render_records(HEAD, [plain, rare])
    school = "2111000001|东城区示范小学|一年级1班|P|20260901|20320831"
    expected = [
        "H|XKREC|1.0|B26-00001|beijing_tong|2",
        f"D|1|{one}|1000{one}|BJT{one}||10000001|欧阳·阿卜杜拉|1|{school}||",
        f"D|2|{two}|1000{two}|BJT{two}|04A1B2C3D4E5F6|10000001|\U0002a6a5𠮷·\ue78d\\p\\\\|1|{school}|{two}.jpg|",
        f"T|2|1|{(int(one) + int(two)) % 10**12}",
        "",
    ]
    # U+E78D has, in Python's edition of the codec, the bytes that U+FE10 has in the edition of 2022.
    assert rendered.data == "\r\n".join(expected).encode("gb18030")
    assert rendered.photos == (f"{two}.jpg",)
    assert rendered.records == 2


def test_control_sum_wraps_around() -> None:
    many = [record(sequence) for sequence in range(1, 6)]
    assert render_records(HEAD, many).card_sum == sum(int(one.card_number) for one in many) % 10**12
    assert sum(int(one.card_number) for one in many) > 10**12


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sequence", 2),
        ("card_number", "260000000019"),
        ("card_number", "２６0000000010"),
        ("transit_number", ""),
        ("transit_number", "1000-1"),
        ("transit_number", "1" * 33),
        ("beijing_tong_number", ""),
        ("beijing_tong_number", "北京通1"),
        ("blank_uid", "04a1b2c3"),
        ("blank_uid", "04A1B2C3D4"),
        ("education_id", ""),
        ("education_id", "1|2"),
        ("name", ""),
        ("name", "长" * 51),
        ("name", " 张三"),
        ("name", "张\n三"),
        ("name", "张\x7f三"),
        ("name", "张\ue816三"),
        ("name", "张\U000f0000三"),
        ("name", "张\ud800三"),
        ("sex", "男"),
        ("school_code", "211100000"),
        ("school_name", "校" * 61),
        ("class_name", "班" * 41),
        ("stage", "小学"),
        ("valid_until", date(2026, 8, 31)),
    ],
)
def test_a_record_that_breaks_the_format_is_named(column: str, value: object) -> None:
    assert found(HEAD, record(1, **{column: value})) == [
        (3 if column == "sequence" else 2, column, f"RECORD_{column.upper()}")
    ]


def test_every_defect_of_every_record_is_named() -> None:
    assert found(HEAD, record(1, sex="3", name=""), record(2), record(3, stage="X")) == [
        (2, "sex", "RECORD_SEX"),
        (2, "name", "RECORD_NAME"),
        (4, "stage", "RECORD_STAGE"),
    ]
    twice = record(2)._replace(card_number=record(1).card_number)
    assert found(HEAD, record(1), twice) == [(3, "card_number", "RECORD_CARD_NUMBER")]


def test_an_old_private_character_names_its_standard_one() -> None:
    [problem] = refusal(HEAD, record(1, name="张\ue816")).detail["problems"]
    assert "U+20087" in problem["message"]
    assert "第 1 张卡" in problem["message"]


@pytest.mark.parametrize(
    ("contents", "changed", "columns"),
    [
        (CardContents(True, Source.BLANK, Source.NONE), {}, ["transit_number", "beijing_tong_number"]),
        (
            CardContents(False, Source.NONE, Source.NONE),
            {"transit_number": "", "beijing_tong_number": "", "blank_uid": "04A1B2C3"},
            ["blank_uid"],
        ),
        (CardContents(True, Source.SENT, Source.SENT), {"transit_number": ""}, ["transit_number"]),
    ],
)
def test_numbers_are_there_exactly_when_they_are_sent(
    contents: CardContents, changed: dict[str, str], columns: list[str]
) -> None:
    head = replace(HEAD, contents=contents)
    assert [column for _, column, _ in found(head, record(1, **changed))] == columns
    bare = {"transit_number": "", "beijing_tong_number": ""}
    assert render_records(
        replace(HEAD, contents=CardContents(False, Source.NONE, Source.NONE)), [record(1, **bare)]
    )


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"batch": "B_1"}, "batch"),
        ({"batch": "-B26"}, "batch"),
        ({"package": 0}, "package"),
        ({"kind": "卡"}, "kind"),
        ({"city": "北京"}, "city"),
        ({"remake_of": "b"}, "remake_of"),
        ({"face": CardFace("X", 0, "0f" * 32)}, "face"),
        ({"face": CardFace("X", 1, "0F" * 32)}, "face"),
        ({"contents": CardContents(True, Source.SENT, Source.BLANK)}, "contents"),
    ],
)
def test_a_head_that_breaks_the_format_is_refused(changed: dict[str, Any], name: str) -> None:
    error = refusal(replace(HEAD, **changed), record())
    assert error.code == "BATCH_HEAD"
    assert list(error.found) == [name]  # type: ignore[call-overload]


def test_an_empty_batch_is_refused() -> None:
    assert refusal(HEAD).code == "BATCH_SIZE"


@settings(max_examples=dial(300, 10_000), deadline=None)
@given(st.text())
def test_escaping_is_undone_and_leaves_no_separator(text: str) -> None:
    assert "|" not in escape(text)
    assert unescape(escape(text)) == text


@pytest.mark.parametrize("text", ["\\", "\\n", "a\\", "\\\\\\"])
def test_a_stray_backslash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\\"):
        unescape(text)


def test_file_names() -> None:
    assert package_name("B26-00001", 2) == "XKP_B26-00001_2.zip"
    assert acknowledgement_name("B26-00001", 2) == "XKA_B26-00001_2.json"
    assert read_return_name(return_name("B26-00001", 12)) == ("B26-00001", 12)
    for wrong in (
        "XKR_B26-00001_0.zip",
        "XKR_B26-00001_1.zip.part",
        "XKR_B26_00001_1.zip",
        "XKP_B26-00001_1.zip",
    ):
        assert read_return_name(wrong) is None
