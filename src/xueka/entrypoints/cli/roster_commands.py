"""Student rosters on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import common, importing

app = typer.Typer(help="学生名册。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """学生名册。"""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="名册文件：XLSX，或 UTF-8、GB 18030 的 CSV。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不改动任何数据。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """导入名册：按教育ID新增或更新；有问题的行退回，其余照常导入。"""
    with importing.content_of(file) as content, common.edge(username) as actor:
        from xueka.contexts.registry import api

        with importing.lines_bar("导入名册") as progress:
            report = api.import_roster(actor, content, file.name, dry_run, progress=progress)
    importing.show(report, as_json)
