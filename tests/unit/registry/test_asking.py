"""A transfer that a person asks for: from either side, with a term, a time of the year, and a way back."""

from datetime import UTC, date, datetime

import pytest

from tests.support.registry import OPERATOR, SCHOOLS, clean, district_officer, load, school_officer
from tests.support.rosters import COLUMN
from xueka.contexts.registry.api import (
    SchoolClass,
    Student,
    Transfer,
    ask_transfer,
    confirm_transfer,
    reject_transfer,
    student,
    withdraw_transfer,
)
from xueka.contexts.registry.models import School
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.usefixtures("schools")
HERE, INSIDE, ACROSS = SCHOOLS[0], [*SCHOOLS[0]], SCHOOLS[3]
INSIDE[0] = "2111999999"
ROW = clean(1)[0]
ID, NAME = ROW[COLUMN["教育ID"]], ROW[COLUMN["姓名"]]


@pytest.fixture(autouse=True)
def town(schools: None) -> None:
    """A primary school beside the student's own, and a class of her grade in each school she may go to."""
    load([ROW])
    own = School.objects.get(code=HERE[0])
    School.objects.create(code=INSIDE[0], name="邻校", district=own.district, stages=["小学"])
    for code in (INSIDE[0], ACROSS[0]):
        for name in ("1班", "2班"):
            school = School.objects.get(code=code)
            SchoolClass.objects.create(school=school, stage="小学", grade=1, name=name)


def place() -> str:
    return student(EVERYWHERE, ID).school.code


def test_schools_of_one_district_confirm_each_other() -> None:
    asked = ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家")
    assert (asked.state, bool(asked.released_by), asked.accepted_by, asked.asked_side) == (
        "open", True, "", "release",
    )  # fmt: skip
    second = SchoolClass.objects.get(school__code=INSIDE[0], name="2班")
    with pytest.raises(NotFound):
        confirm_transfer(school_officer(INSIDE), asked.id, "accept", class_id=0)
    done = confirm_transfer(school_officer(INSIDE), asked.id, "accept", class_id=second.id)
    assert (done.state, place()) == ("closed", INSIDE[0])
    assert student(EVERYWHERE, ID).school_class_id == second.id


def test_the_school_where_she_goes_names_her_exactly() -> None:
    there = school_officer(INSIDE)
    for wrong in ((ID, NAME[:1]), ("99999999", NAME)):
        with pytest.raises(NotFound):
            ask_transfer(there, *wrong, INSIDE[0], "搬家")
    asked = ask_transfer(there, ID, NAME, INSIDE[0], "搬家")
    assert (asked.asked_side, asked.accepted_by) == ("accept", there.username)
    confirm_transfer(school_officer(HERE), asked.id, "release")
    assert place() == INSIDE[0]


def test_across_districts_the_districts_confirm() -> None:
    asked = ask_transfer(school_officer(HERE), ID, "", ACROSS[0], "搬家")
    assert (asked.released_by, asked.accepted_by) == ("", "")
    with pytest.raises(Forbidden):
        confirm_transfer(school_officer(HERE), asked.id, "release")
    confirm_transfer(district_officer(HERE[3]), asked.id, "release")
    confirm_transfer(district_officer(ACROSS[3]), asked.id, "accept")
    assert place() == ACROSS[0]


def test_ten_working_days_and_no_guess_beyond_the_calendar() -> None:
    with clock.at(datetime(2024, 9, 2, 2, tzinfo=UTC)):
        assert ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家").due_on == date(2024, 9, 14)
    Transfer.objects.update(state="withdrawn")
    with clock.at(datetime(2026, 12, 28, 2, tzinfo=UTC)):
        assert ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家").due_on is None


def test_the_time_of_the_year_warns_or_refuses(settings) -> None:
    autumn = datetime(2024, 10, 9, 2, tzinfo=UTC)
    with clock.at(autumn):
        settings.REGISTRY_TRANSFER_TIMING = "refuse"
        with pytest.raises(Refused) as refusal:
            ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家")
        assert refusal.value.code == "TRANSFER_TIMING"
        settings.REGISTRY_TRANSFER_TIMING = "warn"
        assert ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家").warnings == ["starting_grade"]
        with pytest.raises(Refused) as refusal:
            ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家")
        assert refusal.value.code == "TRANSFER_OPEN"


def test_waived_inside_a_district(settings) -> None:
    settings.REGISTRY_TRANSFER_INSIDE_WAIVED = True
    assert ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家").state == "closed"
    assert place() == INSIDE[0]


def test_who_asked_withdraws_and_the_other_side_rejects() -> None:
    asked = ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家")
    with pytest.raises(Forbidden):
        withdraw_transfer(school_officer(INSIDE), asked.id, "不转了")
    with pytest.raises(BadInput):
        withdraw_transfer(school_officer(HERE), asked.id, " ")
    assert withdraw_transfer(school_officer(HERE), asked.id, "不转了").state == "withdrawn"
    again = ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家")
    rejected = reject_transfer(school_officer(INSIDE), again.id, "accept", "没有学位")
    assert (rejected.state, place()) == ("rejected", HERE[0])


def test_a_roster_leaves_alone_what_a_person_asked_for() -> None:
    asked = ask_transfer(school_officer(HERE), ID, "", INSIDE[0], "搬家")
    changed = list(ROW)
    changed[COLUMN["现住址"]] = "别处"
    load([changed])
    asked.refresh_from_db()
    assert asked.state == "open"
    changed[0] = INSIDE[0]
    load([changed])
    asked.refresh_from_db()
    assert (asked.state, place()) == ("withdrawn", INSIDE[0])


def test_what_cannot_be_asked_for() -> None:
    ask = school_officer(HERE)
    closed = School.objects.create(code="2111999998", name="撤", district_id=HERE[3], is_open=False)
    for to, code in ((HERE[0], "TRANSFER_SAME_SCHOOL"), (closed.code, "SCHOOL_CLOSED"),
                     (SCHOOLS[1][0], "TRANSFER_NO_CLASS")):  # fmt: skip
        with pytest.raises(Refused) as refusal:
            ask_transfer(ask, ID, "", to, "搬家")
        assert refusal.value.code == code
    with pytest.raises(NotFound):
        ask_transfer(ask, ID, "", "2111000000", "搬家")
    with pytest.raises(BadInput):
        ask_transfer(ask, ID, "", INSIDE[0], "")
    Student.objects.update(status="毕业")
    with pytest.raises(Refused):
        ask_transfer(ask, ID, "", INSIDE[0], "搬家")
    load([[ACROSS[0], *ROW[1:]]])
    with pytest.raises(Refused) as refusal:
        withdraw_transfer(OPERATOR, Transfer.objects.get(state="open").id, "理由")
    assert refusal.value.code == "TRANSFER_BY_ROSTER"
