"""Data maps of partners' applications: judged with the profile, and what they say of scripts and cards."""

from collections.abc import Callable

import pytest

from tests.support.commands import Run, xueka
from tests.unit.personalization.conftest import FIRST, PROFILES, in_force
from tests.unit.personalization.test_profiles import swap
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.domain import encoding
from xueka.contexts.personalization.domain.data_maps import MapFile

__all__ = ["xueka"]
FILE = PROFILES / "bjt_student-1.2.toml"
TEXT = FILE.read_text("utf-8")
#: A transit company's 0015: issuer, type, version, serial, from, until, its own.
INFO = "1000100000000000" + "01" + "02" + "00001000990000000001" + "20260901" + "20380831" + "0000"
TRANSIT = "application[transit].map"
SCRIPT = """
script = "transit_2026"
version = "2026.1"
title = "公交应用初始化"
application = "transit"
stage = "personalise"
kinds = ["bjt_student"]
starts_on = "2026-09-01"
source = "市政交通一卡通公司"
"""


def maps(code: str) -> dict[str, MapFile]:
    [place] = [each for each in personalization.parse(TEXT).applications if each.code == code]
    return {each.id: each for each in place.maps}


def test_the_product_s_maps_of_citizen_and_transit_application() -> None:
    """Names, offsets and lengths; those of 0015 and 0016 are the card manual's."""
    transit = maps("transit")
    assert {file.id: (file.size, file.records) for file in transit.values()} == {
        "0015": (30, 0), "0016": (39, 0), "0018": (23, 10),
    }  # fmt: skip
    for file in (transit["0015"], transit["0018"]):
        assert sum(each.length for each in file.fields) == file.size
    assert [(each.at, each.length) for each in transit["0015"].fields] == [
        (0, 8), (8, 1), (9, 1), (10, 10), (20, 4), (24, 4), (28, 2),
    ]  # fmt: skip
    ours = {each.source for file in maps("citizen").values() for each in file.fields}
    assert {"beijing_tong_number", "holder_name", "valid_until"} <= ours
    assert all(file.basis for file in (*transit.values(), *maps("citizen").values()))
    for newer, older in (("1.2", "1.1"), ("2.2", "2.1")):
        now, before = (
            personalization.parse((PROFILES / f"bjt_student-{each}.toml").read_text("utf-8"))
            for each in (newer, older)
        )
        changed = [change.where for change in personalization.difference(before, now)]
        assert changed
        assert all("数据图" in where for where in changed)


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        (swap("at = 28\n", "at = 27\n"), "PROFILE_OVERLAP", f"{TRANSIT}[0015].field[发卡方自定].at"),
        (swap("size = 23\n", "size = 22\n"), "PROFILE_SPACE", f"{TRANSIT}[0018].field[交易时间]"),
        (swap("records = 10", "records = 255"), "PROFILE_SPACE", TRANSIT),
        (swap("records = 10\n", ""), "PROFILE_VALUE", f"{TRANSIT}[0018].records"),
        (swap('source = "transit_number"', 'source = "photo"'), "PROFILE_VALUE", f"{TRANSIT}[0015]"),
        (swap('id = "0018"', 'id = "0016"'), "PROFILE_DUPLICATE", TRANSIT),
        (swap('basis = "PBOC 电子钱包明细，待一卡通公司确认"\n', ""), "PROFILE_MISSING",
         f"{TRANSIT}[0018].basis"),
        (swap("[[application.file]]\nid = \"0016\"", "[[application.map]]\nid = \"0016\""),
         "PROFILE_UNKNOWN", "application[education].map[0016]"),
    ],
)  # fmt: skip
def test_a_map_is_judged_like_the_rest(change: Callable[[str], str], code: str, where: str) -> None:
    with pytest.raises(personalization.ProfileRejected) as refused:
        personalization.parse(change(TEXT))
    found = [(each.code, each.column) for each in refused.value.problems]
    assert any(c == code and w.startswith(where) for c, w in found), found


