"""Partners on the command line: entered, looked at, cut off, given a secret. Grants are on the pages."""

import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import common

if TYPE_CHECKING:
    from xueka.contexts.multiapp.api import FreshCredential, Unit
    from xueka.platform.identity.actor import Actor

app = typer.Typer(help="合作单位：登记、停用、接口密码。", no_args_is_help=True)

Code = Annotated[str, typer.Argument(metavar="CODE", help="单位编号，例如 DW0001。")]
Day = typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")


@app.command("list")
def list_units(
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="单位名称的一部分。")] = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """合作单位，按编号排列。"""
    with common.edge(username) as actor:
        from xueka.contexts.multiapp import api

        actor.require("city:unit:read")
        found = [_row(unit) for unit in api.units(actor.scope).filter(name__icontains=search)]

    def human() -> None:
        for row in found:
            sys.stdout.write(f"{row['code']}  {row['name']}  {row['kind_name']}  {row['state_name']}")
            sys.stdout.write(f"  合同到 {row['contract_until']}\n")

    common.answer({"partners": found}, as_json, human)


@app.command()
def show(code: Code, username: common.As = None, as_json: common.Json = False) -> None:
    """一家单位：学校、联系人（遮盖）、授权、凭证、最近的调用。"""
    with common.edge(username) as actor:
        found = _whole(actor, code)

    def human() -> None:
        schools = "全市" if found["whole_city"] else "、".join(found["schools"])
        lines = [
            f"{found['code']}  {found['name']}  {found['kind_name']}  {found['state_name']}",
            f"  用途：{found['purpose']}",
            f"  合同：{found['contract']}，{found['contract_from']} 至 {found['contract_until']}",
            f"  学校：{schools}",
            *(f"  联系人：{each['name']}  {each['phone']}" for each in found["contacts"]),
            *(
                f"  授权：{each['number']}  {each['directory']}  {each['size']} 字节  {each['state_name']}"
                for each in found["grants"]
            ),
            *(
                f"  凭证：{each['key_id']}  {each['state_name']}  有效到 {each['expires_at'][:10]}"
                for each in found["credentials"]
            ),
            *(
                f"  调用：{each['day']}  {each['calls']} 次，被拒 {each['refused']}"
                for each in found["calls"]
            ),
        ]
        sys.stdout.write("\n".join(lines) + "\n")

    common.answer(found, as_json, human)


