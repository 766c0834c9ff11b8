"""The tables of card account, application and card. Permissions read scope:resource:action."""

from xueka.contexts.cards.domain import states as s
from xueka.kernel.machine import Machine, State, Transition

ACCOUNT = Machine(
    "account",
    "卡账户",
    s.ACCOUNT_OPEN,
    [State(s.ACCOUNT_OPEN, "正常"), State(s.ACCOUNT_CLOSED, "已销户")],
    [
        Transition(
            "close",
            s.ACCOUNT_OPEN,
            s.ACCOUNT_CLOSED,
            "city:account:close",
            "销户",
            "没有在用的卡和在办的申领",
        ),
        Transition("reopen", s.ACCOUNT_CLOSED, s.ACCOUNT_OPEN, "city:account:close", "恢复账户"),
    ],
)

_REVIEWS = [
    (s.SCHOOL_REVIEW, "school:application:review"),
    (s.DISTRICT_REVIEW, "district:application:review"),
    (s.CITY_REVIEW, "city:application:review"),
]
_SUBMIT = "school:application:submit"
_LEVEL = "该卡种配置的下一审核级"
_TO_COUNTER, _ISSUE = "district:application:to_counter", "district:card:issue"
_OWN_STEP = "通过或退回它的本人，其后没有别的步骤"


def _application_rows() -> list[Transition]:
    rows = [
        Transition("submit", source, level, _SUBMIT, "提交", _LEVEL)
        for source in (s.DRAFT, s.RETURNED)
        for level, _ in _REVIEWS
    ]
    rows += [
        Transition("submit", source, s.ACCEPTED, _SUBMIT, "提交", "该卡种不设审核")
        for source in (s.DRAFT, s.RETURNED)
    ]
    for index, (level, permission) in enumerate(_REVIEWS):
        rows += [
            Transition("approve", level, later, permission, "通过", _LEVEL)
            for later, _ in _REVIEWS[index + 1 :]
        ]
        rows += [
            Transition("approve", level, s.ACCEPTED, permission, "通过", "最后一级审核"),
            Transition("send_back", level, s.RETURNED, permission, "退回修改", "须写明理由"),
            Transition("refuse", level, s.REFUSED, permission, "不予受理", "须写明理由"),
            Transition("withdraw", level, s.WITHDRAWN, _SUBMIT, "撤回"),
        ]
    rows += [
        Transition("recall", source, level, "school:application:recall", "收回", _OWN_STEP)
        for source in (s.RETURNED, s.ACCEPTED)
        for level, _ in _REVIEWS
    ]
    rows += [
        Transition("recall", later, level, "school:application:recall", "收回", _OWN_STEP)
        for index, (level, _) in enumerate(_REVIEWS)
        for later, _ in _REVIEWS[index + 1 :]
    ]
    rows += [
        Transition("withdraw", s.DRAFT, s.WITHDRAWN, _SUBMIT, "撤回"),
        Transition("withdraw", s.RETURNED, s.WITHDRAWN, _SUBMIT, "撤回"),
        Transition("order", s.ACCEPTED, s.IN_PRODUCTION, "city:batch:lock", "投产"),
        Transition("remake", s.IN_PRODUCTION, s.ACCEPTED, "city:batch:reconcile", "重制"),
        Transition("fulfil", s.IN_PRODUCTION, s.FULFILLED, "school:card:hand_out", "办结"),
        Transition("to_counter", s.ACCEPTED, s.AT_COUNTER, _TO_COUNTER, "改为柜台制卡"),
        Transition("to_bureau", s.AT_COUNTER, s.ACCEPTED, _TO_COUNTER, "改回卡厂制卡"),
        Transition("issue", s.AT_COUNTER, s.IN_PRODUCTION, _ISSUE, "柜台制卡"),
        Transition("again", s.IN_PRODUCTION, s.AT_COUNTER, _ISSUE, "柜台重制", "原来的一张已在柜台制废"),
        Transition("give", s.IN_PRODUCTION, s.FULFILLED, _ISSUE, "柜台办结", "卡在柜台制成"),
        Transition(
            "cancel", s.ACCEPTED, s.APPLICATION_CANCELLED, "city:application:cancel", "取消", "须写明理由"
        ),
        *[
            Transition(
                "cancel", source, s.APPLICATION_CANCELLED, "city:application:cancel", "取消", "须写明理由"
            )
            for source in (s.AT_COUNTER, s.IN_PRODUCTION)
        ],
    ]
    return rows


