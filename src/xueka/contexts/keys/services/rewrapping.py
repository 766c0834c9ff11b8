"""After a wrapping key was rotated every block under its old version goes under the new one, piece by piece.

What is left to do is what the rows say: `wrapped_by`. So it may be killed anywhere, and keys are used
meanwhile: a block and the version it is wrapped by are read and written together.
"""

from django.db import transaction

from xueka.contexts.keys.domain.transitions import DESTROYED
from xueka.contexts.keys.models import Key, KeyVersion, Rewrap
from xueka.contexts.keys.services import keeping
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

PIECE = 20  # blocks in one transaction


def start(actor: Actor, source: KeyVersion, target: KeyVersion) -> Rewrap:
    """Remember that it is to be done. The sweep does it; who cannot wait calls `step` herself.

    A version that came back into use and goes again has had its task already: it is opened anew.
    """
    total = _left(source)
    told = {"target": target, "total": total, "started_at": clock.now(), "finished_at": None}
    made, _ = Rewrap.objects.update_or_create(source=source, defaults=told)
    detail = {"from": source.number, "to": target.number, "blocks": total}
    record(actor, "key.rewrap_start", "key", source.key.label, detail=detail)
    return made


def step(actor: Actor, piece: int = PIECE) -> int:
    """Re-wrap up to `piece` blocks of the oldest open task, in the caller's transaction; how many it were.

    A block whose check value is another one after it was re-wrapped stops it: nothing of the piece is kept.
    """
    task = (
        Rewrap.objects.filter(finished_at=None)
        .select_for_update(of=("self",))
        .select_related("source__key", "target__key")
        .order_by("id")
        .first()
    )
    if task is None:
        return 0
    wrapped = KeyVersion.objects.filter(wrapped_by=task.source, block__isnull=False)
    rows = list(
        wrapped.select_related("key", "wrapped_by__wrapped_by")
        .select_for_update(of=("self",))
        .order_by("id")[:piece]
    )
    for version in rows:
        block = keeping.rewrap(version, task.target)
        KeyVersion.objects.filter(pk=version.pk).update(block=block, wrapped_by=task.target)
    if not rows:
        Rewrap.objects.filter(pk=task.pk).update(finished_at=clock.now())
        detail = {"from": task.source.number, "to": task.target.number, "blocks": task.total}
        record(actor, "key.rewrap_done", "key", task.source.key.label, detail=detail)
    return len(rows)


def finish(actor: Actor) -> int:
    """All of it, each piece a transaction of its own. Returns the number of blocks."""
    done = 0
    while open_tasks():
        with transaction.atomic():
            done += step(actor)
    return done


def open_tasks() -> int:
    return Rewrap.objects.filter(finished_at=None).count()


def not_under_way(key: Key) -> None:
    """A key whose blocks are still on their way is not rotated again. Raises Refused `KEY_REWRAP_OPEN`."""
    if Rewrap.objects.filter(finished_at=None, source__key=key).exists():
        raise Refused(
            "KEY_REWRAP_OPEN",
            f"{key.title}的重新加密还没有做完。",
            where=key.label,
            action="请等它完成，或运行 xueka keys rewrap。",
        )


def not_needed(version: KeyVersion) -> None:
    """A wrapping key serves until nothing is under it. Raises Refused `KEY_WRAPS_OTHERS`."""
    if left := _left(version):
        raise Refused(
            "KEY_WRAPS_OTHERS",
            f"还有 {left} 个密钥由 {version.key.label} 第 {version.number} 版保护，不能停用。",
            where=version.key.label,
            action="请先轮换并等重新加密完成。",
        )


def _left(version: KeyVersion) -> int:
    return KeyVersion.objects.filter(wrapped_by=version).exclude(state=DESTROYED).count()