def test_a_map_belongs_to_a_shell() -> None:
    stray = '\n[[application.map]]\nid = "0017"\ntitle = "多余"\nsize = 4\nbasis = "无"\n'
    wrong = TEXT.replace("# Who holds it.", f"{stray}\n# Who holds it.", 1)
    with pytest.raises(personalization.ProfileRejected) as refused:
        personalization.parse(wrong)
    assert [each.code for each in refused.value.problems] == ["PROFILE_MAP"]


def test_a_file_is_read_by_its_map() -> None:
    file = maps("transit")["0015"]
    assert personalization.decode(file.fields, bytes.fromhex(INFO)) == [
        ("发卡方标识", "1000100000000000"), ("应用类型", "01"), ("应用版本", "02"),
        ("应用序列号", "00001000990000000001"), ("启用日期", "2026-09-01"), ("有效期至", "2038-08-31"),
        ("发卡方自定", "0000"),
    ]  # fmt: skip
    assert personalization.decode(file.fields, bytes.fromhex(INFO)[:10])[-1] == ("应用版本", "02")
    [*_, name] = personalization.decode(maps("citizen")["0016"].fields, bytes(2) + b"\xff" * 20)
    assert name == ("姓名", "ff" * 20)  # what is no text is shown as it is


def test_what_we_write_is_read_back_by_the_same_profile() -> None:
    for file in personalization.parse(TEXT).main.files:
        told = dict(personalization.decode(file.fields, encoding.content(file, personalization.SAMPLE)))
        if file.id == "0016":
            assert (told["姓名"], told["教育ID"]) == ("王小明", "12345678")
        else:
            assert (told["启用日期"], told["应用序列号"]) == ("2026-09-01", "00000000260000000012")


def test_a_script_is_told_in_words(db: None) -> None:
    commands = {
        "00a4040008a000000632010105": ("选择目录或文件", ""),
        "80e0001507281ef0f0ffff00": ("建目录或文件", ""),
        f"00d695001e{INFO}": ("写公共应用信息第 0 字节起 30 字节：发卡方标识、应用类型", ""),
        "00d6951408" + "20260901" * 2: ("写公共应用信息第 20 字节起 8 字节：启用日期、有效期至", ""),
        "04d6951c06000011223344": ("写公共应用信息第 28 字节起 2 字节：发卡方自定", ""),
        "00d6951c04" + "00" * 4: (
            "写公共应用信息第 28 字节起 4 字节",
            "到第 32 字节，超出数据图的 30 字节。",
        ),
        "00e200c017" + "00" * 23: ("写交易明细第 0 字节起 23 字节：交易序号", ""),
        "00d6970001" + "00": ("写文件", "数据图里没有这个文件。"),
        "84d401391c" + "00" * 28: ("写密钥", ""),
    }
    text = SCRIPT + "".join(f'[[command]]\napdu = "{apdu}"\n' for apdu in commands)
    found = personalization.load_script(FIRST, text.encode())
    assert personalization.maps_for(found) == ()  # no profile in force: nothing is known
    in_force(FILE.name)
    told = personalization.explain(
        [each.apdu for each in personalization.parse_script(text).commands], personalization.maps_for(found)
    )
    for said, (start, doubt) in zip(told, commands.values(), strict=True):
        assert (said.text[: len(start)], said.doubt) == (start, doubt)


def test_the_calculator_reads_a_file(xueka: Run) -> None:
    words = ("lab", "read", "--profile", str(FILE), "--data", INFO)
    code, answer = xueka(*words, "--application", "transit", "--file", "0015")
    assert (code, answer["应用序列号"], answer["有效期至"]) == (0, "00001000990000000001", "2038-08-31")
    for place, file, expected in (("transit", "0099", "0015"), ("nowhere", "0015", "transit")):
        code, answer = xueka(*words, "--application", place, "--file", file)
        assert (code, answer["error"]["code"]) == (2, "LAB_FILE")
        assert expected in answer["error"]["expected"]
