"""Every event in every state, through the services: done where the table has a row, else refused."""

from collections.abc import Callable

from django.db import transaction

from tests.support.machines import assert_every_pair, rows_of
from tests.unit.cards.conftest import KIND, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.models import Application, Card, CardAccount, CardKind
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.history.models import Transition
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

#: With which card states an application's state goes together.
_CARD_BESIDE = {s.IN_PRODUCTION: s.MADE, s.FULFILLED: s.ACTIVE}
_LEVELS = {s.SCHOOL_REVIEW: ["school"], s.DISTRICT_REVIEW: ["district"], s.CITY_REVIEW: ["city"]}


def fire(act: Callable[[], object]) -> None:
    """All or nothing, as at the edge; a bulk refusal of the only object counts as a refusal."""
    with transaction.atomic():
        result = act()
        if isinstance(result, cards.BulkResult) and result.refused:
            [(_, code, message)] = result.refused
            raise Refused(code, message)


def _approved(application_id: int, source: str, to: str, actor: Actor) -> None:
    """A last step in the history that `actor` may take back."""
    steps = Transition.objects.filter(machine="application", object_id=application_id)
    Transition.objects.create(
        machine="application",
        object_id=application_id,
        seq=steps.count() + 1,
        event="approve",
        from_state=source,
        to_state=to,
        at=clock.now(),
        actor=actor.username,
    )


def test_every_event_of_the_card(city: City) -> None:
    [card_id] = [card.id for card in city.planned(city.students())]
    application = Application.objects.filter(cards=card_id)
    actor = city.system
    acts = {
        "order": lambda: cards.order_cards(actor, [card_id]),
        "make": lambda: cards.confirm_made(actor, [(card_id, "")]),
        "fail": lambda: cards.fail_cards(actor, [card_id], "01", "芯片失败"),
        "pack": lambda: cards.pack(actor, [card_id]),
        "unpack": lambda: cards.unpack(actor, [card_id]),
        "dispatch": lambda: cards.dispatch(actor, [card_id]),
        "receive": lambda: cards.receive(actor, [card_id]),
        "hand_out": lambda: cards.hand_out(actor, [card_id]),
        "issue": lambda: apply(cards.CARD, Card, [card_id], "issue", actor),
        "finish": lambda: cards.finish_at_counter(actor, card_id, "04A1B2C3"),
        "spoil": lambda: cards.spoil_at_counter(actor, card_id, "印花了"),
        "give": lambda: cards.give(actor, card_id, "guardian", agreed=True),
        "report_lost": lambda: cards.report_lost(actor, card_id),
        "lift": lambda: cards.lift(actor, card_id),
        "cancel": lambda: cards.cancel(actor, card_id, "理由"),
        "found": lambda: cards.report_found(actor, card_id),
        "void": lambda: cards.void_cards(actor, [card_id], "理由"),
        "destroy": lambda: apply(cards.CARD, Card, [card_id], "destroy", actor),
    }

    def state() -> str:
        return Card.objects.get(id=card_id).state

    def attempt(event: str, source: str, to: str | None) -> str:
        Card.objects.filter(id=card_id).update(state=source)
        application.update(state=s.IN_PRODUCTION if source in s.BEFORE_HAND_OUT else s.FULFILLED)
        fire(acts[event])
        return state()

    assert set(acts) == set(cards.CARD.event_codes)
    allowed, refused = assert_every_pair(cards.CARD, attempt, still=state)
    assert allowed + refused == len(cards.CARD.event_codes) * len(cards.CARD.state_codes)


def test_every_event_of_the_application(city: City) -> None:
    [card_id] = [card.id for card in city.planned(city.students())]
    application_id = Card.objects.get(id=card_id).application_id
    actor = city.system

    def place(card_state: str) -> None:
        Card.objects.filter(application_id=application_id).exclude(id=card_id).update(state=s.VOID)
        Card.objects.filter(id=card_id).update(state=card_state)

    def fails() -> None:
        place(s.ORDERED)
        cards.fail_cards(actor, [card_id], "01", "芯片失败")

    def handed_out() -> cards.BulkResult:
        place(s.AT_SCHOOL)
        return cards.hand_out(actor, [card_id])

    def spoilt() -> None:
        place(s.READY)
        cards.spoil_at_counter(actor, card_id, "印花了")

    def given() -> None:
        place(s.READY)
        cards.give(actor, card_id, "guardian", agreed=True)

    acts = {
        "to_counter": lambda: cards.to_counter(actor, [application_id]),
        "to_bureau": lambda: cards.to_bureau(actor, [application_id]),
        "issue": lambda: cards.issue_at_counter(actor, application_id),
        "again": spoilt,
        "give": given,
        "submit": lambda: cards.submit(actor, [application_id]),
        "withdraw": lambda: cards.withdraw(actor, [application_id]),
        "approve": lambda: cards.approve(actor, [application_id]),
        "send_back": lambda: cards.send_back(actor, [application_id], "data_mismatch"),
        "refuse": lambda: cards.refuse(actor, [application_id], "data_mismatch"),
        "cancel": lambda: cards.cancel_applications(actor, [application_id], "理由"),
        "order": lambda: cards.plan_cards(actor, [application_id]),
        "recall": lambda: cards.recall(actor, [application_id]),
        "remake": fails,
        "fulfil": handed_out,
    }

    def state() -> str:
        return Application.objects.get(id=application_id).state

    def attempt(event: str, source: str, to: str | None) -> str:
        place(_CARD_BESIDE.get(source, s.FAILED))
        Application.objects.filter(id=application_id).update(state=source, submitted_by="somebody")
        CardKind.objects.filter(code=KIND).update(review_levels=_LEVELS.get(to or "", []))
        if event == "recall" and (came_from := rows_of(cards.APPLICATION, event, source)):
            _approved(application_id, to or came_from[0], source, actor)
        fire(acts[event])
        return state()

    assert set(acts) == set(cards.APPLICATION.event_codes)
    allowed, refused = assert_every_pair(cards.APPLICATION, attempt, still=state)
    assert allowed + refused == len(cards.APPLICATION.event_codes) * len(cards.APPLICATION.state_codes)


def test_every_event_of_the_account(city: City) -> None:
    [application] = city.drafts(city.students())
    cards.withdraw(city.system, [application])
    account_id = Application.objects.get(id=application).account_id
    acts = {"close": cards.close_account, "reopen": cards.reopen_account}

    def state() -> str:
        return CardAccount.objects.get(id=account_id).state

    def attempt(event: str, source: str, to: str | None) -> str:
        CardAccount.objects.filter(id=account_id).update(state=source)
        fire(lambda: acts[event](city.system, account_id, "理由"))
        return state()

    assert assert_every_pair(cards.ACCOUNT, attempt, still=state) == (2, 2)
