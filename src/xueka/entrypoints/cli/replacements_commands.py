"""`xueka replacements`: promises that run out, and those that were kept."""

from datetime import date
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="补卡换卡：七个工作日的承诺。", no_args_is_help=True)


@app.command()
def late(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="按时送达统计哪个月的承诺。")] = "",
    as_json: common.Json = False,
) -> None:
    """承诺临近或超期、卡还没送到的，和按月的按时送达。"""
    with common.database():
        from xueka.contexts.replacements import api as replacements
        from xueka.kernel import clock
        from xueka.kernel.errors import BadInput
        from xueka.platform.identity.scope import EVERYWHERE

        today = clock.today()
        try:
            first = date.fromisoformat(f"{month}-01") if month else today.replace(day=1)
        except ValueError:
            raise BadInput("MONTH", "月份写得不对。", found=month[:20], expected="如 2026-10") from None
        last = _end_of(first)
        kept = replacements.promises_kept(EVERYWHERE, first, last)
        rows = [_row(each, today) for each in replacements.watched(EVERYWHERE).order_by("promised_on", "id")]
        words = {code: name for code, (name, _) in replacements.REASONS.items()}

    found = {
        "today": today.isoformat(),
        "month": f"{first:%Y-%m}",
        "promised": kept.promised,
        "kept": kept.kept,
        "broken": kept.broken,
        "open_late": kept.open_late,
        "replacements": rows,
    }

    def human() -> None:
        typer.echo(
            f"{first:%Y-%m} 应送达 {kept.promised} 份，按时 {kept.kept}，逾期 {kept.broken + kept.open_late}"
        )
        for each in rows:
            late_ = f"超期 {each['days_late']} 天" if each["days_late"] else "临近"
            typer.echo(
                f"{each['number']} {each['school_name']} {words[each['reason']]} "
                f"承诺 {each['promised_on']} {late_}"
            )

    common.answer(found, as_json, human)


def _end_of(first: date) -> date:
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return date.fromordinal(following.toordinal() - 1)


def _row(each: Any, today: date) -> dict[str, Any]:
    return {
        "number": each.number,
        "education_id": each.student.education_id,
        "school": each.student.school.code,
        "school_name": each.student.school.name,
        "district": each.student.school.district_id,
        "reason": each.reason,
        "delivery": each.delivery,
        "state": each.state,
        "promised_on": each.promised_on.isoformat(),
        "days_late": max((today - each.promised_on).days, 0),
        "waybill": each.waybill,
    }
