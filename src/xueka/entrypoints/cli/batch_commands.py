"""Production batches on the command line."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import common

if TYPE_CHECKING:
    from xueka.contexts.production.api import Batch, BatchView

app = typer.Typer(help="制卡批次。", no_args_is_help=True)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="批次号。")]


@app.command("list")
def list_batches(
    state: Annotated[str, typer.Option("--state", help="只列该状态的批次。")] = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """最近的批次。"""
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        actor.require("city:batch:read")
        found = [_row(batch) for batch in production.batches(actor.scope, states=[state] if state else [])]
    common.answer({"batches": found}, as_json, lambda: _lines(found))


@app.command()
def show(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """一个批次：六个数、制卡文件和回盘文件。"""
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        actor.require("city:batch:read")
        found = _detail(production.batch(actor.scope, number))
    common.answer(found, as_json)


def _act(verb: str, number: str, username: str | None, as_json: bool) -> None:
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        batch = production.batch(actor.scope, number).batch
        done = getattr(production, verb)(actor, batch.id)
        shown = _row(done or production.batch(actor.scope, number).batch)
    common.answer(shown, as_json, lambda: _lines([shown]))


@app.command()
def lock(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """锁定批次，分配号码。"""
    _act("lock", number, username, as_json)


@app.command()
def unlock(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """解锁批次。"""
    _act("unlock", number, username, as_json)


@app.command()
def approve(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """复核批次并下单；复核人不能是锁定人。"""
    _act("approve", number, username, as_json)


@app.command()
def rebuild(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """卡厂拒收后重新生成制卡文件。"""
    _act("rebuild", number, username, as_json)


@app.command()
def followup(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """把失败和作废的卡编成重制批次；没有时仍显示原批次。"""
    _act("make_followup", number, username, as_json)


@app.command()
def close(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """结批；每张卡都须有交代。"""
    _act("close", number, username, as_json)


def _row(batch: "Batch") -> dict[str, Any]:
    return {
        "number": batch.number,
        "title": batch.title,
        "kind": batch.kind_id,
        "state": batch.state,
        "cards": batch.card_count,
        "remake_of": batch.remake_of.number if batch.remake_of else None,
    }


def _detail(view: "BatchView") -> dict[str, Any]:
    return {
        **_row(view.batch),
        "numbers": view.numbers._asdict(),
        "problems": view.open_problems,
        "to_remake": view.to_remake,
        "packages": [
            {
                "file": package.file.name,
                "sm3": bytes(package.file.sm3).hex(),
                "state": package.state,
                "tries": package.tries,
                "last_error": package.last_error,
            }
            for package in view.packages
        ],
        "returns": [
            {
                "file": found.file.name,
                "state": found.state,
                "code": found.refusal_code,
                "counts": found.counts,
            }
            for found in view.returns
        ],
    }


def _lines(found: list[dict[str, Any]]) -> None:
    for row in found:
        sys.stdout.write(f"{row['number']}  {row['state']}  {row['cards']} 张  {row['title']}\n")
