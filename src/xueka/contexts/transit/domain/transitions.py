"""The tables of what goes to and fro with the transit company: bindings, extensions, papers."""

from xueka.kernel.machine import Machine, State, Transition

WANTED, SENT, BOUND, REFUSED, RELEASING, UNBOUND = (
    "wanted", "sent", "bound", "refused", "releasing", "unbound",
)  # fmt: skip
_CARE = "school:transit:manage"
BINDING = Machine(
    "transit_binding",
    "实名认证",
    WANTED,
    [
        State(WANTED, "待送实名"),
        State(SENT, "已送，等答复"),
        State(BOUND, "已实名"),
        State(REFUSED, "未通过"),
        State(RELEASING, "解绑中"),
        State(UNBOUND, "已解绑"),
    ],
    [
        Transition("send", WANTED, SENT, _CARE, "送实名", "卡在学生手里，证件号码齐全，没有撤回同意"),
        Transition("accept", SENT, BOUND, _CARE, "通过", "一卡通公司的答复"),
        Transition("refuse", SENT, REFUSED, _CARE, "未通过", "一卡通公司的答复，有原因"),
        Transition("again", REFUSED, SENT, _CARE, "再送", "原因已处理"),
        *(Transition("release", state, RELEASING, _CARE, "解绑", "卡已不在用") for state in (SENT, BOUND)),
        *(Transition("drop", state, UNBOUND, _CARE, "不再送", "卡已不在用") for state in (WANTED, REFUSED)),
        Transition("released", RELEASING, UNBOUND, _CARE, "已解绑", "一卡通公司的答复"),
        *(
            Transition("want", state, WANTED, _CARE, "重新实名", "解挂后卡恢复使用")
            for state in (RELEASING, UNBOUND)
        ),
    ],
)

ASKED, GRANTED, NOT_GRANTED = "asked", "granted", "refused"
_EXTEND = "school:transit:extend"
EXTENSION = Machine(
    "transit_extension",
    "公交延期",
    ASKED,
    [
        State(ASKED, "已申请，等答复"),
        State(GRANTED, "已延期", final=True),
        State(NOT_GRANTED, "未延期", final=True),
    ],
    [
        Transition("grant", ASKED, GRANTED, _EXTEND, "延期", "一卡通公司的答复"),
        Transition("refuse", ASKED, NOT_GRANTED, _EXTEND, "不予延期", "一卡通公司的答复，有原因"),
    ],
)

PAPER_SENT, AGREED, ANSWERED, SETTLED = "sent", "agreed", "answered", "settled"
_REVIEW = "city:range:manage"
PAPER = Machine(
    "transit_paper",
    "与一卡通公司的往来",
    PAPER_SENT,
    [
        State(PAPER_SENT, "已送，等确认"),
        State(AGREED, "双方一致"),
        State(ANSWERED, "对方有答复，待复核"),
        State(SETTLED, "已处理"),
    ],
    [
        Transition("agree", PAPER_SENT, AGREED, _REVIEW, "确认", "对方的内容与本方相同"),
        Transition("answer", PAPER_SENT, ANSWERED, _REVIEW, "答复", "对方的内容与本方不同，或给了号段"),
        Transition("take", ANSWERED, SETTLED, _REVIEW, "采用", "市级复核"),
        Transition("leave", ANSWERED, SETTLED, _REVIEW, "不采用", "须写明理由"),
        *(
            Transition("send", state, PAPER_SENT, _REVIEW, "再送", "本方的内容有变")
            for state in (PAPER_SENT, AGREED, ANSWERED, SETTLED)
        ),
    ],
)
