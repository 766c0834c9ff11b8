"""The outbox: posted in the transaction, sent in order, tried again, dead letters, the breaker, replay."""

import contextlib
import json
import socket
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.unit.platform.exchange.conftest import CODE, Other, introduce
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused
from xueka.platform.exchange import keeping, lines, queries, replaying, tracing, under_way, wire
from xueka.platform.exchange.counterparts import Counterpart, codes, counterpart, counterparts
from xueka.platform.exchange.invariants import INVARIANTS
from xueka.platform.exchange.models import Attempt, Line, Outgoing, Stream
from xueka.platform.exchange.replaying import Which
from xueka.platform.exchange.sending import Sender, claim, record, send_due
from xueka.platform.exchange.services import BY_FILE, Letter, post, post_many
from xueka.platform.exchange.wire import Caller, Parcel, Said
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check
from xueka.sandbox.common.http import HANG_UP, Answer, json_answer

pytestmark = pytest.mark.django_db
OPERATOR = Actor.system("test")


def tell(card: str = "1", state: str = "active", **more: Any) -> bool:
    return post(
        CODE, "card.status", f"card:{card}", {"state": state, "id_number": "110105194912310021"}, **more
    )


def send(rounds: int = 20) -> None:
    sender = Sender()
    for _ in range(rounds):
        if not sender.turn():
            break
    sender.close()


def sound() -> None:
    assert [each.name for each in INVARIANTS if check(each).violated] == []


def states() -> list[str]:
    return list(Outgoing.objects.order_by("id").values_list("state", flat=True))


def test_posted_in_the_transaction_sealed_numbered_and_told_once(other: Other) -> None:
    assert tell(once="h1") and not tell(once="h1") and tell() and tell("2")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        tell()
        1 / 0  # noqa: B018
    rows = Outgoing.objects.order_by("id")
    assert [(each.stream.key, each.seq) for each in rows] == [("card:1", 1), ("card:1", 2), ("card:2", 1)]
    assert b"1949" not in bytes(rows[0].envelope)
    send()
    assert [each["sequence"] for each in other.applied["card:1"]] == [1, 2]
    assert other.applied["card:1"][0]["data"]["state"] == "active"
    assert states() == ["delivered"] * 3 and Attempt.objects.count() == 3
    assert queries.content(rows[0])["id_number"] == "110105********0021"
    sound()


def test_many_at_once_keep_the_order_of_each_key(other: Other) -> None:
    letters = [Letter(f"card:{place % 7}", "k", {"n": place}) for place in range(70)]
    assert post_many(CODE, letters) == 70
    send(100)
    for key in range(7):
        assert [each["data"]["n"] for each in other.applied[f"card:{key}"]] == list(range(key, 70, 7))
    sound()


def test_whoever_does_not_answer_gets_it_again(other: Other) -> None:
    answers = [HANG_UP, json_answer({}, 500), Answer(502), None]
    other.says = lambda message: answers.pop(0)
    tell()
    send()
    assert states() == ["delivered"] and len(other.applied["card:1"]) == 1
    tries = Attempt.objects.order_by("id").values_list("status", "code")
    assert list(tries) == [
        (0, "NO_ANSWER"),
        (500, "COUNTERPART_ERROR"),
        (502, "COUNTERPART_ERROR"),
        (204, ""),
    ]


def test_a_refusal_is_a_dead_letter_and_holds_back_its_key_alone(other: Other) -> None:
    other.says = lambda message: (
        json_answer({"code": "CARD_UNKNOWN", "title": "没有这张卡"}, 422)
        if message["key"] == "card:1"
        else None
    )
    tell(), tell(), tell("2")
    send()
    assert states() == ["dead", "queued", "delivered"]
    [letter] = queries.dead_letters(CODE)
    assert (letter.code, letter.problem) == ("CONTENT_REFUSED", "CARD_UNKNOWN 没有这张卡")
    assert queries.held_back(letter) == 1
    [health] = queries.health([CODE])
    assert (health.dead, health.held, health.queued, health.delivered) == (1, 1, 1, 1)
    sound()
    for states_ in (("queued",), ("queued", "dead")):
        with pytest.raises(BadInput):
            replaying.replay(OPERATOR, Which(CODE, states=states_), "再试")
    other.says = lambda message: None
    which = Which(CODE, ids=[letter.pk])
    seen = replaying.preview(OPERATOR, which)
    assert (seen.matched, seen.messages, seen.keys) == (1, 2, 1)
    with pytest.raises(Conflict):
        replaying.replay(OPERATOR, which, "卡已补录", expected=1)
    replaying.replay(OPERATOR, which, "卡已补录", expected=2)
    sound()
    send()
    assert states() == ["delivered"] * 3 and [each["sequence"] for each in other.applied["card:1"]] == [1, 2]