@app.command()
def add(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="单位名称。")],
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="用途，例如食堂消费。")],
    contract: Annotated[str, typer.Option("--contract", metavar="NUMBER", help="合同编号。")],
    contract_from: Annotated[datetime, Day],
    contract_until: Annotated[datetime, Day],
    contact: Annotated[str, typer.Option("--contact", metavar="NAME", help="联系人姓名。")],
    phone: Annotated[str, typer.Option("--phone", metavar="NUMBER", help="联系电话。")],
    duty: Annotated[str, typer.Option("--duty", metavar="TEXT", help="联系人的职务。")] = "",
    email: Annotated[str, typer.Option("--email", metavar="ADDRESS", help="联系人的邮箱。")] = "",
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="vendor 校园一卡通厂商，application 应用单位。")
    ] = "vendor",
    school: Annotated[
        list[str] | None, typer.Option("--school", metavar="CODE", help="服务的学校标识码，可写多次。")
    ] = None,
    whole_city: Annotated[bool, typer.Option("--whole-city", help="面向全市（仅限应用单位）。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """登记一家单位；授权和接口凭证另办。"""
    people = [{"name": contact, "duty": duty, "phone": phone, "email": email}]
    with common.edge(username) as actor:
        from xueka.contexts.multiapp import api

        made = api.add_unit(
            actor,
            name=name,
            kind=kind,
            purpose=purpose,
            contract=contract,
            contract_from=contract_from.date(),
            contract_until=contract_until.date(),
            contacts=people,
            schools=school or (),
            whole_city=whole_city,
        )
        found = _row(made)
    common.answer(found, as_json, lambda: _say(f"{made.name} 已登记，编号 {made.code}。"))


@app.command()
def block(
    code: Code,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="原因，记入审计。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """立即停用：吊销全部凭证，暂停全部有效的授权。"""
    with common.edge(username) as actor:
        from xueka.contexts.multiapp import api

        done = api.block_unit(actor, code.upper(), reason)
    told = {"code": done.unit.code, "credentials": done.credentials, "grants": done.grants}
    said = f"{done.unit.name} 已停用：吊销 {len(done.credentials)} 个凭证，暂停 {len(done.grants)} 项授权。"
    common.answer(told, as_json, lambda: _say(said))


@app.command("open")
def open_(
    code: Code,
    per_minute: Annotated[
        int | None, typer.Option("--per-minute", min=1, max=60_000, help="每分钟最多次数。")
    ] = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """开通接口：凭证号和密码只显示这一次。"""
    with common.edge(username) as actor:
        from xueka.contexts.multiapp import api

        limit = api.PER_MINUTE if per_minute is None else per_minute
        fresh = api.make_credential(actor, code.upper(), list(api.SCOPES), limit)
    _shown_once(fresh, as_json)


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="使用中的凭证号，见 partner show。")],
    overlap: Annotated[int | None, typer.Option("--overlap", min=0, max=90, help="新旧并用的天数。")] = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """换发密码，只显示这一次；旧的到并用期满自动失效。"""
    with common.edge(username) as actor:
        from xueka.contexts.multiapp import api

        days = api.OVERLAP_DAYS if overlap is None else overlap
        fresh = api.rotate_credential(actor, key_id.upper(), days)
    _shown_once(fresh, as_json)


def _shown_once(fresh: "FreshCredential", as_json: bool) -> None:
    made = fresh.credential
    told = {"key_id": made.key_id, "secret": fresh.secret, "expires_at": made.expires_at.isoformat()}
    said = f"凭证号：{made.key_id}\n密码：{fresh.secret}\n只显示这一次，请当面或用加密方式交给对方。"
    common.answer(told, as_json, lambda: _say(said))


def _whole(actor: "Actor", code: str) -> dict[str, Any]:
    from xueka.contexts.multiapp import api

    actor.require("city:unit:read")
    unit = api.unit(actor.scope, code)
    return _row(unit) | {
        "schools": [place.school.code for place in unit.places.order_by("school__code")],
        "contacts": api.contacts_of(unit),
        "grants": [
            {
                "number": each.number,
                "directory": each.area.title,
                "size": each.size,
                "valid_from": each.valid_from,
                "valid_until": each.valid_until,
                "state": each.state,
                "state_name": api.CARD_GRANT.state(each.state).label,
            }
            for each in api.grants(actor.scope).filter(unit=unit)
        ],
        "credentials": [
            {
                "key_id": each.key_id,
                "scopes": each.scopes,
                "per_minute": each.per_minute,
                "expires_at": each.expires_at.isoformat(),
                "state": each.state,
                "state_name": api.CREDENTIAL.state(each.state).label,
            }
            for each in api.credentials(actor.scope).filter(unit=unit)
        ],
        "calls": [
            {"day": day, "calls": calls, "refused": refused}
            for day, calls, refused in api.calls_by_day(actor.scope, unit)
        ],
    }


def _row(unit: "Unit") -> dict[str, Any]:
    from xueka.contexts.multiapp import api

    return {
        "code": unit.code,
        "name": unit.name,
        "kind": unit.kind,
        "kind_name": api.UNIT_KINDS[unit.kind],
        "purpose": unit.purpose,
        "state": unit.state,
        "state_name": api.UNIT.state(unit.state).label,
        "contract": unit.contract,
        "contract_from": _day(unit.contract_from),
        "contract_until": _day(unit.contract_until),
        "whole_city": unit.whole_city,
    }


def _day(day: date) -> str:
    return day.isoformat()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
