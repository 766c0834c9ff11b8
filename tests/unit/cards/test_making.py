"""From accepted to handed out: numbers, failures, voids, and the old card dead before the new one lives."""

import pytest
from django.db import IntegrityError, connection, transaction

from tests.unit.cards.conftest import EVERYWHERE, KIND, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card, CardKind
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.models import NumberRange, NumberUse
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.kernel.identifiers import check_card_number
from xueka.platform.audit.models import Entry


def states_of(ids: list[int]) -> list[str]:
    return [Card.objects.get(id=id_).state for id_ in ids]


def fates(card_id: int) -> set[str]:
    return set(NumberUse.objects.filter(card_id=card_id).values_list("state", flat=True))


def application_state(card_id: int) -> str:
    return Application.objects.get(cards=card_id).state


def test_a_planned_card_has_all_its_numbers_and_a_validity(city: City) -> None:
    accepted = city.accepted(city.students(3))
    planned = cards.plan_cards(city.operator, accepted[::-1], detail={"batch": "B26-0001"})
    assert [card.application_id for card in planned] == accepted[::-1]
    for place, card in enumerate(planned, 1):
        assert check_card_number(card.number) and card.number[2:11] == f"{place:09d}"
        assert card.transit_number == f"10007500{place:08d}"
        assert card.beijing_tong_number == f"BJT00000{place:08d}"
        assert (str(card.valid_from), str(card.valid_until)) == ("2026-09-07", "2038-08-31")
        assert (card.state, application_state(card.id)) == ("planned", "in_production")
    line = cards.timeline(EVERYWHERE, "00000001")
    assert [step["detail"] for step in line if step["event"] == "create" and step["object"] == "card"] == [
        {"batch": "B26-0001"}
    ]


def test_a_card_is_made_for_the_place_where_the_student_is_now(city: City) -> None:
    [student] = city.students()
    accepted = city.accepted([student])
    there = city.schools[1]
    registry.Student.objects.filter(id=student).update(school=there, school_class=there.classes.get())
    [card] = cards.plan_cards(city.operator, accepted)
    assert (card.school_id, Application.objects.get(id=accepted[0]).school_id) == (
        there.id,
        city.schools[0].id,
    )


def test_nothing_is_planned_when_one_cannot_be(city: City) -> None:
    accepted, [draft] = city.accepted(city.students(2)), city.drafts(city.students(1))
    with pytest.raises(Refused), transaction.atomic():
        cards.plan_cards(city.operator, [*accepted, draft])
    with pytest.raises(Forbidden), transaction.atomic():
        cards.plan_cards(city.officer, accepted)
    NumberRange.objects.filter(sort="beijing_tong").update(is_open=False)
    with pytest.raises(Refused, match="北京通号不足：需要 2 个，还差 2 个"), transaction.atomic():
        cards.plan_cards(city.operator, accepted)
    assert not NumberUse.objects.exists() and not Card.objects.exists()


def test_the_form_that_the_kind_asks_for(city: City) -> None:
    CardKind.objects.filter(code=KIND).update(transit_pattern=r"9\d{15}")
    accepted = city.accepted(city.students(1))
    with pytest.raises(Refused, match="一卡通号不符合北京通学生卡的格式"):
        cards.plan_cards(city.operator, accepted)


def test_numbers_come_from_where_the_kind_says(city: City) -> None:
    lot = "position,uid,transit_number\n1,0000000A,1000990000000001\n2,0000000B,1000990000000002\n"
    numbers.import_blank_lot(city.operator, lot.encode(), "L1", "一卡通公司", "张三")
    CardKind.objects.filter(code=KIND).update(transit_source="bind", beijing_tong_source="none")
    first, second = city.planned(city.students(2))
    assert [card.transit_number for card in (first, second)] == ["1000990000000001", "1000990000000002"]
    assert first.beijing_tong_number == second.beijing_tong_number == ""
    assert numbers.blank_uids([first.id, second.id]) == {first.id: "0000000A", second.id: "0000000B"}
    cards.void_cards(city.operator, [second.id], "移出批次")
    [stock] = numbers.stock(EVERYWHERE)
    assert (stock.bound, stock.returned) == (1, 1)
    with pytest.raises(Refused, match="空白卡不足"):
        cards.plan_cards(city.operator, city.accepted(city.students(1)))


def test_made_cards_carry_their_chip(city: City) -> None:
    first, second = [card.id for card in city.planned(city.students(2))]
    cards.order_cards(city.operator, [first, second])
    for made in ([(first, "AB12"), (second, "ab12")],):
        with pytest.raises(Refused, match="同一芯片"):
            cards.confirm_made(city.operator, made)
    cards.confirm_made(city.operator, [(first, "0a0b0c0d")])
    with pytest.raises(Refused) as refusal:
        cards.confirm_made(city.operator, [(second, "0A0B0C0D")])
    assert refusal.value.code == "CHIP_KNOWN" and refusal.value.found
    assert Card.objects.get(id=first).chip_uid == "0A0B0C0D"
    assert states_of([first, second]) == ["made", "ordered"]


def test_a_failed_card_spoils_its_numbers_and_is_made_again(city: City) -> None:
    [failed] = [card.id for card in city.planned(city.students())]
    cards.order_cards(city.operator, [failed])
    cards.fail_cards(city.operator, [failed], "01", "芯片失败")
    assert (states_of([failed]), fates(failed), application_state(failed)) == (
        ["failed"],
        {"spoiled"},
        "accepted",
    )
    [again] = cards.plan_cards(city.operator, [Card.objects.get(id=failed).application_id])
    assert again.number != Card.objects.get(id=failed).number
    assert again.transit_number.endswith("2")


