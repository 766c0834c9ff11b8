"""A comparison that a person wants now: asked for here, made by the worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import IntegrityError, transaction

from xueka.contexts.interop.adapters.records import DATASETS
from xueka.contexts.interop.models import AskedComparison, Comparison
from xueka.contexts.interop.services.comparing import name_of
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.counterparts import Counterpart, counterpart
from xueka.platform.exchange.models import CLOSED
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import at_work

_Row = TypeVar("_Row", Comparison, AskedComparison)
MANAGE = "city:interop:manage"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset of a counterpart: whether it is being compared, and the newest of each kind.

    `blocked`: why it cannot be compared now.
    """

    code: str
    runs: bool
    last: Comparison | None
    asked: AskedComparison | None
    blocked: str


def ask_comparison(actor: Actor, code: str, dataset: str) -> AskedComparison:
    """Wish for a comparison; the worker takes it up within seconds. Needs `city:interop:manage`.

    Raises NotFound `COUNTERPART_UNKNOWN`, `DATASET_UNKNOWN`, BadInput `COUNTERPART_FILE`, Refused
    `COMPARISON_RUNS`, `COUNTERPART_SILENT`.
    """
    actor.require(MANAGE)
    partner = counterpart(code)
    if dataset not in _compared(partner):
        raise NotFound("DATASET_UNKNOWN", "与这个对接方不核对这项数据。", found=dataset[:40])
    if silent := _silent(partner):
        raise Refused("COUNTERPART_SILENT", silent, where=partner.name, action="请等通路恢复后再核对。")
    runs = bool(at_work([name_of(code, dataset)]))
    try:
        if runs:
            raise IntegrityError
        with transaction.atomic():
            made = AskedComparison.objects.create(
                counterpart=code, dataset=dataset, asked_at=clock.now(), asked_by=actor.username
            )
    except IntegrityError:
        raise Refused(
            "COMPARISON_RUNS", "这项数据正在核对。", where=partner.name, action="请等它完成，结果就在本页。"
        ) from None
    record(actor, "interop.compare", "counterpart", code, detail={"dataset": dataset})
    return made


def datasets(actor: Actor, partner: Counterpart) -> list[Dataset]:
    """What is compared with a counterpart, in the order of its file."""
    actor.require("city:interop:read")
    codes = _compared(partner)
    busy = at_work([name_of(partner.code, each) for each in codes])
    silent = _silent(partner)
    last = _newest(Comparison, partner.code, codes)
    asked = _newest(AskedComparison, partner.code, codes)
    found = []
    for each in codes:
        wish = asked.get(each)
        runs = name_of(partner.code, each) in busy or (wish is not None and wish.ended_at is None)
        blocked = "正在核对" if runs else silent
        found.append(Dataset(each, runs, last.get(each), wish, blocked))
    return found


def _compared(partner: Counterpart) -> list[str]:
    return [each for each in partner.datasets if each in DATASETS]


def _silent(partner: Counterpart) -> str:
    """Why the counterpart is not to be asked now; empty where it may be."""
    line = exchange.lines([partner.code])[partner.code]
    now = clock.now()
    if line.breaker == CLOSED or line.open_until is None or line.open_until <= now:
        return ""  # an interval that is over: whoever comes next finds out
    why = line.problem or "对方没有应答"
    return f"{why}，暂停到 {clock.local(line.open_until):%H:%M:%S}。"


def _newest(model: type[_Row], code: str, datasets: Sequence[str]) -> dict[str, _Row]:
    rows = model.objects.filter(counterpart=code, dataset__in=list(datasets))
    return {each.dataset: each for each in rows.order_by("dataset", "-id").distinct("dataset")}
