"""Cards on the command line: what became of one, and what the desk does with it."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="学生卡。", no_args_is_help=True)

Number = Annotated[str, typer.Argument(metavar="CARD", help="12 位学生卡号。")]
Note = Annotated[str, typer.Option("--note", help="说明，记入时间线。")]


@app.command()
def show(
    number: Annotated[str, typer.Argument(metavar="CARD_OR_EDUCATION_ID", help="学生卡号或教育ID。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """一名学生的卡账户、所有的卡和时间线。"""
    with common.edge(username) as actor:
        from xueka.contexts.cards import api as cards

        actor.require("school:card:read")
        found = cards.account_view(actor.scope, number)
    common.answer(found, as_json, lambda: _show(found))


@app.command()
def lost(number: Number, note: Note = "", username: common.As = None, as_json: common.Json = False) -> None:
    """挂失，并说明各系统何时生效。"""
    with common.edge(username) as actor:
        from xueka.contexts.cards import api as cards

        card = cards.report_lost(actor, cards.card(actor.scope, number).id, note)
        effects = [effect._asdict() for effect in cards.lost_effects()]
        result = {"number": card.number, "state": card.state, "effects": effects}
    said = "；".join(f"{effect['system']}{effect['when']}" for effect in effects)
    common.answer(result, as_json, lambda: _line(f"{card.number} 已挂失：{said}。"))


@app.command()
def lift(number: Number, note: Note = "", username: common.As = None, as_json: common.Json = False) -> None:
    """解挂。"""
    _act("lift", number, note, username, as_json)


@app.command()
def found(number: Number, note: Note = "", username: common.As = None, as_json: common.Json = False) -> None:
    """登记找回一张挂失、注销或作废的卡。"""
    _act("report_found", number, note, username, as_json)


@app.command()
def cancel(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="注销的理由。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """注销。"""
    _act("cancel", number, reason, username, as_json)


@app.command()
def kinds(username: common.As = None, as_json: common.Json = False) -> None:
    """卡种及其配置。"""
    with common.edge(username):
        from xueka.contexts.cards import api as cards

        found = [
            {
                "code": kind.code,
                "name": kind.name,
                "open": kind.is_open,
                "photo_required": kind.photo_required,
                "photo_printed": kind.photo_printed,
                "transit_source": kind.transit_source,
                "beijing_tong_source": kind.beijing_tong_source,
                "review_levels": kind.review_levels,
                "coupled_with": kind.coupled_with_id,
            }
            for kind in cards.kinds(include_closed=True)
        ]
    common.answer(
        {"kinds": found},
        as_json,
        lambda: _lines(
            f"{kind['code']}  {kind['name']}  {'开放' if kind['open'] else '停用'}" for kind in found
        ),
    )


def _act(verb: str, number: str, text: str, username: str | None, as_json: bool) -> None:
    with common.edge(username) as actor:
        from xueka.contexts.cards import api as cards

        card = getattr(cards, verb)(actor, cards.card(actor.scope, number).id, text)
        result = {"number": card.number, "state": card.state}
        label = cards.CARD.state(card.state).label
    common.answer(result, as_json, lambda: _line(f"{card.number}  {label}"))


def _show(found: dict[str, Any]) -> None:
    account = found["account"]
    _line(f"{account['name']}  {account['education_id']}  {account['school']} {account['class']}")
    _line(f"卡账户 {account['number']}  {account['state_label']}")
    for card in found["cards"]:
        alone = "  配套的另一张卡不在用" if card["stands_alone"] else ""
        _line(f"{card['number']}  {card['kind_name']}  {card['state_label']}{alone}")
    for step in found["timeline"]:
        _line(f"{step['at'][:16].replace('T', ' ')}  {step['label']}  {step['number']}  {step['actor']}")


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        _line(line)


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
