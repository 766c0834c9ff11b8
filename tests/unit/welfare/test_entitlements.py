"""Entitlements: told, never older than what is known, shown with what they are worth today."""

from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as trial
from hypothesis import strategies as st

from tests.unit.welfare.conftest import OPERATOR, SYSTEM, City, Platform, numbered, word
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.registry import api as registry
from xueka.contexts.welfare import api as welfare
from xueka.contexts.welfare.domain import entitlements, holders
from xueka.contexts.welfare.models import EntitledCard, Entitlement, EntitlementKind
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.exchange.applying import Message, apply_due
from xueka.platform.exchange.models import Incoming, Outgoing

_KINDS = count()


def hear(message: Message) -> None:
    with transaction.atomic():
        welfare.hear_entitlement(SYSTEM, message)


def test_a_card_in_hand_is_told_and_gets_what_it_is_entitled_to(platform: Platform, card: cards.Card) -> None:
    platform.tick()
    [message] = Outgoing.objects.filter(kind="holder.changed")
    assert message.stream.key == f"card:{card.number}"
    known = welfare.known_of([card.id])[card.id]
    assert {(card.number, each.entitlement.kind) for each in known} == set(platform.book())
    assert {each.words for each in known} == {"有效"} and "公共交通优惠" in {each.name for each in known}
    assert EntitlementKind.objects.count() == 2
    platform.tick()
    assert Outgoing.objects.filter(kind="holder.changed").count() == 1


def test_lost_found_left_and_replaced(platform: Platform, card: cards.Card, city: City) -> None:
    platform.tick()

    def states() -> set[str]:
        return set(Entitlement.objects.filter(card=card).values_list("state", flat=True))

    def told() -> list[tuple[str, str]]:
        return list(EntitledCard.objects.filter(card=card).values_list("state", "holder"))

    with transaction.atomic():
        cards.report_lost(SYSTEM, card.id, "丢了")
    platform.tick()
    assert states() == {"suspended"} and told() == [("lost", "enrolled")]
    with transaction.atomic():
        cards.lift(SYSTEM, card.id, "找到了")
    platform.tick()
    assert states() == {"active"}
    registry.Student.objects.filter(id=card.student_id).update(status="转出")
    platform.tick()
    assert states() == {"ended"} and told() == [("active", "left")]
    registry.Student.objects.filter(id=card.student_id).update(status="在校")
    platform.tick()
    assert states() == {"active"} and EntitledCard.objects.get().version == 5
    with transaction.atomic():
        cards.cancel(SYSTEM, card.id, "损坏")
    platform.tick()
    assert states() == {"ended"} and told() == [("cancelled", "enrolled")]
    new = numbered(city, 1)[0]
    cards.Application.objects.filter(id=new.application_id).update(old_card=card)
    platform.tick()
    kinds = {kind for number, kind in platform.book() if number == new.number}
    assert kinds == {kind for number, kind in platform.book() if number == card.number}


def test_only_cards_with_a_number_in_the_hands_of_those_still_here(platform: Platform, city: City) -> None:
    bare, left = numbered(city, 2)
    cards.Card.objects.filter(id=bare.id).update(beijing_tong_number="")
    registry.Student.objects.filter(id=left.student_id).update(status="毕业")
    platform.tick()
    assert EntitledCard.objects.count() == 0 == Outgoing.objects.count()


def test_the_round_comes_to_every_card_a_piece_at_a_time(platform: Platform, city: City) -> None:
    made = numbered(city, 5)
    found = []
    for _ in range(4):  # the last piece is short, then the round begins anew
        with transaction.atomic():
            found.append(welfare.walk(most=2))
    assert found == [2, 2, 1, 0] and EntitledCard.objects.count() == len(made)


@pytest.mark.django_db
@trial(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=15,
)
@given(order=st.permutations(range(1, 7)), again=st.lists(st.integers(1, 6), max_size=4))
def test_whatever_the_order_the_latest_word_stays(
    card: cards.Card, order: list[int], again: list[int]
) -> None:
    """Told in any order, some of them twice."""
    states = ["active", "suspended", "ended", "active", "ended", "suspended"]
    kind = f"k{next(_KINDS)}"
    for at, version in enumerate([*order, *again], 1):
        hear(word(card, version, states[version - 1], kind=kind))
        found = Entitlement.objects.get(card=card, kind=kind)
        latest = max([*order, *again][:at])
        assert (found.version, found.state) == (latest, states[latest - 1])


