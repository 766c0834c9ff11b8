"""Users and their roles on the command line."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import common

if TYPE_CHECKING:
    from xueka.platform.identity.models import User

app = typer.Typer(help="用户与角色。", no_args_is_help=True)

Username = Annotated[str, typer.Argument(metavar="USERNAME", help="用户名。")]
Role = Annotated[str, typer.Option("--role", metavar="ROLE", help="角色，例如 school_officer。")]
District = Annotated[str, typer.Option("--district", metavar="CODE", help="区代码（区级、校级角色）。")]
School = Annotated[str, typer.Option("--school", metavar="CODE", help="学校标识码（校级角色）。")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="原因，记入审计。")]


@app.command()
def create(
    login: Username,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="使用者本人的姓名。")],
    role: Role,
    district: District = "",
    school: School = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """开立账号；初始密码只显示这一次，首次登录须修改。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import services

        user, password = services.create_user(actor, login, name, role, district=district, school=school)
        found = _row(user)
    common.answer(
        {**found, "initial_password": password}, as_json, lambda: _say(f"{login} 的初始密码：{password}")
    )


@app.command("list")
def list_users(
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="用户名开头或姓名的一部分。")] = "",
    after: Annotated[str, typer.Option("--after", metavar="USERNAME", help="从这个用户名之后列起。")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="最多列几个。")] = 100,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """账号及其角色，按用户名排列。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import accounts, services

        actor.require(services.MANAGE)
        found = [_row(user) for user in accounts.users(actor.scope, search=search, after=after, limit=limit)]
    common.answer({"users": found}, as_json, lambda: _lines(found))


@app.command()
def grant(
    login: Username,
    role: Role,
    district: District = "",
    school: School = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """授予角色。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import accounts, services

        services.grant(actor, login, role, district=district, school=school)
        found = _row(accounts.find(login))
    common.answer(found, as_json, lambda: _lines([found]))


@app.command()
def revoke(
    login: Username,
    grant_id: Annotated[int, typer.Argument(metavar="GRANT", help="授权的编号，见 users list。")],
    reason: Reason = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """收回角色，立即生效。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import accounts, services

        services.revoke(actor, login, grant_id, reason)
        found = _row(accounts.find(login))
    common.answer(found, as_json, lambda: _lines([found]))


@app.command()
def deactivate(
    login: Username, reason: Reason = "", username: common.As = None, as_json: common.Json = False
) -> None:
    """停用账号，立即生效。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import services

        found = _row(services.deactivate(actor, login, reason))
    common.answer(found, as_json, lambda: _lines([found]))


@app.command()
def reactivate(
    login: Username, reason: Reason = "", username: common.As = None, as_json: common.Json = False
) -> None:
    """恢复停用的账号。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import services

        found = _row(services.reactivate(actor, login, reason))
    common.answer(found, as_json, lambda: _lines([found]))


@app.command("reset-password")
def reset_password(login: Username, username: common.As = None, as_json: common.Json = False) -> None:
    """换一个初始密码，只显示这一次；原来的登录立即失效。"""
    with common.edge(username) as actor:
        from xueka.platform.identity import services

        password = services.reset_password(actor, login)
    common.answer(
        {"username": login, "initial_password": password},
        as_json,
        lambda: _say(f"{login} 的初始密码：{password}"),
    )


def _row(user: "User") -> dict[str, Any]:
    from xueka.platform.identity import accounts

    return {
        "username": user.username,
        "name": user.name,
        "active": user.is_active,
        "must_change_password": user.must_change_password,
        "grants": [
            {"id": grant.pk, "role": grant.role, "scope": str(grant.scope)}
            for grant in accounts.open_grants(user)
        ],
    }


def _lines(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        roles = "、".join(f"{grant['role']}@{grant['scope']}（{grant['id']}）" for grant in row["grants"])
        state = "" if row["active"] else "  已停用"
        _say(f"{row['username']:<20} {row['name']}  {roles or '无角色'}{state}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
