"""The school year on the command line: jobs made, tried, agreed, carried out, taken back."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xueka.entrypoints.cli import common

if TYPE_CHECKING:
    from xueka.contexts.schoolyear.api import Job

app = typer.Typer(help="学年：升级、毕业、学校合并、撤销、更名。", no_args_is_help=True)

Dry = Annotated[bool, typer.Option("--dry-run", help="只算预览，不留下任何东西。")]
District = Annotated[str, typer.Option("--district", help="只办这个区（六位代码）。")]
School = Annotated[str, typer.Option("--school", help="只办这所学校（标识码）。")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="作业编号。")]
Codes = Annotated[list[str], typer.Argument(metavar="SCHOOL", help="学校标识码。")]


@app.command()
def promote(
    district: District = "",
    school: School = "",
    dry_run: Dry = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """升级：各班升一个年级；毕业年级另办毕业。"""
    _create("promotion", *_place(district, school), {}, dry_run, username, as_json)


@app.command()
def graduate(
    district: District = "",
    school: School = "",
    dry_run: Dry = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """毕业：毕业年级离校，或升入本校下一学段。"""
    _create("graduation", *_place(district, school), {}, dry_run, username, as_json)


@app.command()
def merge(
    schools: Codes,
    into: Annotated[str, typer.Option("--into", help="并入的学校。")],
    dry_run: Dry = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """合并学校。"""
    _create("merge", "city", "", {"from": schools, "into": into}, dry_run, username, as_json)


@app.command()
def close(
    schools: Codes, dry_run: Dry = False, username: common.As = None, as_json: common.Json = False
) -> None:
    """撤销学校；学校里须已没有在籍学生。"""
    _create("close", "city", "", {"schools": schools}, dry_run, username, as_json)


@app.command()
def rename(
    school: Annotated[str, typer.Argument(metavar="SCHOOL", help="学校标识码。")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="新的名称。")],
    dry_run: Dry = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """学校更名。"""
    _create("rename", "city", "", {"school": school, "name": name}, dry_run, username, as_json)


@app.command()
def exchange(
    reason: Annotated[str, typer.Argument(help="stage_change、transfer 或 data_change。")],
    of_job: Annotated[str, typer.Option("--of-job", help="依据的合并或更名作业。")] = "",
    dry_run: Dry = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """换卡准备：卡面与现在不符的，备好换卡申领的草稿。"""
    _create("exchange", "city", "", {"reason": reason, "of_job": of_job}, dry_run, username, as_json)


@app.command("list")
def list_jobs(username: common.As = None, as_json: common.Json = False) -> None:
    """最近的作业。"""
    with common.edge(username) as actor:
        from xueka.contexts.schoolyear import api as year

        actor.require("school:year:manage")
        rows = year.job_rows(actor.scope).order_by("-id")[:50]
        found = [{"number": one.number, "kind": one.kind, "state": one.state} for one in rows]
    common.answer({"jobs": found}, as_json, lambda: _lines(found))


@app.command()
def show(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """一项作业的预览或结果。"""
    with common.edge(username) as actor:
        from xueka.contexts.schoolyear import api as year

        actor.require("school:year:manage")
        found = year.report(actor.scope, year.job(actor.scope, number))
    _show(found, as_json)


@app.command()
def confirm(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """确认预览；系统随后逐校办理。全市的作业须由另一人确认。"""
    with common.edge(username) as actor:
        from xueka.contexts.schoolyear import api as year

        found = year.report(actor.scope, year.confirm_job(actor, number))
    _show(found, as_json)


@app.command()
def cancel(number: Number, username: common.As = None, as_json: common.Json = False) -> None:
    """取消还没有办的作业。"""
    with common.edge(username) as actor:
        from xueka.contexts.schoolyear import api as year

        found = year.report(actor.scope, year.cancel_job(actor, number))
    common.answer(found, as_json)


@app.command("take-back")
def take_back(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="理由。")],
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """撤回作业：办过的逐人恢复，之后又有变动的不动。"""
    with common.edge(username) as actor:
        from xueka.contexts.schoolyear import api as year

        found = year.report(actor.scope, year.take_back_job(actor, number, reason))
    common.answer(found, as_json)


@app.command()
def work(as_json: common.Json = False) -> None:
    """不等后台，现在就把等着的作业办完（后台在跑时也可以用）。"""
    with common.database():
        from xueka.contexts.schoolyear import api as year

        steps = 0
        while year.work(1.0):
            steps += 1
    common.answer({"done": True}, as_json)


def _place(district: str, school: str) -> tuple[str, str]:
    if school:
        return "school", school
    return ("district", district) if district else ("city", "")


def _create(
    kind: str,
    level: str,
    place: str,
    parameters: dict[str, Any],
    dry_run: bool,
    username: str | None,
    as_json: bool,
) -> None:
    with common.edge(username) as actor:
        from django.db import transaction

        from xueka.contexts.schoolyear import api as year

        with transaction.atomic():
            job: Job = year.create_job(actor, kind, level, place, parameters)
            if dry_run:
                year.preview_now(job)
            found = year.report(actor.scope, job) | {"dry_run": dry_run}
            transaction.set_rollback(dry_run)
    _show(found, as_json)


def _show(found: dict[str, Any], as_json: bool) -> None:
    """Print a job; exit code 1 where schools are blocked or failed."""

    def human() -> None:
        sys.stdout.write(
            f"{found['number']}  {found['state']}  应办 {found['planned']}，已办 {found['done']}，"
            f"没有办 {found['skipped']}，已恢复 {found['undone']}，不能恢复 {found['kept']}\n"
        )
        for each in found["wont"]:
            sys.stdout.write(f"  不办 {each['count']}：{each['text']}\n")
        for each in found["blocked"]:
            sys.stdout.write(f"  [先处理] {each['school']} {each['name']}：{'；'.join(each['reasons'])}\n")
        for each in found["failed"]:
            sys.stdout.write(f"  [没有办成] {each['school']} {each['name']}：{each['error']}\n")

    common.answer(found, as_json, human)
    if found["blocked"] or found["failed"]:
        raise typer.Exit(1)


def _lines(found: list[dict[str, Any]]) -> None:
    for row in found:
        sys.stdout.write(f"{row['number']}  {row['kind']}  {row['state']}\n")
