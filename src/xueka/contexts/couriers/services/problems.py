"""What a person does about a parcel: closes a question, says that it is lost, calls it back when found."""

from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.models import Problem, Shipment
from xueka.contexts.couriers.services.common import (
    WORKER,
    change,
    close_problems,
    locked,
    move,
    open_problem,
    pause_after,
)
from xueka.contexts.couriers.services.ordering import send_off
from xueka.contexts.logistics import api as logistics
from xueka.contexts.replacements import api as replacements
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given


def close(actor: Actor, problem_id: int, note: str) -> Problem:
    """It was dealt with, and how. Needs `city:parcel:work`. Raises NotFound, BadInput `REASON_MISSING`."""
    actor.require(t.WORK)
    note = reason_given(note)
    visible = Problem.objects.filter(shipment__in=Shipment.objects.visible_to(actor.scope))
    found = visible.select_for_update(of=("self",)).filter(id=problem_id, closed_at=None).first()
    if found is None:
        raise NotFound("PROBLEM_NOT_FOUND", "没有这件待处理的事，可能已由他人处理。")
    found.closed_at, found.closed_by, found.note = clock.now(), actor.username, note[:200]
    found.save(update_fields=["closed_at", "closed_by", "note"])
    detail = {"kind": found.kind, "note": note}
    record(actor, "shipment.settle", "shipment", found.shipment.number, detail=detail)
    return found


def lose(actor: Actor, shipment_id: int, reason: str) -> Shipment:
    """The courier has lost it: its cards never live, and are made again by the services that made them.

    What the courier took before anybody wrote it down as sent, is written down first: else its cards would
    go on as if they lay here. Needs `city:parcel:work`. Raises NotFound; BadInput `REASON_MISSING`; Refused
    `NOT_WITH_THE_COURIER` and what sending refuses.
    """
    actor.require(t.WORK)
    reason = reason_given(reason)
    shipment = locked(actor, shipment_id)
    if shipment.handed_over_at is None:
        raise Refused(
            "NOT_WITH_THE_COURIER",
            "这个运件还没有交给承运商。",
            action="没有交出的，请取消；已交出的，先登记交给快递。",
        )
    if shipment.unsent:
        send_off(shipment, WORKER)
        change(shipment, unsent=False)
    move(shipment, "lose", actor, reason=reason)
    detail = {"reason": reason, "cards": shipment.contents.count()}
    record(actor, "shipment.lose", "shipment", shipment.number, detail=detail)
    close_problems(shipment, actor.username, "已登记丢失")
    open_problem(shipment, rules.LOST_, reason)
    if shipment.delivery:
        for box in logistics.boxes_of(shipment.delivery):
            if box.state == "in_transit":
                logistics.report_lost_box(actor, box.number, f"{shipment.number} {reason}")
    elif shipment.replacement and shipment.replacement.state == "on_the_way":
        replacements.lose(WORKER, shipment.replacement.id, reason)
    return shipment


def ask_intercept(actor: Actor, shipment_id: int, reason: str) -> Shipment:
    """A lost parcel has been found: its cards are void, the courier is to bring it back. The call is made by
    `calling`. Needs `city:parcel:work`. Raises NotFound; Refused `NOT_LOST`, `NO_INTERFACE`.
    """
    actor.require(t.WORK)
    reason = reason_given(reason)
    shipment = locked(actor, shipment_id)
    if shipment.state != t.LOST or shipment.intercept in ("asked", "taken"):
        raise Refused("NOT_LOST", "只有登记丢失的运件可以拦截。", action="请刷新页面。")
    if shipment.courier != rules.SF:
        raise Refused(
            "NO_INTERFACE", "手工登记的运件不能由系统拦截。", action="请打电话请承运商退回，退回后登记。"
        )
    change(shipment, intercept="asked", tries=0, next_try_at=clock.now(), last_error="")
    record(actor, "shipment.intercept", "shipment", shipment.number, detail={"reason": reason})
    return shipment


def intercepted(shipment_id: int, refusal: str = "") -> None:
    """What the courier says to it."""
    shipment = locked(WORKER, shipment_id)
    if shipment.state != t.LOST or shipment.intercept != "asked":
        return
    if refusal:
        change(shipment, intercept="refused", next_try_at=None, last_error=refusal[:200])
        return
    change(shipment, intercept="taken", last_error="")
    move(shipment, "find")
    change(shipment, ended_at=None, next_try_at=None, next_ask_at=clock.now() + rules.ASK_EVERY)
    close_problems(shipment, WORKER.username, "已拦截退回", (rules.LOST_,))
    open_problem(shipment, rules.RETURNED, "丢失后找到，拦截退回；卡已作废，收回后销毁")


def intercept_later(shipment_id: int, error: str) -> None:
    shipment = locked(WORKER, shipment_id)
    later = clock.now() + pause_after(shipment.tries)
    change(shipment, tries=shipment.tries + 1, next_try_at=later, last_error=error[:200])
