"""A script of the transit company: announced, reviewed, run by a real agent on a virtual card in a reader;
what became of it reaches the city and the company.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from tests.journeys.counter.test_counter import Desk, desk, people
from tests.journeys.town import SYSTEM, Town
from tests.support import pcsc
from tests.support.finishing import finish
from tests.unit.interop.conftest import LIMITS
from tests.unit.personalization.conftest import CLERK, FIRST, SECOND
from tests.unit.personalization.test_scripts import CREATE, script_text
from tests.unit.transit.conftest import CODE, Company
from xueka.contexts.cards import api as cards
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import ReaderState, Session
from xueka.contexts.transit import api as transit
from xueka.kernel import clock
from xueka.platform.exchange import queries
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.models import Outgoing
from xueka.platform.identity.scope import EVERYWHERE
from xueka.sandbox.exchange.__main__ import House, parser

__all__ = ["desk", "people"]


@pytest.fixture
def company(tmp_path: Path, settings: Settings) -> Iterator[Company]:
    settings.EXCHANGE_PARTNERS = tmp_path / "exchange"
    home = tmp_path / "exchange" / CODE
    house = House(parser().parse_args(["--home", str(home), "--code", CODE, "--limits", LIMITS]))
    house.start()
    house.notices.stop()  # the test carries its letters
    house.clock.set(clock.now().isoformat())
    yield Company(house, counterpart(CODE))
    house.stop()


def written(town: Town, desk: Desk) -> cards.Card:
    """A card that the agent has written on the plastic in the reader, in its student's hands."""
    waiting = cards.application(SYSTEM.scope, desk.waiting(town.students()[0]))
    with transaction.atomic():
        made = cards.issue_at_counter(SYSTEM, waiting.id)
        agent = personalization.agents(SYSTEM.scope).get()
        session = personalization.open_session(CLERK, made.pk, agent.pk, pcsc.READER, whole=True)
    desk.hand.say("insert")
    pcsc.until(lambda: Session.objects.filter(pk=session.pk, state="verified").exists(), desk.agent.said, 120)
    with transaction.atomic():
        finish(SYSTEM, made.pk)
        cards.give(SYSTEM, made.pk, "guardian", agreed=True)
    desk.hand.say("pull")
    empty = ReaderState.objects.filter(name=pcsc.READER, state="empty")
    pcsc.until(empty.exists, desk.agent.said)
    return cards.card(SYSTEM.scope, made.pk)


def announced(company: Company, card: cards.Card) -> personalization.CardScript:
    """The company's script, put in force by two people."""
    text = script_text("field", last=CREATE).replace('"bjt_student"', f'"{card.kind_id}"')
    told = {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    company.house._tell({"kind": "script.announced", "key": "script:transit", "data": told})
    company.deliver()
    [script] = personalization.scripts(EVERYWHERE)
    with transaction.atomic():
        personalization.submit(FIRST, personalization.SCRIPTS, script.pk)
        personalization.approve(SECOND, personalization.SCRIPTS, script.pk)
        personalization.put_in_force(FIRST, personalization.SCRIPTS, script.pk)
    return script


def test_a_script_runs_on_a_card_and_its_result_reaches_the_company(
    town: Town, desk: Desk, company: Company
) -> None:
    card = written(town, desk)
    script = announced(company, card)
    before = desk.hand.say("state")["commands"]
    desk.hand.say("insert")
    ended = personalization.Upgrade.objects.filter(card=card, script=script).exclude(state="running")
    pcsc.until(ended.exists, desk.agent.said, 120)
    assert ended.get().state == "done", ended.get().session.message
    assert desk.hand.say("state")["commands"] >= before + 2  # what the company wrote, on the card itself
    with transaction.atomic():
        assert transit.report_results(SYSTEM) == 1
    with transaction.atomic():
        assert transit.report_results(SYSTEM) == 0
    told = queries.content(Outgoing.objects.get(kind="script.reported"))
    assert (told["card"], told["script"], told["version"], told["result"]) == (
        card.number, script.code, script.version, "done",
    )  # fmt: skip
    company.talk()
    assert (f"card:{card.number}", "script.reported") in company.applied()
