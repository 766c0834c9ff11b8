"""Whatever a card answers, to every command of every run: it is told of that card, and nothing breaks."""

from collections.abc import Callable, Sequence

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.size import dial
from tests.unit.personalization.conftest import ATR, Counter, Plastic
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.domain.judging import OUTCOMES
from xueka.contexts.personalization.models import Session

Answers = list[tuple[bytes, str, int]]

EXAMPLES = dial(5, 80)
FOLLOW_UPS = 4
STATES = {"running", "verified", "void", "failed"}

words = st.sampled_from(["9000", "6300", "63c0", "6581", "6700", "6982", "6983", "6a82", "0000", "ffff"])
garbage = st.tuples(st.binary(max_size=40), words)
said = st.text(alphabet="0123456789abcdef", min_size=4, max_size=4) | words


def altered(draw: st.DrawFn, data: bytes, word: str) -> tuple[bytes, str, int]:
    """One answer: as the card gave it, cut, longer, with another word, or garbage."""
    sort = draw(st.sampled_from(["true", "cut", "longer", "word", "garbage"]))
    if sort == "cut":
        return data[: draw(st.integers(0, len(data)))], word, 1
    if sort == "longer":
        return data + draw(st.binary(min_size=1, max_size=1024 - len(data))), word, 1
    if sort == "word":
        return data, draw(said), 1
    return (data, word, 1) if sort == "true" else (*draw(garbage), 1)


@st.composite
def odd(draw: st.DrawFn, truth: Sequence[tuple[bytes, str]]) -> tuple[str, Answers]:
    """An outcome, and answers to none, some or more than all commands."""
    count = draw(st.integers(0, len(truth) + 1))
    answers = [altered(draw, *each) for each in [*truth, (b"", "9000")][:count]]
    return draw(st.sampled_from(sorted(OUTCOMES))), answers


class Undone(Exception):
    """Puts everything back that an example did."""


def fuzzed(report: Callable[[str, str, Answers], dict[str, object]], run: str, truth: Answers) -> None:
    """Odd answers to this run and to what is asked next, every time from the same state."""
    told = [(data, word) for data, word, _ in truth]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(st.data())
    def play(data: st.DataObject) -> None:
        with pytest.raises(Undone), transaction.atomic():
            code, true = run, told
            for _ in range(FOLLOW_UPS):
                reply = report(code, *data.draw(odd(true)))
                assert reply["state"] in STATES and reply["message"]
                following = reply["next"]
                if following is None:
                    break
                assert isinstance(following, dict)
                code, true = following["run"], [(b"", "9000")] * len(following["commands"])
            session = Session.objects.latest("id")
            assert session.state not in ("void", "failed") or (session.code and session.message)
            raise Undone

    play()


def walked(counter: Counter, session: Session, plastic: Plastic, *, stop_after: int = 0) -> str:
    """The true answers of the card to the end, each run fuzzed before; the last state that was told."""

    def report(run: str, outcome: str, answers: Answers) -> dict[str, object]:
        given = personalization.Report(outcome, ATR, answers)
        return personalization.report(counter.agent, session.pk, run, given)

    work = counter.poll()
    run, state, done = (work["run"] if work else None), "", 0
    while run is not None:
        if run["reset"]:
            plastic.system.reset()
        answers = [(*counter.send(plastic, each["apdu"]), 1) for each in run["commands"]]
        fuzzed(report, run["run"], answers)
        done += 1
        if done == stop_after:
            report(run["run"], "pulled", [])
            return "pulled"
        reply = report(run["run"], "done", answers)
        run, state = reply["next"], str(reply["state"])
    return state


@pytest.mark.parametrize("whole", [False, True])
def test_every_run_of_a_card_that_is_made(counter: Counter, whole: bool) -> None:
    session = counter.open(whole=whole)
    assert walked(counter, session, counter.blank(initialised=not whole)) == "verified"


def test_every_run_of_a_card_that_is_looked_at(counter_sm4: Counter) -> None:
    """It was pulled, with its answers lost, while it was written; SM4 asks for longer challenges."""
    session, plastic = counter_sm4.open(), counter_sm4.blank()
    assert walked(counter_sm4, session, plastic, stop_after=3) == "pulled"
    counter_sm4.poll("empty")
    assert walked(counter_sm4, session, plastic) == "verified"


@pytest.mark.parametrize("length", [0, 1, 3, 5, 7, 9, 16, 300])
def test_a_challenge_of_another_length_is_named(counter: Counter, length: int) -> None:
    session, plastic = counter.open(), counter.blank()
    work = counter.poll()
    assert work is not None
    answers = [(*counter.send(plastic, each["apdu"]), 1) for each in work["run"]["commands"]]
    answers[-1] = (bytes(length), "9000", 1)
    reply = counter.report(work["session"], work["run"]["run"], "done", answers)
    session.refresh_from_db()
    assert (reply["state"], session.code) == ("failed", "CARD_REFUSED")
    assert session.message == f"取随机数：卡给的随机数是 {length} 字节，应为 8 字节"
