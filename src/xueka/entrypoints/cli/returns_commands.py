"""Return files of the card bureau on the command line; the worker takes them from the drop box by itself."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="卡厂回盘文件。", no_args_is_help=True)

_LABELS = {
    "lines": "明细",
    "matched": "相符",
    "failed": "失败",
    "missing": "缺失",
    "duplicate": "重复",
    "unknown": "未知",
    "altered": "被改",
    "applied": "生效",
}
_STATES = {
    "applied": "已受理",
    "refused": "整份拒收，未作任何处理",
    "repeated": "与已受理的文件相同，未作任何处理",
    "dry_run": "试运行，未作任何处理",
}
_SHOWN = 20


@app.callback()
def _group() -> None:
    """A group, though it has one command."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="回盘文件 XKR_….zip。")],
    batch: Annotated[str, typer.Option("--batch", metavar="NUMBER", help="批次号。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只核对，不生效。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """核对一份回盘文件并使其生效；有差异或整份被拒收时，退出码为 1。"""
    try:
        content = file.read_bytes()
    except OSError:
        arguments.wrong_usage(
            BadInput("FILE_UNREADABLE", f"文件 {file} 无法读取。", where=str(file), action="请核对文件名。")
        )
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        report = production.import_return(actor, content, file.name, batch, dry_run)
    result = report.as_dict()
    common.answer(result, as_json, lambda: _show(result))
    raise typer.Exit(1 if result["errors"] else 0)


def _show(result: dict) -> None:
    write = sys.stdout.write
    write(f"{_STATES[result['state']]}\n")
    write("  ".join(f"{label} {result[name]}" for name, label in _LABELS.items()) + "\n")
    for error in result["errors"][:_SHOWN]:
        write(f"{error['message']}（{error['code']}）\n")
    if len(result["errors"]) > _SHOWN:
        write(f"……共 {len(result['errors'])} 处，全部见 --json。\n")
