"""Officers by list: every doubtful line named, the rest brought in, the same list again changes nothing."""

import io

import pytest
import xlsxwriter
from django.db import connection

from tests.unit.officers.conftest import CITY, EAST, FIRST, FOREIGN, SECOND, person
from xueka.contexts.officers import api as officers
from xueka.contexts.officers.models import OfficerList
from xueka.kernel.errors import BadInput, Forbidden
from xueka.platform.audit.models import Entry
from xueka.platform.identity import activation
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.scope import Scope

HEAD = "学校标识码,姓名,角色,手机号,电子邮箱,区代码,用户名"


def csv(*lines: str) -> bytes:
    return "\n".join([HEAD, *lines, ""]).encode()


GOOD = csv(
    f"{FIRST},周敏,学校卡管老师,13800000001,zhou@example.edu.cn,,",
    f"{FIRST},吴岚,学校审核人,138 0000 0002,,110101,wu.lan",
    f"{SECOND},郑丽,卡管老师,13800000003,,,",
    f"{SECOND},周敏,学校卡管老师,13800000001,,,",
)


def codes(report: officers.OfficersReport) -> list[tuple[int, str]]:
    return [(problem.line, problem.code) for problem in report.errors]


def test_a_list_is_tried_and_brought_in_and_again() -> None:
    tried = officers.import_officers(EAST, GOOD, "a.csv", dry_run=True)
    assert (tried.created, tried.updated, User.objects.count()) == (3, 1, 0)
    report = officers.import_officers(EAST, GOOD, "a.csv", expected_rows=4)
    assert codes(report) == []
    assert (report.rows, report.created, report.updated, report.rejected, report.schools) == (4, 3, 1, 0, 2)
    assert report.totals == {"学校卡管老师": 3, "学校审核人": 1}
    users = {user.name: user for user in User.objects.all()}
    assert users["周敏"].username == f"s{FIRST}.1"
    assert users["吴岚"].username == "wu.lan"
    assert not users["吴岚"].may_choose_username
    assert users["周敏"].grants.count() == 2
    assert all(user.awaits_activation and not user.has_usable_password() for user in users.values())
    assert officers.contact(users["周敏"]) == ("138****0001", "z***@example.edu.cn")
    again = officers.import_officers(EAST, GOOD, "a.csv")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 4)
    more = csv(
        f"{FIRST},新人,学校卡管老师,13800000009,,,", f"{SECOND},郑丽,卡管老师,13800000003,zheng@example.cn,,"
    )
    changed = officers.import_officers(EAST, more, "b.csv")
    assert (changed.created, changed.updated) == (1, 1)
    assert User.objects.get(name="新人").username == f"s{FIRST}.2"
    actions = [entry.action for entry in Entry.objects.filter(object_type="officer_list").order_by("id")]
    assert actions == ["officers.check", "officers.import", "officers.import", "officers.import"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(i::text, '') FROM identity_user i")
        assert "13800000001" not in cursor.fetchone()[0]


def test_a_name_that_somebody_had_is_taken() -> None:
    zhou, _ = person("zhou", "周敏")
    User.objects.filter(pk=zhou.pk).update(username="zhou.min", first_username="zhou")
    report = officers.import_officers(EAST, csv(f"{FIRST},吴岚,学校审核人,13800000002,,,zhou"), "t.csv")
    assert codes(report) == [(2, "USERNAME_TAKEN")]
    assert report.errors[0].column == "用户名"


def test_nobody_gives_herself_a_role_by_list() -> None:
    line = f"{FIRST},郑宇,学校卡管老师,13800000007,,,"
    officers.import_officers(CITY, csv(",郑宇,区级卡管员,13800000007,,110101,"), "d.csv")
    herself = User.objects.get(name="郑宇")
    actor = Actor.in_role(
        herself.username, "郑宇", "district_officer", Scope("district", "110101"), user_id=herself.pk
    )
    assert codes(officers.import_officers(actor, csv(line), "o.csv")) == [(2, "OWN_ROLES")]
    assert herself.grants.count() == 1


def test_a_number_in_a_wrong_column_is_masked() -> None:
    line = "13800000001,周敏,110101201001011234,13800000001,,,"
    report = officers.import_officers(EAST, csv(line), "s.csv")
    told = str(OfficerList.objects.get(pk=report.run_id).report)
    assert codes(report) == [(2, "ROLE_UNKNOWN"), (2, "SCHOOL_UNKNOWN")]
    assert "13800000001" not in told
    assert "110101201001011234" not in told


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"{FIRST},,学校卡管老师,13800000001,,,", "NAME_EMPTY"),
        (f"{FIRST},周敏,校长,13800000001,,,", "ROLE_UNKNOWN"),
        (f"{FIRST},周敏,区级卡管员,13800000001,,110101,", "ROLE_UNKNOWN"),
        (f"{FIRST},周敏,city_admin,13800000001,,,", "ROLE_UNKNOWN"),
        (f"{FIRST},周敏,学校卡管老师,1380000,,,", "PHONE_FORMAT"),
        (f"{FIRST},周敏,学校卡管老师,13800000001,not-an-address,,", "EMAIL_FORMAT"),
        (f"{FIRST},周敏,学校卡管老师,13800000001,,,Zhou Min", "USERNAME_FORMAT"),
        ("2111099999,周敏,学校卡管老师,13800000001,,,", "SCHOOL_UNKNOWN"),
        (f"{FOREIGN},周敏,学校卡管老师,13800000001,,,", "SCHOOL_UNKNOWN"),
        (f"{FIRST},周敏,学校卡管老师,13800000001,,110102,", "DISTRICT_MISMATCH"),
    ],
)
def test_a_defect_is_named_and_stops_no_other_line(line: str, code: str) -> None:
    report = officers.import_officers(EAST, csv(line, f"{FIRST},郑丽,卡管老师,13800000003,,,"), "a.csv")
    assert code in [found for at, found in codes(report) if at == 2]
    assert (report.created, report.rejected) == (1, 1)
    assert "13800000001" not in str(report.as_dict())
    assert all(problem.message.startswith("第 2 行「") for problem in report.errors)


