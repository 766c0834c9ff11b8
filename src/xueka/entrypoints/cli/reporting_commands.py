"""`xueka reporting`: the figures of a stretch of days, and counting days anew."""

from datetime import date, timedelta
from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.text import parse_date

app = typer.Typer(help="统计。", no_args_is_help=True)

First = Annotated[str, typer.Argument(metavar="DATE", help="第一天。")]
Last = Annotated[str, typer.Argument(metavar="DATE", help="最后一天（含）。")]


@app.command()
def throughput(first: First, last: Last, username: common.As = None, as_json: common.Json = False) -> None:
    """每天提交、受理、制成、到校、发放、挂失的件数。"""
    begin, end = _days(first, last)
    with common.edge(username) as who:
        from xueka.contexts.reporting import api as reporting

        who.require("school:statistics:read")
        days = [
            {"day": day.day.isoformat(), "planned": day.planned, "counts": day.counts}
            for day in reporting.throughput(who.scope, begin, end)
        ]
    lines = [f"{day['day']}  {day['counts'] or '-'}" for day in days]
    common.answer({"days": days}, as_json, lambda: typer.echo("\n".join(lines)))


@app.command()
def rebuild(first: First, last: Last, username: common.As = None, as_json: common.Json = False) -> None:
    """按状态历史重新统计这些天（例如接管了旧系统的历史之后）。"""
    begin, end = _days(first, last)
    with common.edge(username) as who:
        from xueka.contexts.reporting import api as reporting
        from xueka.kernel import clock
        from xueka.platform.audit import services as audit

        who.require("city:plan:manage")
        end = min(end, clock.today() - timedelta(days=1))
        reporting.record_days(begin, end)
        audit.record(who, "statistics.rebuild", "statistics", "", detail={"from": str(begin), "to": str(end)})
    common.answer({"from": str(begin), "to": str(end), "days": max(0, (end - begin).days + 1)}, as_json)


def _days(first: str, last: str) -> tuple[date, date]:
    return arguments.read(parse_date, first), arguments.read(parse_date, last)
