"""Where couriers are spoken with: intent stored, then the network, then what came of it, each in a
transaction of its own. These functions are edges: they open their transactions and may be killed anywhere.
"""

from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from xueka.contexts.couriers.adapters import partner
from xueka.contexts.couriers.domain import kuaidi100, rules
from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.domain.rules import Address
from xueka.contexts.couriers.models import Push, Shipment, Waybill
from xueka.contexts.couriers.ports import (
    AT_ONCE,
    PUSH_LIMIT,
    Courier,
    CourierRefused,
    CourierUnavailable,
    Follower,
    Parcel,
    Placed,
    Pushes,
)
from xueka.contexts.couriers.services import documents, following, inbox, ordering, problems
from xueka.contexts.couriers.services.common import WORKER, locked, open_problem, pause_after, sender
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused, XuekaError
from xueka.platform.crypto.fields import unseal
from xueka.platform.database import home
from xueka.platform.exchange import lines
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.couriers")

SF, FOLLOWER = lines.Way("courier-sf"), lines.Way("courier-kuaidi100")


def connect(name: str) -> Courier | Follower:
    """The adapter that `settings.COURIERS` names. Raises CourierUnavailable while there is no account."""
    made: Courier | Follower = import_string(settings.COURIERS[name])()
    return made


def has_account(name: str = rules.SF) -> bool:
    """Whether parcels can be ordered there at all."""
    try:
        connect(name)
    except CourierUnavailable:
        return False
    return True


def take_push(courier: str, content_type: str, raw: bytes) -> tuple[int, bytes, str, bool]:
    """A push from outside: kept first, then judged; (status, body, content type) for the courier, and
    whether it was believed and about a parcel of ours.

    Raises NotFound for an unknown courier or one without an account, Refused `PUSH_TOO_LARGE`.
    """
    if courier not in rules.PUSHERS:
        raise NotFound("COURIER_NOT_FOUND", "没有这个承运商。")
    if len(raw) > PUSH_LIMIT:
        raise Refused("PUSH_TOO_LARGE", "推送太大。", found=len(raw), expected=f"最多 {PUSH_LIMIT} 字节")
    try:
        adapter: Pushes = connect(courier)
    except CourierUnavailable:
        raise NotFound("COURIER_NOT_FOUND", "没有这个承运商。") from None
    with transaction.atomic(durable=True):
        push = inbox.receive(courier, content_type, raw)
    outcome = judge_push(push, adapter)
    believed = outcome != rules.REFUSED_PUSH
    return *adapter.answer(believed), believed and outcome != rules.STRAY


def judge_push(push_id: int, adapter: Pushes | None = None) -> str:
    """The outcome; empty where our own mistake prevented one (the sweep tries again)."""
    try:
        pushes = adapter or connect(Push.objects.values_list("courier", flat=True).get(id=push_id))
        with transaction.atomic():
            return inbox.judge(push_id, pushes)
    except Exception:
        log.exception("couriers.push_broken", push=push_id)
        with transaction.atomic():
            inbox.count_failure(push_id)
        return ""


def call(shipment_id: int) -> str:
    """Whatever call a shipment waits for: its order, its cancelling, its interception. Returns its state.

    Nothing is tried while SF is known to be silent.
    """
    if not lines.may_call(SF):
        return Shipment.objects.values_list("state", flat=True).get(id=shipment_id)
    silent = ""
    with transaction.atomic(durable=True):
        shipment = locked(WORKER, shipment_id)
        known = shipment.tries > 0
        shipment.tries += 1
        shipment.next_try_at = clock.now() + pause_after(shipment.tries)
        shipment.save(update_fields=["tries", "next_try_at"])
    try:
        if shipment.state == t.ASKED:
            answer = _ordered(shipment, known)
            with transaction.atomic():
                ordering.placed(shipment_id, answer)
        elif shipment.state in (t.CANCELLING, t.CANCELLED):
            off = _off(shipment)
            with transaction.atomic():
                ordering.called_off(shipment_id, off)
        elif shipment.intercept == "asked":
            _intercept(shipment)
        else:
            Shipment.objects.filter(id=shipment_id).update(next_try_at=None)
    except CourierUnavailable as error:
        silent = _silence(error)
        Shipment.objects.filter(id=shipment_id).update(last_error=error.message[:200])
    lines.heard(SF, not silent, silent)
    return Shipment.objects.values_list("state", flat=True).get(id=shipment_id)