def test_an_older_word_changes_nothing_not_even_by_hand(card: cards.Card) -> None:
    hear(word(card, 3, "suspended", reason="核查中"))
    hear(word(card, 2))
    hear(word(card, 3))
    found = Entitlement.objects.get()
    assert (found.version, found.state, found.reason) == (3, "suspended", "核查中")
    with pytest.raises(DatabaseError), transaction.atomic():
        Entitlement.objects.update(version=2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "Museum"}, "CONTENT_WRONG"),
        ({"kind": None}, "CONTENT_WRONG"),
        ({"state": "granted"}, "CONTENT_WRONG"),
        ({"state": "ended", "reason": ""}, "CONTENT_WRONG"),
        ({"valid_from": None}, "CONTENT_WRONG"),
        ({"valid_from": "2026-02-30"}, "CONTENT_WRONG"),
        ({"valid_until": "2026-08-31"}, "CONTENT_WRONG"),
        ({"version": 0}, "CONTENT_WRONG"),
        ({"version": True}, "CONTENT_WRONG"),
        ({"as_of": "2026-10-09T08:30:00"}, "CONTENT_WRONG"),
        ({"card": "999"}, "KEY_MISMATCH"),
        ({"beijing_tong_number": "BJT1"}, "NUMBER_MISMATCH"),
    ],
)
def test_each_wrong_word_is_refused_by_its_code(
    card: cards.Card, change: dict[str, object], code: str
) -> None:
    with pytest.raises((BadInput, Refused, NotFound)) as refusal:
        hear(word(card, 1, **change))
    assert refusal.value.code == code
    assert Entitlement.objects.count() == 0


def test_an_unknown_card_is_kept_as_a_problem(platform: Platform, card: cards.Card) -> None:
    assert platform.house.grants
    platform.house.grants.put("110000000000", "BJT1", "museum", "active", "")
    assert platform.deliver() == [202]
    kept = Incoming.objects.get()
    assert (kept.state, kept.code) == ("dead", "CARD_UNKNOWN")


def test_names_are_the_defaults_then_ours_then_theirs(db: None, settings: Any) -> None:
    settings.WELFARE_KINDS = "park=公园;cinema=影院;=x;nothing;empty="
    found = welfare.kind_names()
    assert (found["park"], found["cinema"], found["museum"]) == ("公园", "影院", "博物馆")
    assert not {"", "nothing", "empty"} & found.keys()


def test_a_name_of_a_kind_never_goes_back(db: None) -> None:
    def name(kind: str, text: str, version: int) -> None:
        told = {"kind": kind, "name": text, "version": version}
        welfare.hear_kind(SYSTEM, Message("welfare", "m", "kind.named", f"kind:{kind}", 1, None, told))

    assert welfare.kind_names()["museum"] == "博物馆"
    name("museum", "博物馆与纪念馆", 2)
    name("museum", "旧名", 1)
    name("theatre", "剧场", 1)
    assert (welfare.kind_names()["museum"], welfare.kind_names()["theatre"]) == ("博物馆与纪念馆", "剧场")
    with pytest.raises(Refused):
        wrong = {"kind": "park", "name": "公园", "version": 1}
        welfare.hear_kind(SYSTEM, Message("welfare", "m", "kind.named", "kind:museum", 1, None, wrong))


def test_a_kind_that_nobody_named_is_shown_by_its_code(card: cards.Card) -> None:
    hear(word(card, 1, kind="opera"))
    assert [each.name for each in welfare.known_of([card.id])[card.id]] == ["opera"]


@pytest.mark.parametrize(
    ("state", "begins", "ends", "standing"),
    [
        ("active", "2026-09-01", None, "valid"),
        ("active", "2026-10-10", "2026-10-10", "valid"),
        ("active", "2026-10-11", None, "coming"),
        ("active", "2026-09-01", "2026-10-09", "over"),
        ("suspended", "2026-09-01", "2026-10-09", "suspended"),
        ("ended", "2026-09-01", None, "ended"),
    ],
)
def test_what_it_is_worth_today_and_who_finds_it(
    card: cards.Card, state: str, begins: str, ends: str | None, standing: str
) -> None:
    last = date.fromisoformat(ends) if ends else None
    with clock.at(datetime(2026, 10, 10, 0, 30, tzinfo=clock.SHANGHAI)):  # still the day before elsewhere
        hear(word(card, 1, state, valid_from=begins, valid_until=ends))
        [known] = welfare.known_of([card.id])[card.id]
        rows = welfare.entitlement_rows(SYSTEM.scope)
        found = [how for how in entitlements.STANDINGS if welfare.of_standing(rows, how).exists()]
    assert [known.standing] == found == [standing]
    assert entitlements.standing(state, date.fromisoformat(begins), last, date(2026, 10, 10)) == standing


