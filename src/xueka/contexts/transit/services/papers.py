"""Papers: number ranges, the schedule, hand-overs, the whole hot-list. Told, answered, agreed or reviewed.

Nothing of ours changes because the company said so: what differs waits for a person of the city.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Max

from xueka.contexts.numbers import api as numbers
from xueka.contexts.transit.domain import reading
from xueka.contexts.transit.domain.hot import digest_of
from xueka.contexts.transit.domain.transitions import ANSWERED, PAPER, PAPER_SENT
from xueka.contexts.transit.models import HAND_OVER, HOT_LIST, RANGE, SCHEDULE, Paper
from xueka.contexts.transit.services.common import CODE
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.services import post
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

REVIEW = "city:range:manage"
ISSUER = "市政交通一卡通公司"
#: Kind of a paper → kinds of the message that tells it and of the one that answers.
TELLS = {
    RANGE: "range.asked",
    SCHEDULE: "schedule.planned",
    HAND_OVER: "handover.written",
    HOT_LIST: "hotlist.whole",
}
ANSWERS = {
    "range.granted": RANGE,
    "schedule.answered": SCHEDULE,
    "handover.answered": HAND_OVER,
    "hotlist.received": HOT_LIST,
}


def tell(
    actor: Actor, kind: str, number: str, ours: Mapping[str, Any], *, extra: Mapping[str, Any] | None = None
) -> Paper:
    """Tell the company, once for each content; `extra` goes along and is not kept."""
    now = clock.now()
    paper = Paper.objects.select_for_update().filter(kind=kind, number=number).first()
    if paper is None:
        paper = Paper.objects.create(
            kind=kind, number=number, state=PAPER.initial, state_at=now, ours=dict(ours), sent_at=now
        )
        begin(PAPER, [paper.pk], actor)
    elif paper.ours == ours:
        return paper
    else:
        changes: dict[str, Any] = {"ours": dict(ours), "theirs": {}, "sent_at": now, "answered_at": None}
        Paper.objects.filter(pk=paper.pk).update(turn=paper.turn + 1, note="", **changes)
        apply(PAPER, Paper, [paper.pk], "send", actor)
        paper.refresh_from_db()
    content = {"number": number, "turn": paper.turn, **ours, **(extra or {})}
    post(CODE, TELLS[kind], f"{kind}:{number}", content, once=f"turn:{paper.turn}")
    return paper


def ask_range(actor: Actor, count: int, reason: str) -> Paper:
    """Ask for a range of so many transit numbers. Raises BadInput `RANGE_COUNT`, `REASON_MISSING`."""
    actor.require(REVIEW)
    if not 1 <= count <= 100_000_000:
        raise BadInput("RANGE_COUNT", "请填写要多少个号。", found=count, expected="1 至 1 亿")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明用途。", where="用途", expected="一句话")
    number = next_number("HD")
    made = tell(actor, RANGE, number, {"count": count, "reason": reason.strip()[:200]})
    record(actor, "transit.ask_range", "transit_paper", number, detail={"count": count})
    return made


def tell_papers(actor: Actor) -> None:
    """The schedule and the signed hand-overs, as they are now. What was told already is not told again."""
    schedule = {each.number: each for each in Paper.objects.filter(kind=SCHEDULE)}
    for order in numbers.order_rows(EVERYWHERE).order_by("id"):
        ours: dict[str, Any] = {
            "state": order.state,
            "quantity": order.quantity,
            "planned_on": order.planned_on.isoformat(),
            "due_on": order.due_on.isoformat(),
            "document": order.document,
        }
        known = schedule.get(order.number)
        if known is not None and order.state != "cancelled":
            ours["state"] = known.ours["state"]  # that blanks left or came back, the hand-overs say
        if known is None or known.ours != ours:
            tell(actor, SCHEDULE, order.number, ours)
    told = Paper.objects.filter(kind=HAND_OVER).values("number")
    rows = numbers.hand_over_rows(EVERYWHERE).filter(purpose__in=["send", "receive"])
    for each in rows.exclude(number__in=told).order_by("id"):
        tell(actor, HAND_OVER, each.number, _hand_over(each))


def hear(actor: Actor, message: Message) -> bool:
    """The answer to a paper; whether it was the first one to this turn. Others are passed over."""
    kind = ANSWERS[message.kind]
    told = reading.members(message.data)
    number, turn = reading.text(told, "number", 20), reading.number(told, "turn", 1)
    paper = Paper.objects.select_for_update().filter(kind=kind, number=number).first()
    if paper is None or message.key != f"{kind}:{number}":
        raise NotFound("PAPER_NOT_FOUND", "没有这份往来。", found=f"{message.key} {number}")
    theirs = _theirs(kind, told)
    if paper.turn != turn or paper.state != PAPER_SENT:
        return False
    Paper.objects.filter(pk=paper.pk).update(theirs=theirs, answered_at=clock.now())
    same = kind != RANGE and theirs["accepted"] and all(paper.ours[k] == theirs[k] for k in _COMPARED[kind])
    apply(PAPER, Paper, [paper.pk], "agree" if same else "answer", actor)
    return True


def take(actor: Actor, paper_id: int) -> Paper:
    """The reviewed step: the granted range is registered, the moved days are ours too."""
    paper = _locked(actor, paper_id)
    said = paper.theirs
    if not said.get("accepted"):
        raise Refused(
            "NOTHING_TO_TAKE", "对方没有接受，没有可以采用的内容。", action="请写明理由，登记为不采用。"
        )
    if paper.kind == RANGE:
        numbers.add_range(
            actor,
            "transit",
            ISSUER,
            said["prefix"],
            said["width"],
            said["first"],
            said["last"],
            document=said["document"],
        )
    elif paper.kind == SCHEDULE:
        if said["quantity"] != paper.ours["quantity"]:
            raise Refused(
                "QUANTITY_DIFFERS",
                "对方的数量与排产单不同，改期不能解决。",
                found=said["quantity"],
                expected=paper.ours["quantity"],
                action="请与对方核对；登记为不采用并写明结果，或取消后重新排产。",
            )
        planned, due = (date.fromisoformat(said[name]) for name in ("planned_on", "due_on"))
        numbers.reschedule(actor, paper.number, planned, due, said["note"] or "一卡通公司调整")
    else:
        raise Refused(
            "NOTHING_TO_TAKE", "本方的记录是签过字的，不能照对方改。", action="请与对方核对后写明理由。"
        )
    return _ended(actor, paper, "take", "")


def leave(actor: Actor, paper_id: int, reason: str) -> Paper:
    """Not taken, and why. Raises BadInput `REASON_MISSING`."""
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明不采用的理由。", where="理由", expected="一句话")
    return _ended(actor, _locked(actor, paper_id), "leave", reason.strip()[:200])


def next_number(prefix: str) -> str:
    """`prefix`, the year, a serial of the year: HD26-00001. A lock guards the next one."""
    head = f"{prefix}{clock.today():%y}-"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('transit.' || %s))", [prefix])
    last = Paper.objects.filter(number__startswith=head).aggregate(last=Max("number"))["last"]
    return f"{head}{int(last[len(head) :]) + 1 if last else 1:05d}"


#: Members of an answer that must equal ours.
_COMPARED = {
    SCHEDULE: ("quantity", "planned_on", "due_on"),
    HAND_OVER: ("quantity", "rejected", "digest"),
    HOT_LIST: ("count", "digest"),
}


def _theirs(kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "accepted": reading.yes(told, "accepted"),
        "note": reading.text(told, "note", 200, empty=True),
    }
    if not made["accepted"]:
        return made
    if kind == RANGE:
        made |= {name: reading.number(told, name, 0, 10**18) for name in ("width", "first", "last")}
        made |= {"prefix": reading.text(told, "prefix", 19, empty=True)}
        made |= {"document": reading.text(told, "document", 100)}
        return made
    if kind == SCHEDULE:
        made |= {"quantity": reading.number(told, "quantity")}
        return made | {name: str(reading.day(told, name)) for name in ("planned_on", "due_on")}
    if kind == HAND_OVER:
        made |= {name: reading.number(told, name) for name in ("quantity", "rejected")}
    else:
        made |= {"count": reading.number(told, "count")}
    return made | {"digest": reading.text(told, "digest", 64)}


def _hand_over(found: numbers.HandOver) -> dict[str, Any]:
    lines = []
    if found.lot is not None:
        rows = numbers.blank_rows(EVERYWHERE, found.lot.number).order_by("position")
        lines = [f"{uid}|{number}" for uid, number in rows.values_list("uid", "transit_number")]
    return {
        "direction": found.purpose,
        "order": found.order.number if found.order else "",
        "quantity": found.quantity,
        "rejected": found.rejected,
        "digest": digest_of(lines),
        "document": found.document,
        "on": clock.local(found.at).date().isoformat(),
        "replaces": found.replaces.number if found.replaces else "",
    }


def _locked(actor: Actor, paper_id: int) -> Paper:
    actor.require(REVIEW)
    found = Paper.objects.select_for_update().filter(pk=paper_id).first()
    if found is None:
        raise NotFound("PAPER_NOT_FOUND", "没有这份往来。")
    if found.state != ANSWERED:
        PAPER.target("take", found.state)
    return found


def _ended(actor: Actor, paper: Paper, event: str, reason: str) -> Paper:
    Paper.objects.filter(pk=paper.pk).update(note=reason)
    apply(PAPER, Paper, [paper.pk], event, actor, reason=reason)
    detail = {"kind": paper.kind, "reason": reason} if reason else {"kind": paper.kind}
    record(actor, f"transit_paper.{event}", "transit_paper", paper.number, detail=detail)
    paper.refresh_from_db()
    return paper
