"""The document and the program name the same codes, fields and characters."""

import re
from datetime import date
from pathlib import Path

from xueka.contexts.production.adapters import bureau_package, foreign_zip
from xueka.contexts.production.domain.bureau import gb18030, line, reconcile, records, returns
from xueka.contexts.production.domain.bureau.acknowledgement import REFUSAL_CODES
from xueka.contexts.production.domain.bureau.line import ExpectedCard, ReturnRecord, judge
from xueka.kernel.check_digits import mod_11_10

DOCUMENT = (Path(__file__).parents[3] / "docs/interfaces/card-bureau.md").read_text("utf-8")
SECTIONS = re.split(r"^## (?=\d+\. )", DOCUMENT, flags=re.MULTILINE)[1:]
SENT = records.CardContents(True, records.Source.SENT, records.Source.SENT)


def section(number: int) -> str:
    return next(text for text in SECTIONS if text.startswith(f"{number}. "))


def sources(*modules: object) -> str:
    return "".join(Path(str(module.__file__)).read_text("utf-8") for module in modules)  # type: ignore[attr-defined]


def test_refusal_codes_of_whole_files() -> None:
    used = set(re.findall(r'"(RETURN_[A-Z]+)"', sources(returns, bureau_package, foreign_zip)))
    assert used == set(re.findall(r"`(RETURN_[A-Z]+)`", section(11)))


def test_reasons_of_lines() -> None:
    used = set(re.findall(r'"(LINE_[A-Z_]+)"', sources(line, reconcile)))
    assert used == set(re.findall(r"`(LINE_[A-Z_]+)`", section(11)))


def test_codes_of_acknowledgements() -> None:
    assert set(REFUSAL_CODES) == set(re.findall(r"^\| `([A-Z_]+)` \|", section(7), re.MULTILINE))


def test_result_codes() -> None:
    table = re.findall(r"^\| `(\d\d)` \| .*?([\u4e00-\u9fff]+) \|$", section(10), re.MULTILINE)
    assert dict(table) == returns.RESULTS


def test_exchanged_characters() -> None:
    triples = re.findall(r"`([0-9A-F]{4})` \| U\+([0-9A-F]{4}) \| U\+([0-9A-F]{4})", section(12))
    assert len(triples) == 19
    for code, standard, private in triples:
        assert gb18030.decode(bytes.fromhex(code)) == chr(int(standard, 16))
        assert bytes.fromhex(code).decode("gb18030") == chr(int(private, 16))


def test_retired_characters() -> None:
    pairs = re.findall(r"U\+(E8[0-9A-F]{2}) → U\+([0-9A-F]{5})", section(12))
    assert len(pairs) == 6
    for private, standard in pairs:
        assert gb18030.STANDARD_FOR[chr(int(private, 16))] == chr(int(standard, 16))


def test_example_of_a_record() -> None:
    [example] = re.findall(r"Example: `(D\|.*)`", section(5))
    record = records.CardRecord(
        1,
        "260000000010",
        "1000750012345671",
        "BJT00000000001",
        "",
        "10000001",
        "欧阳·阿卜杜拉",
        "1",
        "2111000001",
        "东城区示范小学",
        "一年级1班",
        "P",
        date(2026, 9, 1),
        date(2032, 8, 31),
        False,
    )
    head = records.BatchHead(
        "B26-0001",
        1,
        "BJT",
        SENT,
        records.CardFace("BJT-STD", 3, "0f" * 32),
        created_at=None,  # type: ignore[arg-type]
    )
    assert example in records.render_records(head, [record]).data.decode("gb18030").split("\r\n")
    assert len(example.split("|")) == 17


def test_example_of_a_return() -> None:
    [example] = re.findall(r"Example: `(D\|.*)`", section(10))
    sent = ExpectedCard(1, "1000750012345671", "BJT00000000001", "")
    assert isinstance(judge(SENT, 2, example.split("|"), sent), ReturnRecord)


def test_check_digit_examples() -> None:
    for digits, check in re.findall(r"`(\d{4,11})` → `(\d)`", section(5)):
        assert mod_11_10(digits) == check
