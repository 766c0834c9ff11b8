"""Officers by list on the command line. Codes, substitutes and hand-overs are on the pages."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import common, importing

app = typer.Typer(help="卡管人员名单。", no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="名单：XLSX，或 UTF-8、GB 18030 的 CSV。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不改动任何数据。")] = False,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="名单应有的行数；不符则整份不导入。")
    ] = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """导入名单：新人开户待激活，已有的按手机号更新，不停用任何人。"""
    with importing.content_of(file) as content, common.edge(username) as actor:
        from xueka.contexts.officers import api

        report = api.import_officers(actor, bytes(content), file.name, dry_run=dry_run, expected_rows=rows)

    def human() -> None:
        importing.say_counts(dry_run, report.counts())
        importing.say_problems(report.errors, report.warnings)

    common.answer(report.as_dict(), as_json, human)
    if report.rejected:
        raise typer.Exit(1)


@app.command("list")
def list_lists(username: common.As = None, as_json: common.Json = False) -> None:
    """最近试算或导入的名单。"""
    with common.edge(username) as actor:
        from xueka.contexts.officers import api

        actor.require("district:officer:manage")
        found = [
            {"at": run.at.isoformat(), "by": run.actor, "file": run.file_name, **run.report}
            for run in api.lists(actor.scope)
        ]

    def human() -> None:
        for run in found:
            sys.stdout.write(
                f"{run['at'][:16]}  {run['by']}  {run['file']}  {'试算' if run['dry_run'] else '导入'}"
                f"  {run['rows']} 行，新增 {run['created']}，退回 {run['rejected']}\n"
            )

    common.answer({"lists": found}, as_json, human)
