"""The inbox: kept as it came, known again, applied in order by who is registered for it, never lost."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.unit.platform.exchange.conftest import CODE, OURS, THEIRS
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Refused, XuekaError
from xueka.platform.crypto.fields import open_bytes
from xueka.platform.exchange import applying, keeping, queries, receiving, replaying
from xueka.platform.exchange.applying import Message, apply_due
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.invariants import INVARIANTS
from xueka.platform.exchange.models import Incoming, IncomingFile, Stream
from xueka.platform.exchange.sending import send_due
from xueka.platform.exchange.services import post
from xueka.platform.exchange.signatures import Keys, secret, sign
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db
OPERATOR = Actor.system("test")
HEARD: list[tuple[str, int, Any]] = []
TROUBLE: list[Exception] = []


def hear(actor: Actor, message: Message) -> None:
    """The handler of these tests."""
    if TROUBLE:
        raise TROUBLE[0]
    HEARD.append((message.key, message.seq, message.data))


@pytest.fixture(autouse=True)
def handlers(settings: Any) -> Iterator[None]:
    settings.EXCHANGE_HANDLERS = {f"{CODE}/number": f"{__name__}.hear", "*/any": f"{__name__}.hear"}
    HEARD.clear()
    yield
    TROUBLE.clear()


def message(number: int, seq: int | None = None, **more: Any) -> bytes:
    body = {"id": f"msg_{number:04d}", "kind": "number", "key": "card:1", "data": {"n": number}}
    body |= {"sequence": number if seq is None else seq, **more}
    return json.dumps(body).encode()


def headers(raw: bytes, message_id: str = "", key: str = THEIRS) -> dict[str, str]:
    name = message_id or json.loads(raw)["id"]
    stamp = int(clock.now().timestamp())
    signed = sign(name, stamp, raw, Keys((secret(key),)))
    return {"webhook-id": name, "webhook-timestamp": str(stamp), "webhook-signature": signed}


def give(partner: Counterpart, raw: bytes) -> receiving.Kept:
    return receiving.receive(partner, headers(raw), raw)


def sound() -> None:
    assert [each.name for each in INVARIANTS if check(each).violated] == []


def test_kept_as_it_came_and_applied_once_in_order(partner: Counterpart) -> None:
    raw = message(2)
    assert give(partner, raw) == receiving.Kept("msg_0002", False, 1)
    assert give(partner, raw).again
    kept = Incoming.objects.get()
    assert open_bytes(bytes(kept.raw)) == raw and kept.times == 2
    assert apply_due() == 0 and queries.health([CODE])[0].gaps == 1
    give(partner, message(3))
    give(partner, message(1))
    assert apply_due() == 3
    assert [seq for _, seq, _ in HEARD] == [1, 2, 3]
    assert give(partner, raw).again and apply_due() == 0
    assert queries.content(kept)["data"] == {"n": 2}
    sound()


def test_without_numbers_as_it_comes(partner: Counterpart) -> None:
    for number in (5, 3, 4):
        give(partner, message(number, 0, kind="any"))
    assert apply_due() == 3
    assert [data["n"] for _, _, data in HEARD] == [5, 3, 4]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "msg_9"}, "BODY_WRONG"),
        ({"kind": "A B"}, "BODY_WRONG"),
        ({"key": "卡"}, "BODY_WRONG"),
        ({"sequence": -1}, "BODY_WRONG"),
        ({"sequence": True}, "BODY_WRONG"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "BODY_WRONG"),
    ],
)
def test_a_head_that_is_none_is_refused_with_its_place(
    partner: Counterpart, change: dict[str, Any], code: str
) -> None:
    raw = message(1, **change)
    with pytest.raises(BadInput) as refusal:
        receiving.receive(partner, headers(raw, "msg_0001"), raw)
    assert refusal.value.code == code and refusal.value.where == next(iter(change))
    assert not Incoming.objects.exists()


def test_strangers_and_those_who_contradict_themselves(partner: Counterpart) -> None:
    raw = message(1)
    for given, sent in ((headers(raw, key=OURS), raw), (headers(raw), raw + b" ")):
        with pytest.raises(Refused):
            receiving.receive(partner, given, sent)
    for raw in (b"[]", b"\xff"):
        with pytest.raises(BadInput):
            receiving.receive(partner, headers(raw, "msg_0001"), raw)
    give(partner, message(1))
    given_up = message(1, 2, kind="void", data=None)
    for again, code in (
        (message(1, 2), "ID_REUSED"), (message(7, 1), "SEQUENCE_REUSED"), (given_up, "ID_REUSED"),
    ):  # fmt: skip
        with pytest.raises(Conflict) as refusal:
            give(partner, again)
        assert refusal.value.code == code


def test_what_we_have_may_be_given_up_by_whoever_never_heard_so(partner: Counterpart) -> None:
    give(partner, message(1))
    assert apply_due() == 1
    assert give(partner, message(1, kind="void", data=None)) == receiving.Kept("msg_0001", True, 2)
    assert Incoming.objects.get().kind == "number" and give(partner, message(1)).again
    sound()


def test_what_is_emptied_and_counted_is_found_without_the_history(partner: Counterpart) -> None:
    for number in range(1, 4):
        give(partner, message(number))
    apply_due()
    give(partner, message(5))
    [health] = queries.health([CODE])
    assert (health.received, health.waiting, health.gaps, health.incoming_dead) == (4, 1, 1, 0)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement, index in (
            (keeping._IN, "exchange_in_to_empty"), (keeping._OUT, "exchange_out_to_empty"),
        ):  # fmt: skip
            cursor.execute(f"EXPLAIN {statement}", [clock.now(), 10])
            assert index in "".join(row[0] for row in cursor.fetchall())


def test_what_the_handler_refuses_holds_back_its_key_until_a_person_decides(partner: Counterpart) -> None:
    TROUBLE.append(Refused("CARD_UNKNOWN", "没有这张卡。"))
    give(partner, message(1))
    give(partner, message(2))
    give(partner, message(3, 1, key="card:2", kind="any"))
    apply_due()
    [first, other] = queries.incoming_dead_letters(CODE)
    assert (first.code, first.problem) == ("CARD_UNKNOWN", "没有这张卡。")
    assert Incoming.objects.get(seq=2).state == "waiting"
    sound()
    TROUBLE.clear()
    replaying.retry_incoming(OPERATOR, first.pk, "卡已补录")
    replaying.pass_incoming(OPERATOR, other.pk, "与我方无关")
    with pytest.raises(Refused):
        replaying.pass_incoming(OPERATOR, other.pk, "再一次")
    assert apply_due() == 2 and [seq for _, seq, _ in HEARD] == [1, 2]
    sound()


def test_a_kind_nobody_knows_is_kept(partner: Counterpart, settings: Any) -> None:
    give(partner, message(1, kind="new.kind"))
    give(partner, message(2, kind="void"))
    apply_due()
    [letter] = queries.incoming_dead_letters()
    assert letter.code == "KIND_UNKNOWN"
    settings.EXCHANGE_HANDLERS = {"*/new.kind": f"{__name__}.hear"}
    replaying.retry_incoming(OPERATOR, letter.pk, "已升级")
    assert apply_due() == 2 and not queries.incoming_dead_letters().exists()


def test_our_own_mistake_is_tried_again_and_then_told(partner: Counterpart) -> None:
    TROUBLE.append(ZeroDivisionError())
    give(partner, message(1))
    with clock.at(clock.now()) as now:
        for _ in range(applying.MOST_TRIES):
            assert Incoming.objects.get().state == "waiting"
            now.advance(timedelta(minutes=11))
            apply_due()
    assert (Incoming.objects.get().state, Incoming.objects.get().code) == ("dead", "HANDLER_FAILED")


def test_a_gap_that_never_closes_is_jumped_by_a_person(partner: Counterpart) -> None:
    give(partner, message(3))
    assert replaying.jump_gap(OPERATOR, Stream.objects.get().pk, "对方从 3 起") == 3
    assert apply_due() == 1
    with pytest.raises(Refused):
        replaying.jump_gap(OPERATOR, Stream.objects.get().pk, "再一次")
    sound()


def test_a_file_comes_before_the_message_that_names_it(partner: Counterpart) -> None:
    content = json.dumps({"rows": [1, 2]}).encode()
    digest = hashlib.sha256(content).hexdigest()
    raw = message(1, file={"sha256": digest, "size": len(content)}, data=None)
    give(partner, raw)
    apply_due()
    assert queries.incoming_dead_letters().get().code == "FILE_MISSING"
    assert receiving.receive_file(partner, digest, headers(content, "file_1"), content)
    assert not receiving.receive_file(partner, digest, headers(content, "file_1"), content)
    with pytest.raises(XuekaError):
        receiving.receive_file(partner, "0" * 64, headers(content, "file_1"), content)
    replaying.retry_incoming(OPERATOR, Incoming.objects.get().pk, "文件已到")
    apply_due()
    assert HEARD == [("card:1", 1, {"rows": [1, 2]})]


def test_the_database_keeps_what_came(partner: Counterpart) -> None:
    give(partner, message(1))
    for statement in ("UPDATE exchange_incoming SET digest = ''", "DELETE FROM exchange_incoming"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE exchange_stream SET done_seq = 1")
    assert check(next(each for each in INVARIANTS if each.name == "exchange_applied_in_order")).violated == 1


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-10:00"])
def test_a_time_that_the_database_could_not_give_back_is_refused(partner: Counterpart, at: str) -> None:
    with pytest.raises(BadInput) as error:
        give(partner, message(1, occurred_at=at))
    assert error.value.where == "occurred_at"
    give(partner, message(1))
    assert apply_due() == 1


def test_a_body_without_bottom_is_refused(partner: Counterpart) -> None:
    raw = b"[" * 60_000
    with pytest.raises(BadInput):
        receiving.receive(partner, headers(raw, "msg_deep"), raw)


def test_what_a_handler_says_is_kept_whole_and_masked(partner: Counterpart) -> None:
    TROUBLE.append(Refused("X", "\ud800 13800138000 没有登记"))
    give(
        partner,
        message(1, data={"reason": "13800138000", "tel": "13800138000", "who": ["王丽华", 13800138000]}),
    )
    assert apply_due() == 1
    kept = Incoming.objects.get()
    assert kept.state == "dead" and kept.problem == "? 138****8000 没有登记"
    shown = {"reason": "138****8000", "tel": "*" * 11, "who": ["***", "*" * 11]}
    assert queries.content(kept)["data"] == shown and queries.content(kept)["id"] == "msg_0001"


def test_large_contents_are_forgotten_with_the_others(partner: Counterpart) -> None:
    content = json.dumps({"rows": ["x" * 40_000]}).encode()
    digest = hashlib.sha256(content).hexdigest()
    receiving.receive_file(partner, digest, headers(content, "file_1"), content)
    give(partner, message(1, file={"sha256": digest}))
    post(CODE, "number", "card:1", {"rows": ["y" * 40_000]})
    send_due()
    with clock.at(clock.now() + timedelta(days=91)):
        assert keeping.empty_old() == 1  # what came still waits
        assert apply_due() == 1 and HEARD
        assert keeping.empty_old() == 0
    with clock.at(clock.now() + timedelta(days=182)):
        assert keeping.empty_old() == 2
    assert not StoredFile.objects.exists() and not IncomingFile.objects.exists()
    assert receiving.receive_file(partner, digest, headers(content, "file_1"), content)
    sound()