def test_a_dead_letter_given_up_is_told_as_void(other: Other) -> None:
    other.says = lambda message: Answer(400) if message["kind"] != "void" else None
    tell(), tell("2")
    send()
    first, second = queries.dead_letters(CODE)
    replaying.give_up(OPERATOR, first.pk, "卡已销毁")
    send()
    [told] = other.applied["card:1"]
    assert (told["kind"], told["sequence"], told["id"]) == (
        "void",
        1,
        first.message_id,
    ) and "data" not in told
    assert states() == ["delivered", "dead"]
    with pytest.raises(Refused):
        replaying.give_up(OPERATOR, first.pk, "再一次")
    with pytest.raises(NotFound):
        replaying.give_up(OPERATOR, 0, "没有")
    with pytest.raises(BadInput):
        replaying.give_up(OPERATOR, second.pk, " ")
    sound()


def test_a_bookmark_sends_everything_since_and_the_receiver_applies_none_twice(other: Other) -> None:
    tell(), tell("2")
    mark = Outgoing.objects.order_by("-id").values_list("id", flat=True)[0]
    tell(), tell("2"), tell("3")
    send()
    before = {key: len(value) for key, value in other.applied.items()}
    calls = len(other.calls)
    done = replaying.replay(OPERATOR, Which(CODE, after=mark), "对方恢复了昨天的备份")
    assert (done.matched, done.messages, done.keys) == (3, 3, 3)
    send()
    assert len(other.calls) == calls + 3
    assert {key: len(value) for key, value in other.applied.items()} == before
    other.applied["card:1"].clear()  # and one that has lost more says where to begin
    tell()
    send()
    assert [each["sequence"] for each in other.applied["card:1"]] == [1, 2, 3]
    sound()


def test_replay_needs_the_permission_and_something_to_send(other: Other) -> None:
    tell()
    send()
    nobody = Actor.in_role("t", "老师", "school_officer", EVERYWHERE)
    with pytest.raises(Forbidden):
        replaying.preview(nobody, Which(CODE))
    with pytest.raises(Refused) as refusal:
        replaying.replay(OPERATOR, Which(CODE, kind="other"), "试")
    assert refusal.value.code == "NOTHING_TO_REPLAY"
    with clock.at(clock.now() + timedelta(days=91)):
        assert keeping.empty_old() == 1
        with pytest.raises(Refused) as refusal:
            replaying.replay(OPERATOR, Which(CODE), "试")
    assert refusal.value.code == "CONTENT_FORGOTTEN"
    assert queries.content(Outgoing.objects.get()) is None


def test_a_counterpart_that_is_down_is_spared_and_makes_no_dead_letters(
    other: Other, partner: Counterpart
) -> None:
    introduce(partner_folder(other), other.base, breaker_after=3, breaker_base=60, max_tries=2)
    other.says = lambda message: Answer(503)
    with clock.at(clock.now()) as now:
        for card in range(3):
            tell(str(card))
        send()
        calls = len(other.calls)
        assert Line.objects.get().breaker == "open" and calls == 3
        send()
        assert len(other.calls) == calls
        for _ in range(6):
            now.advance(timedelta(minutes=15))
            send()
        assert len(other.calls) == calls + 6  # one at a time finds out
        assert set(states()) == {"queued"}
        other.says = lambda message: None
        now.advance(timedelta(minutes=15))
        send()
        now.advance(timedelta(minutes=15))
        send()
        assert Line.objects.get().breaker == "closed" and states() == ["delivered"] * 3


def test_one_message_that_always_fails_while_others_pass_is_put_aside(other: Other) -> None:
    other.says = lambda message: Answer(500) if message["key"] == "card:1" else None
    tell()
    for place in range(8):
        tell(f"2{place}")
        send(1)
    assert states()[0] == "dead" and Outgoing.objects.order_by("id")[0].code == "TRIED_TOO_OFTEN"
    assert set(states()[1:]) == {"delivered"}