def _ordered(shipment: Shipment, known: bool) -> Placed:
    """The same order id, so never two parcels; an order whose answer was lost is looked for first."""
    courier = _sf()
    if known:
        found = courier.search(shipment.number)
        if found is not None:
            return found
    where = unseal(bytes(shipment.address))
    parcel = Parcel(shipment.number, shipment.pieces, sender(shipment), Address(**where))
    try:
        return courier.order(parcel)
    except CourierRefused as error:
        return Placed("refused", why=error.message)


def _off(shipment: Shipment) -> bool:
    """Whether an order is off. The courier says so too of one that it does not know yet, so that one without
    an answer is looked for once more. Raises CourierUnavailable while it stands.
    """
    courier = _sf()
    if not courier.cancel(shipment.number):
        return False
    found = None if shipment.waybills.exists() else courier.search(shipment.number)
    if found is None or found.state in ("off", "refused"):
        return True
    raise CourierUnavailable("COURIER_STILL_THERE", "承运商还有这一单，再次取消。")


def _intercept(shipment: Shipment) -> None:
    number = shipment.waybills.get(position=1).number
    try:
        _sf().intercept(number)
    except CourierRefused as error:
        with transaction.atomic():
            problems.intercepted(shipment.id, error.message)
    else:
        with transaction.atomic():
            problems.intercepted(shipment.id)


def labels(actor: Actor, shipment_id: int) -> bytes:
    """The labels of a shipment as one PDF, a page a waybill: SF's own where its account has a template for
    them, else ours. Without SF's there is ours all the same: a parcel does not wait for paper.

    Raises NotFound; Refused `NO_WAYBILL`, `ADDRESS_FORGOTTEN`.
    """
    with transaction.atomic():
        shipment, kept = documents.take_label(actor, shipment_id)
    if kept or shipment.courier != rules.SF:
        return kept or documents.own_label(shipment)
    made, why = _couriers_label(shipment)
    with transaction.atomic():
        shipment = documents.keep_label(shipment_id, made, why)
    return made or documents.own_label(shipment)


def _couriers_label(shipment: Shipment) -> tuple[bytes, str]:
    """SF's, or why it made none; neither where it is not to make any."""
    if not lines.may_call(SF):
        return b"", "顺丰没有回应"
    silent = ""
    try:
        made = _sf().label(documents.pieces(shipment))
    except CourierUnavailable as error:
        silent = _silence(error)
        return b"", error.message
    except CourierRefused as error:
        return b"", error.message
    else:
        return made or b"", ""
    finally:
        lines.heard(SF, not silent, silent)


def ask_routes(shipment_ids: Sequence[int]) -> None:
    """Ask for the whole way of these shipments, and settle each; a silent courier is asked again soon."""
    numbers = list(
        Waybill.objects.filter(shipment__in=shipment_ids).order_by("id").values_list("number", flat=True)
    )
    if not lines.may_call(SF):
        return
    begun = clock.now()
    try:
        courier = _sf()
        heard: list[s.Heard] = []
        for start in range(0, len(numbers), AT_ONCE):
            heard += courier.routes(numbers[start : start + AT_ONCE])
    except CourierUnavailable as error:
        silent = _silence(error)
        lines.heard(SF, not silent, silent)
        Shipment.objects.filter(id__in=shipment_ids).update(next_ask_at=clock.now() + pause_after(5))
        following.unanswered(shipment_ids, error.message)
        return
    lines.heard(SF, True, "")
    due = Shipment.objects.filter(id__in=shipment_ids, next_ask_at__lte=begun)  # else a push came meanwhile
    due.update(next_ask_at=begun + rules.ASK_EVERY)
    with transaction.atomic():
        following.hear(heard, confirmed=True)
    for shipment_id in shipment_ids:
        try:
            with transaction.atomic():
                state = following.settle(shipment_id)
                if state not in t.FOLLOWED:
                    Shipment.objects.filter(id=shipment_id).update(next_ask_at=None)
                following.answered(shipment_id)
        except XuekaError as error:
            log.exception("couriers.settle_broken", shipment=shipment_id)
            following.unanswered([shipment_id], error.message)