APPLICATION = Machine(
    "application",
    "申领",
    s.DRAFT,
    [
        State(s.DRAFT, "草稿"),
        State(s.SCHOOL_REVIEW, "待学校审核"),
        State(s.DISTRICT_REVIEW, "待区级审核"),
        State(s.CITY_REVIEW, "待市级受理"),
        State(s.RETURNED, "被退回"),
        State(s.ACCEPTED, "已受理"),
        State(s.AT_COUNTER, "待柜台制卡"),
        State(s.IN_PRODUCTION, "制卡中"),
        State(s.FULFILLED, "已发放", final=True),
        State(s.REFUSED, "不予受理", final=True),
        State(s.WITHDRAWN, "已撤回", final=True),
        State(s.APPLICATION_CANCELLED, "已取消", final=True),
    ],
    _application_rows(),
)

CARD = Machine(
    "card",
    "学生卡",
    s.PLANNED,
    [
        State(s.PLANNED, "待制卡"),
        State(s.ORDERED, "已下单"),
        State(s.MADE, "已制成"),
        State(s.FAILED, "制卡失败"),
        State(s.PACKED, "已装箱"),
        State(s.IN_TRANSIT, "运输中"),
        State(s.AT_SCHOOL, "已到校"),
        State(s.ISSUING, "柜台制卡中"),
        State(s.READY, "柜台已制成"),
        State(s.ACTIVE, "使用中"),
        State(s.LOST, "已挂失"),
        State(s.CANCELLED, "已注销"),
        State(s.VOID, "已作废"),
        State(s.DESTROYED, "已销毁", final=True),
    ],
    [
        Transition("order", s.PLANNED, s.ORDERED, "city:batch:approve", "下单"),
        Transition("make", s.ORDERED, s.MADE, "city:batch:reconcile", "制成", "回盘核对一致"),
        Transition("fail", s.ORDERED, s.FAILED, "city:batch:reconcile", "制卡失败"),
        Transition("pack", s.MADE, s.PACKED, "city:delivery:pack", "装箱"),
        Transition("unpack", s.PACKED, s.MADE, "city:delivery:pack", "出箱"),
        Transition("dispatch", s.PACKED, s.IN_TRANSIT, "city:delivery:dispatch", "发运"),
        Transition("receive", s.IN_TRANSIT, s.AT_SCHOOL, "school:delivery:receive", "到校签收"),
        Transition("hand_out", s.AT_SCHOOL, s.ACTIVE, "school:card:hand_out", "发放", "同一卡种没有在用的卡"),
        # Made while the family waits: from the intent to the hand without a bureau and a box.
        Transition("issue", s.PLANNED, s.ISSUING, _ISSUE, "柜台制卡"),
        Transition("finish", s.ISSUING, s.READY, _ISSUE, "柜台制成", "芯片已验证、卡面已印好"),
        Transition("spoil", s.ISSUING, s.FAILED, _ISSUE, "柜台制废", "须写明理由"),
        Transition("spoil", s.READY, s.FAILED, _ISSUE, "柜台制废", "须写明理由"),
        Transition("give", s.READY, s.ACTIVE, _ISSUE, "柜台发放", "同一卡种没有在用的卡"),
        Transition("report_lost", s.ACTIVE, s.LOST, "school:card:report_lost", "挂失"),
        Transition("lift", s.LOST, s.ACTIVE, "school:card:lift", "解挂"),
        Transition("cancel", s.ACTIVE, s.CANCELLED, "school:card:cancel", "注销", "须写明理由"),
        Transition("cancel", s.LOST, s.CANCELLED, "school:card:cancel", "注销", "须写明理由"),
        # A card that turns up is noted and changes nothing by itself: a lost one may then be lifted, a dead
        # one is collected and destroyed.
        *[
            Transition("found", state, state, "school:card:report_lost", "登记找回")
            for state in (s.LOST, s.CANCELLED, s.VOID)
        ],
        *[
            Transition("void", state, s.VOID, "city:card:void", "作废", "须写明理由")
            for state in s.BEFORE_HAND_OUT
        ],
        *[
            Transition("destroy", state, s.DESTROYED, "city:card:destroy", "销毁", "有销毁记录")
            for state in (s.FAILED, s.CANCELLED, s.VOID)
        ],
    ],
)

DESTRUCTION = Machine(
    "destruction",
    "销毁单",
    s.COLLECTING,
    [
        State(s.COLLECTING, "收集中"),
        State(s.SIGNED, "已销毁并签字", final=True),
        State(s.DESTRUCTION_CANCELLED, "已取消", final=True),
    ],
    [
        Transition(
            "sign", s.COLLECTING, s.SIGNED, "city:card:destroy", "签字销毁", "销毁人和两位监销人是三个人"
        ),
        Transition(
            "cancel", s.COLLECTING, s.DESTRUCTION_CANCELLED, "city:card:destroy", "取消", "须写明理由"
        ),
    ],
)
