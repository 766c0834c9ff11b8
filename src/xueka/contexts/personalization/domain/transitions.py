"""The tables of profiles, scripts, agents and sessions."""

from xueka.kernel.machine import Machine, State, Transition

DRAFT, IN_REVIEW, APPROVED, IN_FORCE, RETIRED = "draft", "in_review", "approved", "in_force", "retired"
_MANAGE, _APPROVE = "city:profile:manage", "city:profile:approve"
_TWO = "复核人不是提交人"


def _reviewed(name: str, label: str) -> Machine:
    """Data that somebody writes and another person approves before it is used."""
    return Machine(
        name,
        label,
        DRAFT,
        [
            State(DRAFT, "草稿"),
            State(IN_REVIEW, "待复核"),
            State(APPROVED, "已批准"),
            State(IN_FORCE, "使用中"),
            State(RETIRED, "已停用", final=True),
        ],
        [
            Transition("submit", DRAFT, IN_REVIEW, _MANAGE, "提交复核"),
            Transition("approve", IN_REVIEW, APPROVED, _APPROVE, "批准", _TWO),
            Transition("send_back", IN_REVIEW, DRAFT, _APPROVE, "退回", "须写明理由"),
            Transition("put_in_force", APPROVED, IN_FORCE, _MANAGE, "启用", "原在用的同时停用"),
            *[
                Transition("retire", state, RETIRED, _MANAGE, "停用", "须写明理由")
                for state in (DRAFT, APPROVED, IN_FORCE)
            ],
        ],
    )


PROFILE = _reviewed("card_profile", "卡片结构")
SCRIPT = _reviewed("card_script", "写卡脚本")

ENROLLED, STOPPED, BLOCKED = "enrolled", "stopped", "blocked"
_AGENTS, _RUN = "city:agent:manage", "district:card:issue"

AGENT = Machine(
    "issuing_agent",
    "发卡代理",
    ENROLLED,
    [
        State(ENROLLED, "可用"),
        State(STOPPED, "连续失败，已停"),
        State(BLOCKED, "已禁用"),
    ],
    [
        Transition("stop", ENROLLED, STOPPED, "system:agent:stop", "停下", "连续失败达到设定的张数"),
        Transition("resume", STOPPED, ENROLLED, _RUN, "恢复", "须写明查到的原因"),
        Transition("block", ENROLLED, BLOCKED, _AGENTS, "禁用", "须写明理由"),
        Transition("block", STOPPED, BLOCKED, _AGENTS, "禁用", "须写明理由"),
        Transition("unblock", BLOCKED, ENROLLED, _AGENTS, "解除禁用", "须写明理由"),
    ],
)

WAITING, RUNNING, UNKNOWN, PROBING = "waiting", "running", "unknown", "probing"
VERIFIED, VOID, FAILED, CANCELLED = "verified", "void", "failed", "cancelled"
#: The card or its plastic is being worked on.
OPEN = (WAITING, RUNNING, UNKNOWN, PROBING)
OVER = (VERIFIED, VOID, FAILED, CANCELLED)
#: States in which the chip belongs to this session for good, or at present.
HOLDING = (RUNNING, UNKNOWN, PROBING, VERIFIED, VOID)

_AGENT = "system:agent:report"

SESSION = Machine(
    "personalization",
    "写卡",
    WAITING,
    [
        State(WAITING, "等待放卡"),
        State(RUNNING, "正在写卡"),
        State(UNKNOWN, "结果不明，等待原卡放回"),
        State(PROBING, "正在读回核对"),
        State(VERIFIED, "已写好并验证", final=True),
        State(VOID, "卡已作废", final=True),
        State(FAILED, "未写入", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("start", WAITING, RUNNING, _AGENT, "开始写卡", "读卡器上有卡"),
        Transition("lose", RUNNING, UNKNOWN, _AGENT, "结果不明", "卡移开、超时或代理中断"),
        Transition("lose", PROBING, UNKNOWN, _AGENT, "结果不明", "卡移开、超时或代理中断"),
        Transition("probe", RUNNING, PROBING, _AGENT, "读回核对", "卡拒绝了命令，卡已有改动"),
        Transition("probe", UNKNOWN, PROBING, _AGENT, "读回核对", "卡已放回"),
        Transition("redo", PROBING, RUNNING, _AGENT, "重写", "空白卡密钥仍在，未超过重写次数"),
        Transition("prove", RUNNING, VERIFIED, _AGENT, "验证通过", "读回一致，内部认证正确"),
        Transition("prove", PROBING, VERIFIED, _AGENT, "验证通过", "读回一致，内部认证正确"),
        Transition("spoil", RUNNING, VOID, _AGENT, "作废", "卡不能再用"),
        Transition("spoil", PROBING, VOID, _AGENT, "作废", "卡不能再用"),
        Transition("spoil", UNKNOWN, VOID, _RUN, "作废", "原卡没有放回，或由人放弃"),
        Transition("fail", RUNNING, FAILED, _AGENT, "未写入", "卡上没有任何改动"),
        Transition("fail", PROBING, FAILED, _AGENT, "未写入", "卡上没有任何改动"),
        Transition("fail", UNKNOWN, FAILED, _RUN, "未写入", "卡上没有任何改动"),
        Transition("cancel", WAITING, CANCELLED, _RUN, "取消", "还没有放卡"),
    ],
)
