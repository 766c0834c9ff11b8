"""The chain finds every kind of tampering, and nothing else."""

import json
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction

from xueka.platform.audit import canonical, chain, head, sealing, services
from xueka.platform.audit.invariants import audit_chain
from xueka.platform.audit.models import Entry, Seal, Unsealed
from xueka.platform.identity.actor import Actor

ACTOR = Actor.command_line("tester")


def write(count: int, action: str = "thing.done") -> None:
    for number in range(count):
        services.record(
            ACTOR, action, "thing", number, detail={"数量": number, "b": [1.5, None, "é"], "a": {}}
        )


@pytest.fixture
def sealed(log: None, audit_head: Path) -> None:
    """Ten links, made by three acts of sealing."""
    for count in (4, 3, 3):
        write(count)
        assert chain.seal() == count


def kinds() -> list[tuple[str, int | None]]:
    return [(problem.kind, problem.seq) for problem in chain.verify().problems]


# --- sound chains ---


def test_an_empty_log_is_sound(log: None) -> None:
    assert chain.seal() == 0
    report = chain.verify()
    assert (report.checked, report.violated) == (0, 0)
    assert chain.status() == chain.ChainStatus(0, None, 0, None)


def test_a_sealed_log_is_sound(sealed: None, audit_head: Path) -> None:
    report = chain.verify()
    assert (report.sealed, report.unsealed, report.violated) == (10, 0, 0)
    last = Seal.objects.latest("seq")
    assert json.loads(audit_head.read_text()) == {
        "seq": 10,
        "digest": bytes(last.digest).hex(),
        "at": last.sealed_at.isoformat(),
    }
    assert not Unsealed.objects.exists()


def test_a_fresh_tail_is_sound(sealed: None) -> None:
    write(2)
    report = chain.verify()
    assert (report.sealed, report.unsealed, report.violated) == (10, 2, 0)
    result = audit_chain()
    assert (result.name, result.checked, result.violated) == ("audit_chain_unbroken", 12, 0)


def test_a_limit_is_kept(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)
    write(10)
    assert chain.seal(limit=4) == 4
    assert chain.seal() == 6
    assert chain.verify().violated == 0


def test_an_entry_that_commits_late_is_sealed_late(log: None) -> None:
    """Its id is smaller than those of entries already sealed; the chain does not lose it."""
    started, finish = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                write(1, "slow.import")
                started.set()
                assert finish.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert started.wait(20)
    write(3)
    assert chain.seal() == 3
    finish.set()
    thread.join()
    assert chain.seal() == 1
    late = Entry.objects.get(action="slow.import")
    assert late.id == min(Entry.objects.values_list("id", flat=True))
    assert late.seal.seq == 4
    assert chain.verify().violated == 0


def test_what_is_rolled_back_leaves_no_work(log: None) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(1)
        raise ZeroDivisionError
    assert not Unsealed.objects.exists()


def test_only_one_seals_at_a_time(log: None) -> None:
    write(2)
    counts: list[int] = []

    def other() -> None:
        try:
            counts.append(chain.seal())
        finally:
            connection.close()

    with sealing.quiet():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert counts == [0]
    assert chain.seal() == 2