@pytest.mark.parametrize(
    ("steps", "fate"),
    [(0, "returned"), (1, "spoiled"), (2, "spoiled"), (3, "spoiled"), (4, "spoiled"), (5, "spoiled")],
)
@pytest.mark.parametrize("remake", [True, False])
def test_a_void_card_returns_or_spoils_its_numbers(city: City, steps: int, fate: str, remake: bool) -> None:
    [card] = [card.id for card in city.planned(city.students())]
    line = [
        cards.order_cards,
        lambda actor, ids: cards.confirm_made(actor, [(ids[0], "")]),
        cards.pack,
        cards.dispatch,
        cards.receive,
    ]
    for step in line[:steps]:
        step(city.system, [card])
    with pytest.raises(BadInput):
        cards.void_cards(city.operator, [card], " ")
    cards.void_cards(city.operator, [card], "卡箱丢失", remake=remake)
    assert (states_of([card]), fates(card)) == (["void"], {fate})
    assert application_state(card) == ("accepted" if remake else "cancelled")


def test_handing_out_fulfils_and_uses(city: City) -> None:
    first, second = city.at_school(city.students(2))
    assert cards.preview_hand_out(city.officer, [second, first]).done == [second, first]
    result = cards.hand_out(city.officer, [second, first])
    assert (result.done, result.refused) == ([second, first], [])
    assert cards.preview_hand_out(city.officer, [first]).as_dict()["refused"][0]["id"] == first
    assert states_of([first, second]) == ["active", "active"]
    assert (fates(first), application_state(first)) == ({"used"}, "fulfilled")
    again = cards.hand_out(city.officer, [first])
    assert [code for _, code, _ in again.refused] == ["TRANSITION_NOT_ALLOWED"]
    assert Entry.objects.filter(action="card.hand_out").count() == 2


def test_the_old_card_is_dead_before_the_new_one_lives(city: City) -> None:
    [student] = city.students()
    [old] = city.active([student])
    cards.report_lost(city.officer, old)
    [new] = city.at_school([student], reason="lost")
    cards.hand_out(city.officer, [new])
    assert states_of([old, new]) == ["cancelled", "active"]
    assert fates(old) == {"used"}
    steps = [(step["event"], step["number"]) for step in cards.timeline(EVERYWHERE, "00000001")]
    numbers_ = [Card.objects.get(id=id_).number for id_ in (old, new)]
    assert steps.index(("cancel", numbers_[0])) < steps.index(("hand_out", numbers_[1]))
    assert cards.account_view(EVERYWHERE, "00000001")["timeline"][-3]["detail"] == {
        "replaced_by": numbers_[1]
    }


def test_the_database_keeps_two_cards_from_living(city: City) -> None:
    [student] = city.students()
    city.active([student])
    [new] = city.at_school([student], reason="damaged")
    with pytest.raises(IntegrityError, match="cards_one_live_per_kind"), transaction.atomic():
        connection.cursor().execute("UPDATE cards_card SET state = 'active' WHERE id = %s", [new])


def test_one_good_card_per_application(city: City) -> None:
    [planned] = city.planned(city.students())
    card = Card.objects.get(id=planned.id)
    with pytest.raises(IntegrityError, match="cards_one_good_per_application"), transaction.atomic():
        card.pk, card.number, card.transit_number, card.beijing_tong_number = None, "x", "", ""
        card.save()


def test_each_step_wants_its_permission_and_its_own_school(city: City) -> None:
    [card] = city.at_school(city.students())
    with pytest.raises(NotFound):
        cards.hand_out(city.other_officer, [card])
    with pytest.raises(Forbidden):
        cards.hand_out(city.operator, [card])
    for step in (cards.pack, cards.unpack, cards.dispatch):
        with pytest.raises((Refused, Forbidden)):
            step(city.officer, [card])
    with pytest.raises(NotFound):
        cards.receive(city.officer, [0])
    assert states_of([card]) == ["at_school"]


def test_work_lists_and_numbers(city: City) -> None:
    ids = city.at_school(city.students(2))
    [made] = [card.id for card in city.planned(city.students(1, school=1))]
    cards.order_cards(city.system, [made])
    cards.confirm_made(city.system, [(made, "")])
    assert [card.id for card in cards.cards_to_pack(EVERYWHERE)] == [made]
    assert cards.cards_to_pack(city.officer.scope) == cards.cards_to_pack(EVERYWHERE, ids) == []
    number = Card.objects.get(id=made).number
    assert cards.card_ids_by_number([number, "000"]) == {number: made}
    assert [card.id for card in cards.cards(EVERYWHERE, search=number)] == [made]
    assert [card.id for card in cards.cards(EVERYWHERE, search="00000001")] == ids[:1]
    assert [card.id for card in cards.cards(EVERYWHERE, states=["at_school"], after=ids[0])] == ids[1:]
    assert cards.cards(EVERYWHERE, kind="zj_card") == []
    assert cards.card_counts(EVERYWHERE, kind=KIND) == {"at_school": 2, "made": 1}
    assert cards.card(city.officer.scope, ids[0]).id == ids[0]
    with pytest.raises(NotFound):
        cards.card(city.officer.scope, number)
    [accepted] = city.accepted(city.students(1))
    assert [a.id for a in cards.accepted_applications(EVERYWHERE, KIND)] == [accepted]
    assert cards.accepted_applications(EVERYWHERE, KIND, district="110102") == []


def test_a_batch_of_nothing_is_nothing(city: City) -> None:
    assert cards.plan_cards(city.operator, []) == []
    cards.confirm_made(city.operator, [])
    cards.void_cards(city.operator, [], "理由")
    assert cards.hand_out(city.officer, []).done == []
    assert not Card.objects.exists()
