"""What the import commands share: the file, the progress bar, the result."""

import contextlib
import mmap
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput, LineProblem

if TYPE_CHECKING:
    from xueka.contexts.registry.api import ImportReport

SHOWN = 50


@contextlib.contextmanager
def content_of(file: Path) -> Iterator[bytes | mmap.mmap]:
    """The file's bytes without reading them all into memory; a file that is not there is wrong usage."""
    try:
        opened = file.open("rb")
    except OSError as error:
        reason = "没有这个文件" if isinstance(error, FileNotFoundError) else "文件无法打开"
        arguments.wrong_usage(BadInput("FILE_UNREADABLE", f"{reason}：{file}", action="请核对路径。"))
    with opened:
        if not file.stat().st_size:
            yield b""
            return
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


@contextlib.contextmanager
def lines_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for an import; call the value with the lines done and the lines there are."""
    with contextlib.ExitStack() as stack:
        advance: Callable[[int], None] | None = None
        shown = 0

        def progress(done: int, total: int) -> None:
            nonlocal advance, shown
            if advance is None:
                advance = stack.enter_context(common.progress(label, total))
            advance(done - shown)
            shown = done

        yield progress


def show(report: "ImportReport", as_json: bool, extra: Callable[[], None] | None = None) -> None:
    """Print the report, and what else there is to say of it; exit code 1 when rows were refused."""

    def human() -> None:
        say_counts(report.dry_run, report.counts())
        if report.moved or report.transfers:
            sys.stdout.write(f"区内转校 {report.moved} 人，跨区转学待确认 {report.transfers} 人。\n")
        if extra:
            extra()
        say_problems(report.errors, report.warnings)

    common.answer(report.as_dict(), as_json, human)
    if report.rejected:
        raise typer.Exit(1)


def say_counts(dry_run: bool, counts: Mapping[str, int]) -> None:
    """What became of the rows, in one line."""
    prefix = "检查完毕（没有改动数据）" if dry_run else "导入完毕"
    sys.stdout.write(
        f"{prefix}：共 {counts['rows']} 行，新增 {counts['created']}，更新 {counts['updated']}，"
        f"未变 {counts['unchanged']}，退回 {counts['rejected']}。\n"
    )


def say_problems(errors: Sequence[LineProblem], warnings: Sequence[LineProblem]) -> None:
    """The first of the refused rows and of the warnings."""
    for title, problems in (("退回", errors), ("提醒", warnings)):
        for problem in problems[:SHOWN]:
            sys.stdout.write(f"[{title}] {problem.message}\n")
        if len(problems) > SHOWN:
            sys.stdout.write(f"[{title}] 另有 {len(problems) - SHOWN} 条，用 --json 查看全部。\n")
