"""A card made at a counter: the intent first, the old card dead before the new one lives, nothing twice."""

import pytest
from django.db import transaction

from tests.unit.cards.conftest import KIND, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card, CardKind
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.models import Blank, BlankLot, NumberUse
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.invariants import check


@pytest.fixture
def desk(city: City) -> Actor:
    district = city.schools[0].district_id
    return Actor.in_role("counter", "秦朗", "counter_operator", Scope("district", district))


def replacement(city: City, reason: str = "lost") -> tuple[int, int]:
    """(application at the counter, the old card) of a new student."""
    [old] = city.active(city.students())
    if reason == "lost":
        cards.report_lost(city.system, old)
    student = Card.objects.get(id=old).student_id
    [application] = city.accepted([student], reason=reason)
    assert cards.to_counter(city.district, [application]).done == [application]
    return application, old


def everything_holds() -> None:
    for each in [*cards.INVARIANTS, *numbers.INVARIANTS]:
        assert check(each).violated == 0, each.name


@pytest.mark.parametrize("reason", ["lost", "damaged"])
def test_the_whole_way(city: City, desk: Actor, reason: str) -> None:
    application, old = replacement(city, reason)
    card = cards.issue_at_counter(desk, application)
    assert (card.state, bool(card.number), bool(card.transit_number)) == ("issuing", True, True)
    assert _states(old, application) == ("lost" if reason == "lost" else "active", "in_production")
    everything_holds()
    assert cards.finish_at_counter(desk, card.id, "04a1b2c3d4").chip_uid == "04A1B2C3D4"
    everything_holds()
    given = cards.give(desk, card.id, "guardian", agreed=True)
    assert (given.state, *_states(old, application)) == ("active", "cancelled", "fulfilled")
    assert set(NumberUse.objects.filter(card_id=card.id).values_list("state", flat=True)) == {"used"}
    everything_holds()


def test_it_never_lies_in_a_batch_nor_in_a_box(city: City, desk: Actor) -> None:
    application, _ = replacement(city)
    assert application not in [each.id for each in cards.accepted_applications(city.operator.scope, KIND)]
    with pytest.raises(Refused):
        cards.plan_cards(city.system, [application])
    card = cards.issue_at_counter(desk, application)
    cards.finish_at_counter(desk, card.id, "04A1B2C3D4")
    assert cards.cards_to_pack(city.operator.scope) == []


def test_spoilt_plastic_is_never_used_again_and_the_next_card_has_other_numbers(
    city: City, desk: Actor
) -> None:
    application, old = replacement(city)
    first = cards.issue_at_counter(desk, application)
    cards.finish_at_counter(desk, first.id, "04A1B2C3D4")
    cards.spoil_at_counter(desk, first.id, "印花了")
    assert _states(first.id, application) == ("failed", "at_counter")
    everything_holds()
    second = cards.issue_at_counter(desk, application)
    assert {second.number, second.transit_number}.isdisjoint({first.number, first.transit_number})
    with refused("CHIP_KNOWN"):
        cards.finish_at_counter(desk, second.id, "04A1B2C3D4")
    cards.finish_at_counter(desk, second.id, "04A1B2C3D5")
    cards.give(desk, second.id, "student", agreed=True)
    assert Card.objects.get(id=old).state == "cancelled"
    everything_holds()


def test_a_blank_that_brings_its_number_is_bound_by_its_chip(city: City, desk: Actor) -> None:
    application, _ = replacement(city)
    CardKind.objects.filter(code=KIND).update(transit_source="bind")
    here, other = _blank("04AA01", "3104990000000001"), _blank("04AA02", "3104990000000002")
    with refused("BLANK_UID_NEEDED"):
        cards.issue_at_counter(desk, application)
    with refused("BLANK_NOT_IN_STOCK"):
        cards.issue_at_counter(desk, application, "04AAFF")
    with refused("BLANK_WITHOUT_NUMBER"):
        cards.issue_at_counter(desk, application, _blank("04AA03", "").uid)
    card = cards.issue_at_counter(desk, application, "04aa01")
    here.refresh_from_db()
    assert (card.transit_number, here.state, here.card_id) == ("3104990000000001", "bound", card.id)
    with refused("CHIP_DIFFERS"):
        cards.finish_at_counter(desk, card.id, other.uid)
    cards.finish_at_counter(desk, card.id, here.uid)
    everything_holds()
    cards.spoil_at_counter(desk, card.id, "断线后不能重写")
    with refused("BLANK_NOT_IN_STOCK"):
        cards.issue_at_counter(desk, application, here.uid)
    everything_holds()


