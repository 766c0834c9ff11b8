"""`xueka backup`: making, listing, checking, restoring and trying out sealed backups."""

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused, XuekaError

app = typer.Typer(help="备份、恢复与演练。", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="备份文件（.xkb）。")]
Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="存有口令的文件，一行。")
]
Shares = Annotated[
    list[Path] | None, typer.Option("--share", metavar="FILE", help="一位保管人的份额文件；可重复。")
]
To = Annotated[Path | None, typer.Option("--to", metavar="DIR", help="放在这个目录（缺省为备份目录）。")]


@app.command()
def create(
    to: To = None,
    passphrase: Passphrase = None,
    custodians: Annotated[bool, typer.Option("--custodians", help="封存给已设立的保管人。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """在系统运行时做一份备份；一个时刻的全部数据和读懂它所需的密钥，整体封存。"""
    with common.database(), common.progress("备份") as advance:
        who = _responsible(username)
        from xueka.platform.audit import chain
        from xueka.platform.backup import configuration, making, seals, services

        if passphrase:
            wrap = seals.by_passphrase(arguments.read(configuration.read_passphrase, passphrase))
        elif custodians:
            if (custody := seals.read_custody(configuration.custody_file())) is None:
                raise Refused(
                    "CUSTODY_NONE", "还没有设立保管人。", action="请先运行 xueka backup custodians。"
                )
            wrap = seals.by_custody(custody)
        else:
            wrap = configuration.standing_seal()
        run = services.begin(who, "backup")
        try:
            made = making.create(wrap, folder=to, progress=_stepping(advance))
        except BaseException as error:
            services.finish(who, run, error=_told(error))
            chain.seal()
            raise
        run.file_name, run.size = made.path.name, made.size
        run.detail = {"tables": made.manifest["tables"]}
        services.finish(who, run)
        chain.seal()
    result = {
        "file": str(made.path),
        "size": made.size,
        "made_at": made.manifest["made_at"],
        "rows": sum(made.manifest["tables"].values()),
        "tables": made.manifest["tables"],
    }
    common.answer(
        result, as_json, lambda: typer.echo(f"{made.path}（{made.size:,} 字节，{result['rows']:,} 行）")
    )


@app.command("list")
def listing(to: To = None, as_json: common.Json = False) -> None:
    """列出备份文件，新的在前；不需要口令。"""
    from xueka.platform.backup import configuration

    folder = to or configuration.folder()
    with common.database():
        from xueka.platform.backup import services

        found = [
            {
                "file": str(each.path),
                "made_at": each.made_at.isoformat(),
                "size": each.size,
                "scheduled": each.scheduled,
                "sealed_to": each.seal,
                "custodians": list(each.custodians),
            }
            for each in services.stored(folder)
        ]
    lines = []
    for each in found:
        made_at = clock.local(datetime.fromisoformat(str(each["made_at"])))
        lines.append(f"{made_at:%Y-%m-%d %H:%M:%S}  {each['size']:>14,}  {each['file']}")
    common.answer(
        {"backups": found}, as_json, lambda: typer.echo("\n".join(lines) or f"{folder} 里没有备份。")
    )


@app.command()
def check(
    file: File, passphrase: Passphrase = None, share: Shares = None, as_json: common.Json = False
) -> None:
    """从头到尾读一遍备份，不恢复：完整、未被改动、口令正确。"""
    from xueka.platform.backup import restoring

    found = restoring.check(file, _unlock(passphrase, share))
    tables = found.manifest["tables"]
    result = {"made_at": found.manifest["made_at"], "rows": sum(tables.values()), "tables": tables}
    result |= {"files": len(found.files), "audit_head": found.manifest["audit_head"]}
    words = f"完好：{result['made_at']}，{result['rows']:,} 行，{result['files']} 个文件。"
    common.answer(result, as_json, lambda: typer.echo(words))


@app.command()
def restore(
    file: File, passphrase: Passphrase = None, share: Shares = None, as_json: common.Json = False
) -> None:
    """恢复到空的数据目录（XUEKA_HOME），最后核对全部不变量；有违反时退出码为 1。"""
    from xueka.platform.backup import restoring

    began = time.monotonic()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
    restored = restoring.restore(file, _unlock(passphrase, share), _finish, _say)
    with common.database():
        from xueka.contexts.operations import api as operations

        _say("核对不变量……")
        results = operations.verify()
    violated = [each.title for each in results if each.violated]
    result = {
        "made_at": restored.made_at,
        "rows": sum(restored.tables.values()),
        "tables": restored.tables,
        "files": restored.files,
        "invariants": [each.as_dict() for each in results],
        "seconds": round(time.monotonic() - began, 1),
    }
    words = (
        f"已恢复到 {restored.made_at}：{result['rows']:,} 行，"
        f"核对 {len(results)} 项，违反 {len(violated)} 项。"
    )
    common.answer(result, as_json, lambda: typer.echo("\n".join([words, *violated])))
    if violated:
        raise typer.Exit(1)


@app.command()
def drill(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="缺省为最新的一份。")] = None,
    passphrase: Passphrase = None,
    share: Shares = None,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """恢复演练：恢复到临时的空目录，核对，比较行数，再清除；结果记录在案。"""
    options = [f"--passphrase-file={passphrase.absolute()}"] if passphrase else []
    options += [f"--share={each.absolute()}" for each in share or ()]
    with common.database():
        who = _responsible(username)
        from xueka.platform.audit import chain
        from xueka.platform.backup import drill as drilling
        from xueka.platform.backup import services

        run = services.begin(who, "drill")
        try:
            done = drilling.run(file, options) if file else drilling.newest(options)
        except BaseException as error:
            services.finish(who, run, error=_told(error))
            chain.seal()
            raise
        run.file_name, run.size, run.detail = done.file_name, done.size, done.as_dict()
        services.finish(who, run)
        chain.seal()
    words = (
        f"演练通过：{done.file_name}，{sum(done.tables.values()):,} 行相符，"
        f"{done.invariants} 项核对无违反，{done.seconds} 秒。"
    )
    common.answer(done.as_dict(), as_json, lambda: typer.echo(words))


@app.command()
def custodians(
    names: Annotated[list[str], typer.Option("--name", help="一位保管人的姓名；可重复。")],
    threshold: Annotated[int, typer.Option("--threshold", help="几位到场才能打开。")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="份额写到这里，每人一份。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """设立保管人：此后的备份只有其中几位到场才能打开；本机不留私钥。"""
    with common.edge(username) as who:
        from xueka.platform.backup import custody

        who.require("city:backup:run")
        files = custody.set_up(who, threshold, names, to)
    result = {"threshold": threshold, "names": names, "files": [str(file) for file in files]}
    words = (
        f"已设立 {len(names)} 位保管人，{threshold} 位到场可打开。请把 {to} 中的份额当面交给各人，然后删除。"
    )
    common.answer(result, as_json, lambda: typer.echo(words))


@app.command()
def keep() -> None:
    """备份进程：按时备份、按规则清理、办理网页上的请求；serve 会启动它。"""
    with common.database():
        from xueka.platform.backup import keeper

        keeper.keep()


def _told(error: BaseException) -> str:
    """What the record of a run says of its failure; pages show it."""
    if isinstance(error, XuekaError):
        return " ".join(filter(None, [error.message, str(error.found or ""), error.action]))
    return "没有做完就停止了。" if isinstance(error, KeyboardInterrupt) else "系统出错。"


def _responsible(username: str | None) -> Any:
    """Who acts; she must be allowed to. Long work is recorded by short transactions of its own."""
    with common.edge(username) as who:
        who.require("city:backup:run")
    return who


def _unlock(passphrase: Path | None, shares: list[Path] | None) -> Callable[[dict[str, Any]], bytes]:
    from xueka.platform.backup import configuration, seals

    if shares:
        return seals.with_shares([arguments.read(configuration.read_passphrase, each) for each in shares])
    if passphrase is None and "XUEKA_BACKUP_PASSPHRASE_FILE" in os.environ:
        passphrase = configuration.passphrase_file()
    if passphrase is None and sys.stdin.isatty():
        return seals.with_passphrase(typer.prompt("备份口令", hide_input=True))
    if passphrase is None:
        arguments.wrong_usage(
            BadInput(
                "BACKUP_SECRET_MISSING",
                "没有给出打开备份的口令或份额。",
                expected="--passphrase-file FILE、环境变量 XUEKA_BACKUP_PASSPHRASE_FILE，或几个 --share FILE",
                action="请补上后再运行。",
            )
        )
    return seals.with_passphrase(arguments.read(configuration.read_passphrase, passphrase))


def _finish(made_at: str) -> None:
    """After the rows are back: Django, migrations of a newer program, a record of the restore."""
    import django

    django.setup()
    from xueka.platform.backup import after_restore

    after_restore.settle(common.operating_system_user(), made_at)


def _stepping(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    before = 0

    def step(done: int, total: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return step


def _say(line: str) -> None:
    sys.stderr.write(f"xueka: {line}\n")
    sys.stderr.flush()