def subscribe(waybill_id: int) -> None:
    """Have kuaidi100 follow a waybill whose number was typed. Nothing is tried while it is silent."""
    if not lines.may_call(FOLLOWER):
        return
    with transaction.atomic(durable=True):
        found = Waybill.objects.select_for_update().get(id=waybill_id)
        if found.follows != rules.WANTED:
            return
        found.subscriptions += 1
        found.next_try_at = clock.now() + pause_after(found.subscriptions + 3)
        found.save(update_fields=["subscriptions", "next_try_at"])
    shipment = found.shipment
    site, phone = _site_for_pushes(), ""
    if not site:
        said = "快递100 不知道把轨迹推到哪里：没有设置本系统的网址（XUEKA_COURIER_SITE）。"
        Shipment.objects.filter(id=shipment.id).update(last_error=said)
        _not_asked(waybill_id, found.subscriptions)
        return
    if shipment.address:
        phone = unseal(bytes(shipment.address)).get("phone", "")[-4:]
    follower = connect(rules.KUAIDI100)
    assert hasattr(follower, "subscribe")
    company, back = kuaidi100.company_of(shipment.carrier), f"{site}/api/couriers/{rules.KUAIDI100}/push"
    try:
        # A try that was killed is counted: what comes after the last one is pushed like the last one.
        time = min(found.subscriptions, rules.MOST_SUBSCRIPTIONS)
        follower.subscribe(found.number, company, phone, back, time)
    except CourierUnavailable as error:
        silent = _silence(error)
        lines.heard(FOLLOWER, not silent, silent)
        _not_asked(waybill_id, found.subscriptions)
        return
    except CourierRefused as error:
        lines.heard(FOLLOWER, True, "")
        with transaction.atomic():
            Waybill.objects.filter(id=waybill_id).update(follows=rules.STOPPED, next_try_at=None)
            open_problem(locked(WORKER, shipment.id), rules.STUCK, f"快递100 不跟踪：{error.message}")
        return
    lines.heard(FOLLOWER, True, "")
    rows = Waybill.objects.filter(id=waybill_id, follows=rules.WANTED)
    rows.update(follows=rules.ON, next_try_at=None)
    Shipment.objects.filter(id=shipment.id).exclude(last_error="").update(last_error="")


def _silence(error: CourierUnavailable) -> str:
    """Why nobody answered; empty: somebody did, or there is no account to ask with."""
    return error.message if error.code == "COURIER_SILENT" else ""


def _site_for_pushes() -> str:
    """Our address as kuaidi100 sees it. Where we listen is of use to a simulator alone."""
    return str(settings.COURIER_SITE).rstrip("/") or (home.serving_at() if partner.is_demo() else "")


def _not_asked(waybill_id: int, times: int) -> None:
    """The try was none, and does not count."""
    Waybill.objects.filter(id=waybill_id).update(subscriptions=times - 1)


def due_calls(limit: int = 100) -> list[int]:
    rows = Shipment.objects.filter(next_try_at__lte=clock.now())
    return list(rows.order_by("next_try_at").values_list("id", flat=True)[:limit])


def due_routes(limit: int = 200) -> list[int]:
    rows = Shipment.objects.filter(next_ask_at__lte=clock.now(), courier=rules.SF, state__in=t.FOLLOWED)
    return list(rows.order_by("next_ask_at").values_list("id", flat=True)[:limit])


def due_subscriptions(limit: int = 100) -> list[int]:
    rows = Waybill.objects.filter(next_try_at__lte=clock.now(), follows=rules.WANTED)
    return list(rows.order_by("next_try_at").values_list("id", flat=True)[:limit])


def _sf() -> Courier:
    courier = connect(rules.SF)
    assert hasattr(courier, "order")
    return courier  # type: ignore[return-value]
