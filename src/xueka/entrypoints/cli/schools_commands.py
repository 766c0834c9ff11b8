"""The school directory on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import common, importing

app = typer.Typer(help="学校名录。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """学校名录。"""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="名录文件：XLSX，或 UTF-8、GB 18030 的 CSV。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不改动任何数据。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """导入学校名录：按学校标识码新增或更新；有问题的行退回，其余照常导入。"""
    with importing.content_of(file) as content, common.edge(username) as actor:
        from xueka.contexts.registry import api

        report = api.import_schools(actor, content, file.name, dry_run)
    importing.show(report, as_json)
