"""How interfaces, messages and differences read on a page, and where their numbers lead."""

import math
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.urls import resolve, reverse
from django.utils.http import urlencode

from xueka.contexts.coordination import api as coordination
from xueka.contexts.interop import api as interop
from xueka.entrypoints.design.ui import Action, Badge, Link
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.exchange import codes
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.models import (
    APPLIED,
    BREAKER,
    CLOSED,
    DEAD,
    DELIVERED,
    INCOMING,
    OUTGOING,
    PASSED,
    QUEUED,
    WAITING,
    Outgoing,
)
from xueka.platform.exchange.standing import (
    BROKEN,
    BUREAU,
    COURIER,
    EXCHANGE,
    GOOD,
    HEALTH,
    MESSAGES,
    PARTNER,
    REGISTRY,
    SLOW,
    Standing,
)
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest

READ, MANAGE = "city:interop:read", "city:interop:manage"
_TONES = {GOOD: "ok", SLOW: "wait", BROKEN: "bad"}
_MESSAGE = {
    QUEUED: "progress",
    DELIVERED: "ok",
    DEAD: "bad",
    WAITING: "progress",
    APPLIED: "ok",
    PASSED: "ended",
}
WAYS = {"out": "发出", "in": "收到"}


#: What a message says, by its kind (docs/interfaces: beijing-tong, transit, welfare).
KINDS_OF_MESSAGE = {
    "card.status": "卡状态",
    "numbers.asked": "申请号段",
    "numbers.granted": "批复号段",
    "numbers.declined": "不批号段",
    "application.blocked": "停用本方应用",
    "application.unblocked": "恢复本方应用",
    "number.withdrawn": "收回号码",
    "citizen.corrected": "更正个人信息",
    "binding.asked": "申请实名",
    "binding.answered": "实名结果",
    "binding.release": "申请解除实名",
    "binding.released": "已解除实名",
    "validity.changed": "有效期变化",
    "extension.asked": "申请延期",
    "extension.answered": "延期结果",
    "hotlist.changed": "黑名单变化",
    "hotlist.confirmed": "黑名单已生效",
    "hotlist.whole": "黑名单全量",
    "hotlist.received": "黑名单全量已收",
    "card.blocked": "公交停用",
    "range.asked": "申请号段",
    "range.granted": "批复号段",
    "schedule.planned": "排产计划",
    "schedule.answered": "排产答复",
    "handover.written": "交接单",
    "handover.answered": "交接答复",
    "script.announced": "发布脚本",
    "script.reported": "脚本结果",
    "holder.changed": "持卡人变化",
    "entitlement.changed": "权益变化",
    "kind.named": "权益名称",
}
_OBJECTS = {
    "card": "卡",
    "student": "学生",
    "range": "号段",
    "schedule": "排产",
    "hand_over": "交接",
    "hot_list": "黑名单",
    "kind": "权益种类",
}


def kind_of_message(kind: str) -> str:
    """In Chinese; one that we do not know as it came."""
    return KINDS_OF_MESSAGE.get(kind, kind)


def key(name: str) -> str:
    """What a message is about: "card:250000000017" as 卡 250000000017."""
    what, _, number = name.partition(":")
    return f"{_OBJECTS[what]} {number}" if what in _OBJECTS else name


def name_of(code: str) -> str:
    """What a counterpart is called. Raises NotFound `COUNTERPART_UNKNOWN`."""
    if code == interop.STUDENT_REGISTRY:
        return "学籍系统"
    try:
        return counterpart(code).name
    except BadInput:
        return code  # its file is broken; its messages are still there


def last_name_of(code: str) -> str:
    """The same of one that may be gone, whose messages are still there."""
    try:
        return name_of(code)
    except NotFound:
        return code


def health(standing: Standing) -> Badge:
    code, _ = standing.health
    return Badge(HEALTH[code], _TONES[code])


def breaker(standing: Standing) -> str:
    """Who is not called beside a plan of its own has none."""
    if standing.kind not in (EXCHANGE, COURIER, MESSAGES):
        return "—"
    return BREAKER[standing.breaker] if standing.breaker != CLOSED else "畅通"


def message_state(way: str, state: str) -> Badge:
    return Badge((OUTGOING if way == "out" else INCOMING)[state], _MESSAGE[state])


