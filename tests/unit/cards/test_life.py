"""A card in its student's hands: lost, found, lifted, cancelled, destroyed; the pair; the account."""

import pytest

from tests.unit.cards.conftest import EVERYWHERE, KIND, City, destroy
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card, CardKind
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor


def test_lost_and_lifted(city: City) -> None:
    [card] = city.active(city.students())
    assert cards.report_lost(city.officer, card, "操场").state == "lost"
    with pytest.raises(Refused):
        cards.report_lost(city.district, card)
    assert cards.report_found(city.officer, card, "门卫拾得").state == "lost"
    assert cards.lift(city.district, card).state == "active"
    line = [
        (s["event"], s["reason"]) for s in cards.timeline(EVERYWHERE, "00000001") if s["object"] == "card"
    ]
    assert line[-3:] == [("report_lost", "操场"), ("found", "门卫拾得"), ("lift", "")]
    assert Entry.objects.filter(action__in=["card.report_lost", "card.found", "card.lift"]).count() == 3


def test_what_a_loss_means_is_configuration() -> None:
    effects = cards.lost_effects()
    assert effects[0] == ("本系统", "即时生效", "")
    assert all(effect.system and effect.when for effect in effects)
    assert len(effects) >= 3


def test_no_lifting_while_the_replacement_is_under_way(city: City) -> None:
    [student] = city.students()
    [card] = city.active([student])
    cards.report_lost(city.officer, card)
    [replacement] = city.drafts([student], reason="lost")
    with pytest.raises(Refused) as refusal:
        cards.lift(city.officer, card)
    assert refusal.value.code == "REPLACEMENT_OPEN"
    cards.withdraw(city.system, [replacement])
    assert cards.lift(city.officer, card).state == "active"


def test_an_exchange_under_way_does_not_keep_a_card_lost(city: City) -> None:
    [student] = city.students()
    [card] = city.active([student])
    city.drafts([student], reason="damaged")
    cards.report_lost(city.officer, card)
    assert cards.lift(city.officer, card).state == "active"


def test_a_dead_card_that_turns_up_is_destroyed_on_record(city: City) -> None:
    [card] = city.active(city.students())
    with pytest.raises(BadInput):
        cards.cancel(city.officer, card, " ")
    cards.cancel(city.officer, card, "转往外省")
    with pytest.raises(Refused):
        cards.lift(city.officer, card)
    cards.report_found(city.officer, card, "交回")
    with pytest.raises(Forbidden):
        destroy(city.officer, [card])
    destroy(city.operator, [card])
    assert Card.objects.get(id=card).state == "destroyed"


def test_a_card_follows_its_student_to_the_next_school(city: City) -> None:
    [student] = city.students()
    [card] = city.active([student])
    there = city.schools[1]
    registry.Student.objects.filter(id=student).update(school=there, school_class=there.classes.get())
    with pytest.raises(NotFound):
        cards.report_lost(city.officer, card)
    assert cards.report_lost(city.other_officer, card).state == "lost"
    with pytest.raises(NotFound):
        cards.account_view(city.officer.scope, "00000001")
    assert cards.account_view(city.other_officer.scope, "00000001")["cards"][0]["state"] == "lost"


def test_strangers_learn_nothing(city: City) -> None:
    [card] = city.active(city.students())
    for act in (cards.report_lost, cards.lift, cards.report_found):
        with pytest.raises(NotFound):
            act(city.other_officer, card)
    with pytest.raises(NotFound):
        cards.cancel(city.other_officer, card, "x")
    with pytest.raises(NotFound):
        cards.account_view(city.other_district.scope, Card.objects.get(id=card).number)
    with pytest.raises(Forbidden):
        cards.report_lost(Actor.in_role("a", "a", "auditor", city.operator.scope), card)
    assert Card.objects.get(id=card).state == "active"


