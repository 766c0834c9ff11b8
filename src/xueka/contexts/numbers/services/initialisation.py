"""The schedule by which the transit company initialises blanks: planned, moved, given up, settled."""

from datetime import date

from django.db import connection
from django.db.models import Max, Model

from xueka.contexts.numbers.domain.transitions import INITIALISATION
from xueka.contexts.numbers.models import Initialisation
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor


def plan(
    actor: Actor,
    company: str,
    quantity: int,
    planned_on: date,
    due_on: date,
    *,
    document: str = "",
    note: str = "",
) -> Initialisation:
    """A place in the company's schedule: `quantity` blanks leave on `planned_on`, are back by `due_on`."""
    actor.require("city:range:manage")
    company, document, note = company.strip(), document.strip(), note.strip()
    if not 1 <= len(company) <= 64 or len(document) > 100 or len(note) > 200:
        raise BadInput(
            "SCHEDULE_TEXT", "请填写初始化单位（最多 64 个字）；来文号最多 100 个字，备注最多 200 个字。"
        )
    if not 1 <= quantity <= 10_000_000:
        raise BadInput("SCHEDULE_QUANTITY", "请填写排产数量。", found=quantity, expected="1 至 1000 万")
    _check_days(planned_on, due_on)
    made = Initialisation.objects.create(
        number=next_number(Initialisation, "PC"),
        company=company,
        quantity=quantity,
        planned_on=planned_on,
        due_on=due_on,
        document=document,
        note=note,
        state=INITIALISATION.initial,
        state_at=clock.now(),
        created_at=clock.now(),
        created_by=actor.username,
    )
    begin(INITIALISATION, [made.id], actor)
    _record(actor, "plan", made, quantity=quantity, planned_on=str(planned_on), due_on=str(due_on))
    return made


def reschedule(actor: Actor, number: str, planned_on: date, due_on: date, reason: str) -> Initialisation:
    """The company has moved the day; before anything has left."""
    order = locked_order(actor, number)
    _check_days(planned_on, due_on)
    moved = f"{order.planned_on:%Y-%m-%d} → {planned_on:%Y-%m-%d}"
    _move(actor, order, "reschedule", reason, detail={"planned_on": moved})
    order.planned_on, order.due_on = planned_on, due_on
    order.save(update_fields=["planned_on", "due_on"])
    _record(actor, "reschedule", order, planned_on=str(planned_on), due_on=str(due_on), reason=reason)
    return order


def cancel_order(actor: Actor, number: str, reason: str) -> Initialisation:
    """Give the place up; before anything has left."""
    order = locked_order(actor, number)
    _move(actor, order, "cancel", reason)
    _record(actor, "cancel", order, reason=reason)
    return order


def settle_short(actor: Actor, number: str, reason: str) -> Initialisation:
    """The company owes the rest and will not give it: the order ends with fewer back than were sent."""
    order = locked_order(actor, number)
    _move(actor, order, "settle", reason)
    _record(actor, "settle", order, reason=reason)
    return order


def locked_order(actor: Actor, number: str) -> Initialisation:
    """The order, locked to the end of the transaction: whoever counts its hand-overs counts alone."""
    actor.require("city:range:manage")
    found = Initialisation.objects.select_for_update().filter(number=number.strip()).first()
    if found is None:
        raise NotFound("SCHEDULE_NOT_FOUND", "没有这张排产单。", found=number)
    return found


def next_number(model: type[Model], prefix: str) -> str:
    """`prefix`, the year, a serial of the year: PC26-00001. Without gap: a lock guards the next one."""
    head = f"{prefix}{clock.today():%y}-"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('numbers.' || %s))", [prefix])
    last = model._default_manager.filter(number__startswith=head).aggregate(last=Max("number"))["last"]
    return f"{head}{int(last[len(head) :]) + 1 if last else 1:05d}"


def _move(
    actor: Actor, order: Initialisation, event: str, reason: str, detail: dict[str, str] | None = None
) -> None:
    if not reason.strip():
        raise BadInput("REASON_MISSING", f"请写明{INITIALISATION.event_label(event)}的理由。")
    apply(INITIALISATION, Initialisation, [order.id], event, actor, reason=reason.strip(), detail=detail)
    order.refresh_from_db()


def _check_days(planned_on: date, due_on: date) -> None:
    if due_on < planned_on:
        raise BadInput(
            "SCHEDULE_DAYS",
            "收回的日期早于送出的日期。",
            found=f"{planned_on:%Y-%m-%d} 送出，{due_on:%Y-%m-%d} 收回",
            expected="收回日期不早于送出日期",
        )


def _record(actor: Actor, action: str, order: Initialisation, **detail: object) -> None:
    record(actor, f"initialisation.{action}", "initialisation", order.number, detail=detail)
