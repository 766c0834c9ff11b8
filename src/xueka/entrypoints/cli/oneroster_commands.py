"""OneRoster packages and the registry's REST interface on the command line."""

import contextlib
import mmap
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common, importing
from xueka.kernel.errors import BadInput, Refused

if TYPE_CHECKING:
    from xueka.contexts.registry.api import OneRosterFetch

TRIES = 6  # calls in vain before the command leaves the rest to the worker
PATIENCE = 60  # seconds: a longer pause that the registry asks for is the worker's, too

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="第几次获取（xueka oneroster fetches）。")]

app = typer.Typer(help="OneRoster 1.2 学籍数据包。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """OneRoster 1.2 学籍数据包。"""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="zip 包，或放着各 CSV 文件的文件夹。")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不改动任何数据。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """导入 OneRoster 1.2 包（全量或增量）：新增、更新学生，列出缺失的学生；有问题的行退回，其余照常。"""
    with _content_of(file) as content, common.edge(username) as actor:
        from xueka.contexts.registry import api

        with importing.lines_bar("导入 OneRoster 包") as progress:
            report = api.import_oneroster(actor, content, file.name, dry_run, progress=progress)
    importing.show(report, as_json, extra=lambda: _say_missing(report.as_dict()))


@contextlib.contextmanager
def _content_of(file: Path) -> Iterator[bytes | mmap.mmap | Mapping[str, bytes]]:
    if not file.is_dir():
        with importing.content_of(file) as content:
            yield content
        return
    try:
        yield {each.name: each.read_bytes() for each in sorted(file.glob("*.csv")) if each.is_file()}
    except OSError:
        arguments.wrong_usage(BadInput("FILE_UNREADABLE", f"文件夹无法读取：{file}", action="请核对路径。"))


def _say_missing(said: Mapping[str, object]) -> None:
    if said["deleted"] or said["left_out"] or said["unenrolled"]:
        held = "人数超过上限，须由人逐一确认" if said["held"] else "满期限或经人确认后办理离校"
        sys.stdout.write(
            f"缺失学生：登记方删除 {said['deleted']} 人，全量中没有 {said['left_out']} 人，"
            f"没有在读班级 {said['unenrolled']} 人；{held}。\n"
        )
    if said["returned"]:
        sys.stdout.write(f"缺失后又出现 {said['returned']} 人。\n")


@app.command()
def fetch(
    full: Annotated[bool, typer.Option("--full", help="取全部，不只取变化。")] = False,
    check: Annotated[bool, typer.Option("--check", help="只取来看差异，由人应用。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """从学籍系统获取（REST）：先看差异，没有疑问的随即导入；上次没取完的接着取。"""
    from_before = None
    with common.acting(username) as actor:
        from django.db import transaction

        from xueka.contexts.registry import api

        latest = api.fetches(actor, limit=1)
        if latest and not latest[0].ended_at:
            from_before = latest[0].id
        with transaction.atomic():
            number = from_before or api.ask_fetch(actor, full=full, check_only=check).id
        _walk(number, from_before is not None)
        found = api.fetches(actor, limit=1)[0]
        common.answer(_fetch_as_dict(found), as_json, lambda: _say_fetch(found))
    if not found.run and not (found.waits and check):
        raise typer.Exit(1)


def _walk(number: int, again: bool) -> None:
    """Read until it is over; pauses after a call in vain are waited for, a few times."""
    from xueka.contexts.registry import api
    from xueka.kernel import clock
    from xueka.platform.identity.actor import Actor

    if again:
        sys.stderr.write(f"接着办第 {number} 次获取。\n")
    with common.progress("获取") as advance:
        while True:
            api.advance_fetch(number, say=lambda _: advance(1))
            found = api.fetches(Actor.system("cli"), limit=1)[0]
            pause = (found.next_at - clock.now()).total_seconds() if found.next_at else 1.0
            if found.ended_at or found.waits or found.tries >= TRIES or pause > PATIENCE:
                return
            time.sleep(max(0.0, pause))


@app.command()
def fetches(username: common.As = None, as_json: common.Json = False) -> None:
    """最近的获取：取到哪里、结果如何。"""
    with common.edge(username) as actor:
        from xueka.contexts.registry import api

        found = api.fetches(actor)
        told = {"fetches": [_fetch_as_dict(each) for each in found]}
        common.answer(told, as_json, lambda: _say_fetches(found))


@app.command()
def apply(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """应用一次等人决定的获取：按看过的差异导入。"""
    with common.edge(username) as actor:
        from xueka.contexts.registry import api

        report = api.apply_fetch(actor, number)
    importing.show(report, as_json, extra=lambda: _say_missing(report.as_dict()))


@app.command()
def drop(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """放弃一次没有办完的获取：不导入。"""
    with common.edge(username) as actor:
        from xueka.contexts.registry import api

        api.drop_fetch(actor, number)
    common.answer({"dropped": number}, as_json, lambda: sys.stdout.write(f"第 {number} 次获取已放弃。\n"))


@app.command()
def revert(
    run: Annotated[int, typer.Argument(metavar="RUN", help="导入记录的号码。")],
    do: Annotated[bool, typer.Option("--do", help="真的撤回；没有它只看能恢复多少。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """撤回一次导入：学生恢复成导入前的样子。缺省只预览。"""
    with common.edge(username) as actor:
        from xueka.contexts.registry import api as registry
        from xueka.contexts.schoolyear import api

        done = api.revert_run(actor, run, preview=not do)
        words = "、".join(f"{registry.REVERT_NOTES[code]} {count} 人" for code, count in done.kept.items())

    def human() -> None:
        sys.stdout.write(
            f"{'已撤回' if do else '预览，没有改动数据'}：恢复 {done.restored} 人，"
            f"不动 {done.kept.total()} 人{f'（{words}）' if words else ''}，新建而留下 {done.created} 人，"
            f"收回转学 {done.transfers} 笔，收回缺失 {done.absences} 条。\n"
        )

    common.answer({"run": run, "done": do, **done.as_dict()}, as_json, human)


@app.command()
def absences(
    confirm: Annotated[list[str] | None, typer.Option("--confirm", help="确认这些教育ID的学生离校。")] = None,
    keep: Annotated[list[str] | None, typer.Option("--keep", help="这些教育ID的学生仍在校。")] = None,
    reason: Annotated[str, typer.Option("--reason", help="核实的情况。")] = "",
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """学籍缺失：列出没有了结的；核实后确认离校或仍在校。"""
    with common.edge(username) as actor:
        from xueka.contexts.registry import api

        told: dict[str, Any] = {}
        for verdict, ids in (("confirm", confirm), ("keep", keep)):
            if ids:
                rows = api.absence_rows(actor.scope).filter(student__education_id__in=ids)
                chosen = [row.id for row in rows if api.ABSENCE.allows(verdict, row.state)]
                if len(chosen) != len(set(ids)):
                    raise Refused(
                        "ABSENCE_NOT_FOUND", "有的教育ID没有待核实的缺失记录。", action="请先列出。"
                    )
                told[verdict] = api.decide_absences(actor, chosen, verdict, reason)
        open_ = api.absence_rows(actor.scope).filter(state__in=["missing", "confirmed"])
        told["open"] = [
            {
                "education_id": row.student.education_id,
                "school": row.student.school.code,
                "state": row.state,
                "cause": row.cause,
                "held": row.held,
                "due_on": str(row.due_on),
            }
            for row in open_
        ]
    common.answer(told, as_json, lambda: _say_absences(told))


def _say_absences(told: Mapping[str, Any]) -> None:
    for verdict, word in (("confirm", "确认离校"), ("keep", "仍在校")):
        if verdict in told:
            sys.stdout.write(f"{word}：{told[verdict]} 人。\n")
    words = {"missing": "待核实", "confirmed": "已确认"}
    causes = {"deleted": "登记方已删除", "left_out": "全量中没有", "no_class": "没有在读班级"}
    for row in told["open"]:
        when = "须由人确认" if row["held"] and row["state"] == "missing" else f"满期限 {row['due_on']}"
        sys.stdout.write(
            f"{row['education_id']}  {row['school']}  {words[row['state']]}  {causes[row['cause']]}  {when}\n"
        )
    sys.stdout.write(f"没有了结的缺失 {len(told['open'])} 人。\n")


def _fetch_as_dict(found: "OneRosterFetch") -> dict[str, Any]:
    return {
        "number": found.id,
        "full": found.full,
        "since": found.since,
        "counts": found.counts,
        "started_at": found.started_at,
        "fetched_at": found.fetched_at,
        "ended_at": found.ended_at,
        "waits": found.waits,
        "check_run": found.check_run_id,
        "run": found.run_id,
        "problem": found.problem,
    }


def _say_fetches(found: "list[OneRosterFetch]") -> None:
    for each in found:
        _say_fetch(each)


def _say_fetch(found: "OneRosterFetch") -> None:
    kind = "全量" if found.full else f"增量（{found.since} 以后）"
    counts = "，".join(f"{kind} {count}" for kind, count in found.counts.items())
    if found.run:
        run = found.run
        end = f"已导入（导入 {run.id}）：新增 {run.created}，更新 {run.updated}，"
        end += f"未变 {run.unchanged}，退回 {run.rejected}。"
    elif found.waits:
        end = f"等人决定：{found.problem}差异见导入 {found.check_run_id}；"
        end += f"应用：xueka oneroster apply {found.id}。"
    elif found.ended_at:
        end = f"没有导入：{found.problem}"
    else:
        end = f"正在获取{f'，刚才没有成功：{found.problem}{_next(found)}' if found.problem else ''}"
    sys.stdout.write(f"第 {found.id} 次获取，{kind}；{counts or '还没有取到'}。{end}\n")


def _next(found: "OneRosterFetch") -> str:
    from xueka.kernel import clock

    return f"下一次在 {clock.local(found.next_at):%H:%M:%S}。" if found.next_at else ""
