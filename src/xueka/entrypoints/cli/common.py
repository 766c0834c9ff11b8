"""What every command shares: the database, the actor, the answer, the progress bar."""

import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.kernel.errors import BadInput, Refused

if TYPE_CHECKING:
    from xueka.platform.identity.actor import Actor

Json = Annotated[bool, typer.Option("--json", help="标准输出为且仅为一个 JSON 对象。")]
As = Annotated[
    str | None, typer.Option("--as", metavar="USER[:ROLE]", help="以该用户的身份办理（缺省为操作系统用户）。")
]


@contextlib.contextmanager
def database() -> Iterator[None]:
    """Django is ready and the database up to date inside this block; the embedded server runs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
    from xueka.platform.database import home, server

    if (home.home() / "restoring").exists():
        raise Refused(
            "RESTORE_UNFINISHED",
            "这个数据目录的恢复没有完成，不能使用。",
            found=str(home.home()),
            action="请再次运行 xueka backup restore；它会清除半成品后重新开始。",
        )

    with server.hold():
        import django

        django.setup()
        from xueka.platform.crypto.lost_keys import refuse_if_lost
        from xueka.platform.database import migrate

        migrate.prepare_if_needed()
        refuse_if_lost()
        yield


def without_database() -> None:
    """Django is ready, no server is started: for work that only reads a file."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
    import django

    django.setup()


def content_of(file: Path) -> bytes:
    """What the file holds; an unreadable one is wrong usage."""
    try:
        return file.read_bytes()
    except OSError:
        said = f"文件 {file} 无法读取。"
        show_error(BadInput("FILE_UNREADABLE", said, where=str(file), action="请核对文件名。").as_dict())
        raise typer.Exit(2) from None


@contextlib.contextmanager
def edge(username: str | None = None) -> "Iterator[Actor]":
    """The transaction of one command: what it does is committed together, then the audit log is sealed.

    `username` is the value of `--as`; without it the operating-system user acts as `cli:NAME`.
    """
    with acting(username) as actor:
        from django.db import transaction

        with transaction.atomic():
            yield actor


@contextlib.contextmanager
def acting(username: str | None = None) -> "Iterator[Actor]":
    """The same without a transaction, for what speaks with a counterpart between its own ones."""
    with database():
        from xueka.platform.audit import chain
        from xueka.platform.identity import accounts
        from xueka.platform.identity.actor import Actor

        yield accounts.actor_for(username) if username else Actor.command_line(operating_system_user())
        chain.seal()


def operating_system_user() -> str:
    """The name of whoever runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return str(os.getuid())


def answer(result: Mapping[str, Any], as_json: bool, human: Callable[[], object] | None = None) -> None:
    """Print the result: one JSON object, or what `human` prints, or `key: value` lines."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, default=str) + "\n")
    elif human is not None:
        human()
    else:
        for key, value in result.items():
            sys.stdout.write(f"{key}: {value}\n")


def show_error(error: Mapping[str, Any]) -> None:
    """A refusal: `{"error": {…}}` on standard output under --json, else lines on standard error."""
    if "--json" in sys.argv:
        answer({"error": dict(error)}, as_json=True)
        return
    labels = {"where": "位置", "found": "实际", "expected": "应为", "action": "处理"}
    lines = [f"{error['message']}（{error['code']}）"]
    lines += [f"  {label}：{error[key]}" for key, label in labels.items() if key in error]
    problems = error.get("detail", {}).get("problems") or []
    if len(problems) > 1:
        lines += [f"  · {_problem(each)}" for each in problems]
    sys.stderr.write("\n".join(lines) + "\n")


def _problem(found: Any) -> str:
    return f"{found['where']}：{found['message']}" if isinstance(found, Mapping) else str(found)


@contextlib.contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, where that is a terminal; call the value with the steps just done."""
    if not sys.stderr.isatty():
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)
