"""The audit log on the command line: verifying its chain, searching it."""

import sys
from datetime import datetime, time, timedelta
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel import clock
from xueka.kernel.text import parse_date

app = typer.Typer(help="审计记录。", no_args_is_help=True)


@app.command()
def verify(as_json: common.Json = False) -> None:
    """重算审计链的每一环；发现改动、删除、插入、调换或截断时指明位置，退出码为 1。"""
    with common.database():
        from xueka.platform.audit import chain

        report = chain.verify()
    common.answer(
        report.as_dict(),
        as_json,
        lambda: _say(
            f"已封存 {report.sealed} 条，待封存 {report.unsealed} 条，问题 {report.violated} 处。",
            *(f"  {problem.message}" for problem in report.problems),
        ),
    )
    if report.violated:
        raise typer.Exit(1)


@app.command("adopt-head")
def adopt_head(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="原因，例如恢复了哪一份备份。")],
    as_json: common.Json = False,
) -> None:
    """从备份恢复之后，承认库内最后一环为链头；由谁、为何，记入审计。"""
    with common.database():
        import getpass

        from xueka.platform.audit import chain
        from xueka.platform.identity.actor import Actor

        head = chain.adopt(Actor.command_line(getpass.getuser()), reason)
        chain.seal()
    common.answer({"seq": head.seq if head else 0}, as_json, lambda: _say("已承认，封存继续。"))


@app.command()
def search(
    actor: Annotated[str, typer.Option("--actor", metavar="USER", help="谁。")] = "",
    action: Annotated[
        str, typer.Option("--action", metavar="ACTION", help="何事；以点结尾为一类，例如 card.")
    ] = "",
    object_type: Annotated[str, typer.Option("--type", metavar="TYPE", help="对象的种类。")] = "",
    object_id: Annotated[str, typer.Option("--id", metavar="ID", help="对象的编号。")] = "",
    since: Annotated[str, typer.Option("--since", metavar="DATE", help="自该日起。")] = "",
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="至该日止，含当日。")] = "",
    after: Annotated[
        int | None, typer.Option("--after", metavar="N", help="接着上一页最后一条的编号。")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="最多几条。")] = 50,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """查审计记录，新的在前。"""
    first, last = (_day_begins(day) if day else None for day in (since, until))
    with common.edge(username) as who:
        from xueka.platform.audit import queries

        who.require("city:audit:read")
        found = queries.entries(
            who.scope,
            actor=actor,
            action=action,
            object_type=object_type,
            object_id=object_id,
            since=first,
            until=last + timedelta(days=1) if last else None,
            after=after,
            limit=limit,
        )
        rows = [_row(entry) for entry in found]
    common.answer({"entries": rows}, as_json, lambda: _say(*map(_line, rows)))


def _day_begins(day: str) -> datetime:
    return datetime.combine(arguments.read(parse_date, day), time.min, clock.SHANGHAI)


def _row(entry: Any) -> dict[str, Any]:
    names = (
        "id",
        "actor",
        "role",
        "scope",
        "address",
        "action",
        "object_type",
        "object_id",
        "result",
        "detail",
    )
    return {"at": clock.local(entry.at).isoformat(), **{name: getattr(entry, name) for name in names}}


def _line(row: dict[str, Any]) -> str:
    thing = f"{row['object_type']} {row['object_id']}".strip()
    refused = "" if row["result"] == "done" else f"（{row['result']}）"
    return f"{row['id']:>8}  {row['at'][:19]}  {row['actor'] or '-'}  {row['action']}{refused}  {thing}"


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
