"""A long chain, wounded in every way at random places: each is found where it is, and nothing else."""

import os
import random
from collections.abc import Callable

from django.db import connection

from tests.support.size import dial
from xueka.platform.audit import chain
from xueka.platform.audit.models import Seal

FILL = """
    INSERT INTO audit_entry (at, actor, actor_name, role, scope, address, action, object_type, object_id,
                             result, detail)
    SELECT now(), 'zhao', '赵敏', 'school_officer', 'school:110101:2111000001', '10.0.0.1', 'card.hand_out',
           'card', n::text, 'done', jsonb_build_object('cards', jsonb_build_array(n, n + 1), 'note', '发放')
      FROM generate_series(1, %s) AS n
"""


def test_every_wound_is_found_and_located(log: None, tamper: Callable[..., None]) -> None:
    """A million entries with XUEKA_TEST_SIZE=full; XUEKA_TEST_SEED replays a run."""
    seed = int(os.environ.get("XUEKA_TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"XUEKA_TEST_SEED={seed}")
    size = dial(6_000, 1_000_000)
    with connection.cursor() as cursor:
        cursor.execute(FILL, [size])
    assert chain.seal() == size
    assert chain.verify().violated == 0

    # Nine places apart from each other, so that no wound touches another's neighbour.
    places = sorted(random.Random(seed).sample(range(2, size // 10 - 2), 9))
    edited, moved, deleted, unlinked, *pair, inserted, forged, cut = (10 * place for place in places)
    tamper(
        f"UPDATE audit_entry SET actor = 'cli:x' WHERE id = {_entry(edited)}",
        f"UPDATE audit_entry SET recorded_at = recorded_at + interval '1 us' WHERE id = {_entry(moved)}",
        f"DELETE FROM audit_entry WHERE id = {_entry(deleted)}",
        f"DELETE FROM audit_seal WHERE seq = {unlinked}",
        f"DELETE FROM audit_entry WHERE id = {_entry(unlinked)}",
        f"UPDATE audit_seal SET entry_id = -1 WHERE seq = {pair[0]}",
        f"UPDATE audit_seal SET entry_id = {_entry(pair[0])} WHERE seq = {pair[1]}",
        f"UPDATE audit_seal SET entry_id = {_entry(pair[1])} WHERE seq = {pair[0]}",
        f"UPDATE audit_seal SET digest = sha256('x') WHERE seq = {forged}",
        f"""INSERT INTO audit_entry (id, at, actor, actor_name, role, scope, address, action, object_type,
                                     object_id, result, detail, recorded_at)
            SELECT -7, at, actor, actor_name, role, scope, address, action, object_type, object_id, result,
                   detail, recorded_at - interval '1 hour' FROM audit_entry WHERE id = {_entry(inserted)}""",
        f"DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_seal WHERE seq > {cut})",
        f"DELETE FROM audit_seal WHERE seq > {cut}",
    )
    found = [(problem.kind, problem.seq or problem.entry) for problem in chain.verify().problems]
    expected = [
        ("altered", edited),
        ("altered", moved),
        ("entry_missing", deleted),
        ("seal_missing", unlinked),
        ("altered", pair[0]),
        ("altered", pair[1]),
        ("altered", forged),
        ("altered", forged + 1),
    ]
    assert found == [("truncated", cut), *sorted(expected, key=lambda each: each[1]), ("unsealed", -7)]


def _entry(seq: int) -> int:
    return Seal.objects.values_list("entry_id", flat=True).get(seq=seq)