def test_acts_of_sealing_never_share_their_time(log: None) -> None:
    """Nor does time run backwards in the chain when the server's clock is put back."""
    ahead = head.Head(1, bytes(32), datetime(2099, 1, 1, tzinfo=UTC))
    write(1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        count, made = sealing._seal_batch(ahead, 10)
        assert (count, made.seq) == (1, 2)
        assert made.at == ahead.at + timedelta(microseconds=1)
        raise ZeroDivisionError


def test_sealing_inside_a_transaction_is_a_mistake(log: None) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        chain.seal()


def test_the_digest_is_what_the_document_says(sealed: None, tmp_path: Path) -> None:
    """Repeated with the OpenSSL command over a form written out here, not by our code."""
    first, second = Seal.objects.order_by("seq").select_related("entry")[:2]
    entry = second.entry
    micro = [
        round(moment.timestamp() * 1_000_000) for moment in (second.sealed_at, entry.at, entry.recorded_at)
    ]
    text = (
        f'[2,{micro[0]},{entry.id},{micro[1]},"cli:tester","tester","system","system","","thing.done",'
        f'"thing","1","done",{micro[2]},{{"a":{{}},"b":[1.5,null,"é"],"数量":1}}]'
    )
    (tmp_path / "link").write_bytes(bytes(first.digest) + text.encode())
    answer = subprocess.run(
        ["openssl", "dgst", "-sm3", "-r", tmp_path / "link"], check=True, capture_output=True, text=True
    )
    assert answer.stdout.split()[0] == bytes(second.digest).hex()


def test_the_state_in_one_line(sealed: None, audit_head: Path) -> None:
    write(2)
    state = chain.status()
    assert (state.sealed, state.waiting, state.contradiction) == (10, 2, None)
    assert state.sealed_at == Seal.objects.latest("seq").sealed_at
    audit_head.unlink()
    assert chain.status().contradiction == "head_missing"


# --- what an intruder with every right on the database may do ---

Tamper = Callable[..., None]


@pytest.mark.parametrize(
    "change",
    [
        "detail = jsonb_set(detail, '{b,0}', '2')",
        "actor = 'cli:another'",
        "actor_name = ''",
        "role = 'auditor'",
        "scope = 'city'",
        "address = '10.0.0.9'",
        "action = 'thing.undone'",
        "object_type = 'other'",
        "object_id = '99'",
        "result = 'refused'",
        "at = at + interval '1 microsecond'",
        "recorded_at = recorded_at - interval '1 microsecond'",
    ],
)
def test_an_edited_entry_is_found(sealed: None, tamper: Tamper, change: str) -> None:
    tamper(f"UPDATE audit_entry SET {change} WHERE id = (SELECT entry_id FROM audit_seal WHERE seq = 5)")
    assert kinds() == [("altered", 5)]


def test_an_edited_link_is_found(sealed: None, tamper: Tamper) -> None:
    tamper("UPDATE audit_seal SET sealed_at = sealed_at + interval '1 microsecond' WHERE seq = 6")
    assert kinds() == [("altered", 6)]
    tamper("UPDATE audit_seal SET digest = sha256('x') WHERE seq = 3")
    assert kinds() == [("altered", 3), ("altered", 4), ("altered", 6)]


def test_a_deleted_entry_is_found(sealed: None, tamper: Tamper) -> None:
    tamper("DELETE FROM audit_entry WHERE id = (SELECT entry_id FROM audit_seal WHERE seq = 5)")
    assert kinds() == [("entry_missing", 5)]


def test_an_entry_deleted_with_its_link_is_found(sealed: None, tamper: Tamper) -> None:
    tamper(
        "DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_seal WHERE seq IN (5, 6))",
        "DELETE FROM audit_seal WHERE seq IN (5, 6)",
    )
    report = chain.verify()
    assert [(problem.kind, problem.seq) for problem in report.problems] == [("seal_missing", 5)]
    assert "到第 6 环" in report.problems[0].message


def test_a_closed_gap_is_found(sealed: None, tamper: Tamper) -> None:
    tamper(
        "CREATE TEMP TABLE gone AS SELECT entry_id FROM audit_seal WHERE seq = 5",
        "DELETE FROM audit_seal WHERE seq = 5",
        "DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM gone)",
        "DROP TABLE gone",
        "UPDATE audit_seal SET seq = seq - 101 WHERE seq > 5",
        "UPDATE audit_seal SET seq = seq + 100 WHERE seq < 0",
    )
    assert kinds() == [("truncated", 9)] + [("altered", seq) for seq in (5, 6, 7, 8, 9)]


def test_reordered_entries_are_found(sealed: None, tamper: Tamper) -> None:
    tamper(
        "UPDATE audit_seal SET entry_id = -entry_id WHERE seq IN (4, 8)",
        """UPDATE audit_seal a SET entry_id = -b.entry_id FROM audit_seal b
            WHERE (a.seq, b.seq) IN ((4, 8), (8, 4)) AND a.seq = 4""",
        """UPDATE audit_seal SET entry_id = (SELECT min(id) + 3 FROM audit_entry) WHERE seq = 8""",
    )
    assert kinds() == [("altered", 4), ("altered", 8)]


def test_reordered_links_are_found(sealed: None, tamper: Tamper) -> None:
    tamper(
        "UPDATE audit_seal SET seq = -8 WHERE seq = 4",
        "UPDATE audit_seal SET seq = 4 WHERE seq = 8",
        "UPDATE audit_seal SET seq = 8 WHERE seq = -8",
    )
    assert {("altered", 4), ("altered", 8)} <= set(kinds())


def test_an_inserted_entry_is_found(sealed: None, tamper: Tamper) -> None:
    """Slipped in past the trigger, it is on nobody's list and will never be sealed."""
    tamper(
        """INSERT INTO audit_entry (id, at, actor, actor_name, role, scope, address, action, object_type,
                                    object_id, result, detail, recorded_at)
           SELECT -1, at, actor, actor_name, role, scope, address, action, object_type, object_id, result,
                  detail, recorded_at - interval '5 minutes' FROM audit_entry LIMIT 1"""
    )
    assert chain.seal() == 0
    report = chain.verify()
    assert [(problem.kind, problem.entry) for problem in report.problems] == [("unsealed", -1)]


def test_an_inserted_link_is_found(sealed: None, tamper: Tamper) -> None:
    write(1)
    tamper(
        "UPDATE audit_seal SET seq = -seq WHERE seq > 5",
        "UPDATE audit_seal SET seq = 1 - seq WHERE seq < 0",
        """INSERT INTO audit_seal (seq, entry_id, digest, sealed_at)
           SELECT 6, (SELECT max(id) FROM audit_entry), digest, sealed_at FROM audit_seal WHERE seq = 5""",
    )
    assert [("head_differs", 11)] + [("altered", seq) for seq in range(6, 12)] == kinds()


def test_a_truncated_chain_is_found(sealed: None, tamper: Tamper) -> None:
    tamper(
        "DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_seal WHERE seq > 7)",
        "DELETE FROM audit_seal WHERE seq > 7",
    )
    assert kinds() == [("truncated", 7)]
    write(5)
    assert chain.seal() == 0, "sealing on would hide the cut"
    tamper("TRUNCATE audit_entry, audit_seal, audit_unsealed CASCADE")
    assert kinds() == [("truncated", 0)]


def test_a_chain_rewritten_as_a_whole_is_found_by_the_head(sealed: None, tamper: Tamper) -> None:
    tamper(
        """UPDATE audit_entry SET actor = 'cli:another'
            WHERE id = (SELECT entry_id FROM audit_seal WHERE seq = 2)"""
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT s.seq, {canonical.microseconds("s.sealed_at")}, {canonical.columns("e")}
                  FROM audit_seal s JOIN audit_entry e ON e.id = s.entry_id ORDER BY s.seq"""
        )
        previous = canonical.GENESIS
        for seq, sealed_at, *entry in cursor.fetchall():
            previous = canonical.digest(previous, seq, sealed_at, entry)
            tamper(f"UPDATE audit_seal SET digest = decode('{previous.hex()}', 'hex') WHERE seq = {seq}")
    assert kinds() == [("head_differs", 10)]


def test_an_entry_taken_from_the_work_list_is_found(sealed: None, tamper: Tamper) -> None:
    write(2)
    first, second = Unsealed.objects.order_by("entry_id").values_list("entry_id", flat=True)
    tamper(
        f"DELETE FROM audit_unsealed WHERE entry_id = {first}",
        f"DELETE FROM audit_entry WHERE id = {second}",
        f"UPDATE audit_entry SET recorded_at = recorded_at - interval '61 seconds' WHERE id = {first}",
    )
    found = [(problem.kind, problem.entry) for problem in chain.verify().problems]
    assert found == [("unsealed", first), ("unsealed_missing", second)]


# --- the head outside ---


def test_a_head_one_act_behind_is_accepted_and_mended(sealed: None) -> None:
    before = head.read()
    write(3)
    chain.seal()
    after = head.read()
    head.write(before)  # killed between the commit and the writing of the head
    assert chain.verify().violated == 0
    assert chain.seal() == 0
    assert head.read() == after


def test_a_head_two_acts_behind_is_refused(sealed: None) -> None:
    before = head.read()
    for _ in range(2):
        write(2)
        chain.seal()
    head.write(before)
    assert kinds() == [("head_behind", 14)]
    write(1)
    assert chain.seal() == 0


def test_a_missing_head_is_accepted_only_after_the_first_act(log: None, audit_head: Path) -> None:
    write(3)
    chain.seal()
    audit_head.unlink()
    assert kinds() == []
    assert chain.seal() == 0
    assert head.read().seq == 3
    write(1)
    chain.seal()
    audit_head.unlink()
    assert kinds() == [("head_missing", 4)]


@pytest.mark.parametrize("text", ["", "{}", '{"seq": 1, "digest": "xx", "at": "now"}', "[]"])
def test_an_unreadable_head_is_named(sealed: None, audit_head: Path, text: str) -> None:
    audit_head.write_text(text)
    assert kinds() == [("head_unreadable", 10)]
    write(1)
    assert chain.seal() == 0


def test_after_a_restore_the_head_is_adopted_by_somebody(sealed: None, tamper: Tamper) -> None:
    tamper(
        "DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_seal WHERE seq > 7)",
        "DELETE FROM audit_seal WHERE seq > 7",
    )
    assert chain.adopt(ACTOR, "恢复 2026-09-01 的备份").seq == 7
    assert chain.seal() == 1
    assert chain.verify().violated == 0
    entry = Entry.objects.latest("id")
    assert (entry.action, entry.actor) == ("audit.adopt_head", "cli:tester")
    assert entry.detail["reason"] == "恢复 2026-09-01 的备份"
    assert entry.detail["head"]["seq"] == 10


def test_problems_beyond_the_named_ones_are_counted(
    sealed: None, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xueka.platform.audit.verification.NAMED", 3)
    tamper("UPDATE audit_entry SET actor = 'x'")
    report = chain.verify()
    assert (report.violated, len(report.problems)) == (10, 3)
    assert report.as_dict()["problems"][0] == {
        "kind": "altered",
        "seq": 1,
        "entry": report.problems[0].entry,
        "message": f"第 1 环与封存时不符：内容或次序被改动（记录 {report.problems[0].entry}）",
    }
    result = audit_chain()
    assert (result.checked, result.violated) == (10, 10)
    assert result.examples[0] == report.problems[0].message
