"""Looking for what went wrong, and the repairs under way, on the command line."""

import sys
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="差错修复。", no_args_is_help=True)

_SHOWN = 1000


@app.command()
def detect(username: common.As = None, as_json: common.Json = False) -> None:
    """巡查：核对项、滞留、孤立、重复、时间倒流；有发现时退出码为 1。"""
    with common.edge(username) as actor:
        from xueka.contexts.repairs import api as repairs

        counts = repairs.detect(actor)
        rows = list(repairs.findings(actor.scope)[:_SHOWN])
        labels = {code: each.label for code, each in repairs.DETECTORS.items()}
    result = {
        "findings": counts,
        "items": [
            {
                "detector": row.detector,
                "key": row.key,
                "detail": row.detail,
                "since": row.since.isoformat(timespec="seconds"),
                "owner": row.owner,
                "suggests": row.suggests,
                "params": row.params,
            }
            for row in rows
        ],
    }
    common.answer(result, as_json, lambda: _show(result, labels))
    raise typer.Exit(1 if counts else 0)


@app.command("list")
def list_(
    state: Annotated[str, typer.Option("--state", help="只看这种状态的。")] = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """各项修复，新的在前。"""
    with common.edge(username) as actor:
        from xueka.contexts.repairs import api as repairs

        actor.require("city:repair:propose")
        rows = repairs.repairs(actor.scope)
        found = list((rows.filter(state=state) if state else rows)[:_SHOWN])
    result = {
        "repairs": [
            {
                "number": row.number,
                "kind": row.kind,
                "state": row.state,
                "reason": row.reason,
                "steps": row.steps,
                "proposed_by": row.proposed_by,
                "approved_by": row.approved_by,
            }
            for row in found
        ]
    }
    common.answer(result, as_json)


def _show(result: dict[str, Any], labels: dict[str, str]) -> None:
    lines = [f"{labels[code]}：{count} 项" for code, count in result["findings"].items()]
    lines += [
        f"  {labels[each['detector']]}  {each['key']}  {each['detail']}" for each in result["items"][:50]
    ]
    sys.stdout.write("\n".join(lines or ["没有发现问题。"]) + "\n")
