"""Files as they come: encodings, quoting, workbooks, and everything that is not a roster at all."""

import io
import os
import struct
import zipfile
import zlib
from datetime import date, datetime, time

import pytest
import xlsxwriter

from tests.support.rosters import HEADER, csv_text, roster_rows, school_rows
from xueka.contexts.registry.domain.columns import Column, Layout, match
from xueka.contexts.registry.domain.roster import COLUMNS
from xueka.contexts.registry.tables import csv_file, source, xlsx_file, xlsx_reader
from xueka.contexts.registry.tables.opening import open_table
from xueka.contexts.registry.tables.source import Table, Undecodable
from xueka.kernel.errors import BadInput

ROWS = list(roster_rows(school_rows()[:1], 3))
TEXT = csv_text(ROWS)


def lines(content: bytes) -> list[list[str]]:
    return cells_of(open_table(COLUMNS, content))


def cells_of(table: Table) -> list[list[str]]:
    return [list(line) for chunk in table.chunks() for line in chunk.lines()]


def refusal(content: bytes) -> BadInput:
    with pytest.raises(BadInput) as caught:
        lines(content)
    error = caught.value
    assert error.message
    assert error.action or error.expected
    return error


def workbook(*sheets: list[list[object]], hidden: int = 0) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"default_date_format": "yyyy-mm-dd"}) as book:
        book.set_properties({"created": datetime(2026, 9, 1)})  # the same bytes every time
        for rows in sheets:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                for place, value in enumerate(row):
                    sheet.write(number, place, value)
        for _ in range(hidden):
            sheet = book.add_worksheet()
            sheet.write(0, 0, "x")
            sheet.hide()
    return target.getvalue()


# --- CSV ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_are_detected(encoding: str, newline: str) -> None:
    rows = [[*row[:5], "彭𠮷㛃𬱖", *row[6:]] for row in ROWS]
    assert lines(csv_text(rows).replace("\r\n", newline).encode(encoding)) == rows


def test_an_ascii_beginning_does_not_decide_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "_PROBE", len(csv_text([]).encode("gb18030")) - 1)
    assert lines(TEXT.encode("gb18030")) == ROWS


def test_quotes_commas_and_line_breaks_inside_a_cell() -> None:
    rows = [[*ROWS[0][:15], '甲"乙",\r\n丙'], ROWS[1]]
    assert lines(csv_text(rows).encode()) == rows


def test_a_stray_quote_inside_an_unquoted_cell_is_a_character() -> None:
    text = TEXT.replace("北京市", '北"京市', 1)
    assert lines(text.encode())[0][15].startswith('北"京市')


def test_chunks_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", 64)
    monkeypatch.setattr(source, "CHUNK_LINES", 2)
    table = open_table(COLUMNS, TEXT.encode())
    assert len(list(table.chunks())) == 3
    assert cells_of(table) == cells_of(table) == ROWS
    assert cells_of(open_table(COLUMNS, csv_text(ROWS).replace("小学", '"小学"').encode())) == ROWS


def test_a_last_line_without_an_end_counts() -> None:
    assert lines(TEXT.rstrip("\r\n").encode()) == ROWS


