"""The table of a print job: what an agent reports is written down, what is doubtful a person settles."""

from xueka.kernel.machine import Machine, State, Transition

QUEUED, SENT, PRINTING = "queued", "sent", "printing"
PRINTED, FAILED, UNKNOWN, CANCELLED = "printed", "failed", "unknown", "cancelled"

#: The job may still bring a card out of the printer, or may have done so unseen.
OPEN = (QUEUED, SENT, PRINTING, UNKNOWN)
#: The agent has the document.
HANDED_OVER = (SENT, PRINTING)

_ISSUE, _AGENT = "district:card:issue", "system:agent:report"
_LOOKED = "看过打印机和卡"

PRINT_JOB = Machine(
    "print_job",
    "打印任务",
    QUEUED,
    [
        State(QUEUED, "排队中"),
        State(SENT, "已交给打印机"),
        State(PRINTING, "正在打印"),
        State(PRINTED, "已印好", final=True),
        State(FAILED, "没有印出", final=True),
        State(UNKNOWN, "结果不明，请看卡"),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("send", QUEUED, SENT, _AGENT, "交给代理", "这台打印机没有别的任务"),
        Transition("begin", SENT, PRINTING, _AGENT, "开始打印"),
        *[Transition("print", state, PRINTED, _AGENT, "印好") for state in HANDED_OVER],
        *[Transition("fail", state, FAILED, _AGENT, "没有印出") for state in (QUEUED, *HANDED_OVER)],
        *[
            Transition("lose", state, UNKNOWN, _AGENT, "结果不明", "代理没有消息，或不知道是否印出")
            for state in HANDED_OVER
        ],
        Transition("settle", UNKNOWN, PRINTED, _ISSUE, "查明", _LOOKED),
        Transition("settle", UNKNOWN, FAILED, _ISSUE, "查明", _LOOKED),
        Transition("cancel", QUEUED, CANCELLED, _ISSUE, "取消", "还没有交给打印机"),
    ],
)

#: What an agent may report, as events of the table.
REPORTS = {"printing": "begin", "printed": "print", "failed": "fail", "unknown": "lose"}
