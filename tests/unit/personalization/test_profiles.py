"""Profiles: what a file must hold, what is wrong with it and where; differences; the way into force."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.personalization.conftest import DISTRICT, FIRST, PROFILES, SECOND, in_force
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.domain import encoding
from xueka.contexts.personalization.domain.profiles import Field
from xueka.contexts.personalization.models import CardProfile
from xueka.kernel.errors import BadInput, Forbidden, Refused

TEXT = (PROFILES / "bjt_student-1.0.toml").read_text("utf-8")
SM4 = (PROFILES / "bjt_student-2.0.toml").read_text("utf-8")


def swap(before: str, after: str, *, count: int = 1) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert before in text
        return text.replace(before, after, count)

    return change


BLANK = 'initial = "transport.issue"\n'
#: Written as @ below.
MAIN = "application[education]"
#: What is wrong → (code, where it is said to be, what the message says).
DEFECTS = {
    "no TOML": (swap('title = "北京通学生卡"', "title = 北"), "PROFILE_UNREADABLE", "第 7 行", "TOML"),
    "no version": (swap('version = "1.0"\n', ""), "PROFILE_MISSING", "version", "缺少"),
    "version": (swap('version = "1.0"', 'version = "v1"'), "PROFILE_VALUE", "version", "“v1”，应为两段数字"),
    "misspelt": (swap("create =", "creates ="), "PROFILE_UNKNOWN", "@.creates", "没有这一项"),
    "type": (swap("size = 30", 'size = "30"'), "PROFILE_VALUE", "@.file[0015].size", "应为整数"),
    "algorithm": (swap('algorithm = "3des"', 'algorithm = "sm1"'), "PROFILE_VALUE", "algorithm", "3des、sm4"),
    "no space on the card": (
        swap("space = 8192", "space = 4096"), "PROFILE_SPACE", "space", "卡片空间 4096 字节"),
    "no space in the application": (
        swap("space = 2304", "space = 300"), "PROFILE_SPACE", "@.space", "放不下"),
    "no space for the keys": (
        swap("key_space = 256", "key_space = 64"), "PROFILE_SPACE", "@.key_space", "4 把密钥需 96"),
    "unknown key": (
        swap('write = "key:external"', 'write = "key:issuer"'), "PROFILE_KEY_UNKNOWN",
        "@.file[0015].write", "“issuer”不存在；有：control、external、internal、maintain"),
    "key that cannot authenticate": (
        swap('write = "key:external"', 'write = "key:maintain"'), "PROFILE_KEY_TYPE",
        "@.file[0015].write", "应用维护密钥，不能作访问条件"),
    "no control key": (
        swap('name = "control"\ntype = "control"\nid = 0\nlabel = "education.adf',
             'name = "issuer"\ntype = "control"\nid = 0\nlabel = "education.adf'),
        "PROFILE_CONTROL", "@.key", "control"),
    "factor": (
        swap('label = "education.adf.maintain"\nfactor = "chip_uid"',
             'label = "education.adf.maintain"\nfactor = "card_number"'),
        "PROFILE_FACTOR", "@.key[maintain].factor", "还没有学生卡号"),
    "nothing on the blank": (
        swap(f'written = "personalise"\n{BLANK}state = 1\n', 'written = "personalise"\nstate = 1\n'),
        "PROFILE_MISSING", "@.key[external].initial", "空白卡上"),
    "proof": (swap('proof = "internal"', 'proof = "external"'), "PROFILE_PROOF", "@.proof", "内部认证"),
    "overlap": (
        swap("at = 20\n", "at = 19\n"), "PROFILE_OVERLAP", "@.file[0015].field[启用日期].at", "应不小于 20"),
    "beyond the file": (
        swap("length = 16", "length = 20"), "PROFILE_SPACE", "@.file[0016].field[教育ID].length",
        "超出文件的 39 字节"),
    "photo": (
        swap('source = "education_id"', 'source = "photo"'), "PROFILE_NOT_ALLOWED",
        "@.file[0016].field[教育ID].source", "照片默认不上芯片"),
    "constant": (
        swap('value = "01"', 'value = "0102"'), "PROFILE_VALUE",
        "@.file[0015].field[应用类型].value", "恰为 1 字节"),
    "date": (
        swap('encoding = "date"', 'encoding = "bcd"'), "PROFILE_VALUE",
        "@.file[0015].field[启用日期].encoding", "date"),
    "shell with a key": (
        swap("shell = true\n", "shell = true\nproof = \"internal\"\n"), "PROFILE_SHELL",
        "application[citizen]", "脚本"),
    "two of ours": (
        swap("shell = true\n", ""), "PROFILE_MISSING", "application[citizen].key", "缺少"),
    "twice": (swap('id = "df02"', 'id = "df03"'), "PROFILE_DUPLICATE", "application", "“df03”"),
    "no short id": (
        swap('id = "0016"', 'id = "001f"'), "PROFILE_VALUE", "@.file[001f].id", "0001 至 001e"),
    "state": (swap("state = 1\n", ""), "PROFILE_VALUE", "@.key[external].state", "安全状态"),
    "hidden file": (
        swap('read = "free"', 'read = "key:external"'), "PROFILE_VALUE",
        "@.file[0015].verify", "不能读回核对"),
}  # fmt: skip


def test_what_comes_with_the_product_is_right() -> None:
    for file in sorted(Path(PROFILES).glob("*.toml")):
        profile = personalization.parse(file.read_text("utf-8"))
        plan = personalization.compile_plan(profile, ["personalise"], personalization.SAMPLE)
        assert plan.round_trips == 6
        plan = personalization.compile_plan(profile, ["initialise"], personalization.SAMPLE)
        assert plan.round_trips == (12 if "campus" in {each.code for each in profile.applications} else 11)


@pytest.mark.parametrize("name", DEFECTS)
def test_every_defect_is_named_with_its_place(name: str) -> None:
    change, code, where, said = DEFECTS[name]
    with pytest.raises(personalization.ProfileRejected) as refused:
        personalization.parse(change(TEXT))
    found = [(each.code, each.column, each.message) for each in refused.value.problems]
    assert any(c == code and w.startswith(where.replace("@", MAIN)) and said in m for c, w, m in found), found


def test_several_defects_are_named_together() -> None:
    wrong = TEXT.replace('family = "fmcos"', 'family = "java"').replace("size = 39", "size = 0")
    with pytest.raises(personalization.ProfileRejected) as refused:
        personalization.parse(wrong)
    assert {each.column for each in refused.value.problems} == {
        "family",
        f"{MAIN}.file[0016].size",
    }
    assert "另有 1 处" in refused.value.message


def test_the_difference_in_words() -> None:
    before = personalization.parse(TEXT)
    after = personalization.parse(
        TEXT.replace("size = 39", "size = 60").replace(
            'label = "education.adf.external"', 'label = "education.x"'
        )
    )
    changes = {
        change.where: (change.before, change.after) for change in personalization.difference(before, after)
    }
    assert set(changes) == {"教育应用 / 文件 0016", "教育应用 / 密钥 external"}
    assert "39 字节" in changes["教育应用 / 文件 0016"][0] and "60 字节" in changes["教育应用 / 文件 0016"][1]
    assert personalization.difference(before, before) == []
    assert len(personalization.difference(None, after)) == len(personalization.lines(after))


def test_no_identity_document_can_be_a_source() -> None:
    with pytest.raises(personalization.ProfileRejected):
        personalization.parse(TEXT.replace('source = "education_id"', 'source = "id_number"'))


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        (Field("n", 0, 4, "card_number", "bcd"), {"card_number": "1234567"}, "01234567"),
        (Field("n", 0, 6, "education_id", "ascii"), {"education_id": "1234"}, "313233340000"),
        (Field("n", 0, 5, "holder_name", "gb18030"), {"holder_name": "王小明"}, "cdf5d0a100"),
        (Field("n", 0, 6, "holder_name", "gb18030"), {"holder_name": "𠮷"}, "9534b2350000"),
        (Field("n", 0, 4, "valid_until", "date"), {"valid_until": "2038-08-31"}, "20380831"),
        (Field("n", 0, 8, "chip_uid", "hex"), {"chip_uid": "04A1B2C3"}, "0000000004a1b2c3"),
    ],
)
def test_encodings(field: Field, values: dict[str, str], expected: str) -> None:
    assert encoding.encode(field, values).hex() == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field("卡号", 0, 2, "card_number", "bcd"), "12345"),
        (Field("卡号", 0, 2, "card_number", "bcd"), ""),
        (Field("编号", 0, 2, "education_id", "ascii"), "12345"),
        (Field("编号", 0, 9, "education_id", "ascii"), "学"),
        (Field("姓名", 0, 9, "holder_name", "gb18030"), ""),
        (Field("日期", 0, 4, "valid_from", "date"), "2026-13-01"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_value_not_told(field: Field, value: str) -> None:
    with pytest.raises(Refused) as refused:
        encoding.encode(field, {field.source: value})
    assert refused.value.code == "CARD_FIELD" and field.name in refused.value.message
    assert value not in str(refused.value.as_dict()) or not value


def test_factors_are_the_last_sixteen_digits() -> None:
    assert encoding.factor("card_number", {"card_number": "260000000012"}).hex() == "0000260000000012"
    assert (
        encoding.factor("transit_number", {"transit_number": "1234567890123456789"}).hex()
        == "4567890123456789"
    )
    assert encoding.factor("chip_uid", {"chip_uid": "04A1B2C3D4E5F6"}).hex() == "0004a1b2c3d4e5f6"
    with pytest.raises(Refused, match="没有一卡通号"):
        encoding.factor("transit_number", {"transit_number": ""})


# --- into force ---


def test_two_people_and_one_version_in_force(db: None) -> None:
    first = in_force("bjt_student-1.0.toml")
    second = personalization.load_profile(FIRST, SM4.encode())
    with pytest.raises(Refused):
        personalization.put_in_force(FIRST, personalization.PROFILES, second.pk)
    personalization.submit(FIRST, personalization.PROFILES, second.pk)
    with pytest.raises(Refused) as same:
        personalization.approve(FIRST, personalization.PROFILES, second.pk)
    assert same.value.code == "SAME_PERSON"
    personalization.send_back(SECOND, personalization.PROFILES, second.pk, "先不换")
    personalization.submit(FIRST, personalization.PROFILES, second.pk)
    personalization.approve(SECOND, personalization.PROFILES, second.pk)
    personalization.put_in_force(SECOND, personalization.PROFILES, second.pk)
    states = dict(CardProfile.objects.values_list("version", "state"))
    assert states == {first.version: "retired", "2.0": "in_force"}


def test_a_version_is_never_loaded_twice_with_other_contents(db: None) -> None:
    made = personalization.load_profile(FIRST, TEXT.encode())
    assert personalization.load_profile(FIRST, TEXT.encode()).pk == made.pk
    with pytest.raises(Refused) as refused:
        personalization.load_profile(FIRST, (TEXT + "\n# 改\n").encode())
    assert refused.value.code == "PROFILE_VERSION_KNOWN"


def test_two_profiles_for_one_kind_are_refused(db: None) -> None:
    in_force("bjt_student-1.0.toml")
    other = personalization.load_profile(FIRST, TEXT.replace('profile = "bjt', 'profile = "other').encode())
    personalization.submit(FIRST, personalization.PROFILES, other.pk)
    personalization.approve(SECOND, personalization.PROFILES, other.pk)
    with pytest.raises(Refused) as refused:
        personalization.put_in_force(FIRST, personalization.PROFILES, other.pk)
    assert refused.value.code == "PROFILE_KIND_TAKEN"


def test_who_may_not_and_what_is_no_text(db: None) -> None:
    with pytest.raises(Forbidden):
        personalization.load_profile(DISTRICT, TEXT.encode())
    with pytest.raises(BadInput) as encoded:
        personalization.load_profile(FIRST, b"\xff\xfe")
    assert encoded.value.code == "PROFILE_ENCODING"
    with pytest.raises(BadInput) as large:
        personalization.load_profile(FIRST, b"#" * 300_000)
    assert large.value.code == "PROFILE_TOO_LARGE"


def test_what_comes_with_the_product_is_loaded_as_drafts_once(db: None) -> None:
    assert personalization.sync_profiles(FIRST) == 6
    assert personalization.sync_profiles(FIRST) == 0
    assert set(CardProfile.objects.values_list("state", flat=True)) == {"draft"}
    assert personalization.put_demo_profiles_in_force() == 1
    assert personalization.put_demo_profiles_in_force() == 0
    states = dict(CardProfile.objects.values_list("version", "state"))
    assert states.pop("1.2") == "in_force"
    assert set(states.values()) == {"draft"}