def test_told_to_slow_down(other: Other) -> None:
    other.says = lambda message: Answer(429, b"", {"Retry-After": "120"})
    with clock.at(clock.now()) as now:
        tell()
        send()
        line = Line.objects.get()
        assert line.open_until == now.now() + timedelta(seconds=120) and line.failures == 0
        other.says = lambda message: None
        now.advance(timedelta(seconds=119))
        send()
        assert states() == ["queued"]
        now.advance(timedelta(seconds=2))
        send()
        assert states() == ["delivered"]


def test_no_more_than_its_rate(other: Other) -> None:
    introduce(partner_folder(other), other.base, per_second=5)
    with clock.at(clock.now()) as now:
        post_many(CODE, [Letter(f"card:{place}", "k", {}) for place in range(12)])
        send()
        assert len(other.calls) == 5
        now.advance(timedelta(seconds=1))
        send()
        assert len(other.calls) == 10


def test_a_large_content_travels_as_a_file_before_its_message(other: Other) -> None:
    post(CODE, "list", "card:9", {"rows": ["汉" * 100] * 500})
    message = Outgoing.objects.get()
    assert message.file is not None and message.file.sealed and message.file.size > BY_FILE
    send()
    [told] = other.applied["card:9"]
    assert "data" not in told
    assert json.loads(other.files[told["file"]["sha256"]])["rows"][0] == "汉" * 100
    assert len(queries.content(message)["rows"]) == 500


def test_a_claim_is_one_senders_and_void_after_its_time(partner: Counterpart, other: Other) -> None:
    with clock.at(clock.now()) as now:
        tell()
        [mine], _ = claim(partner, 10)
        assert claim(partner, 10) == ([], False)
        now.advance(timedelta(seconds=30))
        [theirs], _ = claim(partner, 10)
        record(partner, [(theirs, Said(204))])
        tell()
        record(partner, [(mine, Said(500, "COUNTERPART_ERROR"))])  # comes late, and moves nothing
        assert states() == ["delivered", "queued"]
        assert Stream.objects.get().attempts == 0
        sound()


def test_the_breaker_lets_one_find_out(partner: Counterpart) -> None:
    with clock.at(clock.now()) as now:
        lines.hear(partner, 0, 10, "对方没有应答", 0)
        assert lines.take_leave(partner, 5).count == 1  # its pause was none in these limits
        assert lines.take_leave(partner, 5).count == 0
        now.advance(timedelta(seconds=60))
        assert lines.take_leave(partner, 5).trial