def test_both_sides_compare_equal_and_theirs_is_taken(platform: Platform, card: cards.Card) -> None:
    platform.tick()
    grants = platform.house.grants
    assert grants

    def differing() -> list[int]:
        sets = ("entitled-cards", "entitlements")
        return [interop.reconcile(SYSTEM, platform.partner, each).differing for each in sets]

    assert differing() == [0, 0]
    days = ("2026-09-01", "2028-08-31")
    grants.put(card.number, card.beijing_tong_number, "transit", "suspended", "核查", days=days, tell=False)
    grants.put(card.number, card.beijing_tong_number, "park", "active", "", days=days, tell=False)
    platform.house.book.put("entitled-cards", card.number, "")
    assert differing() == [1, 2]
    rows = list(interop.differences(SYSTEM))
    theirs = [each.id for each in rows if each.dataset == "entitlements"]
    with pytest.raises(Refused):  # the platform's to say
        interop.send_again(OPERATOR, theirs)
    with transaction.atomic():
        interop.take_theirs(OPERATOR, theirs)
        interop.send_again(OPERATOR, [each.id for each in rows if each.dataset == "entitled-cards"])
    platform.talk()
    assert differing() == [0, 0]
    assert set(Entitlement.objects.values_list("kind", "state", "valid_until")) >= {
        ("transit", "suspended", date(2028, 8, 31)), ("park", "active", date(2028, 8, 31)),
    }  # fmt: skip


def test_no_word_about_a_card_comes_between_reading_it_and_telling_it_again(
    platform: Platform, card: cards.Card
) -> None:
    platform.tick()
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        assert welfare.holder_letters([card.number]).keys() == {card.number}
    [read] = [each["sql"] for each in asked if 'FROM "welfare_entitledcard"' in each["sql"]]
    assert "FOR UPDATE" in read


def test_what_they_have_lost_or_have_older_is_not_taken(platform: Platform, card: cards.Card) -> None:
    hear(word(card, 5))
    key = entitlements.key_of(card.number, "museum")
    older = entitlements.record_of(card.number, "museum", "active", date(2026, 9, 1), None, 4)
    for theirs, code in (
        ("", "ENTITLEMENT_GONE"),
        (older, "ENTITLEMENT_OLDER"),
        ("x|y", "ENTITLEMENT_RECORD"),
        (older.removesuffix("4") + "+6", "ENTITLEMENT_RECORD"),
    ):
        with pytest.raises(Refused) as refusal:
            welfare.take_entitlement(SYSTEM, key, theirs, clock.now())
        assert refusal.value.code == code
    same = entitlements.record_of(card.number, "museum", "ended", date(2026, 9, 1), None, 5)
    welfare.take_entitlement(SYSTEM, key, same, clock.now())
    assert Entitlement.objects.get().state == "ended"


def test_what_is_compared_is_to_the_byte_as_the_page_says(platform: Platform, card: cards.Card) -> None:
    platform.tick()
    ours = interop.answer("entitlements", {"prefixes": [""], "records": True})
    each = Entitlement.objects.order_by("kind").first()
    assert each is not None
    text = entitlements.record_of(
        card.number, each.kind, each.state, each.valid_from, each.valid_until, each.version
    )
    assert {"key": entitlements.key_of(card.number, each.kind), "text": text} in ours["records"]  # type: ignore[operator]
    told = interop.answer("entitled-cards", {"prefixes": [""], "records": True})
    text = holders.record_of(card.number, card.beijing_tong_number, "active", "enrolled")
    assert told["records"] == [{"key": card.number, "text": text}]


def test_without_a_platform_nothing_is_told(card: cards.Card, tmp_path: Path, settings: Any) -> None:
    settings.EXCHANGE_PARTNERS = tmp_path
    assert (welfare.follow(), welfare.walk(), Outgoing.objects.count()) == (0, 0, 0)
    assert not welfare.connected() and apply_due() == 0
