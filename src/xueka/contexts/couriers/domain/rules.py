"""Couriers, holders, problems; how long a parcel may take and be silent; when an address is forgotten."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain.transitions import CANCELLED, FAILED, LOST, ORDERED
from xueka.kernel.masking import mask_name, mask_phone

SF, KUAIDI100, HAND = "sf", "kuaidi100", "hand"
#: Who takes a shipment: SF by its interface, or any courier whose number is typed by hand.
COURIERS = {SF: "顺丰速运", HAND: "手工登记"}
#: Who sends pushes.
PUSHERS = (SF, KUAIDI100)

SCHOOL, HOME = "school", "home"
KINDS = {SCHOOL: "到学校", HOME: "邮寄到家"}

#: What kuaidi100 does for a waybill: to be subscribed, subscribed, over, given up by it (for a person).
WANTED, ON, OVER, STOPPED = "wanted", "on", "over", "stopped"
FOLLOWS = (WANTED, ON, OVER, STOPPED)
MOST_SUBSCRIPTIONS = 3

#: So long after the courier took a parcel its number may be typed.
TYPED_LATE = timedelta(days=1)
#: So long an order may be on its way to the courier when nobody has heard of it any more.
ORDER_UNDER_WAY = timedelta(minutes=1)

INTERCEPTS = {"asked": "已要求拦截", "taken": "承运商已受理", "refused": "承运商不能拦截"}

SENDER, COURIER, LOCKER, RECEIVER, NOBODY = "sender", "courier", "locker", "receiver", "nobody"
HOLDERS = {
    SENDER: "寄件方",
    COURIER: "承运商",
    LOCKER: "快递柜或驿站",
    RECEIVER: "收件方",
    NOBODY: "下落不明",
}
_HOLDER = {
    ORDERED: SENDER,
    s.ON_THE_WAY: COURIER,
    s.OUT: COURIER,
    s.GOING_BACK: COURIER,
    s.LOCKER: LOCKER,
    s.DELIVERED: RECEIVER,
    s.BACK: SENDER,
    LOST: NOBODY,
    CANCELLED: SENDER,
    FAILED: SENDER,
}

LATE, STUCK, REFUSED, RETURNED, LOST_, NOT_SENT = "late", "stuck", "refused", "returned", "lost", "not_sent"
PROBLEMS = {
    LATE: "超过预计日期",
    STUCK: "轨迹不动",
    REFUSED: "拒收",
    RETURNED: "退回",
    LOST_: "丢失",
    NOT_SENT: "承运商不收",
}

#: Judgements of a push.
APPLIED, REPEATED, REFUSED_PUSH, STRAY, NOTED = "applied", "repeated", "refused", "stray", "noted"
OUTCOMES = {
    APPLIED: "已记下",
    REPEATED: "重复",
    REFUSED_PUSH: "不可信",
    STRAY: "没有这个运单",
    NOTED: "没有新内容",
}

#: Addresses and pushes are forgotten so long after the end.
FORGET_AFTER = timedelta(days=30)
#: Without a push, the way of a parcel is asked so often; what a push said, at once.
ASK_EVERY = timedelta(hours=1)


def holder_in(state: str) -> str:
    """Who has the shipment in a state; empty where that has not changed."""
    return _HOLDER.get(state, "")


#: Who has a card that is in no parcel, by its state; of other states nothing says it.
_KEEPER = {
    "ordered": "制卡厂",
    "in_transit": "路上（没有登记运件）",
    "made": "市级",
    "packed": "市级",
    "issuing": "柜台",
    "ready": "柜台",
    "at_school": "学校",
    "active": "学生",
    "lost": "不在学生手里（已挂失）",
}
#: States of a card in which a parcel may have it.
TRAVELS = ("in_transit", "ready")


def keeper_in(state: str) -> str:
    """Who has a card in this state, as far as no parcel says it; empty where nothing does."""
    return _KEEPER.get(state, "")


def expected_on(today: date, days: int, promised_on: date | None = None) -> date:
    """By when it has to be there: the courier's `days`, but not after the day that was promised."""
    usual = today + timedelta(days=days)
    return min(usual, max(promised_on, today)) if promised_on else usual


# Where a courier's words name somebody: what stands before the name; who is no name.
_WHO = "签收人|收件人|收货人|代收人|代签人|寄件人|联系人|经手人|快递员|派件员|派件人|派送员|揽件员|业务员"
_ROLES = "本人|家人|他人|亲友|朋友|邻居|同事|前台|门卫|保安|物业|收发室|传达室|代收点|驿站|凭取件码|凭取货码"
_HAN = "[\u4e00-\u9fff·]"
_NAMED = re.compile(
    rf"((?:{_WHO})(?:姓名)?\s*[:：是为【\[（(]\s*)(?!{_ROLES})({_HAN}{{2,4}}|[A-Za-z][A-Za-z .]+)"
)
_BEFORE_A_PHONE = re.compile(rf"()({_HAN}{{2,4}})(?=\s*[（(【\[]\s*(?:电话|手机)?[:：]?\s*1\d{{10}})")
_PHONE = re.compile(r"(?<!\d)1\d{10}(?!\d)")


def nobodys(remark: str, receiver: str) -> str:
    """A courier's words without anybody's phone or name, as far as words tell a name."""
    if len(receiver) > 1:
        remark = remark.replace(receiver, mask_name(receiver))
    for names in (_NAMED, _BEFORE_A_PHONE):
        remark = names.sub(lambda found: found[1] + mask_name(found[2]), remark)
    return _PHONE.sub(lambda found: mask_phone(found[0]), remark)


@dataclass(frozen=True, slots=True)
class Address:
    """Who sends or gets a parcel, in clear."""

    name: str
    phone: str
    address: str
