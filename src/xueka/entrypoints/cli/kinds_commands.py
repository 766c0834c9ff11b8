"""Card kinds in force: listed, compared with the data file, changed as the next version."""

import json
import sys
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="卡种。", no_args_is_help=True)

_LEVELS = {"school": "学校", "district": "区", "city": "市"}
_TRUE, _FALSE = ("true", "是", "1"), ("false", "否", "0")


@app.command("list")
def list_(username: common.As = None, as_json: common.Json = False) -> None:
    """在用的卡种、版本，以及与随附配置（card_kinds.toml）的不同。"""
    with common.edge(username) as actor:
        from xueka.contexts.cards import api as cards

        actor.require("city:kind:manage")
        found = [
            {
                "code": kind.code,
                "version": kind.version,
                **cards.fields_of(kind),
                "differs_from_file": [each.field for each in cards.file_difference(kind.code)],
            }
            for kind in cards.kinds(include_closed=True)
        ]
    common.answer({"kinds": found}, as_json, lambda: _show(found))


@app.command()
def change(
    code: Annotated[str, typer.Argument(metavar="CODE", help="卡种代号。")],
    reason: Annotated[str, typer.Option("--reason", help="变更的理由。")],
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="要变更的项，可重复；审核级写 district,city。"),
    ] = None,
    from_file: Annotated[bool, typer.Option("--from-file", help="照随附配置变更。")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看会改什么。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """变更卡种；已经开了的申领仍按原来的审核级、照片和同意要求办。"""
    changes = _read(given or [])
    if bool(changes) == from_file:
        arguments.wrong_usage(BadInput("KIND_NOTHING", "请用 --set 写明要变更的项，或用 --from-file。"))
    with common.edge(username) as actor:
        from xueka.contexts.cards import api as cards

        if from_file:
            changes = cards.file_fields(code) or {}
        if dry_run:
            difference = cards.preview_change(actor, code, changes)
        else:
            difference = cards.change_kind(actor, code, changes, reason)
        version = cards.kind(code).version
    result = {"code": code, "version": version, "dry_run": dry_run}
    changed = [each._asdict() for each in difference]
    common.answer({**result, "difference": changed}, as_json, lambda: _show_difference(changed))


def _read(given: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for each in given:
        field, equals, value = each.partition("=")
        if not equals:
            arguments.wrong_usage(BadInput("KIND_SET", "--set 应写成 项=值。", found=each))
        changes[field.strip()] = _value(field.strip(), value.strip())
    return changes


def _value(field: str, text: str) -> Any:
    if field == "review_levels":
        return [part.strip() for part in text.split(",") if part.strip()]
    if field == "lost_effects":
        try:
            return json.loads(text) if text else None
        except ValueError:
            arguments.wrong_usage(BadInput("KIND_SET", "lost_effects 应为 JSON。", found=text))
    if field in ("is_open", "photo_required", "photo_printed", "consent_required"):
        if text.lower() not in (*_TRUE, *_FALSE):
            arguments.wrong_usage(BadInput("KIND_SET", f"{field} 应为 true 或 false。", found=text))
        return text.lower() in _TRUE
    if field == "validity_years":
        return int(text) if text.isdecimal() else text
    return (text or None) if field == "coupled_with" else text


def _show(found: list[dict[str, Any]]) -> None:
    for kind in found:
        state = "开放申领" if kind["is_open"] else "已停止申领"
        differs = "、".join(kind["differs_from_file"])
        mark = f"  与随附配置不同：{differs}" if differs else ""
        levels = "、".join(_LEVELS.get(level, level) for level in kind["review_levels"]) or "不审核"
        _line(f"{kind['code']}  {kind['name']}  第 {kind['version']} 版  {state}  审核 {levels}{mark}")


def _show_difference(changed: list[dict[str, str]]) -> None:
    for each in changed:
        _line(f"{each['label']}：{each['before']} → {each['after']}")


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
