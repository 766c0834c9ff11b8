"""Synthetic rosters: clean rows without end, and defects with an answer key. Nobody in them exists."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from xueka.kernel.check_digits import citizen_check
from xueka.kernel.districts import DISTRICTS

HEADER = (
    "学校标识码",
    "学校名称",
    "学段",
    "年级",
    "班级",
    "姓名",
    "性别",
    "出生日期",
    "证件类型",
    "证件号码",
    "全国学籍号",
    "教育ID",
    "学籍状态",
    "监护人姓名",
    "监护人手机",
    "现住址",
)
COLUMN = {header: place for place, header in enumerate(HEADER)}
SCHOOL_HEADER = (
    "学校标识码",
    "学校名称",
    "主校标识码",
    "区代码",
    "区名称",
    "学段",
    "校区",
    "收货地址",
    "收货人",
)
STAGES = {"21": ("小学", 6), "31": ("初中", 3), "34": ("高中", 3)}

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕单解仇"
_GIVEN = "子梓宇浩雨欣一诺思涵若晨佳怡嘉铭睿萱俊泽明轩可馨艺博文天悦然语彤安琪乐瑶书恒毅星辰云舒景行"
# Outside the basic plane, Extension A, and with an interpunct.
_UNUSUAL = ("彭𠮷文", "何𬱖涵", "张㛃思", "刘䶮", "古丽娜尔·艾合买提江", "娜仁托雅·巴特尔")
# Two of them retired long ago: numbers outlive the districts that issued them.
_REGIONS = (
    "110101",
    "110103",
    "110104",
    "110105",
    "110108",
    "110228",
    "130102",
    "370102",
    "410105",
    "650102",
)
_FIRST_DAY = date(2008, 9, 1)
_DAYS = [(_FIRST_DAY + timedelta(days=n)).isoformat() for n in range(4000)]

Row = list[str]


def school_rows(per_district: int = 3) -> list[Row]:
    """So many schools in each of the sixteen districts: primary, junior, senior in turn."""
    rows = []
    serial = 0
    for district, name in DISTRICTS.items():
        for n in range(per_district):
            serial += 1
            kind = tuple(STAGES)[n % 3]
            title = f"{name}第{serial}学校（合成）"
            rows.append(
                [
                    f"{kind}11{800000 + serial:06d}",
                    title,
                    "",
                    district,
                    name,
                    STAGES[kind][0],
                    "本部",
                    f"北京市{name}合成路{serial}号",
                    "收发室",
                ]
            )
    return rows


def roster_rows(schools: Sequence[Row], count: int, *, first: int = 0, class_size: int = 35) -> Iterator[Row]:
    """`count` clean rows, school by school and class by class; row n is the same whenever it is made."""
    per_school = max(1, -(-count // len(schools)))
    for n in range(first, first + count):
        school = schools[(n - first) // per_school % len(schools)]
        yield roster_row(school, n, (n - first) % per_school // class_size)


def roster_row(school: Row, n: int, group: int = 0) -> Row:
    """Student n, in the group-th class of the school. Education ID and ID number are n's own."""
    stage, grades = STAGES[school[0][:2]]
    man = n * 7 % 13 < 7
    mix = n * 2654435761 % 2**32
    region = _REGIONS[n // len(_DAYS) % len(_REGIONS)]
    birth = _DAYS[n % len(_DAYS)]
    serial = n // (len(_DAYS) * len(_REGIONS)) * 2 + man
    body = f"{region}{birth.replace('-', '')}{serial:03d}"
    number = body + citizen_check(body)
    name = _SURNAMES[mix % len(_SURNAMES)] + _GIVEN[mix // 64 % len(_GIVEN)]
    if mix % 4:
        name += _GIVEN[mix // 4096 % len(_GIVEN)]
    if n % 211 == 7:
        name = _UNUSUAL[n // 211 % len(_UNUSUAL)]
    return [
        school[0],
        school[1],
        stage,
        str(group % grades + 1),
        f"{group // grades + 1}班",
        name,
        "男" if man else "女",
        birth,
        "居民身份证",
        number,
        f"G{number}",
        f"{10_000_000 + n * 7_368_787 % 90_000_000}",
        "在校",
        _SURNAMES[mix // 7 % len(_SURNAMES)]
        + _GIVEN[mix // 11 % len(_GIVEN)]
        + _GIVEN[mix // 13 % len(_GIVEN)],
        f"1{'35789'[mix % 5]}{mix % 10}0000{mix // 17 % 10000:04d}",
        school[7],
    ]


def csv_text(rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    """The rows under their header, as a spreadsheet would save them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
