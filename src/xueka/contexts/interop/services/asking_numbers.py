"""Beijing-Tong numbers asked for, and what their keeper answers: granted ranges are taken in at once."""

from datetime import date

from xueka.contexts.interop.domain.transitions import NUMBER_REQUEST
from xueka.contexts.interop.models import NumberRequest
from xueka.contexts.numbers import api as numbers
from xueka.kernel import clock
from xueka.kernel.contents import Content
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.counterparts import codes
from xueka.platform.exchange.services import post
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

BEIJING_TONG = "beijing-tong"
ISSUER = "市民卡管理中心"
MOST = 10_000_000


def ask_numbers(actor: Actor, quantity: int, needed_on: date, reason: str) -> NumberRequest:
    """Ask Beijing-Tong for so many numbers by that day. Needs `city:range:manage`.

    Raises BadInput `REQUEST_QUANTITY`, `REQUEST_DAY`, `REASON_MISSING`, Refused `NO_COUNTERPART`.
    """
    actor.require("city:range:manage")
    reason = reason.strip()[:200]
    if not 1 <= quantity <= MOST:
        raise BadInput("REQUEST_QUANTITY", "申请的数量不对。", found=quantity, expected=f"1 至 {MOST:,}")
    if needed_on < clock.today():
        raise BadInput("REQUEST_DAY", "需要的日期已过。", found=f"{needed_on}", expected="今天或以后")
    if not reason:
        raise BadInput("REASON_MISSING", "请写明为什么需要。", where="理由", expected="一句话")
    if BEIJING_TONG not in codes():
        raise Refused("NO_COUNTERPART", "还没有接通北京通。", action="请先配置对接方；或凭来文登记号段。")
    now = clock.now()
    found = NumberRequest.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        quantity=quantity,
        needed_on=needed_on,
        reason=reason,
        state=NUMBER_REQUEST.initial,
        state_at=now,
        asked_at=now,
        asked_by=actor.username,
    )
    found.number = f"QH{clock.today():%y}-{found.id:04d}"
    found.save(update_fields=["number"])
    begin(NUMBER_REQUEST, [found.id], actor)
    told = {"request": found.number, "quantity": quantity, "needed_on": f"{needed_on}", "reason": reason}
    post(BEIJING_TONG, "numbers.asked", f"range:{found.number}", told, once="asked", occurred_at=now)
    record(
        actor,
        "number_request.ask",
        "number_request",
        found.number,
        detail={"quantity": quantity, "reason": reason},
    )
    return found


def numbers_granted(actor: Actor, message: Message) -> None:
    """`numbers.granted`: the range is registered as if its paper had come.

    Raises BadInput `CONTENT_WRONG`, what `numbers.add_range` says of a range, Refused where the
    request has its answer.
    """
    told = Content(message.data)
    found = _request(message, told)
    NUMBER_REQUEST.target("grant", found.state)
    document = told.text("document", 100)
    made = numbers.add_range(
        actor,
        numbers.Sort.BEIJING_TONG,
        ISSUER,
        told.word("prefix", r"[0-9A-Za-z]{0,16}", "至多 16 位字母和数字"),
        told.whole("width", 1, 18),
        told.whole("first", 0, 10**18),
        told.whole("last", 0, 10**18),
        document=document,
    )
    _end(actor, found, "grant", document, range_id=made.id)


def numbers_declined(actor: Actor, message: Message) -> None:
    """`numbers.declined`: there are none, and why."""
    told = Content(message.data)
    found = _request(message, told)
    _end(actor, found, "decline", told.text("reason", 200))


def _request(message: Message, told: Content) -> NumberRequest:
    number = told.word("request", r"QH\d{2}-\d{4,12}", "申请号")
    found = NumberRequest.objects.select_for_update().filter(number=number).first()
    if found is None or message.key != f"range:{number}":
        raise NotFound("REQUEST_UNKNOWN", f"没有申请过 {number}。", action="请核对申请号与消息的 key。")
    return found


def _end(actor: Actor, found: NumberRequest, event: str, said: str, range_id: int | None = None) -> None:
    NumberRequest.objects.filter(id=found.id).update(answer=said, range_id=range_id)
    apply(NUMBER_REQUEST, NumberRequest, [found.id], event, actor, reason=said)
    record(actor, f"number_request.{event}", "number_request", found.number, detail={"answer": said})
