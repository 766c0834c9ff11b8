"""Every named repair: what it does, that it can be undone to the last field, and when it is refused."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.unit.cards.conftest import NOW
from tests.unit.repairs.conftest import (
    ONE,
    OTHER,
    SYSTEM,
    Troubles,
    education_id,
    everything,
    inside,
    received,
    violated,
)
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.models import NumberUse
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs import api as repairs
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.history.models import Transition


def test_every_repair_is_rehearsed_done_and_undone_to_the_last_field(troubles: Troubles) -> None:
    for kind in repairs.KINDS:
        before, steps = everything(), Transition.objects.exclude(machine="repair").count()
        found = repairs.propose(ONE, kind, troubles.due[kind], "操作失误")
        assert everything() == before, kind
        assert Transition.objects.exclude(machine="repair").count() == steps
        assert found.invariants
        assert all(set(step) == {"what", "id", "name", "field", "old", "new"} for step in found.steps)
        found = repairs.approve(OTHER, found.id)
        assert (found.state, found.approved_by) == ("applied", "other")
        assert everything() != before or kind == "consent", kind  # consent is added to
        found = troubles.undone(found)
        assert (found.state, found.undone_by) == ("undone", "one")
        assert everything() == before, kind
        entries = Entry.objects.filter(object_type="repair", object_id=found.number).order_by("id")
        assert list(entries.values_list("action", flat=True)) == [
            "repair.propose",
            "repair.apply",
            "repair.ask_undo",
            "repair.undo",
        ]
    assert violated() == {}


def test_a_wrong_hand_out(troubles: Troubles) -> None:
    card = cards.card(SYSTEM.scope, troubles.due["hand_out"]["card"])
    [old] = cards.Card.objects.filter(student=card.student_id, state="cancelled")
    found = troubles.repaired("hand_out")
    for each in (card, old, card.application):
        each.refresh_from_db()
    assert (card.state, old.state, card.application.state) == ("at_school", "active", "in_production")
    assert numbers.state_on_card(card.id) == "assigned"
    step = Transition.objects.filter(machine="card", object_id=card.id).latest("seq")
    assert (step.event, step.actor, step.detail) == ("repair", "other", {"repair": found.id})
    with transaction.atomic():
        assert logistics.hand_out(SYSTEM, [card.id]).done, "it is handed out again, to whom it is"
    assert violated() == {}


def test_a_card_that_was_lost_by_mistake(troubles: Troubles) -> None:
    [card] = troubles.city.active(troubles.city.students(1))
    cards.report_lost(SYSTEM, card)
    number = cards.Card.objects.get(id=card).number
    troubles.repaired("card_back", {"card": number})
    assert cards.Card.objects.get(id=card).state == "active"
    with pytest.raises(Refused) as refusal:
        repairs.propose(ONE, "card_back", {"card": number}, "再来")
    assert refusal.value.code == "NOT_LOST_OR_CANCELLED"


def test_too_late(troubles: Troubles) -> None:
    for kind in ("hand_out", "card_back", "unvoid"):
        with clock.at(NOW + timedelta(days=91)), pytest.raises(Refused) as refusal:
            repairs.propose(ONE, kind, troubles.due[kind], "操作失误")
        assert refusal.value.code == "TOO_LATE"


def test_no_card_comes_back_beside_its_replacement(troubles: Troubles) -> None:
    card = cards.card(SYSTEM.scope, troubles.due["card_back"]["card"])
    drafts = troubles.city.drafts([card.student_id])
    with pytest.raises(Refused) as refusal:
        repairs.propose(ONE, "card_back", troubles.due["card_back"], "误注销")
    assert refusal.value.code == "APPLICATION_OPEN"
    cards.withdraw(SYSTEM, drafts)
    [new] = troubles.city.active([card.student_id])
    with pytest.raises(Refused) as refusal:
        repairs.propose(ONE, "card_back", troubles.due["card_back"], "误注销")
    assert (refusal.value.code, refusal.value.found) == ("REPLACED", cards.Card.objects.get(id=new).number)


def test_a_voided_card_that_was_made_again_stays_void(troubles: Troubles) -> None:
    [card] = troubles.city.planned(troubles.city.students(1))
    cards.order_cards(SYSTEM, [card.id])
    cards.confirm_made(SYSTEM, [(card.id, "0A0B0C0D0E0F03")])
    cards.void_cards(SYSTEM, [card.id], "以为损坏")
    cards.plan_cards(SYSTEM, [card.application_id])
    with pytest.raises(Refused) as refusal:
        repairs.propose(ONE, "unvoid", {"card": card.number}, "还在")
    assert refusal.value.code == "REMADE"


def test_the_numbers_of_a_voided_card_are_put_right(troubles: Troubles) -> None:
    card = cards.card(SYSTEM.scope, troubles.due["unvoid"]["card"])
    assert numbers.state_on_card(card.id) == "spoiled"
    found = troubles.repaired("unvoid")
    assert numbers.state_on_card(card.id) == "assigned"
    assert set(NumberUse.objects.filter(card_id=card.id).values_list("repair", flat=True)) == {found.id}
    with pytest.raises(IntegrityError), transaction.atomic():
        NumberUse.objects.filter(card_id=card.id).update(state="used")
        NumberUse.objects.filter(card_id=card.id).update(state="assigned")


def test_an_application_waits_again_where_it_waited(troubles: Troubles) -> None:
    troubles.repaired("reopen")
    found = cards.application(SYSTEM.scope, troubles.due["reopen"]["application"])
    assert (found.state, found.refusal_code) == ("district_review", "")
    assert not cards.approve(troubles.city.district, [found.id]).refused


def test_a_box_with_a_card_that_is_out_cannot_go_back(troubles: Troubles) -> None:
    box = received(troubles.city)
    card = inside(box)[0]
    assert logistics.hand_out(SYSTEM, [card.id]).done
    with pytest.raises(Refused) as refusal:
        repairs.propose(ONE, "unreceive", {"box": box.number}, "没到")
    assert (refusal.value.code, refusal.value.found) == ("CARDS_MOVED", card.number)
    troubles.repaired("hand_out", {"card": card.number})
    troubles.repaired("unreceive", {"box": box.number})
    assert logistics.box(SYSTEM.scope, box.number).state == "in_transit"
    assert logistics.delivery(SYSTEM.scope, box.delivery.number).state == "in_transit"
    assert violated() == {}


def test_one_person_two_records(troubles: Troubles) -> None:
    keep, drop = (registry.student(SYSTEM.scope, troubles.due["join"][name]) for name in ("keep", "drop"))
    troubles.repaired("join")
    [card] = cards.Card.objects.filter(student=keep)
    assert card.account.student_id == keep.id
    assert cards.account(SYSTEM.scope, drop.education_id).state == "closed"
    drop.refresh_from_db()
    assert drop.status == "转出"
    stranger = education_id(troubles.city.students(1, name="别人")[0])
    with pytest.raises(Refused) as refusal:
        repairs.propose(ONE, "join", {"keep": keep.education_id, "drop": stranger}, "试")
    assert refusal.value.code == "NOT_ONE_PERSON"


def test_consent_moves_and_nothing_is_erased(troubles: Troubles) -> None:
    wrong, right = (registry.student(SYSTEM.scope, troubles.due["consent"][n]) for n in ("wrong", "right"))
    found = troubles.repaired("consent")
    assert (registry.last_consent(wrong.id), registry.last_consent(right.id)) == ("withdrawn", "given")
    troubles.undone(found)
    assert (registry.last_consent(wrong.id), registry.last_consent(right.id)) == ("given", "withdrawn")
    assert registry.Consent.objects.filter(student__in=[wrong.id, right.id]).count() == 5


def test_two_people(troubles: Troubles) -> None:
    found = repairs.propose(ONE, "free", troubles.due["free"], "印错了")
    with pytest.raises(Refused) as refusal:
        repairs.approve(ONE, found.id)
    assert refusal.value.code == "SECOND_PERSON"
    repairs.approve(OTHER, found.id)
    repairs.ask_undo(ONE, found.id, "又错了")
    with pytest.raises(Refused):
        repairs.undo(ONE, found.id)
    assert repairs.keep(OTHER, found.id).state == "applied"
    with pytest.raises(Forbidden):
        repairs.propose(troubles.city.officer, "free", troubles.due["free"], "试")
    with pytest.raises(NotFound):
        repairs.approve(troubles.city.officer, found.id)


def test_what_moved_since_it_was_shown_is_not_repaired(troubles: Troubles) -> None:
    found = repairs.propose(ONE, "reopen", troubles.due["reopen"], "误退")
    troubles.repaired("reopen")
    with pytest.raises(XuekaError), transaction.atomic():
        repairs.approve(OTHER, found.id)
    assert repairs.withdraw(ONE, found.id).state == "withdrawn"


def test_what_moved_since_it_was_repaired_is_not_undone(troubles: Troubles) -> None:
    found = troubles.repaired("card_back")
    cards.report_lost(SYSTEM, cards.card(SYSTEM.scope, troubles.due["card_back"]["card"]).id)
    before = everything()
    repairs.ask_undo(OTHER, found.id, "修错了")
    with pytest.raises(Conflict) as refusal, transaction.atomic():
        repairs.undo(ONE, found.id)
    assert (refusal.value.code, refusal.value.found) == ("REPAIR_MOVED", "lost")
    assert everything() == before


def test_what_moved_and_came_back_is_not_undone(troubles: Troubles) -> None:
    found = troubles.repaired("card_back")
    card = cards.card(SYSTEM.scope, troubles.due["card_back"]["card"])
    cards.report_lost(SYSTEM, card.id)
    cards.lift(SYSTEM, card.id)
    before = everything()
    repairs.ask_undo(OTHER, found.id, "修错了")
    with pytest.raises(Conflict) as refusal, transaction.atomic():
        repairs.undo(ONE, found.id)
    assert (refusal.value.code, refusal.value.found) == ("REPAIR_MOVED", card.number)
    assert everything() == before


_REFUSED: list[tuple[dict[str, str], str]] = [
    ({"field": "number"}, "FIELD_NOT_ALLOWED"),
    ({"what": "audit"}, "FIELD_NOT_ALLOWED"),
    ({"keys": ""}, "PARAM_MISSING"),
    ({"keys": "，,"}, "KEYS_MISSING"),
    ({"old": "2031-08-31"}, "NOT_AS_EXPECTED"),
    ({"new": "明年"}, "VALUE_INVALID"),
    ({"new": "2038-08-31"}, "NOTHING_TO_REPAIR"),
    ({"field": "state", "old": "使用中", "new": "飞了"}, "STATE_UNKNOWN"),
    ({"field": "state", "old": "使用中", "new": "已到校"}, "INVARIANT_BROKEN"),
    ({"keys": "999999999999"}, "CARD_NOT_FOUND"),
]


def test_a_free_repair_keeps_to_the_list_and_to_the_invariants(troubles: Troubles) -> None:
    for change, code in _REFUSED:
        with pytest.raises(XuekaError) as refusal, transaction.atomic():
            repairs.propose(ONE, "free", troubles.due["free"] | change, "试")
        assert refusal.value.code == code
    assert repairs.repairs(ONE.scope).count() == 0


def test_a_reason_is_needed_everywhere(troubles: Troubles) -> None:
    with pytest.raises(BadInput):
        repairs.propose(ONE, "free", troubles.due["free"], " ")
    found = repairs.propose(ONE, "free", troubles.due["free"], "印错了")
    with pytest.raises(BadInput):
        repairs.refuse(OTHER, found.id, "")
    assert repairs.refuse(OTHER, found.id, "不必").state == "refused"


def test_the_audit_log_keeps_no_name_in_clear(troubles: Troubles) -> None:
    [id_] = troubles.city.students(1)
    student = registry.Student.objects.get(id=id_)
    given = {"what": "student", "field": "name", "keys": student.education_id}
    given |= {"old": student.name, "new": "欧阳文静"}
    found = repairs.propose(ONE, "free", given, "姓名写错")
    repairs.approve(OTHER, found.id)
    student.refresh_from_db()
    assert student.name == "欧阳文静"
    told = str(list(Entry.objects.filter(object_type="repair").values_list("detail", flat=True)))
    assert "欧***" in told
    assert "文静" not in told


def test_a_mended_name_stands_where_it_belongs(troubles: Troubles) -> None:
    [id_] = troubles.city.students(1)
    student = registry.Student.objects.get(id=id_)
    registry.correct_sort_key(troubles.city.officer, id_, "shan tian fang")
    given = {"what": "student", "field": "name", "keys": student.education_id}
    given |= {"old": student.name, "new": "欧阳文静"}
    found = repairs.propose(ONE, "free", given, "姓名写错")
    repairs.approve(OTHER, found.id)
    student.refresh_from_db()
    assert (student.sort_key, student.sort_key_by_hand) == ("ou yang wen jing", False)
