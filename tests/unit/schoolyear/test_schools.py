"""Schools merged, closed, renamed: what stops it, what goes along, and back again to the last grant."""

from datetime import timedelta

import pytest

from tests.unit.schoolyear.conftest import FIRST, KIND, SECOND, City, digest, done, run, violated
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.models import Piece
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity import accounts
from xueka.platform.identity import services as identity
from xueka.platform.identity.scope import Scope

CITY = Scope("city")


@pytest.fixture
def pair(town: City) -> City:
    """Two schools of one district; the second goes into the first. One officer, one class name in common."""
    for index, name in enumerate(("1班", "2班")):
        town.pupils("小学", 3, 2, school=0, name=name)
        town.pupils("小学", 3, 2 + index, school=1, name=f"{index + 1}班")
    school = town.schools[1]
    identity.create_user(
        town.system, "zhou", "周敏", "school_officer", district=school.district_id, school=school.code
    )
    return town


def merge(town: City) -> dict[str, object]:
    return {"from": [town.schools[1].code], "into": town.schools[0].code}


def test_a_merge_moves_everything_and_comes_back(pair: City) -> None:
    there = list(
        registry.Student.objects.filter(school=pair.schools[1]).order_by("id").values_list("id", flat=True)
    )
    [holding] = pair.active(there[:1])
    [waiting] = pair.drafts(there[1:2])
    [planned] = pair.planned(there[2:3])
    before = digest()
    job = done("merge", **merge(pair))
    target = pair.schools[0]
    assert {pair.place(one)[0] for one in there} == {target.code}
    assert sorted({pair.place(one)[3] for one in there}) == ["3班", "4班"]
    closed = registry.school(CITY, pair.schools[1].code)
    assert (closed.is_open, closed.merged_into_id) == (False, target.id)
    assert Application.objects.get(id=waiting).school_id == target.id
    assert Card.objects.get(id=planned.id).school_id == target.id
    assert Card.objects.get(id=holding).school_id == closed.id  # says the old name: it is exchanged
    [grant] = accounts.open_grants(accounts.find("zhou"))
    assert (grant.role, grant.school_code) == ("school_officer", target.code)
    assert violated() == []
    # The next step: cards that say the old name.
    exchange = done("exchange", reason="data_change", of_job=job.number)
    assert year.figures(CITY, exchange).done == 1
    [draft] = Application.objects.filter(reason="data_change")
    assert (draft.account.student_id, draft.school_id) == (there[0], target.id)
    with pytest.raises(Refused, match="建立在它之上"):
        year.take_back_job(FIRST, job.number, "不合了")
    year.take_back_job(SECOND, exchange.number, "不合了")
    run(exchange)
    draft.refresh_from_db()
    assert draft.state == "withdrawn"
    year.take_back_job(FIRST, job.number, "不合了")
    assert run(job).state == "taken_back"
    assert [row for row in digest() if draft.number not in row] == before
    assert violated() == []


def test_what_must_be_finished_first_is_said(pair: City) -> None:
    there = list(registry.Student.objects.filter(school=pair.schools[1]).values_list("id", flat=True))
    cards_made = [card.id for card in pair.planned(there[:2])]
    cards.order_cards(pair.system, cards_made)
    cards.confirm_made(pair.system, [(one, f"{one:08X}") for one in cards_made])
    [delivery] = logistics.prepare_deliveries(pair.system, card_ids=cards_made)
    registry.ask_transfer(
        pair.other_officer, registry.student(CITY, there[2]).education_id, "", pair.schools[0].code, "搬家"
    )
    job = run(year.create_job(FIRST, "merge", "city", "", merge(pair)))
    [piece] = Piece.objects.filter(job=job)
    assert piece.state == "blocked"
    assert [text for text in piece.blockers if "卡箱" in text]
    assert [text for text in piece.blockers if "转学" in text]
    with pytest.raises(Refused):
        year.confirm_job(SECOND, job.number)
    assert delivery.state == "packing"


