"""Each detector sees its trouble once, keeps its age and owner, and lets it go when it is gone."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from tests.unit.cards.conftest import NOW, PORTRAIT
from tests.unit.repairs.conftest import ONE, SYSTEM, Troubles, boxed, education_id, received
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers.models import NumberUse
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs import api as repairs
from xueka.contexts.repairs.jobs import detect_at_night
from xueka.contexts.repairs.services import detecting
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.audit.models import Entry

LATER = NOW + timedelta(days=200)


def keys(detector: str) -> set[str]:
    return set(repairs.findings(ONE.scope).filter(detector=detector).values_list("key", flat=True))


@transaction.atomic
def more_troubles(troubles: Troubles) -> dict[str, set[str]]:
    """One more trouble for each detector, and what it should say of it."""
    city = troubles.city
    [accepted] = city.accepted(city.students(1))
    box = boxed(city)
    logistics.dispatch(SYSTEM, box.delivery_id, carrier="顺丰", waybill="SF9")
    at_school = received(city, count=1)
    [made, ordered, back] = city.planned(city.students(3))
    cards.order_cards(SYSTEM, [made.id, ordered.id])
    cards.confirm_made(SYSTEM, [(made.id, "0102030405AABB")])
    cards.void_cards(SYSTEM, [back.id], "以为丢了")
    cards.report_found(SYSTEM, back.id)
    [left] = city.students(1)
    registry.record_consent(SYSTEM, [left], "given", "2026-1", "家长", "paper")
    registry.Student.objects.filter(id=left).update(status="转出")
    [photographed] = city.students(1)
    photo = cards.upload_photo(SYSTEM, photographed, PORTRAIT, "x.jpg")
    [stale, assigned] = city.active(city.students(2))
    cards.Card.objects.filter(id=stale).update(state="lost")
    number = NumberUse.objects.filter(card_id=assigned, sort="card")
    number.update(state="assigned", repair=1)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO history_transition
                      (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
               VALUES ('card', %s, 99, 'lift', 'lost', 'active', '2020-01-01', 'x', '', '{}')""",
            [assigned],
        )
    return {
        "accepted_not_batched": {cards.Application.objects.get(id=accepted).number},
        "box_long_on_the_way": {box.number},
        "at_school_not_handed_out": {at_school.contents.get().card.number},
        "made_not_packed": {made.number},
        "ordered_not_returned": {ordered.number},
        "voided_by_mistake": {back.number},
        "consent_of_who_left": {education_id(left)},
        "photo_unused": {str(photo.id)},
        "state_without_step": {cards.Card.objects.get(id=stale).number},
        "number_without_card": {f"card {cards.Card.objects.get(id=assigned).number}"},
        "two_records_one_person": {" ".join(troubles.due["join"][name] for name in ("keep", "drop"))},
        "clock_drift": {f"card {assigned}/99"},
        "invariant": {"card_state_equals_last_history_row"},
    }


def test_every_detector_sees_its_trouble(troubles: Troubles) -> None:
    expected = more_troubles(troubles)
    assert set(expected) == set(repairs.DETECTORS)
    with clock.at(LATER):
        counts = repairs.detect(ONE)
    missed = {code: wanted - keys(code) for code, wanted in expected.items() if wanted - keys(code)}
    assert missed == {}
    assert counts == repairs.open_counts()
    for finding in repairs.findings(ONE.scope):
        assert finding.detail or finding.key
        if finding.suggests:
            assert finding.suggests in repairs.KINDS
            assert finding.params


def test_nothing_is_said_too_early(troubles: Troubles) -> None:
    repairs.detect(ONE)
    assert set(repairs.open_counts()) <= {"two_records_one_person", "invariant"}


def test_a_finding_keeps_its_owner_and_goes_when_it_is_gone(troubles: Troubles) -> None:
    repairs.detect(ONE)
    [pair] = repairs.findings(ONE.scope).filter(detector="two_records_one_person")
    assert (pair.suggests, pair.params) == ("join", troubles.due["join"])
    repairs.take(ONE, pair.id)
    with clock.at(NOW + timedelta(hours=5)):
        repairs.detect(ONE)
        pair.refresh_from_db()
        assert (pair.owner, pair.first_seen, pair.gone_at) == ("one", NOW, None)
        troubles.repaired(pair.suggests, pair.params)
        repairs.detect(ONE)
    pair.refresh_from_db()
    assert pair.gone_at is not None
    with pytest.raises(NotFound):
        repairs.take(ONE, pair.id)


def test_a_suggested_free_repair_puts_the_state_right(troubles: Troubles) -> None:
    [card] = troubles.city.active(troubles.city.students(1))
    cards.Card.objects.filter(id=card).update(state="lost")
    repairs.detect(ONE)
    [finding] = repairs.findings(ONE.scope).filter(detector="state_without_step")
    assert finding.params["new"] == "active"


def test_once_a_night(troubles: Troubles) -> None:
    detect_at_night()  # ten in the morning
    assert not repairs.findings(ONE.scope).exists()
    with clock.at(NOW.replace(hour=18)):  # two in the night
        detect_at_night()
    assert repairs.findings(ONE.scope).exists()


def test_a_night_without_findings_is_one_look(troubles: Troubles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detecting, "DETECTORS", {})
    for night, looks in ((0, 1), (1, 2)):
        for minute in (0, 1, 2):
            with clock.at(NOW.replace(hour=18, minute=minute) + timedelta(days=night)):
                detect_at_night()
        assert Entry.objects.filter(action="repair.detect").count() == looks
