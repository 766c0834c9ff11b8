"""Comparing a dataset with a counterpart: both sides narrow down, differences are kept from day to day."""

import json
from datetime import datetime

from django.db import transaction

from xueka.contexts.interop.adapters import asking, records
from xueka.contexts.interop.domain.buckets import Compared, Side, compare, kind_of, read_question
from xueka.contexts.interop.domain.transitions import DIFFERENCE, GONE, LEFT, SENT, TAKEN
from xueka.contexts.interop.models import Comparison, Difference
from xueka.contexts.interop.services.following import untold
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal_many, unseal
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.under_way import waiting_keys
from xueka.platform.exchange.wire import calling
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import alone


def reconcile(actor: Actor, partner: Counterpart, dataset: str) -> Comparison:
    """Compare now and keep what differs. Opens its own transactions: it speaks with the counterpart between
    them.

    Raises NotFound `DATASET_UNKNOWN`, Refused `COMPARISON_RUNS`. Where the counterpart gives no usable
    answer, the result says why.
    """
    actor.require("city:interop:manage")
    ours = records.side(dataset)
    with alone(name_of(partner.code, dataset)) as mine:
        if not mine:
            raise Refused("COMPARISON_RUNS", "这项数据正在核对。", found=dataset, action="请等它完成。")
        return _reconcile(actor, partner, dataset, ours)


def name_of(code: str, dataset: str) -> str:
    """What a comparison is called while it runs; two at once would find every difference twice."""
    return f"interop.compare.{code}.{dataset}"


def _reconcile(actor: Actor, partner: Counterpart, dataset: str, ours: Side) -> Comparison:
    begun = clock.now()
    try:
        with calling(partner) as caller:
            theirs = asking.side(caller, dataset)
            found = compare(ours, theirs)
            on_the_way = _on_the_way(partner, dataset, found)
            if found.differing:  # what is seen once may have moved between the two questions
                again = compare(ours, theirs)
                on_the_way |= _on_the_way(partner, dataset, again)
                again.differing = {
                    key: pair for key, pair in again.differing.items() if found.differing.get(key) == pair
                }
                again.round_trips += found.round_trips
                found = again
    except XuekaError as error:
        said = " ".join(filter(None, (error.message, str(error.found or ""))))
        return _kept(partner, dataset, begun, Compared(), set(), said)
    for key in on_the_way:
        found.differing.pop(key, None)
    with transaction.atomic():
        made = _kept(partner, dataset, begun, found, on_the_way, "")
        keep_differences(actor, partner.code, dataset, found, on_the_way)
        detail = {"dataset": dataset, "lines": found.ours, "differing": len(found.differing)}
        record(actor, "interop.reconcile", "counterpart", partner.code, detail=detail)
    return made


def answer(dataset: str, asked: object) -> dict[str, object]:
    """Our answer to a counterpart that compares. Raises NotFound `DATASET_UNKNOWN`, BadInput
    `QUESTION_WRONG`.
    """
    ours = records.side(dataset)
    prefixes, width, wants_records = read_question(asked)
    told: dict[str, object] = {"as_of": clock.local(clock.now()).isoformat(timespec="seconds")}
    if wants_records:
        found = sorted(ours.records(prefixes).items())
        _bounded(len(found))
        return told | {"records": [{"key": key, "text": text} for key, text in found]}
    buckets = sorted(ours.buckets(prefixes, width).items())
    _bounded(len(buckets))
    return told | {"buckets": [{"prefix": p, "count": count, "digest": d} for p, (count, d) in buckets]}


def _bounded(count: int) -> None:
    if count > records.MOST:
        raise BadInput(
            "QUESTION_WRONG",
            "核对的问题要的太多。",
            expected=f"一次至多 {records.MOST} 项",
            action="请用更长的前缀分几次问。",
        )


def _on_the_way(partner: Counterpart, dataset: str, found: Compared) -> set[str]:
    """Records of cards with messages under way, or with a step that nobody has made a message of: no
    difference yet. A key is a card's number, alone or with a slash and what it has.
    """
    names = {key: f"card:{key.partition('/')[0]}" for key in found.differing}
    waiting = waiting_keys(partner.code, sorted(set(names.values())))
    moving = {key for key, name in names.items() if name in waiting}
    return moving | (untold(partner.code, list(found.differing)) if dataset == records.CARD_STATUS else set())


def _kept(
    partner: Counterpart, dataset: str, begun: datetime, found: Compared, on_the_way: set[str], problem: str
) -> Comparison:
    return Comparison.objects.create(
        counterpart=partner.code,
        dataset=dataset,
        started_at=begun,
        finished_at=clock.now(),
        ours=found.ours,
        theirs=found.theirs,
        both=max(found.both, 0),
        agreeing=max(found.agreeing, 0),
        differing=len(found.differing),
        on_the_way=len(on_the_way),
        round_trips=found.round_trips,
        whole=found.whole,
        problem=problem[:200],
    )


def keep_differences(
    actor: Actor, code: str, dataset: str, found: Compared, on_the_way: set[str], begins: str = ""
) -> None:
    """Bring what stands as different to what was found, in the caller's transaction; of the records alone
    whose keys begin so.
    """
    now = clock.now()
    standing = {
        each.key: each
        for each in Difference.objects.select_for_update()
        .filter(counterpart=code, dataset=dataset, key__startswith=begins)
        .exclude(state=GONE)
        .order_by("id")
    }
    if found.whole:
        gone = [
            each.id for key, each in standing.items() if key not in found.differing and key not in on_the_way
        ]
        apply(DIFFERENCE, Difference, gone, "vanish", actor)
    back: list[int] = []
    fresh: list[Difference] = []
    sealed = dict(
        zip(found.differing, seal_many([_pair(*pair) for pair in found.differing.values()]), strict=True)
    )
    for key, (ours, theirs) in found.differing.items():
        known = standing.get(key)
        kind = kind_of(ours, theirs)
        if known is None:
            fresh.append(
                Difference(
                    counterpart=code,
                    dataset=dataset,
                    key=key,
                    kind=kind,
                    state=DIFFERENCE.initial,
                    state_at=now,
                    envelope=sealed[key],
                    found_at=now,
                    seen_at=now,
                )
            )
            continue
        same = unseal(bytes(known.envelope)) == {"ours": ours, "theirs": theirs}
        if known.state in (SENT, TAKEN) or (known.state == LEFT and not same):
            back.append(known.id)
        changes = {"seen_at": now, "times": known.times + 1, "kind": kind}
        Difference.objects.filter(id=known.id).update(
            **changes, **({} if same else {"envelope": sealed[key]})
        )
    apply(DIFFERENCE, Difference, back, "return", actor)
    made = Difference.objects.bulk_create(fresh, batch_size=1_000)
    begin(DIFFERENCE, [each.id for each in made], actor)


def _pair(ours: str, theirs: str) -> bytes:
    return json.dumps({"ours": ours, "theirs": theirs}, ensure_ascii=False).encode()
