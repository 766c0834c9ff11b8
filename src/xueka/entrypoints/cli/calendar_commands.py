"""Working days on the command line. No database is needed."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput
from xueka.kernel.notices import read_notice, store_notice
from xueka.kernel.text import parse_date

app = typer.Typer(help="工作日（国务院办公厅放假安排）。", no_args_is_help=True)

Day = Annotated[str, typer.Argument(metavar="DATE", help="日期，例如 2024-06-11。")]


# Negative counts look like options; unknown ones are therefore taken as arguments.
@app.command(context_settings={"ignore_unknown_options": True})
def add(
    day: Day,
    count: Annotated[str, typer.Argument(metavar="N", help="工作日数；负数向前推算，0 为当天。")],
    as_json: common.Json = False,
) -> None:
    """DATE 之后第 N 个工作日（次日为第 1 天）。"""
    calendar = Calendar.default()
    due = calendar.add_working_days(arguments.read(parse_date, day), arguments.read(_count, count))
    common.answer(
        {"date": due.isoformat()}, as_json, lambda: sys.stdout.write(f"{due}（{calendar.day_label(due)}）\n")
    )
    _remind(calendar, as_json)


@app.command()
def between(
    first: Day,
    last: Day,
    as_json: common.Json = False,
) -> None:
    """两个日期之间的工作日数，首尾都计入。"""
    calendar = Calendar.default()
    days = calendar.working_days_between(arguments.read(parse_date, first), arguments.read(parse_date, last))
    common.answer({"working_days": days}, as_json, lambda: sys.stdout.write(f"{days}\n"))
    _remind(calendar, as_json)


@app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="一个年度放假安排的 JSON 文件。")],
    as_json: common.Json = False,
) -> None:
    """载入国务院办公厅的年度放假安排，立即生效；同一年度以最后载入的为准。"""
    notice = read_notice(file)
    store_notice(notice)
    result = {
        "year": notice.year,
        "off": [day.isoformat() for day in sorted(notice.off)],
        "make_up": [day.isoformat() for day in sorted(notice.make_up)],
        "warnings": notice.warnings,
    }

    def human() -> None:
        counts = f"放假 {len(notice.off)} 天，调休上班 {len(notice.make_up)} 天"
        sys.stdout.write(f"已载入 {notice.year} 年放假安排：{counts}。\n")
        for warning in notice.warnings:
            sys.stderr.write(f"提醒：{warning}\n")

    common.answer(result, as_json, human)


def _count(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,6}", text, re.ASCII):
        raise BadInput(
            "COUNT_INVALID",
            f"工作日数“{text}”不是整数。",
            found=text,
            expected="整数，例如 10",
            action="请改正。",
        )
    return int(text)


def _remind(calendar: Calendar, as_json: bool) -> None:
    missing = calendar.missing_next_year(clock.today())
    if missing and not as_json:
        sys.stderr.write(f"提醒：尚未载入 {missing} 年的放假安排，涉及该年度的期限无法计算。\n")
