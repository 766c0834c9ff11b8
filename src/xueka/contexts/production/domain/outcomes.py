"""What can become of a card in a batch, and of a problem (docs/interfaces/card-bureau.md §11.2)."""

PENDING = "pending"
MISSING = "missing"
ALTERED = "altered"
MATCHED = "matched"
FAILED = "failed"
DROPPED = "dropped"

#: The bureau still owes a usable word on these cards.
OPEN = [PENDING, MISSING, ALTERED]
OUTCOMES = [*OPEN, MATCHED, FAILED, DROPPED]

#: The six numbers of a batch; they add up to its cards.
OUTCOME_LABELS = {
    PENDING: "未回",
    MATCHED: "相符",
    FAILED: "失败",
    MISSING: "缺失",
    ALTERED: "被改",
    DROPPED: "作废重制",
}

#: Until the file is out, the bureau owes nothing on any card.
_BEFORE_SENDING = ("open", "locked", "approved", "ready")


def outcome_labels(batch_state: str) -> dict[str, str]:
    """What the six numbers are called while the batch is in this state."""
    unsent = {PENDING: "未送出"} if batch_state in _BEFORE_SENDING else {}
    return OUTCOME_LABELS | unsent


DUPLICATE = "duplicate"
UNKNOWN = "unknown"
SURPLUS = "surplus"
REFUSED_FILE = "refused_file"

#: Failed cards are re-made without asking; everything else needs a person.
PROBLEM_KINDS = [MISSING, ALTERED, DUPLICATE, UNKNOWN, SURPLUS, REFUSED_FILE]
PROBLEM_LABELS = {
    MISSING: "缺失：回盘没有这张卡",
    ALTERED: "被改：回盘与所发数据不一致",
    DUPLICATE: "重复：同一张卡又报一次",
    UNKNOWN: "未知：不是本批次的卡",
    SURPLUS: "多余：已作废的卡仍被制成，到货后须销毁",
    REFUSED_FILE: "拒收：卡厂的文件被整份拒收",
}

#: How a person resolves a problem: the card is voided and made again, or the matter is only noted.
WRITE_OFF = "write_off"
NOTED = "noted"
#: How a problem resolves itself: a later file settled the card, or says something else of it.
SETTLED = "settled"
SUPERSEDED = "superseded"
RESOLUTION_LABELS = {
    WRITE_OFF: "作废并重制",
    NOTED: "已核实，无需处理",
    SETTLED: "后续回盘已解决",
    SUPERSEDED: "后续回盘另有说法",
}