def test_a_school_closes_only_when_nobody_is_left(town: City) -> None:
    left = town.pupils("小学", 6, 1, school=1)
    job = run(year.create_job(FIRST, "close", "city", "", {"schools": [town.schools[1].code]}))
    assert "在籍" in Piece.objects.get(job=job).blockers[0]
    year.cancel_job(FIRST, job.number)
    done("graduation", "school", town.schools[1].code)
    before = digest()
    closing = done("close", schools=[town.schools[1].code])
    assert not registry.school(CITY, town.schools[1].code).is_open
    made = cards.create_applications(town.system, left, KIND)
    assert made.refused[0][1] == "NOT_ENROLLED"
    registry.Student.objects.filter(id=left[0]).update(status="在校")
    assert cards.create_applications(town.system, left, KIND).refused[0][1] == "SCHOOL_CLOSED"
    registry.Student.objects.filter(id=left[0]).update(status="毕业")
    year.take_back_job(FIRST, closing.number, "不撤了")
    run(closing)
    assert digest() == before


def test_a_school_is_renamed_and_its_cards_exchanged(town: City) -> None:
    student = town.pupils("小学", 2, 1, school=1)
    town.active(student)
    job = done("rename", school=town.schools[1].code, name="第二实验小学")
    assert registry.school(CITY, town.schools[1].code).name == "第二实验小学"
    exchange = done("exchange", reason="data_change", of_job=job.number)
    assert year.figures(CITY, exchange).done == 1
    year.take_back_job(FIRST, exchange.number, "不改")
    run(exchange)
    registry.rename_school(town.system, town.schools[1].id, "又一个名字")
    year.take_back_job(FIRST, job.number, "不改")
    run(job)
    assert year.figures(CITY, job).kept == 1
    assert registry.school(CITY, town.schools[1].code).name == "又一个名字"


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("merge", {"from": [], "into": "2111010001"}),
        ("merge", {"from": ["2111010001"], "into": "2111010001"}),
        ("close", {}),
        ("rename", {"school": "2111010001", "name": " "}),
        ("exchange", {"reason": "nonsense"}),
        ("exchange", {"reason": "data_change", "of_job": "XN00-1"}),
        ("nonsense", {}),
    ],
)
def test_what_makes_no_sense_is_refused(town: City, kind: str, parameters: dict) -> None:
    with pytest.raises(BadInput):
        year.create_job(FIRST, kind, "city", "", parameters)


def test_what_ends_of_itself_ends_in_the_new_school_too(pair: City) -> None:
    """A substitute and a role that is handed over on a day do not become permanent by a merge."""
    here = pair.schools[1]
    holder = accounts.find("zhou").grants.get()
    until = clock.now() + timedelta(days=20)
    for name, ends in (("wulan", until), ("zheng", until), ("over", clock.now() - timedelta(seconds=5))):
        user, _ = identity.add_user(pair.system, name, name)
        identity.open_grant(
            pair.system,
            user,
            "school_reviewer" if name == "zheng" else "school_officer",
            holder.scope,
            begins_at=until - timedelta(days=30),
            ends_at=ends,
            stands_in_for=None if name == "zheng" else holder,
        )
    before = digest()
    job = done("merge", **merge(pair))
    [now] = accounts.open_grants(accounts.find("zhou"))
    [substitute] = accounts.open_grants(accounts.find("wulan"))
    [leaving] = accounts.open_grants(accounts.find("zheng"))
    assert (substitute.ends_at, substitute.stands_in_for_id, now.ends_at) == (until, now.id, None)
    assert (leaving.ends_at, leaving.school_code) == (until, pair.schools[0].code)
    assert accounts.open_grants(accounts.find("over")) == []
    year.take_back_job(FIRST, job.number, "不合了")
    run(job)
    assert [row for row in digest() if "over" not in row] == [row for row in before if "over" not in row]
    [back] = accounts.open_grants(accounts.find("wulan"))
    assert (back.ends_at, back.school_code, back.stands_in_for.user.username) == (until, here.code, "zhou")
    assert violated() == []
