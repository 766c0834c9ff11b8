"""Number ranges and blanks on the command line."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="号段与空白卡。", no_args_is_help=True)

_SHOWN = 20


@app.command()
def ranges(username: common.As = None, as_json: common.Json = False) -> None:
    """号段余量；到达低水位的标出，并按近期用量估计用完的日期。"""
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        actor.require("city:range:read")
        found = [dataclasses.asdict(each) for each in numbers.ranges(actor.scope)]
        levels = [dataclasses.asdict(each) for each in numbers.levels(actor.scope)]
    common.answer({"ranges": found, "levels": levels}, as_json, lambda: _show_ranges(found, levels))


@app.command()
def add(
    sort: Annotated[str, typer.Argument(metavar="SORT", help="card、transit 或 beijing_tong。")],
    issuer: Annotated[str, typer.Option("--issuer", help="发号单位。")],
    first: Annotated[int, typer.Option("--first", help="起始序号。")],
    last: Annotated[int, typer.Option("--last", help="终止序号。")],
    width: Annotated[int, typer.Option("--width", help="序号位数。")],
    prefix: Annotated[str, typer.Option("--prefix", help="序号之前的固定部分。")] = "",
    low_water: Annotated[int, typer.Option("--low-water", help="剩余多少时提醒。")] = 0,
    document: Annotated[str, typer.Option("--document", help="发号文件。")] = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """登记号段。"""
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        made = numbers.add_range(
            actor, sort, issuer, prefix, width, first, last, low_water=low_water, document=document
        )
        shown = next(each for each in numbers.ranges(actor.scope, sort=sort) if each.id == made.id)
    result = dataclasses.asdict(shown)
    common.answer(result, as_json, lambda: _show_ranges([result], []))


@app.command()
def close(
    range_id: Annotated[int, typer.Argument(metavar="ID", help="号段编号。")],
    reason: Annotated[str, typer.Option("--reason", help="停用的理由。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """停用号段。"""
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        closed = numbers.close_range(actor, range_id, reason)
    common.answer({"id": closed.id, "is_open": closed.is_open}, as_json)


@app.command()
def reopen(
    range_id: Annotated[int, typer.Argument(metavar="ID", help="号段编号。")],
    reason: Annotated[str, typer.Option("--reason", help="恢复使用的理由。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """恢复停用的号段，从停下的地方接着发。"""
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        opened = numbers.reopen_range(actor, range_id, reason)
    common.answer({"id": opened.id, "is_open": opened.is_open}, as_json)


@app.command()
def fate(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="任何一种号码，或空白卡的芯片UID。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """一个号码的去向。"""
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        actor.require("city:range:read")
        found = numbers.fate(actor.scope, number)
    common.answer({"number": number, "uses": found}, as_json)


@app.command()
def stock(username: common.As = None, as_json: common.Json = False) -> None:
    """空白卡库存，按批。"""
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        actor.require("city:range:read")
        found = [dataclasses.asdict(each) for each in numbers.stock(actor.scope)]
    common.answer({"lots": found}, as_json, lambda: _show_stock(found))


@app.command("import-lot")
def import_lot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="空白卡交接文件（CSV）。")],
    lot: Annotated[str, typer.Option("--lot", metavar="NUMBER", help="批号。")],
    supplier: Annotated[str, typer.Option("--supplier", help="供应单位。")],
    handed_over_by: Annotated[str, typer.Option("--handed-over-by", help="交付人。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只核对，不入库。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """空白卡入库；有一行不对，整份不入库，退出码为 1。"""
    try:
        content = file.read_bytes()
    except OSError:
        arguments.wrong_usage(
            BadInput("FILE_UNREADABLE", f"文件 {file} 无法读取。", where=str(file), action="请核对文件名。")
        )
    with common.edge(username) as actor:
        from xueka.contexts.numbers import api as numbers

        report = numbers.import_blank_lot(actor, content, lot, supplier, handed_over_by, dry_run=dry_run)
    result = report.as_dict()
    common.answer(result, as_json, lambda: _show_lot(result))
    raise typer.Exit(1 if result["errors"] else 0)


def _show_ranges(found: list[dict[str, Any]], levels: list[dict[str, Any]]) -> None:
    for each in found:
        mark = "" if each["is_open"] else "  已停用"
        mark += "  低水位" if each["is_low"] else ""
        _line(
            f"{each['id']}  {each['label']}  {each['first_number']} 至 {each['last_number']}"
            f"  已发 {each['given']}  剩余 {each['remaining']}{mark}"
        )
    for level in levels:
        until = f"，约 {level['runs_out_on']} 用完" if level["runs_out_on"] else ""
        _line(f"{level['label']}共剩余 {level['remaining']}{until}")


def _show_stock(found: list[dict[str, Any]]) -> None:
    for lot in found:
        _line(
            f"{lot['number']}  {lot['supplier']}  共 {lot['quantity']}  在库 {lot['in_stock']}"
            f"  已绑定 {lot['bound']}  已用 {lot['used']}  报废 {lot['spoiled']}  退回 {lot['returned']}"
        )


def _show_lot(result: dict[str, Any]) -> None:
    done = "试运行，未入库" if result["dry_run"] else "已入库"
    _line(f"批号 {result['lot']}：{result['rows']} 张，{'整份未入库' if result['errors'] else done}")
    for error in result["errors"][:_SHOWN]:
        _line(
            f"第 {error['line']} 行「{error['column']}」：{error['message']}读到 {error['value'] or '空'}。"
        )
    if len(result["errors"]) > _SHOWN:
        _line(f"……共 {len(result['errors'])} 处，全部见 --json。")


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