def test_a_blank_without_number_leaves_the_stock_when_it_becomes_a_card(city: City, desk: Actor) -> None:
    application, _ = replacement(city)
    plain, numbered = _blank("04BB01", ""), _blank("04BB02", "3104990000000009")
    card = cards.issue_at_counter(desk, application)
    with refused("BLANK_HAS_NUMBER"):
        cards.finish_at_counter(desk, card.id, numbered.uid)
    cards.finish_at_counter(desk, card.id, plain.uid)
    plain.refresh_from_db()
    assert (plain.state, plain.card_id) == ("bound", card.id)
    everything_holds()
    cards.give(desk, card.id, "guardian", agreed=True)
    plain.refresh_from_db()
    assert plain.state == "used"
    everything_holds()


def test_consent_is_asked_for_where_the_kind_asks(city: City, desk: Actor) -> None:
    application, _ = replacement(city)
    CardKind.objects.filter(code=KIND).update(consent_required=True)
    with refused("CONSENT_MISSING"):
        cards.issue_at_counter(desk, application)
    assert Application.objects.get(id=application).state == "at_counter"


def test_giving_needs_a_receiver_who_has_looked(city: City, desk: Actor) -> None:
    application, old = replacement(city)
    card = cards.issue_at_counter(desk, application)
    with refused("TRANSITION_NOT_ALLOWED"):
        cards.give(desk, card.id, "guardian", agreed=True)
    assert Card.objects.get(id=old).state == "lost"
    cards.finish_at_counter(desk, card.id, "04A1B2C3D4")
    with pytest.raises(BadInput, match="领卡人"):
        cards.give(desk, card.id, "neighbour", agreed=True)
    with pytest.raises(BadInput, match="核对"):
        cards.give(desk, card.id, "guardian", agreed=False)
    assert Card.objects.get(id=card.id).state == "ready"


def test_back_to_the_bureau(city: City, desk: Actor) -> None:
    application, _ = replacement(city)
    assert cards.preview_counter("to_bureau", desk, [application]).done == [application]
    assert cards.to_bureau(desk, [application]).done == [application]
    assert cards.preview_counter("to_bureau", desk, [application]).refused[0].code == "TRANSITION_NOT_ALLOWED"
    assert cards.plan_cards(city.system, [application])


def test_who_may(city: City, desk: Actor) -> None:
    application, _ = replacement(city)
    with pytest.raises(Forbidden):
        cards.issue_at_counter(city.officer, application)
    with pytest.raises(Forbidden):
        cards.issue_at_counter(city.district, application)
    elsewhere = Actor.in_role(
        "counter2", "别区", "counter_operator", Scope("district", city.schools[2].district_id)
    )
    with pytest.raises(NotFound):
        cards.issue_at_counter(elsewhere, application)
    with pytest.raises(NotFound):
        cards.to_bureau(elsewhere, [application])
    card = cards.issue_at_counter(desk, application)
    for act in (
        lambda: cards.finish_at_counter(elsewhere, card.id, "04"),
        lambda: cards.give(elsewhere, card.id, "guardian", agreed=True),
        lambda: cards.spoil_at_counter(elsewhere, card.id, "x"),
        lambda: cards.being_issued(elsewhere, card.id),
    ):
        with pytest.raises(NotFound):
            act()
    assert cards.being_issued(desk, card.id) == card
    cards.finish_at_counter(desk, card.id, "04A1")
    with refused("CARD_NOT_AT_COUNTER"):
        cards.being_issued(desk, card.id)


def _blank(uid: str, number: str) -> Blank:
    lot, _ = BlankLot.objects.get_or_create(
        number="L1",
        defaults={
            "supplier": "x", "sm3": b"1" * 32, "quantity": 1, "received_at": clock.now(),
            "received_by": "x", "handed_over_by": "y",
        },
    )  # fmt: skip
    position = lot.blanks.count() + 1
    BlankLot.objects.filter(id=lot.id).update(quantity=position)
    return Blank.objects.create(lot=lot, position=position, uid=uid, transit_number=number, at=clock.now())


def _states(card_id: int, application_id: int) -> tuple[str, str]:
    return Card.objects.get(id=card_id).state, Application.objects.get(id=application_id).state


class refused:
    """Refused (or bad input) by this code, and nothing is left of it."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.inside = transaction.atomic()

    def __enter__(self) -> None:
        self.inside.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self.inside.__exit__(kind, error, trace)  # type: ignore[arg-type]
        assert isinstance(error, XuekaError), f"not refused: {error!r}"
        assert error.code == self.code, error.code
        return True
