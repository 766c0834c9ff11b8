"""What a person decides about a difference: send again, take theirs, leave it; whose it is."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.module_loading import import_string

from xueka.contexts.interop.domain.buckets import MISSING_HERE
from xueka.contexts.interop.domain.transitions import DIFFERENCE
from xueka.contexts.interop.models import Difference
from xueka.contexts.interop.services.telling import TELLERS
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.exchange.services import Letter, post_many
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

MANAGE = "city:interop:manage"


def send_again(actor: Actor, ids: Sequence[int]) -> int:
    """Tell the counterpart our present records; the next comparison shows whether they agree.

    Raises NotFound, Refused `NOTHING_OF_OURS` where one is not ours to tell.
    """
    rows = _rows(actor, ids)
    letters: dict[str, list[Letter]] = {}
    for (code, dataset), group in sorted(_groups(rows).items()):
        teller = TELLERS.get(dataset)
        told = teller([row.key for row in group]) if teller else {}
        for row in group:
            if row.key not in told:
                raise Refused(
                    "NOTHING_OF_OURS",
                    "本方没有这条记录，不能补发。" if teller else "这类记录由对方告知，不能补发。",
                    found=row.key,
                    action="请采纳对方，或与对方核实后登记为不处理。",
                )
            letters.setdefault(code, []).append(told[row.key])
    for code, each in letters.items():
        post_many(code, each)
    return _decided(actor, rows, "send")


def may_send(dataset: str) -> bool:
    """Whether it is ours to tell of this dataset at all."""
    return dataset in TELLERS


def sendable(rows: Sequence[Difference]) -> set[int]:
    """Ids of those of which there is something to tell: our record, or that what they still have is over.

    In a transaction, for some records are held until they are told.
    """
    found = {row.id for row in rows if row.kind != MISSING_HERE and may_send(row.dataset)}
    only_theirs = [row for row in rows if row.kind == MISSING_HERE and may_send(row.dataset)]
    for (_, dataset), group in sorted(_groups(only_theirs).items()):
        told = TELLERS[dataset]([row.key for row in group])
        found |= {row.id for row in group if row.key in told}
    return found


def _groups(rows: Sequence[Difference]) -> dict[tuple[str, str], list[Difference]]:
    found: dict[tuple[str, str], list[Difference]] = {}
    for row in rows:
        found.setdefault((row.counterpart, row.dataset), []).append(row)
    return found


def take_theirs(actor: Actor, ids: Sequence[int]) -> int:
    """Bring our record to what they had when it was last seen, by whoever is registered for the dataset
    (`settings.INTEROP_TAKERS`).
    """
    rows = _rows(actor, ids)
    for row in rows:
        path = settings.INTEROP_TAKERS.get(row.dataset)
        if path is None:
            raise Refused(
                "OURS_IS_THE_TRUTH",
                "这类记录以本方为准，不能采纳对方。",
                found=row.dataset,
                action="请补发。",
            )
        theirs = unseal(bytes(row.envelope))["theirs"]
        import_string(path)(actor, row.key, theirs, row.seen_at)
    return _decided(actor, rows, "take")


def may_take(dataset: str) -> bool:
    """Whether theirs can be the truth of this dataset at all."""
    return dataset in settings.INTEROP_TAKERS


def leave(actor: Actor, ids: Sequence[int], reason: str) -> int:
    """Nothing is done about it, and why. Raises BadInput `REASON_MISSING`."""
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明不处理的理由。", where="理由", expected="一句话")
    return _decided(actor, _rows(actor, ids), "leave", reason.strip()[:200])


def assign(actor: Actor, ids: Sequence[int], owner: str) -> int:
    """Whose they are from now on; an empty name: nobody's."""
    rows = _rows(actor, ids)
    Difference.objects.filter(id__in=[row.id for row in rows]).update(owner=owner.strip()[:80])
    record(
        actor, "disagreement.assign", "disagreement", rows[0].id, detail={"owner": owner, "count": len(rows)}
    )
    return len(rows)


def _rows(actor: Actor, ids: Sequence[int]) -> list[Difference]:
    actor.require(MANAGE)
    rows = list(Difference.objects.select_for_update().filter(id__in=list(ids)).order_by("id"))
    if not rows or len(rows) != len(set(ids)):
        raise NotFound("DIFFERENCE_NOT_FOUND", "没有这项差异。", action="请刷新页面后再试。")
    return rows


def _decided(actor: Actor, rows: Sequence[Difference], event: str, reason: str = "") -> int:
    count = apply(DIFFERENCE, Difference, [row.id for row in rows], event, actor, reason=reason)
    for row in rows[:20]:
        detail = {"key": row.key, "reason": reason} if reason else {"key": row.key}
        record(actor, f"disagreement.{event}", "disagreement", row.id, detail=detail)
    if len(rows) > 20:
        record(
            actor, f"disagreement.{event}", "disagreement", "", detail={"count": len(rows), "reason": reason}
        )
    return count
