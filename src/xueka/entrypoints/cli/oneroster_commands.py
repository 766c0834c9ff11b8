"""OneRoster packages on the command line."""

import contextlib
import mmap
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from xueka.entrypoints.cli import arguments, common, importing
from xueka.kernel.errors import BadInput

app = typer.Typer(help="OneRoster 1.2 学籍数据包。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """OneRoster 1.2 学籍数据包。"""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="zip 包，或放着各 CSV 文件的文件夹。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不改动任何数据。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """导入 OneRoster 1.2 包（全量或增量）：新增、更新学生，列出缺失的学生；有问题的行退回，其余照常。"""
    with _content_of(file) as content, common.edge(username) as actor:
        from xueka.contexts.registry import api

        with importing.lines_bar("导入 OneRoster 包") as progress:
            report = api.import_oneroster(actor, content, file.name, dry_run, progress=progress)
    importing.show(report, as_json, extra=lambda: _say_missing(report.as_dict()))


@contextlib.contextmanager
def _content_of(file: Path) -> Iterator[bytes | mmap.mmap | Mapping[str, bytes]]:
    if not file.is_dir():
        with importing.content_of(file) as content:
            yield content
        return
    try:
        yield {each.name: each.read_bytes() for each in sorted(file.glob("*.csv")) if each.is_file()}
    except OSError:
        arguments.wrong_usage(BadInput("FILE_UNREADABLE", f"文件夹无法读取：{file}", action="请核对路径。"))


def _say_missing(said: Mapping[str, object]) -> None:
    if said["deleted"] or said["left_out"]:
        held = "人数超过上限，须由人逐一确认" if said["held"] else "满期限或经人确认后办理离校"
        sys.stdout.write(
            f"缺失学生：登记方删除 {said['deleted']} 人，全量中没有 {said['left_out']} 人；{held}。\n"
        )
    if said["returned"]:
        sys.stdout.write(f"缺失后又出现 {said['returned']} 人。\n")
