"""The table of a job of the school year."""

from xueka.kernel.machine import Machine, State, Transition

DRAFT, PREVIEWED, CONFIRMED, RUNNING = "draft", "previewed", "confirmed", "running"
DONE, TAKING_BACK, TAKEN_BACK, CANCELLED = "done", "taking_back", "taken_back", "cancelled"

_MANAGE = "school:year:manage"
_SYSTEM = "city:student:move"

YEAR_JOB = Machine(
    "year_job",
    "学年作业",
    DRAFT,
    [
        State(DRAFT, "预览计算中"),
        State(PREVIEWED, "待确认"),
        State(CONFIRMED, "已确认，待执行"),
        State(RUNNING, "执行中"),
        State(DONE, "已完成"),
        State(TAKING_BACK, "撤回中"),
        State(TAKEN_BACK, "已撤回", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("preview", DRAFT, PREVIEWED, _SYSTEM, "预览完成", "每所学校都已算过"),
        Transition("replan", PREVIEWED, DRAFT, _MANAGE, "重新预览"),
        Transition("confirm", PREVIEWED, CONFIRMED, _MANAGE, "确认执行", "有可办的学校；全市的由另一人确认"),
        Transition("start", CONFIRMED, RUNNING, _SYSTEM, "开始执行"),
        Transition("finish", RUNNING, DONE, _SYSTEM, "执行完成", "每所学校都有结果"),
        Transition("resume", DONE, RUNNING, _MANAGE, "重办失败的学校", "有办理失败的学校"),
        Transition("undo", RUNNING, TAKING_BACK, _MANAGE, "撤回"),
        Transition("undo", DONE, TAKING_BACK, _MANAGE, "撤回", "在期限内，且没有后来的作业依赖它"),
        Transition("restore", TAKING_BACK, TAKEN_BACK, _SYSTEM, "撤回完成", "每所学校都已恢复"),
        Transition("restore", TAKING_BACK, DONE, _SYSTEM, "撤回完成", "有学校没能恢复，可以再次撤回"),
        Transition("cancel", DRAFT, CANCELLED, _MANAGE, "取消"),
        Transition("cancel", PREVIEWED, CANCELLED, _MANAGE, "取消"),
        Transition("cancel", CONFIRMED, CANCELLED, _MANAGE, "取消"),
    ],
)

OPEN_STATES = (DRAFT, PREVIEWED, CONFIRMED, RUNNING, TAKING_BACK)
"""A job in one of these still has something before it."""
