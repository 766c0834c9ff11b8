"""Both districts confirm a transfer; only then the student moves."""

import pytest

from tests.support.machines import assert_every_pair
from tests.support.registry import OPERATOR, SCHOOLS, clean, district_officer, load
from tests.support.rosters import COLUMN
from xueka.contexts.registry.api import (
    TRANSFER,
    confirm_transfer,
    enrolments,
    reject_transfer,
    student,
    transfers,
)
from xueka.contexts.registry.models import Transfer
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.models import Transition
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

pytestmark = pytest.mark.usefixtures("schools")
FROM, TO = SCHOOLS[0], SCHOOLS[3]
RELEASING, ACCEPTING, STRANGER = (district_officer(SCHOOLS[n][3]) for n in (0, 3, 6))
ROW = clean(1)[0]
EDUCATION_ID = ROW[COLUMN["教育ID"]]


@pytest.fixture
def asked(schools: None) -> Transfer:
    load([ROW])
    load([moved()])
    return Transfer.objects.get()


def moved() -> list[str]:
    return [TO[0], *ROW[1:]]


def test_the_second_confirmation_moves_the_student(asked: Transfer) -> None:
    confirm_transfer(RELEASING, asked.id, "release")
    assert student(EVERYWHERE, EDUCATION_ID).school.code == FROM[0]
    done = confirm_transfer(ACCEPTING, asked.id, "accept")
    assert (done.state, done.released_by, done.accepted_by) == (
        "closed",
        RELEASING.username,
        ACCEPTING.username,
    )
    assert done.closed_at is not None
    found = student(EVERYWHERE, EDUCATION_ID)
    assert found.school.code == TO[0]
    assert [stay.ended_by for stay in enrolments(EVERYWHERE, found.id)] == ["transfer", None]
    assert load([moved()]).unchanged == 1
    events = Transition.objects.filter(machine="transfer", object_id=asked.id).order_by("seq")
    assert [event.event for event in events] == ["create", "close"]
    actions = Entry.objects.filter(object_type="transfer").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["transfer.release", "transfer.accept"]


def test_each_side_is_its_own_districts(asked: Transfer) -> None:
    with pytest.raises(Forbidden) as refusal:
        confirm_transfer(RELEASING, asked.id, "accept")
    assert refusal.value.code == "TRANSFER_OTHER_SIDE"
    with pytest.raises(NotFound):
        confirm_transfer(STRANGER, asked.id, "accept")
    with pytest.raises(Forbidden):
        confirm_transfer(OPERATOR, asked.id, "accept")
    asked.refresh_from_db()
    assert (asked.state, asked.released_by, asked.accepted_by) == ("open", "", "")


def test_a_side_confirms_once(asked: Transfer) -> None:
    confirm_transfer(ACCEPTING, asked.id, "accept")
    with pytest.raises(Refused) as refusal:
        confirm_transfer(ACCEPTING, asked.id, "accept")
    assert refusal.value.code == "TRANSFER_ALREADY_CONFIRMED"


def test_a_rejected_transfer_is_asked_again_by_the_next_roster(asked: Transfer) -> None:
    with pytest.raises(BadInput):
        reject_transfer(ACCEPTING, asked.id, "accept", " ")
    reject_transfer(ACCEPTING, asked.id, "accept", "学位未落实")
    asked.refresh_from_db()
    assert (asked.state, asked.rejected_by) == ("rejected", ACCEPTING.username)
    with pytest.raises(Refused):
        confirm_transfer(RELEASING, asked.id, "release")
    assert student(EVERYWHERE, EDUCATION_ID).school.code == FROM[0]
    assert load([moved()]).transfers == 1
    assert Transfer.objects.filter(state="open").count() == 1


def test_both_sides_and_nobody_else_see_it(asked: Transfer) -> None:
    for scope, seen in [
        (RELEASING.scope, 1),
        (ACCEPTING.scope, 1),
        (STRANGER.scope, 0),
        (Scope("city"), 1),
        (Scope("school", FROM[3], FROM[0]), 1),
        (Scope("school", FROM[3], SCHOOLS[1][0]), 0),
    ]:
        assert len(transfers(scope).rows) == seen, scope


def test_every_event_in_every_state(asked: Transfer) -> None:
    system = Actor.system("test")

    def try_event(event: str, state: str, to: str | None) -> str:
        names = {"released_by": "a", "accepted_by": "b"} if state == "closed" or event == "close" else {}
        Transfer.objects.filter(id=asked.id).update(state=state, **names)
        apply(TRANSFER, Transfer, [asked.id], event, system, to=to)
        return Transfer.objects.get(id=asked.id).state

    def still() -> str:
        return Transfer.objects.get(id=asked.id).state

    assert assert_every_pair(TRANSFER, try_event, still=still) == (3, 9)
