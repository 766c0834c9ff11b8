"""A repair as data: which field of which object goes from which value to which. Never a statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = str | int | bool | None

#: What is repaired, as the screen calls it.
LABELS = {
    "account": "卡账户",
    "application": "申领",
    "card": "学生卡",
    "numbers": "卡上的号码",
    "place": "箱内位置",
    "box": "卡箱",
    "delivery": "配送单",
    "student": "学生",
    "consent": "家长同意",
}
FIELDS = {
    "state": "状态",
    "student_id": "学生",
    "account_id": "卡账户",
    "school_id": "学校",
    "school_class_id": "班级",
    "valid_from": "有效期起",
    "valid_until": "有效期至",
    "chip_uid": "芯片UID",
    "refusal_code": "退回理由",
    "refusal_text": "退回说明",
    "reason": "申领原因",
    "received_at": "签收时间",
    "received_by": "签收人",
    "address": "地址",
    "consignee": "收货人",
    "consignee_phone": "收货电话",
    "receiving_hours": "收货时间",
    "carrier": "承运方",
    "waybill": "运单号",
    "is_here": "在箱内",
    "scanned_at": "扫描时间",
    "scanned_by": "扫描人",
    "status": "学籍状态",
    "class": "班级",
    "name": "姓名",
    "sex": "性别",
    "birth_year": "出生年",
    "action": "同意",
}

#: What a free repair may touch: object → fields. Everything else needs a named repair with its rules.
FREE: dict[str, tuple[str, ...]] = {
    "account": ("state",),
    "application": ("state", "reason", "refusal_code", "refusal_text"),
    "card": ("state", "valid_from", "valid_until", "chip_uid"),
    "box": ("state", "received_by"),
    "delivery": ("state", "carrier", "waybill", "consignee", "consignee_phone", "receiving_hours"),
    "student": ("status", "name", "sex", "birth_year"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """The value of a field of one object goes from `old` to `new`; `name` is what people call the object."""

    what: str
    id: int
    name: str
    field: str
    old: Value
    new: Value

    def reversed(self) -> "Step":
        return Step(self.what, self.id, self.name, self.field, self.new, self.old)

    def as_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "id": self.id,
            "name": self.name,
            "field": self.field,
            "old": self.old,
            "new": self.new,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Step":
        return cls(given["what"], given["id"], given["name"], given["field"], given["old"], given["new"])


def backwards(steps: Sequence[Step]) -> list[Step]:
    """The steps that undo these: last first, each the other way."""
    return [step.reversed() for step in reversed(steps)]