def test_half_of_a_pair_stays_valid_but_stands_alone(city: City) -> None:
    CardKind.objects.update(is_open=True, photo_required=False, transit_source="none", review_levels=[])
    [student] = city.students()
    pair = {}
    for kind in ("xj_card", "zj_card"):
        made = cards.create_applications(city.system, [student], kind).done
        cards.submit(city.system, made)
        [card] = cards.plan_cards(city.system, made)
        cards.order_cards(city.system, [card.id])
        cards.confirm_made(city.system, [(card.id, "")])
        for step in (cards.pack, cards.dispatch, cards.receive, cards.hand_out):
            step(city.system, [card.id])
        pair[kind] = card.id
    both = cards.cards(EVERYWHERE)
    assert cards.standing_alone(both) == set()
    cards.report_lost(city.officer, pair["zj_card"])
    assert cards.standing_alone(cards.cards(EVERYWHERE)) == {pair["xj_card"]}
    shown = {card["kind"]: card for card in cards.account_view(EVERYWHERE, "00000001")["cards"]}
    assert (shown["xj_card"]["state"], shown["xj_card"]["stands_alone"]) == ("active", True)
    assert shown["zj_card"]["stands_alone"] is False
    assert cards.create_applications(city.system, [student], "zj_card", "lost").done


def test_a_single_card_never_stands_alone(city: City) -> None:
    city.active(city.students())
    assert cards.standing_alone(cards.cards(EVERYWHERE)) == set()


def test_an_account_is_closed_only_when_nothing_is_left(city: City) -> None:
    [student] = city.students()
    [card] = city.active([student])
    account = cards.account(EVERYWHERE, "00000001").id
    with pytest.raises(Refused, match="不能销户"):
        cards.close_account(city.operator, account, "毕业")
    cards.cancel(city.officer, card, "毕业")
    [draft] = city.drafts([student])
    with pytest.raises(Refused, match="不能销户"):
        cards.close_account(city.operator, account, "毕业")
    cards.withdraw(city.officer, [draft])
    with pytest.raises(BadInput):
        cards.close_account(city.operator, account, "")
    assert cards.close_account(city.operator, account, "毕业").state == "closed"
    refused = cards.create_applications(city.officer, [student], KIND).refused
    assert [code for _, code, _ in refused] == ["ACCOUNT_CLOSED"]
    assert cards.reopen_account(city.operator, account, "回京就读").state == "open"
    assert cards.create_applications(city.officer, [student], KIND).done
    with pytest.raises(NotFound):
        cards.close_account(city.operator, 0, "x")


def test_the_view_is_the_stable_answer_of_card_show(city: City) -> None:
    [card] = city.active(city.students())
    number = Card.objects.get(id=card).number
    view = cards.account_view(city.officer.scope, f" {number} ")
    assert view == cards.account_view(city.officer.scope, "00000001")
    assert {"account", "cards", "timeline"} <= set(view)
    assert view["account"]["education_id"] == "00000001"
    [shown] = view["cards"]
    assert (shown["number"], shown["state"]) == (number, "active")
    assert all({"at", "actor", "event", "detail"} <= set(step) for step in view["timeline"])
    assert view["timeline"][0]["label"] == "开户"
    assert view["timeline"][0]["at"] == "2026-09-07T10:00:00+08:00"
    for unknown in ("99999999", "260000000999", "not a number"):
        with pytest.raises(NotFound):
            cards.account_view(city.officer.scope, unknown)


def test_kinds_are_seeded_once_and_never_overwritten(city: City) -> None:
    assert {kind.code for kind in cards.kinds(include_closed=True)} == {KIND, "xj_card", "zj_card"}
    assert [kind.code for kind in cards.kinds()] == [KIND]
    CardKind.objects.filter(code=KIND).update(name="改过的名称")
    CardKind.objects.filter(code__in=["xj_card", "zj_card"]).update(coupled_with=None)
    CardKind.objects.filter(code="zj_card").delete()
    assert cards.sync_card_kinds() == 1
    assert cards.sync_card_kinds() == 0
    assert CardKind.objects.get(code=KIND).name == "改过的名称"
    assert CardKind.objects.get(code="zj_card").coupled_with_id == "xj_card"


def test_nothing_of_this_leaves_an_application_behind(city: City) -> None:
    [card] = city.active(city.students())
    cards.cancel(city.officer, card, "遗失不补")
    assert set(Application.objects.values_list("state", flat=True)) == {"fulfilled"}
