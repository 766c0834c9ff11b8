"""`xueka keys`: the register, changes under two people, ceremonies, rotation, and what verifies them."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput, Refused

if TYPE_CHECKING:
    from xueka.contexts.keys.api import Asker, KeyChange, Plan

app = typer.Typer(help="密钥管理。", no_args_is_help=True)

Label = Annotated[str, typer.Argument(metavar="LABEL", help="密钥名称，例如 education.adf.internal。")]
Reason = Annotated[str, typer.Option("--reason", help="原因。")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="变更编号，例如 MY26-0001。")]


@app.command("list")
def list_(username: common.As = None, as_json: common.Json = False) -> None:
    """全部密钥、版本、状态和校验值。"""
    with common.edge(username) as actor:
        from xueka.contexts.keys import api as keys

        actor.require("city:key:read")
        keys.note_platform_keys(actor)
        used = keys.uses_by_version(actor.scope)
        result: dict[str, Any] = {
            "keys": [
                {
                    "label": key.label,
                    "title": key.title,
                    "level": key.level,
                    "kind": key.kind,
                    "algorithm": key.algorithm,
                    "usages": key.usages,
                    "parent": key.parent.label if key.parent else None,
                    "source": key.source.label if key.source else None,
                    "factor": key.factor or None,
                    "held": key.held,
                    "drill": key.drill,
                    "owner": key.owner or None,
                    "place": key.place or None,
                    "versions": [
                        {
                            "version": each.number,
                            "state": each.state,
                            "kcv": each.kcv,
                            "store": each.store,
                            "origin": each.origin,
                            "wrapped_by": str(each.wrapped_by) if each.wrapped_by else None,
                            "derived_from": str(each.derived_from) if each.derived_from else None,
                            "uses": used.get(each.pk, (0, 0))[0],
                            "cards": used.get(each.pk, (0, 0))[1],
                        }
                        for each in key.versions.all()
                    ],
                }
                for key in keys.keys(actor.scope)
            ]
        }
        states = {state.code: state.label for state in keys.KEY_VERSION.states}
    common.answer(result, as_json, lambda: _show(result, states))


@app.command()
def ceremony(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="复核过的仪式文件（TOML 或 JSON）。")],
    check: Annotated[bool, typer.Option("--check", help="只核对文件，不举行。")] = False,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="演练的答案（JSON）；正式仪式不接受。")
    ] = None,
    sheets: Annotated[
        Path | None,
        typer.Option("--sheets", metavar="DIR", help="份额写成 PDF 放在这里，缺省只在屏幕上显示。"),
    ] = None,
    as_json: common.Json = False,
) -> None:
    """按复核过的文件举行密钥仪式；记录进入审计链，可用 keys verify 复查。"""
    text = arguments.read(_text, file)
    with common.edge() as _:
        from xueka.contexts.keys import api as keys

        plan = keys.read_plan(text)
        keys.check_plan(plan)
        if check:
            held = None
        else:
            leader, reviewer = keys.people_of(plan)
            asker = _asker(plan, answers, sheets)
            # Codes of the second factor cannot be written down beforehand; a drill's answers go without.
            proof = keys.by_code if answers is None else lambda person, code: True
            held = keys.hold_ceremony(leader, reviewer, plan, asker, proof)
    result: dict[str, Any] = {"title": plan.title, "keys": [each.label for each in plan.keys]}
    if held is not None:
        result |= {
            "ceremony": held.number,
            "plan_digest": held.plan_digest,
            "transcript_digest": held.transcript_digest,
            "transcript": held.transcript,
        }
    words = f"{held.number} 已完成。" if held else f"文件无误：{len(plan.keys)} 个密钥。"
    common.answer(result, as_json, lambda: typer.echo(words))


@app.command()
def rotate(
    label: Label, reason: Reason = "定期轮换", username: common.As = None, as_json: common.Json = False
) -> None:
    """申请轮换：第二人确认后新版本启用，旧版本仅验证。"""
    _ask("rotate", label, reason, {}, username, as_json)


@app.command()
def ask(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="generate、activate、retire、destroy 等。")],
    label: Label,
    reason: Reason,
    param: Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="可重复。")] = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """申请一项密钥变更，等第二人确认。"""
    params: dict[str, Any] = {}
    for each in param or ():
        name, equals, value = each.partition("=")
        if not equals:
            arguments.wrong_usage(
                BadInput("PARAM_FORM", "参数的写法不对。", found=each, expected="NAME=VALUE")
            )
        params[name] = value.split(",") if name == "usages" else value
    _ask(kind, label, reason, params, username, as_json)


@app.command()
def confirm(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """第二人确认，变更随即执行。"""
    with common.edge(username) as actor:
        from xueka.contexts.keys import api as keys

        done = keys.confirm(actor, number)
    common.answer(_change(done), as_json, lambda: typer.echo(f"{done.number} 已执行。"))


@app.command()
def refuse(number: Number, reason: Reason, username: common.As = None, as_json: common.Json = False) -> None:
    """第二人退回。"""
    with common.edge(username) as actor:
        from xueka.contexts.keys import api as keys

        done = keys.refuse(actor, number, reason)
    common.answer(_change(done), as_json, lambda: typer.echo(f"{done.number} 已退回。"))


@app.command()
def changes(username: common.As = None, as_json: common.Json = False) -> None:
    """密钥变更，新的在前；待确认的标出。"""
    with common.edge(username) as actor:
        from xueka.contexts.keys import api as keys

        actor.require("city:key:read")
        found = [_change(each) for each in keys.changes(actor.scope)[:1000]]
        states = {state.code: state.label for state in keys.KEY_CHANGE.states}
    lines = [
        f"{row['number']}  {states[row['state']]}  {keys.CHANGE_KINDS[row['kind']].label}  {row['label']}"
        for row in found
    ]
    common.answer({"changes": found}, as_json, lambda: typer.echo("\n".join(lines) or "没有变更。"))


@app.command()
def rewrap(as_json: common.Json = False) -> None:
    """把轮换后还没有做完的重新加密做完；可随时中断再来。"""
    with common.database():
        from xueka.contexts.keys import api as keys
        from xueka.platform.audit import chain
        from xueka.platform.identity.actor import Actor

        actor = Actor.command_line(common.operating_system_user())
        done = {"blocks": keys.finish_rewrapping(actor), "rows": keys.finish_fields(actor)}
        chain.seal()
    words = f"重新加密了 {done['blocks']} 个密钥块、{done['rows']} 条加密数据。"
    common.answer(done, as_json, lambda: typer.echo(words))


@app.command()
def verify(username: common.As = None, as_json: common.Json = False) -> None:
    """核对全部仪式记录，打开每个密钥块比对校验值；有不符时退出码为 1。"""
    with common.edge(username) as actor:
        from xueka.contexts.keys import api as keys

        keys.note_platform_keys(actor)
        found = keys.verify(actor)
    result = {
        "keys": found.keys,
        "ceremonies": found.ceremonies,
        "locked": found.locked,
        "findings": [each.as_dict() for each in found.findings],
    }
    lines = [f"{found.keys} 个密钥版本、{found.ceremonies} 次仪式，{len(found.findings)} 处不符。"]
    lines += [f"  {each.what}  {each.message}" for each in found.findings]
    lines += [f"  密钥库 {name} 没有打开，其中的密钥没有核对。" for name in found.locked]
    common.answer(result, as_json, lambda: typer.echo("\n".join(lines)))
    if found.findings:
        raise typer.Exit(1)


@app.command("open")
def open_(
    share: Annotated[
        list[Path] | None, typer.Option("--share", metavar="FILE", help="一份份额；可重复。")
    ] = None,
    drill: Annotated[bool, typer.Option("--drill", help="演练库。")] = False,
    as_json: common.Json = False,
) -> None:
    """机器重启后打开密钥库：保管人逐位输入份额。"""
    with common.edge() as actor:
        from xueka.contexts.keys import api as keys

        words = [arguments.read(_text, each) for each in share or ()] or _typed_shares()
        keys.open_store(actor, words, drill=drill)
    common.answer({"open": True}, as_json, lambda: typer.echo("密钥库已打开。"))


@app.command("close")
def close(
    drill: Annotated[bool, typer.Option("--drill", help="演练库。")] = False, as_json: common.Json = False
) -> None:
    """关闭密钥库：此后不能制卡，直到再次打开。"""
    with common.edge() as actor:
        from xueka.contexts.keys import api as keys

        keys.close_store(actor, drill=drill)
    common.answer({"open": False}, as_json, lambda: typer.echo("密钥库已关闭。"))


def _ask(
    kind: str, label: str, reason: str, params: dict[str, Any], username: str | None, as_json: bool
) -> None:
    with common.edge(username) as actor:
        from xueka.contexts.keys import api as keys

        asked = keys.ask(actor, kind, label, reason, params)
    words = f"{asked.number} 已申请，请另一位密钥保管人运行 xueka keys confirm {asked.number}。"
    common.answer(_change(asked), as_json, lambda: typer.echo(words))


def _change(found: "KeyChange") -> dict[str, Any]:
    return {
        "number": found.number,
        "kind": found.kind,
        "label": found.label,
        "state": found.state,
        "reason": found.reason,
        "asked_by": found.asked_by,
        "decided_by": found.decided_by or None,
        "result": found.result,
    }


def _asker(plan: "Plan", answers: Path | None, sheets: Path | None) -> "Asker":
    from xueka.entrypoints.cli import ceremony_room

    if answers is None:
        if not sys.stdin.isatty():
            raise Refused(
                "CEREMONY_TERMINAL",
                "仪式须在终端前举行。",
                action="请在终端运行；演练可用 --answers 给出答案。",
            )
        return ceremony_room.Terminal(plan, sheets)
    if not plan.drill:
        raise Refused(
            "CEREMONY_ANSWERS", "正式仪式不接受答案文件，每个人须亲自输入。", action="请去掉 --answers。"
        )
    return ceremony_room.Answers(arguments.read(_text, answers))


def _typed_shares() -> list[str]:
    found: list[str] = []
    while len(found) < 16:
        words = typer.prompt(
            f"第 {len(found) + 1} 份（直接回车结束）", default="", hide_input=True, show_default=False
        )
        if not words.strip():
            break
        found.append(words)
    return found


def _text(file: Path) -> str:
    with _readable(file):
        return file.read_text("utf-8")


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            "FILE_UNREADABLE", "文件无法读取。", found=str(file), action="请核对文件名和权限。"
        ) from None


def _show(result: dict[str, Any], states: dict[str, str]) -> None:
    lines = []
    for key in result["keys"]:
        where = f"由{key['owner']}持有" if not key["held"] else key["parent"] or ""
        lines.append(f"{key['label']:<32} {key['title']}  {key['algorithm']}  {where}")
        lines += [
            f"    第 {each['version']} 版  {states[each['state']]}  校验值 {each['kcv']}  {each['uses']} 次"
            for each in key["versions"]
        ]
    sys.stdout.write("\n".join(lines or ["还没有密钥。"]) + "\n")
