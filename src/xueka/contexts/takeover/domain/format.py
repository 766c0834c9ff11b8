"""The files of another system (docs/interfaces/take-over.md): parts, columns, words."""

from dataclasses import dataclass

VERSION = "1"
MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class Field:
    """A column: `header` is the documented heading, `aliases` are read as the same."""

    key: str
    header: str
    aliases: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a set; `total` is the column whose digits make the control sum."""

    code: str
    label: str
    fields: tuple[Field, ...]
    total: str

    def header(self, key: str) -> str:
        return next(field.header for field in self.fields if field.key == key)


ACCOUNTS = Part(
    "accounts",
    "卡账户",
    (
        Field("education_id", "教育ID", ("教育ID号",)),
        Field("number", "账户号", ("卡账户号",), required=False),
        Field("state", "账户状态", ("状态",)),
        Field("opened_on", "开户日期"),
    ),
    "education_id",
)
CARDS = Part(
    "cards",
    "学生卡",
    (
        Field("number", "卡号", ("学生卡号",)),
        Field("education_id", "教育ID", ("教育ID号",)),
        Field("kind", "卡种"),
        Field("state", "卡状态", ("状态",)),
        Field("chip_uid", "芯片UID", ("芯片号",)),
        Field("transit_number", "一卡通号"),
        Field("beijing_tong_number", "北京通号"),
        Field("issued_on", "发卡日期"),
        Field("valid_until", "有效期至", required=False),
        Field("lost_on", "挂失日期"),
        Field("cancelled_on", "注销日期"),
    ),
    "number",
)
RANGES = Part(
    "ranges",
    "号段",
    (
        Field("sort", "号码种类"),
        Field("issuer", "发放单位", ("发号单位",)),
        Field("document", "来文号", required=False),
        Field("prefix", "前缀"),
        Field("width", "序号位数"),
        Field("first", "起始序号"),
        Field("last", "终止序号"),
        Field("used", "已用至"),
    ),
    "last",
)
NUMBERS = Part(
    "numbers",
    "已用号码",
    (Field("sort", "号码种类"), Field("number", "号码"), Field("note", "去向", ("说明",), required=False)),
    "number",
)
APPLICATIONS = Part(
    "applications",
    "在办申领",
    (
        Field("number", "申领号"),
        Field("education_id", "教育ID", ("教育ID号",)),
        Field("kind", "卡种"),
        Field("reason", "申领原因"),
        Field("state", "办理环节", ("状态",)),
        Field("submitted_on", "申领日期"),
    ),
    "education_id",
)

#: In the order in which they are loaded.
PARTS: dict[str, Part] = {part.code: part for part in (RANGES, ACCOUNTS, CARDS, NUMBERS, APPLICATIONS)}

MANIFEST_PART = Part(
    MANIFEST,
    "清单",
    (Field("part", "文件"), Field("item", "项目"), Field("value", "数值")),
    "value",
)


def templates() -> dict[str, str]:
    """Empty files of a set by the name they must begin with: headings, and what the manifest tells."""
    lines = {
        part.code: [[field.header for field in part.fields]] for part in (MANIFEST_PART, *PARTS.values())
    }
    facts = [("版本", VERSION), ("来源系统", ""), ("数据时点", "")]
    lines[MANIFEST] += [[MANIFEST_PART.label, item, value] for item, value in facts]
    lines[MANIFEST] += [[code, item, ""] for code in PARTS for item in ("行数", "合计")]
    return {code: "".join(",".join(line) + "\r\n" for line in rows) for code, rows in lines.items()}


ACCOUNT_STATES = {"正常": "open", "已销户": "closed"}
CARD_STATES = {"使用中": "active", "已挂失": "lost", "已注销": "cancelled"}
APPLICATION_STATES = {
    "待学校审核": "school_review",
    "待区级审核": "district_review",
    "待市级受理": "city_review",
    "被退回": "returned",
    "已受理": "accepted",
}
SORTS = {"学生卡号": "card", "一卡通号": "transit", "北京通号": "beijing_tong"}
REASONS = {
    "新领": "new",
    "遗失补卡": "lost",
    "损坏换卡": "damaged",
    "信息变更换卡": "data_change",
    "升学段换卡": "stage_change",
    "转学换卡": "transfer",
}
