"""The card bureau as a partner: our keys for it, its keys for us, entered and confirmed by two people."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="卡厂：密钥与连接。", no_args_is_help=True)


@app.command()
def keys(
    folder: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="另存为交给卡厂的文件。")] = None,
    as_json: common.Json = False,
) -> None:
    """我方的公钥和指纹，交给卡厂登记。"""
    with common.database():
        from xueka.contexts.production import api as production

        found = production.public_keys()
        if folder is not None:
            production.write_city_keys(folder)
    common.answer(found.as_dict(), as_json)


@app.command()
def register(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="卡厂提供的 partner.json。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """录入卡厂的地址和公钥；须由另一人确认后启用。"""
    entry = _read(file)
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        partner = production.register_partner(actor, **entry)
    _answer(partner, as_json)


@app.command()
def confirm(
    code: Annotated[str, typer.Argument(metavar="CODE", help="卡厂代码。")],
    signing: Annotated[str, typer.Option("--signing", metavar="HEX", help="电话中听到的签名公钥指纹。")],
    encryption: Annotated[str, typer.Option("--encryption", metavar="HEX", help="加密公钥指纹。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """第二人核对指纹并启用卡厂。"""
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        partner = production.confirm_partner(actor, code, signing, encryption)
    _answer(partner, as_json)


@app.command("card-keys")
def card_keys(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="卡种代码。")],
    plan: Annotated[
        Path | None,
        typer.Option("--set", metavar="FILE", help="录入另一种交付方式（JSON，见接口文档第 15 节）。"),
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--confirm", metavar="HEX", help="第二人确认：录入内容的摘要，至少 8 位。")
    ] = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """卡密钥怎样交给卡厂：查看、录入、由第二人确认。"""
    given = _plan(plan) if plan else None
    with common.edge(username) as actor:
        from xueka.contexts.production import api as production

        if given is not None:
            production.enter_delivery(actor, kind, given)
        if digest is not None:
            production.confirm_delivery(actor, kind, digest)
        found = production.delivery(kind)
        waiting = found.waiting
        shown = {
            "kind": kind,
            "in_force": found.plan.as_dict(),
            "waiting": {"plan": waiting.plan, "digest": waiting.digest, "entered_by": waiting.entered_by}
            if waiting
            else None,
        }
        lines = [f"{kind}：{production.KEY_WAYS[found.plan.way]}"]
        lines += [f"  {each.label}（{each.factor}）" for each in found.plan.masters]
        if waiting:
            told = json.dumps(waiting.plan, ensure_ascii=False, indent=2)
            lines += [f"待另一人确认，由 {waiting.entered_by} 录入，摘要 {waiting.digest}：", told]
    common.answer(shown, as_json, lambda: sys.stdout.write("\n".join(lines) + "\n"))


def _plan(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        arguments.wrong_usage(
            BadInput(
                "KEY_PLAN_FILE",
                f"{file} 不是可读的 JSON 文件。",
                where=str(error),
                expected="卡厂接口文档第 15 节的 way、transport、reference、masters",
                action="请改正后再试。",
            )
        )


_FIELDS = ("code", "name", "host", "port", "username", "host_key", "signing_key", "encryption_key")


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
        return {name: found[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        arguments.wrong_usage(
            BadInput(
                "PARTNER_FILE",
                f"{file} 不是完整的卡厂登记文件。",
                where=str(error),
                expected="、".join(_FIELDS),
                action="请向卡厂索取。",
            )
        )


def _answer(partner: Any, as_json: bool) -> None:
    shown = {
        "code": partner.code,
        "signing_fingerprint": partner.signing_fingerprint,
        "encryption_fingerprint": partner.encryption_fingerprint,
        "confirmed": bool(partner.confirmed_by),
    }
    common.answer(shown, as_json, lambda: sys.stdout.write(_text(shown)))


def _text(shown: dict[str, Any]) -> str:
    state = "已启用" if shown["confirmed"] else "待另一人确认"
    signing, encryption = shown["signing_fingerprint"], shown["encryption_fingerprint"]
    return f"{shown['code']}：{state}\n签名 {signing}\n加密 {encryption}\n"
