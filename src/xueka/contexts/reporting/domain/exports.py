"""Personal lists that leave the house: asked for with a purpose, agreed to by another person, there for a
time.

The file exists in one state only (可下载); every other state has none.
"""

from datetime import timedelta

from xueka.kernel.errors import BadInput

#: What may be taken away.
KINDS = {"students": "学生名单", "cards": "学生卡清单"}

KEPT_FOR = timedelta(days=3)
DOWNLOADS = 3
MOST_ROWS = 200_000
_SHORTEST = 8  # characters of a purpose


def check_wish(kind: str, purpose: str) -> str:
    """The purpose without white space at its ends. Raises BadInput `EXPORT_KIND`, `EXPORT_PURPOSE`."""
    if kind not in KINDS:
        raise BadInput("EXPORT_KIND", "没有这种导出。", found=kind, expected="、".join(KINDS.values()))
    purpose = " ".join(purpose.split())
    if not _SHORTEST <= len(purpose) <= 200:
        raise BadInput(
            "EXPORT_PURPOSE",
            "请写清楚导出的用途。",
            found=f"{len(purpose)} 个字",
            expected=f"{_SHORTEST} 至 200 个字：给谁用、做什么",
            action="写清后再提交；批准人凭它判断。",
        )
    return purpose


def check_reason(reason: str) -> str:
    """The reason of a refusal. Raises BadInput `REASON_MISSING`."""
    reason = " ".join(reason.split())
    if not reason:
        raise BadInput("REASON_MISSING", "请写明理由。", expected="一句话的理由", action="写明后再提交。")
    return reason[:200]
