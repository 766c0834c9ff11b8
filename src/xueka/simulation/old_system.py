"""The system that ran the programme before: its extract in the form of docs/interfaces/take-over.md.

Written from the document, with the defects that such systems have and the key that names them, so that the
take-over is tested by somebody who has not read it.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

Cells = dict[str, str]

HEADS = {
    "accounts": ["教育ID", "账户号", "账户状态", "开户日期"],
    "cards": [
        "卡号", "教育ID", "卡种", "卡状态", "芯片UID", "一卡通号", "北京通号", "发卡日期", "有效期至",
        "挂失日期", "注销日期",
    ],
    "ranges": ["号码种类", "发放单位", "来文号", "前缀", "序号位数", "起始序号", "终止序号", "已用至"],
    "numbers": ["号码种类", "号码", "去向"],
    "applications": ["申领号", "教育ID", "卡种", "申领原因", "办理环节", "申领日期"],
}  # fmt: skip
_TOTALLED = {
    "accounts": "教育ID",
    "cards": "卡号",
    "ranges": "终止序号",
    "numbers": "号码",
    "applications": "教育ID",
}
_GROUPED = ("卡种", "号码种类", "卡状态", "账户状态", "办理环节")

TRANSIT, BEIJING_TONG = "10009900", "BJTOLD00"
BJT, XJ, ZJ = "北京通学生卡", "学籍卡", "证件卡"


@dataclass(slots=True)
class Extract:
    """Rows by part, and what is wrong with which line (part, line, code); line 1 is the header."""

    as_of: date
    rows: dict[str, list[Cells]] = field(default_factory=lambda: {part: [] for part in HEADS})
    key: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, part: str, **cells: object) -> Cells:
        row = dict.fromkeys(HEADS[part], "") | {name: str(value) for name, value in cells.items()}
        self.rows[part].append(row)
        return row

    def wrong(self, part: str, code: str, row: Cells) -> None:
        line = next(n for n, each in enumerate(self.rows[part], start=2) if each is row)
        self.key.append((part, line, code))

    def files(self, encoding: str = "utf-8-sig") -> dict[str, bytes]:
        """The whole set as CSV files with a manifest that agrees with them."""
        made = {
            f"{part}.csv": _csv(HEADS[part], rows).encode(encoding)
            for part, rows in self.rows.items()
            if rows
        }
        return {"manifest.csv": self.manifest().encode(encoding), **made}

    def manifest(self) -> str:
        lines = [
            {"文件": "清单", "项目": "版本", "数值": "1"},
            {"文件": "清单", "项目": "来源系统", "数值": "旧学生卡系统（样例）"},
            {"文件": "清单", "项目": "数据时点", "数值": self.as_of.isoformat()},
        ]
        for part, rows in self.rows.items():
            if rows:
                totals = {"行数": len(rows), "合计": sum(_weight(row[_TOTALLED[part]]) for row in rows)}
                totals |= Counter("/".join(row[name] for name in _GROUPED if row.get(name)) for row in rows)
                lines += [
                    {"文件": part, "项目": item, "数值": str(value)} for item, value in totals.items() if item
                ]
        return _csv(["文件", "项目", "数值"], lines)


def extract(random: Random, education_ids: Sequence[str], as_of: date, *, defects: bool = True) -> Extract:
    """The state of the old system for these students, who are on the roster."""
    made = Extract(as_of)
    serials = iter(range(1, 10 * len(education_ids) + 1))
    for index, education_id in enumerate(education_ids):
        closed = index % 97 == 96
        opened = as_of - timedelta(days=random.randint(400, 1500))
        made.add(
            "accounts",
            教育ID=education_id,
            账户号=f"K{education_id}",
            账户状态="已销户" if closed else "正常",
            开户日期=opened,
        )
        if closed:
            _card(made, random, serials, education_id, BJT, "已注销", opened)
        elif index % 10 == 7:
            _application(made, random, education_id, index)
        elif index % 10 in {8, 9}:
            _pair(made, random, serials, education_id, opened, half_lost=index % 20 == 9)
        else:
            if index % 10 == 0:
                _card(made, random, serials, education_id, BJT, "已注销", opened)
            state = "已挂失" if index % 25 == 3 else "使用中"
            _card(made, random, serials, education_id, BJT, state, opened)
    used = next(serials)
    for sort, prefix, issuer in (
        ("一卡通号", TRANSIT, "一卡通公司"),
        ("北京通号", BEIJING_TONG, "市民卡管理中心"),
    ):
        made.add(
            "ranges",
            号码种类=sort,
            发放单位=issuer,
            来文号="旧〔2021〕7号",
            前缀=prefix,
            序号位数=8,
            起始序号=1,
            终止序号=used + 5000,
            已用至=used,
        )
    made.add("numbers", 号码种类="一卡通号", 号码=f"{TRANSIT}{used:08d}", 去向="制卡报废")
    if defects:
        _spoil(made, random, education_ids, used)
    return made


def next_day(random: Random, before: Extract) -> tuple[Extract, Counter[tuple[str, str]]]:
    """What the old system says a day later, and how many differences of which kind that makes.

    `before` must hold no defects and be what was taken over.
    """
    after = Extract(before.as_of + timedelta(days=1), deepcopy(before.rows))
    cards = [row for row in after.rows["cards"] if row["卡状态"] == "使用中" and row["卡种"] == BJT]
    lost, renumbered, gone, moved, chip = random.sample(cards, 5)
    lost |= {"卡状态": "已挂失", "挂失日期": after.as_of.isoformat()}
    renumbered["卡号"] = f"9{renumbered['卡号'][1:]}"
    moved["教育ID"] = next(row["教育ID"] for row in after.rows["applications"])
    chip["芯片UID"] = f"{random.getrandbits(56):014X}"
    after.rows["cards"].remove(gone)
    account = after.rows["accounts"].pop()
    after.rows["cards"] = [row for row in after.rows["cards"] if row["教育ID"] != account["教育ID"]]
    went = sum(row["教育ID"] == account["教育ID"] for row in before.rows["cards"])
    application = after.rows["applications"].pop()
    expected = Counter(
        {
            ("cards", "state"): 1,
            ("cards", "number"): 2,
            ("cards", "only_here"): 1 + went,
            ("cards", "holder"): 1,
            ("accounts", "only_here"): 1,
            ("applications", "only_here"): int(application["教育ID"] != account["教育ID"]),
        }
    )
    return after, expected


def _card(
    made: Extract, random: Random, serials: Iterable[int], student: str, kind: str, state: str, opened: date
) -> Cells:
    serial = next(iter(serials))
    issued = opened + timedelta(days=30)
    transit = f"{TRANSIT}{serial:08d}" if kind in {BJT, XJ} else ""
    dead = issued + timedelta(days=random.randint(10, 300))
    return made.add(
        "cards",
        卡号=f"6217{random.randint(0, 10**6):06d}{serial:08d}",
        教育ID=student,
        卡种=kind,
        卡状态=state,
        芯片UID=f"{serial:06X}{random.getrandbits(32):08X}" if kind != ZJ else "",
        一卡通号=transit,
        北京通号=f"{BEIJING_TONG}{serial:08d}" if kind == BJT else "",
        发卡日期=issued,
        有效期至=date(made.as_of.year + 4, 8, 31),
        挂失日期=dead if state == "已挂失" else "",
        注销日期=dead if state == "已注销" else "",
    )


def _pair(
    made: Extract, random: Random, serials: Iterable[int], student: str, opened: date, half_lost: bool
) -> None:
    _card(made, random, serials, student, XJ, "使用中", opened)
    _card(made, random, serials, student, ZJ, "已挂失" if half_lost else "使用中", opened)


def _application(made: Extract, random: Random, student: str, index: int) -> None:
    levels = ("待区级审核", "待市级受理", "被退回", "已受理")
    made.add(
        "applications",
        申领号=f"OLD{index:07d}",
        教育ID=student,
        卡种=BJT,
        申领原因="新领",
        办理环节=levels[index // 10 % len(levels)],
        申领日期=made.as_of - timedelta(days=random.randint(1, 40)),
    )


def _spoil(made: Extract, random: Random, students: Sequence[str], used: int) -> None:
    """One of each usual mistake, on rows of their own."""
    bjt = [row for row in made.rows["cards"] if row["卡种"] == BJT and row["卡状态"] == "使用中"]
    chosen = iter(random.sample(bjt, 9))

    def spoilt(code: str, **change: str) -> None:
        row = next(chosen)
        row |= change
        made.wrong("cards", code, row)

    spoilt("KIND_UNKNOWN", 卡种="公交卡")
    spoilt("CARD_STATE", 卡状态="停用")
    spoilt("DATE_INVALID", 发卡日期="2023-02-30")
    spoilt("DATE_ORDER", 挂失日期="2001-01-01")
    spoilt("CHIP_UID_FORM", 芯片UID="XYZ")
    spoilt("NUMBER_NOT_GIVEN", 一卡通号=f"{TRANSIT}{used + 9:08d}")
    spoilt("NUMBER_FORM", 一卡通号="10-0")
    first, second = next(chosen), next(chosen)
    second["芯片UID"] = first["芯片UID"]
    for row in (first, second):
        made.wrong("cards", "CHIP_UID_TWICE", row)

    stranger = made.add("accounts", 教育ID="99999999", 账户状态="正常", 开户日期="2023-09-01")
    made.wrong("accounts", "STUDENT_UNKNOWN", stranger)
    orphan = _card(made, random, iter([used - 1]), "99999999", BJT, "使用中", date(2023, 9, 1))
    orphan |= {"一卡通号": "", "北京通号": "", "芯片UID": ""}
    made.wrong("cards", "ACCOUNT_MISSING", orphan)
    twin = made.add("accounts", 教育ID="9999", 账户状态="正常", 开户日期="2023-09-01")
    made.wrong("accounts", "EDUCATION_ID_FORMAT", twin)
    number = made.add("numbers", 号码种类="一卡通号", 号码=bjt[-1]["一卡通号"], 去向="")
    if ("cards", made.rows["cards"].index(bjt[-1]) + 2) not in {(part, line) for part, line, _ in made.key}:
        made.wrong("numbers", "NUMBER_ON_CARD", number)
    for prefix, width in (("10008800", 8), ("1000880", 9)):
        again = made.add(
            "ranges",
            号码种类="一卡通号",
            发放单位="一卡通公司",
            前缀=prefix,
            序号位数=width,
            起始序号=3,
            终止序号=9,
        )
        made.wrong("ranges", "RANGE_OVERLAPS", again)
    card = next(row for row in reversed(bjt) if row["教育ID"] in students[len(students) // 2 :])
    wants = made.add(
        "applications",
        申领号="OLD9999999",
        教育ID=card["教育ID"],
        卡种=BJT,
        申领原因="新领",
        办理环节="待区级审核",
        申领日期=made.as_of,
    )
    if not any(part == "cards" and made.rows["cards"][line - 2] is card for part, line, _ in made.key):
        made.wrong("applications", "HAS_CARD", wants)


def _weight(value: str) -> int:
    digits = "".join(re.findall(r"[0-9]", value))[-9:]
    return int(digits) if digits else 0


def _csv(head: Sequence[str], rows: Iterable[Cells]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, head)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