def why(code: str, problem: str) -> str:
    """The reason in words, and what was said."""
    return "：".join(part for part in (codes.words(code) if code else "", problem) if part)


def share(value: float | None) -> str:
    """Rounded down: 99.999 % is not all."""
    return f"{math.floor(value * 10_000) / 100:g}%" if value is not None else "—"


def quality(standing: Standing) -> str:
    """The newest of the four measures on one line; empty where none is taken."""
    if not any(value is not None for value in standing.quality.values()):
        return ""
    means = interop.meaning(standing.code, standing.kind)
    return " ".join(
        f"{interop.MEASURES[name]} {share(each) if name in means and means[name].applies else '不适用'}"
        for name, each in standing.quality.items()
    )


def places(actor: Actor, standing: Standing) -> dict[str, str]:
    """Where the numbers of an interface lead: page, waiting, dead, moved, differences. Whoever may not go
    where a number leads stays on the interface's own page.
    """
    page = reverse("city:interface", args=[standing.code])
    found = dict.fromkeys(("waiting", "dead", "moved", "differences"), page)
    if standing.kind == EXCHANGE:
        messages = reverse("city:interface_messages", args=[standing.code])
        found |= {
            "waiting": f"{messages}?state={QUEUED}",
            "dead": f"{messages}?state={DEAD}" if standing.usable else page,
            "moved": messages,
            "differences": f"{reverse('city:interface_differences')}?{urlencode({'of': standing.code})}",
        }
    elif standing.kind == BUREAU:
        found |= dict.fromkeys(("waiting", "moved"), reverse("city:bureau")) | {
            "dead": reverse("city:problems")
        }
    elif standing.kind == PARTNER:
        found["moved"] = reverse("city:unit", args=[standing.code.removeprefix("unit-")])
    elif standing.kind == COURIER:
        found |= {"waiting": reverse("city:parcels"), "dead": reverse("city:parcel_problems")}
    elif standing.kind == MESSAGES:
        page_of = {"sms": "city:messages", "mail": "city:mails"}.get(standing.code)
        found |= dict.fromkeys(("waiting", "dead", "moved"), reverse(page_of)) if page_of else {}
    elif standing.kind == REGISTRY:
        found |= {"waiting": reverse("city:absences")} | dict.fromkeys(
            ("dead", "moved"), reverse("city:imports")
        )
        found["differences"] = f"{reverse('city:interface_differences')}?{urlencode({'of': standing.code})}"
    return {name: each if _may_go(actor, each) else page for name, each in found.items()} | {"page": page}


def _may_go(actor: Actor, address: str) -> bool:
    needed = getattr(resolve(urlsplit(address).path).func, "permissions", ())
    return not needed or any(actor.may(each) for each in needed)


def begun(message: Any) -> datetime:
    """Since when a message is there, of either direction."""
    at: datetime = message.created_at if isinstance(message, Outgoing) else message.received_at
    return at


def message_link(way: str, message: Any) -> Link:
    return Link(message.message_id, reverse("city:interface_message", args=[way, message.id]))


def way_of(message: Any) -> str:
    return "out" if isinstance(message, Outgoing) else "in"


#: Which counterpart group an interface belongs to, by the beginning of its code.
_PARTIES = {
    "beijing-tong": "beijing_tong",
    "welfare": "beijing_tong",
    "transit": "transit",
    "courier": "courier",
    "jingtong": "jingtong",
    "bureau": "bureau",
    "unit": "units",
}


def ask(request: StaffRequest, code: str, about: tuple[str, str], subject: str, text: str) -> list[Action]:
    """One click to a matter about this, filled in, for whoever may open one."""
    if not request.actor.may(coordination.WORK):
        return []
    given = {"subject": subject[:100], "text": text[:1000], "about_kind": about[0], "about": about[1]}
    party = next((each for begins, each in _PARTIES.items() if code.startswith(begins)), "")
    if party:
        kinds = coordination.PARTIES[party].kinds
        kind = "data" if about[0] == "difference" and "data" in kinds else "interface"
        given["what"] = f"{party}.{kind if kind in kinds else 'other'}"
    return [Action("请对方处理", f"{reverse('city:matter_new')}?{urlencode(given)}", icon="messages")]