def test_text_that_breaks_off_names_the_line() -> None:
    broken = TEXT.encode("gb18030") + b"\x81\x20\r\n"
    padded = TEXT.encode("gb18030") * 400 + broken  # beyond what the opening looks at
    with pytest.raises(Undecodable) as caught:
        lines(padded)
    assert caught.value.line == 400 * 4 + 3
    quoted = padded.replace(b"\xb1\xb1\xbe\xa9\xca\xd0", b'"\xb1\xb1\xbe\xa9\xca\xd0"', 1)
    assert refusal(quoted).code == "CSV_QUOTES"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "FILE_EMPTY"),
        (b"\r\n \r\n", "FILE_EMPTY"),
        (b"\xef\xbb\xbf", "FILE_EMPTY"),
        (TEXT.encode("utf-16"), "ENCODING_UTF16"),
        (b"\x00" * 5000, "FILE_TYPE"),
        (b"\xff\xfa\xfb" * 100, "ENCODING_UNKNOWN"),
        (b"a" * 5_000_000, "FILE_TYPE"),
        (b"%PDF-1.7 ...", "FILE_TYPE"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "FILE_TYPE"),
        (b"\x1f\x8b\x08", "FILE_TYPE"),
        (b"\x89PNG\r\n", "FILE_TYPE"),
        (TEXT.replace(",", "\t").encode(), "CSV_DELIMITER"),
        (TEXT.replace(",", ";").encode(), "CSV_DELIMITER"),
        (f"2026 年学生名册\r\n\r\n{TEXT}".encode(), "HEADER_NOT_FIRST"),
        ('学校标识码,"姓名\r\n'.encode() * 3, "CSV_QUOTES"),
        ((TEXT + '"开了头没有结尾').encode(), "CSV_QUOTES"),
        ((TEXT + '"甲"乙,丙\r\n').encode(), "CSV_QUOTES"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_refused(content: bytes, code: str) -> None:
    assert refusal(content).code == code


def test_the_refusal_says_where_the_header_is() -> None:
    assert refusal(f"2026 年学生名册\r\n\r\n{TEXT}".encode()).where == "第 3 行"


def test_two_hundred_megabytes_of_garbage_are_refused_by_their_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Huge(bytes):
        """Only the beginning may be read."""

        def __len__(self) -> int:
            return 200 * 1024**2

        def __getitem__(self, part):
            assert part.stop <= 1024**2
            return super().__getitem__(part)

    for beginning, code in [(os.urandom(70_000), None), (b"hello, world\n" * 6000, "COLUMNS_MISSING")]:
        error = refusal(Huge(beginning))
        assert code is None or error.code == code
    monkeypatch.setattr(csv_file, "MAX_BYTES", 100)
    assert refusal(TEXT.encode()).code == "FILE_TOO_LARGE"


# --- the header ---


def test_missing_columns_are_named_with_their_look_alikes() -> None:
    header = ["教育号" if name == "教育ID" else name for name in HEADER if name != "证件号码"] + ["证件编号"]
    with pytest.raises(BadInput) as caught:
        match(COLUMNS, header)
    error = caught.value
    assert error.code == "COLUMNS_MISSING"
    assert error.detail == {
        "missing": ["证件号码", "教育ID"],
        "similar": {"证件号码": "证件编号", "教育ID": "教育号"},
    }
    assert "证件编号" in error.message


def test_a_heading_that_shares_one_character_is_no_look_alike() -> None:
    with pytest.raises(BadInput) as caught:
        match([Column("district", "区名称")], ["姓名"])
    assert caught.value.detail["similar"] == {}


def test_a_file_without_a_header_does_not_leak_its_first_row() -> None:
    error = refusal(csv_text(ROWS[1:], ROWS[0]).encode())
    assert error.code == "COLUMNS_MISSING"
    assert ROWS[0][9] not in str(error.as_dict())
    assert ROWS[0][14] not in str(error.as_dict())


def test_headings_are_read_as_people_type_them() -> None:
    typed = [f" {name} " if name != "教育ID" else "教育ＩＤ" for name in HEADER]
    typed[0] = "学校（机构）标识码"
    layout = match(COLUMNS, [*typed, "", "备注"])
    assert layout == Layout(
        {column.key: place for place, column in enumerate(COLUMNS)},
        layout.labels,
        18,
        ("备注",),
    )
    assert layout.labels["school_code"] == "学校(机构)标识码"


def test_a_column_twice_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        match(COLUMNS, [*HEADER, "身份证号"])
    assert caught.value.code == "COLUMN_TWICE"
    assert caught.value.where == "第 1 行，第 10 列和第 17 列"


def test_the_name_of_the_school_may_be_left_out() -> None:
    assert "school_name" not in match(COLUMNS, [name for name in HEADER if name != "学校名称"]).positions


# --- XLSX ---


def test_a_workbook_of_texts() -> None:
    assert lines(workbook([list(HEADER), *ROWS])) == ROWS


def test_typed_cells_become_what_a_person_sees() -> None:
    row: list[object] = list(ROWS[0])
    row[0], row[3] = 2111800001, 1
    row[7] = date(2008, 9, 1)
    row[9] = 110101200809010013
    row[11] = 10000000
    row[13], row[14], row[15] = True, 15570402947.0, 2.5
    read = lines(workbook([list(HEADER), row]))[0]
    assert (read[0], read[3], read[7], read[11]) == ("2111800001", "1", "2008-09-01", "10000000")
    assert read[9] == "1.10101200809010E+17"
    assert read[13:] == ["TRUE", "15570402947", "2.5"]
    assert xlsx_reader.as_text(datetime(2008, 9, 1, 12, 30)) == "2008-09-01 12:30:00"
    assert xlsx_reader.as_text(time(1, 2)) == "01:02:00"


def test_lines_keep_their_numbers_where_rows_are_empty() -> None:
    read = lines(workbook([list(HEADER), [], ROWS[0]]))
    assert read[1] == ROWS[0]
    assert refusal(workbook([[], list(HEADER), ROWS[0]])).code == "HEADER_NOT_FIRST"
    assert refusal(workbook([])).code == "FILE_EMPTY"


def test_further_sheets_are_named_unless_hidden_or_empty() -> None:
    table = open_table(COLUMNS, workbook([list(HEADER), *ROWS], [["二班"]], [], hidden=1))
    assert table.ignored_sheets == ("Sheet2",)


def archive(parts: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return target.getvalue()


def parts_of(book: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(book)) as file:
        return {part.filename: file.read(part) for part in file.infolist()}


BOOK = workbook([list(HEADER), *ROWS])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 and no more", "XLSX_UNREADABLE"),
        (BOOK[: len(BOOK) // 2], "XLSX_UNREADABLE"),
        (archive({"a.txt": b"x"}), "XLSX_UNREADABLE"),
        (archive({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "XLSX_UNREADABLE"),
        (archive(parts_of(BOOK), zipfile.ZIP_BZIP2), "XLSX_UNREADABLE"),
        (archive({**parts_of(BOOK), **{f"x{n}": b"" for n in range(1001)}}), "XLSX_TOO_LARGE"),
    ],
    ids=["no archive", "cut in half", "no workbook", "empty parts", "bzip2", "many parts"],
)
def test_workbooks_refused(content: bytes, code: str) -> None:
    assert refusal(content).code == code


def test_a_bomb_is_refused_whatever_it_says_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MAX_INFLATED", 3 * 1024**2)
    bomb = archive({**parts_of(BOOK), "xl/media/x.bin": bytes(4 * 1024**2)})
    assert refusal(bomb).code == "XLSX_TOO_LARGE"
    true_size = struct.pack("<I", 4 * 1024**2)
    assert bomb.count(true_size) == 2
    assert refusal(bomb.replace(true_size, struct.pack("<I", 10))).code == "XLSX_TOO_LARGE"
    assert lines(BOOK) == ROWS


@pytest.mark.parametrize(
    "far",
    ['r="XFD2"', 'r="BM2"', 'r="CA2"', "r='A300001'", 'r="B4294967295"', 'r="xfd9"', 'r = "A999999"'],
)
def test_a_cell_far_out_is_refused_before_it_is_laid_out(far: str) -> None:
    parts = parts_of(BOOK)
    sheet = parts["xl/worksheets/sheet1.xml"]
    cell = f'<c {far} t="inlineStr"><is><t>x</t></is></c></row>'.encode()
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</row>", cell, 1)
    assert refusal(archive(parts)).code == "XLSX_TOO_LARGE"
    empty = f"<c {far} s='1'/></row>".encode()
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</row>", empty, 1)
    assert xlsx_file.check_archive(archive(parts)) is None


def test_a_sheet_at_the_limits_is_not_refused() -> None:
    parts = parts_of(BOOK)
    sheet = parts["xl/worksheets/sheet1.xml"]
    last = b'<row r="300000"><c r="BL300000" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", last)
    assert xlsx_file.check_archive(archive(parts)) is None


def test_a_reference_across_two_pieces_is_still_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "_PIECE", 16)
    parts = parts_of(BOOK)
    cell = b'<c r="XFD2" t="inlineStr"><is><t>x</t></is></c></row>'
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(b"</row>", cell, 1)
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        with pytest.raises(BadInput):
            xlsx_file.check_archive(archive(parts, compression))


def test_a_damaged_byte_anywhere_is_read_or_refused() -> None:
    small = workbook([["a"]])
    for place in range(0, len(small), 173):
        damaged = bytearray(small)
        damaged[place] ^= (0x55, 0xFF, 0x01)[place % 3]
        error = refusal(bytes(damaged))
        assert error.code in {
            "XLSX_UNREADABLE",
            "XLSX_TOO_LARGE",
            "COLUMNS_MISSING",
            "FILE_EMPTY",
            "FILE_TYPE",
            "ENCODING_UNKNOWN",
        }


@pytest.mark.parametrize(
    ("part", "said", "lied"),
    [
        ("xl/sharedStrings.xml", b'uniqueCount="', b'uniqueCount="999999999'),
        ("xl/sharedStrings.xml", b"<si>", b"<si></"),
    ],
)
def test_a_lie_that_ends_the_reader_ends_nobody_else(part: str, said: bytes, lied: bytes) -> None:
    parts = parts_of(BOOK)
    assert said in parts[part]
    parts[part] = parts[part].replace(said, lied, 1)
    assert refusal(archive(parts)).code == "XLSX_UNREADABLE"


def test_deflate_is_checked_to_its_end() -> None:
    parts = parts_of(BOOK)
    raw = zlib.compress(parts["xl/workbook.xml"])[2:-4]
    place = BOOK.find(raw[:20])
    assert place > 0
    assert refusal(BOOK[:place] + b"\xff" * 12 + BOOK[place + 12 :]).code == "XLSX_UNREADABLE"