def test_lines_that_contradict_each_other_are_all_refused() -> None:
    report = officers.import_officers(
        EAST,
        csv(
            f"{FIRST},周敏,学校卡管老师,13800000001,,,",
            f"{FIRST},吴岚,学校卡管老师,13800000001,,,",
            f"{FIRST},郑丽,卡管老师,13800000003,,,",
            f"{FIRST},郑丽,卡管老师,13800000003,,,",
            f"{FIRST},钱一,卡管老师,13800000004,,,qian",
            f"{FIRST},孙二,卡管老师,13800000005,,,qian",
        ),
        "a.csv",
    )
    kinds = ["PHONE_TWO_NAMES"] * 2 + ["ROW_TWICE"] * 2 + ["USERNAME_TWICE"] * 2
    assert codes(report) == list(zip(range(2, 8), kinds, strict=True))
    assert not User.objects.exists()


def test_accounts_that_exist_have_their_say() -> None:
    officers.import_officers(CITY, csv(f"{FOREIGN},外区人,学校卡管老师,13800000001,,,"), "w.csv")
    person("auditor1", "褚宁", "school_officer")
    User.objects.filter(username="auditor1").update(username="taken")
    report = officers.import_officers(
        EAST,
        csv(f"{FIRST},周敏,卡管老师,13800000001,,,", f"{FIRST},吴岚,卡管老师,13800000002,,,taken"),
        "a.csv",
    )
    assert codes(report) == [(2, "PHONE_TAKEN"), (3, "USERNAME_TAKEN")]
    assert "外区人" not in str(report.as_dict()), "a stranger's name is not told"
    User.objects.filter(name="外区人").update(is_active=False)
    report = officers.import_officers(CITY, csv(f"{FOREIGN},外区人,卡管老师,13800000001,,,"), "w.csv")
    assert codes(report) == [(2, "USER_INACTIVE")]


def test_a_city_role_takes_no_business_by_list() -> None:
    user, _ = person("boss", "陈立", "city_operator")
    Grant.objects.update(role="city_admin")
    officers.import_officers(CITY, csv(f"{FIRST},周敏,卡管老师,13800000001,,,"), "a.csv")
    index = User.objects.get(name="周敏").phone_index
    User.objects.filter(name="周敏").update(phone_index=None)
    User.objects.filter(pk=user.pk).update(phone_index=index)
    report = officers.import_officers(CITY, csv(f"{FIRST},陈立,卡管老师,13800000001,,,"), "a.csv")
    assert codes(report) == [(2, "DUTIES_SEPARATED")]


def test_the_city_brings_in_district_officers() -> None:
    report = officers.import_officers(
        CITY,
        csv(",郑宇,区级卡管员,13800000007,,110101,", f"{FIRST},钱,区级卡管员,13800000008,,999999,"),
        "d.csv",
    )
    assert report.created == 1
    assert User.objects.get().username == "d110101.1"
    assert set(codes(report)) == {(3, "SCOPE_MISMATCH"), (3, "DISTRICT_UNKNOWN")}


def test_what_cannot_be_read_as_a_whole_changes_nothing() -> None:
    for content, code in (
        (b"", "FILE_EMPTY"),
        ("姓名,角色\n周敏,卡管老师\n".encode(), "COLUMNS_MISSING"),
        (b"%PDF-1.7", "FILE_TYPE"),
    ):
        with pytest.raises(BadInput) as refusal:
            officers.import_officers(EAST, content, "x")
        assert refusal.value.code == code
    with pytest.raises(BadInput) as refusal:
        officers.import_officers(EAST, GOOD, "a.csv", expected_rows=5)
    assert refusal.value.code == "ROWS_DIFFER"
    assert not User.objects.exists()
    officer = Actor.in_role("o", "甲", "school_officer", Scope("school", "110101", FIRST))
    with pytest.raises(Forbidden):
        officers.import_officers(officer, GOOD, "a.csv")


def test_a_workbook_reads_like_the_text() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        for at, line in enumerate([HEAD, f"{FIRST},周敏,学校卡管老师,13800000001,,,"]):
            sheet.write_row(at, 0, line.split(","))
    assert officers.import_officers(EAST, out.getvalue(), "a.xlsx").created == 1


def test_each_new_officer_gets_a_sheet_and_only_from_her_keeper() -> None:
    officers.import_officers(EAST, GOOD, "a.csv")
    names = [user.username for user in officers.officers(EAST.scope)]
    assert len(activation.make_sheets(EAST, names)) == 3
    activated = activation.activate(activation.make_sheets(EAST, ["wu.lan"])[0].code, "Qianmen-Dajie-88")
    assert activated.username == "wu.lan"
    assert activation.waiting(EAST.scope).count() == 2
    assert len(activation.make_sheets(EAST, names)) == 2
