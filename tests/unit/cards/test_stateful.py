"""Any order of acts on applications and cards: every invariant after each, and a refusal changes nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.size import dial
from tests.unit.cards.conftest import KIND, NOW, City, build, destroy
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card, CardAccount, CardKind
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.models import NumberRange
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check

STUDENTS = 4
places = st.integers(0, 30)
several = st.lists(places, min_size=1, max_size=4, unique=True)
actors = st.sampled_from([Actor.system("a"), Actor.system("b")])

_SNAPSHOT = """
    SELECT (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM cards_application t),
           (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM cards_card t),
           (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM cards_cardaccount t),
           (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM numbers_numberuse t),
           (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM numbers_numberrange t),
           (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM numbers_blank t),
           (SELECT count(*) FROM history_transition)"""


def snapshot() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT)
        return cursor.fetchone()


class Line(RuleBasedStateMachine):
    """Ids are chosen blindly, so most acts meet objects in a state where they are refused."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.time = clock.at(NOW)
        self.time.__enter__()
        self.city: City = build()
        self.students = self.city.students(STUDENTS)
        CardKind.objects.filter(code=KIND).update(photo_required=False)
        lot = [f"{place},{place:08X},10009900{place:08d}" for place in range(1, 20)]
        content = "\n".join(["position,uid,transit_number", *lot]).encode()
        numbers.import_blank_lot(self.city.operator, content, "L1", "一卡通公司", "张三")
        # From everywhere along the line, so that few steps lead to many places.
        _, accepted, ordered, holding = self.students
        self.city.accepted([accepted])
        cards.order_cards(Actor.system("a"), [card.id for card in self.city.planned([ordered])])
        self.city.active([holding])

    def teardown(self) -> None:
        self.time.__exit__(None, None, None)
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def act(self, does: Callable[[], Any]) -> Any:
        before = snapshot()
        try:
            with transaction.atomic():
                result = does()
        except XuekaError:
            assert snapshot() == before
            return None
        if isinstance(result, cards.BulkResult) and not result.done and does.__name__ != "opens":
            assert snapshot() == before
        return result

    def applications_at(self, chosen: list[int]) -> list[int]:
        return self._pick(Application, chosen)

    def cards_at(self, chosen: list[int]) -> list[int]:
        return self._pick(Card, chosen)

    def _pick(self, model: type[Application] | type[Card], chosen: list[int]) -> list[int]:
        ids = list(model.objects.order_by("id").values_list("id", flat=True))
        return list(dict.fromkeys(ids[place % len(ids)] for place in chosen)) if ids else []

    @rule(chosen=several, reason=st.sampled_from(list(cards.REASONS)), actor=actors)
    def apply(self, chosen: list[int], reason: str, actor: Actor) -> None:
        ids = [self.students[place % STUDENTS] for place in chosen]

        def opens() -> cards.BulkResult:
            return cards.create_applications(actor, ids, KIND, reason)

        self.act(opens)

    @rule(
        chosen=several,
        verb=st.sampled_from(
            ["submit", "withdraw", "approve", "approve", "send_back", "refuse", "recall", "cancel"]
        ),
        actor=actors,
    )
    def review(self, chosen: list[int], verb: str, actor: Actor) -> None:
        ids = self.applications_at(chosen)
        acts: dict[str, Callable[[], Any]] = {
            "submit": lambda: cards.submit(actor, ids),
            "withdraw": lambda: cards.withdraw(actor, ids),
            "approve": lambda: cards.approve(actor, ids),
            "send_back": lambda: cards.send_back(actor, ids, "data_mismatch"),
            "refuse": lambda: cards.refuse(actor, ids, "data_mismatch"),
            "recall": lambda: cards.recall(actor, ids),
            "cancel": lambda: cards.cancel_applications(actor, ids, "理由"),
        }
        previewed = cards.preview(verb, actor, ids)
        assert self.act(acts[verb]) == previewed

    @rule(
        levels=st.sampled_from([["city"], ["district", "city"], ["school", "district"], []]),
        source=st.sampled_from(["allocate", "bind", "none"]),
        numbers_left=st.booleans(),
    )
    def reconfigure(self, levels: list[str], source: str, numbers_left: bool) -> None:
        CardKind.objects.filter(code=KIND).update(review_levels=levels, transit_source=source)
        left = {"is_open": numbers_left, "closed_at": clock.now()}
        NumberRange.objects.filter(sort="beijing_tong").update(**left)

    @rule(chosen=several)
    def through_the_reviews(self, chosen: list[int]) -> None:
        ids = self.applications_at(chosen)
        cards.submit(Actor.system("a"), ids)
        for _ in range(3):
            cards.approve(Actor.system("c"), ids)

    @rule(chosen=several, actor=actors)
    def plan(self, chosen: list[int], actor: Actor) -> None:
        ids = self.applications_at(chosen)
        self.act(lambda: cards.plan_cards(actor, ids))

    @rule(chosen=several, actor=actors)
    def at_the_counter(self, chosen: list[int], actor: Actor) -> None:
        ids = self.applications_at(chosen)
        self.act(lambda: cards.to_counter(actor, ids))
        for application_id in ids:
            self.act(lambda id_=application_id: cards.issue_at_counter(actor, id_))

    @rule(chosen=several, actor=actors)
    def back_to_the_bureau(self, chosen: list[int], actor: Actor) -> None:
        ids = self.applications_at(chosen)
        self.act(lambda: cards.to_bureau(actor, ids))

    @rule(chosen=several, event=st.sampled_from(cards.CARD.event_codes), actor=actors)
    def any_event(self, chosen: list[int], event: str, actor: Actor) -> None:
        self.fire(event, self.cards_at(chosen), actor)

    @rule(chosen=several, way=places, actor=actors)
    def a_possible_event(self, chosen: list[int], way: int, actor: Actor) -> None:
        """For each card something that the table allows; so the walks get far."""
        for card_id in self.cards_at(chosen):
            if events := cards.CARD.events(Card.objects.get(id=card_id).state):
                self.fire(events[way % len(events)], [card_id], actor)

    def fire(self, event: str, ids: list[int], actor: Actor) -> None:
        one_by_one = {"report_lost": cards.report_lost, "lift": cards.lift, "found": cards.report_found}
        acts: dict[str, Callable[[], Any]] = {
            "order": lambda: cards.order_cards(actor, ids),
            "make": lambda: cards.confirm_made(actor, [(id_, f"{id_:08X}") for id_ in ids]),
            "fail": lambda: cards.fail_cards(actor, ids, "01", "芯片失败"),
            "void": lambda: cards.void_cards(actor, ids, "理由", remake=len(ids) != 2),
            "pack": lambda: cards.pack(actor, ids),
            "unpack": lambda: cards.unpack(actor, ids),
            "dispatch": lambda: cards.dispatch(actor, ids),
            "receive": lambda: cards.receive(actor, ids),
            "hand_out": lambda: cards.hand_out(actor, ids),
            "issue": lambda: [cards.issue_at_counter(actor, each) for each in self._papers_of(ids)],
            "finish": lambda: [cards.finish_at_counter(actor, id_, f"{id_:08X}") for id_ in ids],
            "spoil": lambda: [cards.spoil_at_counter(actor, id_, "印花了") for id_ in ids],
            "give": lambda: [cards.give(actor, id_, "student", agreed=True) for id_ in ids],
            "destroy": lambda: destroy(actor, ids),
            "cancel": lambda: [cards.cancel(actor, id_, "理由") for id_ in ids],
            **{
                name: lambda act=act: [act(actor, id_, "说明") for id_ in ids]
                for name, act in one_by_one.items()
            },
        }
        self.act(acts[event])

    def _papers_of(self, ids: list[int]) -> list[int]:
        return list(Card.objects.filter(id__in=ids).order_by("id").values_list("application_id", flat=True))

    @rule(place=places, event=st.sampled_from(["close_account", "reopen_account"]))
    def account(self, place: int, event: str) -> None:
        ids = list(CardAccount.objects.order_by("id").values_list("id", flat=True))
        if ids:
            self.act(lambda: getattr(cards, event)(Actor.system("a"), ids[place % len(ids)], "理由"))

    @invariant()
    def everything_holds(self) -> None:
        for each in [*cards.INVARIANTS, *numbers.INVARIANTS]:
            result = check(each)
            assert result.violated == 0, result


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    yield


def test_no_order_of_acts_breaks_an_invariant(one_connection: None) -> None:
    run_state_machine_as_test(
        Line,
        settings=settings(
            max_examples=dial(10, 2000),
            stateful_step_count=dial(30, 100),
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