def test_database_keeps_messages_and_tries_as_they_are(other: Other) -> None:
    tell()
    send()
    for statement in (
        "UPDATE exchange_outgoing SET kind = 'x'",
        "UPDATE exchange_outgoing SET seq = 2",
        "DELETE FROM exchange_outgoing",
        "UPDATE exchange_attempt SET code = ''",
        "DELETE FROM exchange_attempt",
        "UPDATE exchange_stream SET done_seq = 5",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_broken_file_closes_one_counterpart(other: Other) -> None:
    folder = partner_folder(other)
    (folder / "transit").mkdir()
    for text in ("{", '{"name": "公交"}', '{"name": "公交", "base": "ftp://x", "send_secrets": []}'):
        (folder / "transit" / "partner.json").write_text(text, "utf-8")
        with pytest.raises(BadInput) as refusal:
            counterpart("transit")
        assert refusal.value.code == "COUNTERPART_FILE"
    assert codes() == [CODE, "transit"] and [each.code for each in counterparts()] == [CODE]
    with pytest.raises(NotFound):
        counterpart("nobody")
    with pytest.raises(NotFound):
        counterpart("../x")
    tell()
    assert send_due() == 1


def test_trace_and_hours(other: Other) -> None:
    tell(), tell("2")
    send()
    [step] = tracing.trace(["card:1", "student:5"])
    assert (step.kind, step.state, step.tries[0][1]) == ("card.status", "delivered", 204)
    hours = queries.throughput(CODE, 3)
    assert [(each.posted, each.delivered) for each in hours] == [(0, 0), (0, 0), (2, 2)]
    assert under_way.waiting_keys(CODE, ["card:1"]) == set()


VIOLATIONS = {
    "exchange_numbers_have_no_gap": "UPDATE exchange_stream SET last_seq = last_seq + 1",
    "exchange_order_is_kept": "UPDATE exchange_stream SET done_seq = 0",
    "exchange_delivered_was_tried": (
        "UPDATE exchange_outgoing SET state = 'delivered', ended_at = now() WHERE state = 'queued'"
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_invariant_is_seen_to_be_violated(name: str, other: Other) -> None:
    tell()
    send()
    tell()
    sound()
    with connection.cursor() as cursor:
        cursor.execute(VIOLATIONS[name])
    result = check(next(each for each in INVARIANTS if each.name == name))
    assert result.violated and result.checked


def partner_folder(other: Other) -> Any:
    from django.conf import settings

    return settings.EXCHANGE_PARTNERS


DEEP = Answer(400, b"[" * 5_000, {"content-type": "application/json"})
TOLD = rb'{"code":"X","title":"\ud800","detail":"\u5361 13800138000 \u8bc1 110105194912310021"}'
BROKEN = Answer(422, TOLD, {"content-type": "application/json"})


@pytest.mark.parametrize("said", [DEEP, BROKEN])
def test_an_answer_that_cannot_be_kept_as_it_is_stops_nobody(other: Other, said: Answer) -> None:
    other.says = lambda message: said if message["key"] == "card:1" else None
    tell(), tell("2")
    send(3)
    assert states() == ["dead", "delivered"]
    letter = Outgoing.objects.get(state="dead")
    assert not {"13800138000", "110105194912310021"} & set(letter.problem.split())
    assert letter.problem == Attempt.objects.get(outgoing=letter).said


def test_one_counterpart_that_breaks_the_round_keeps_no_other_waiting(
    other: Other, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    introduce(tmp_path, other.base)
    (tmp_path / "aaa").mkdir()
    (tmp_path / "aaa" / "partner.json").write_bytes((tmp_path / CODE / "partner.json").read_bytes())
    post("aaa", "k", "card:1", {})
    tell()
    whole = Caller.hand_over

    def hand_over(caller: Caller, sent: Parcel) -> Said:
        return whole(caller, sent) if caller.partner.code == CODE else 1 / 0  # type: ignore[return-value]

    monkeypatch.setattr(Caller, "hand_over", hand_over)
    send(1)
    assert states() == ["queued", "delivered"]


def test_a_counterpart_that_never_finds_what_it_has_becomes_a_persons_affair(other: Other) -> None:
    other.says = lambda message: (
        json_answer({"code": "SEQUENCE_GAP", "expected": 1}, 409) if message["sequence"] == 2 else None
    )
    tell(), tell()
    send(100)
    assert states() == ["delivered", "dead"]
    sound()


def test_an_answer_that_drips_is_no_answer(other: Other) -> None:
    """A byte of its head now and then: each read is in time, and the whole never ends."""
    introduce(partner_folder(other), "http://127.0.0.1:1", timeout=0.5)
    with socket.create_server(("127.0.0.1", 0)) as door:
        introduce(partner_folder(other), f"http://127.0.0.1:{door.getsockname()[1]}", timeout=0.5)
        stop = threading.Event()

        def drip() -> None:
            visitor, _ = door.accept()
            with visitor, contextlib.suppress(OSError):
                visitor.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.1):
                    visitor.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        tell()
        sender = threading.Timer(20, stop.set)  # so that a Caller without a deadline fails here, not hangs
        sender.start()
        send(1)
        sender.cancel()
        assert not stop.is_set(), "only the test itself ended the call"
        stop.set()
        thread.join()
    [tried] = Attempt.objects.all()
    assert (tried.status, tried.code) == (0, "NO_ANSWER")


def test_an_answer_without_end_is_no_answer(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_ANSWER", 1_000)
    other.says = lambda message: Answer(200, b"x" * 2_000)
    tell()
    send(1)
    assert list(Attempt.objects.values_list("status", "code")) == [(0, "NO_ANSWER")]


@pytest.mark.parametrize(
    "change",
    [
        {"base": "http://127.0.0.1:1@evil.example"},
        {"base": "http://evil.example"},
        {"base": "https://"},
        {"base": "https://a.example/?x="},
        *({"limits": {name: value}} for name, value in (
            ("timeout", "5"), ("timeout", None), ("timeout", 0), ("per_second", float("nan")),
            ("at_once", 1.5), ("at_once", True), ("max_tries", -1), ("in_time", 1e12),
        )),
    ],
)  # fmt: skip
def test_a_file_that_would_break_us_closes_its_counterpart(
    other: Other, tmp_path: Path, change: dict[str, Any]
) -> None:
    file = tmp_path / CODE / "partner.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(BadInput, match="不能用"):
        counterpart(CODE)
