"""Taking over from another system on the command line."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import arguments, common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="接管旧系统的账户、卡、号码和在办申领。", no_args_is_help=True)

_SHOWN = 30
Files = Annotated[
    list[Path], typer.Argument(metavar="FILES", help="一套文件（清单和数据文件），或放着它们的目录。")
]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="接管编号，如 JG26-0001。")]


@app.command()
def check(files: Files, username: common.As = None, as_json: common.Json = False) -> None:
    """收下一套文件并试算：逐行核对，比对控制总数；不改动业务数据。有问题时退出码为 1。"""
    with common.edge(username) as actor:
        from xueka.contexts.takeover import api as takeover

        result = _set(takeover.check(actor, _read(files)))
    common.answer(result, as_json, lambda: _show(result))
    raise typer.Exit(1 if result["errors"] or not result["totals_agree"] else 0)


@app.command()
def load(
    number: Number,
    without_rejected: Annotated[
        bool, typer.Option("--without-rejected", help="确认不含被拒收的行载入。")
    ] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """以第二人的身份批准并载入；中断后再执行一次即从断点继续。"""
    with common.database():  # held over both, so that the server does not stop in between
        with common.edge(username) as actor:
            from xueka.contexts.takeover import api as takeover

            found = takeover.take_over(actor.scope, number)
            if found.state == takeover.TAKEOVER.initial:
                takeover.approve(actor, found.id, without_rejected=without_rejected)
        result = _run(number)
    common.answer(result, as_json)
    raise typer.Exit(0 if result["state"] in {"loaded", "settled"} else 1)


@app.command()
def diff(files: Files, username: common.As = None, as_json: common.Json = False) -> None:
    """旧系统的每日导出与本系统双向比对；有差异时退出码为 1。"""
    with common.edge(username) as actor:
        from xueka.contexts.takeover import api as takeover

        found, counts = takeover.compare(actor, _read(files))
        rows = takeover.differences(actor.scope).filter(signed_by="")[:1000]
        result = {
            "number": found.number,
            "differences": counts,
            "unsigned": [
                {
                    "part": row.part,
                    "kind": row.kind,
                    "key": row.key,
                    "education_id": row.education_id,
                    "old": row.old,
                    "ours": row.ours,
                    "since": row.since.isoformat(timespec="seconds"),
                }
                for row in rows
            ],
        }
    common.answer(result, as_json)
    raise typer.Exit(1 if counts else 0)


@app.command()
def undo(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", help="收回的理由（申请时必填）。")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="以第二人的身份批准并收回。")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看会收回什么、哪些收不回。")] = False,
    username: common.As = None,
    as_json: common.Json = False,
) -> None:
    """收回一次接管：一人申请（--reason），另一人批准（--approve）。有收不回的时退出码为 1。"""
    with common.database():
        with common.edge(username) as actor:
            from xueka.contexts.takeover import api as takeover

            found = takeover.take_over(actor.scope, number)
            preview = takeover.preview_back(actor, found.id)
            if approve:
                takeover.approve_back(actor, found.id)
            elif not dry_run:
                found = takeover.ask_back(actor, found.id, reason)
        result: dict[str, Any] = {"number": found.number, "state": found.state, **preview.as_dict()}
        if approve:
            result |= _run(number)
    common.answer(result, as_json)
    raise typer.Exit(1 if any(preview.staying.values()) else 0)


def _run(number: str) -> dict[str, Any]:
    """Chunk by chunk in transactions of their own, so that an interrupted command loses nothing."""
    from xueka.contexts.takeover import api as takeover
    from xueka.platform.audit import chain
    from xueka.platform.identity.scope import EVERYWHERE

    found = takeover.take_over(EVERYWHERE, number)
    takeover.run(found.id)
    chain.seal()
    found = takeover.take_over(EVERYWHERE, number)
    parts = {
        each.part: {"loaded": each.loaded, "back": each.back, "stayed": each.stayed}
        for each in takeover.progress(found)
    }
    late = len(found.findings.get("late", []))
    return {"number": found.number, "state": found.state, "parts": parts, "left_out_since": late}


def _read(paths: Iterable[Path]) -> dict[str, bytes]:
    files = [each for path in paths for each in (sorted(path.iterdir()) if path.is_dir() else [path])]
    try:
        return {file.name: file.read_bytes() for file in files if not file.name.startswith(".")}
    except OSError as error:
        said = f"文件 {error.filename} 无法读取。"
        arguments.wrong_usage(BadInput("FILE_UNREADABLE", said, action="请核对路径。"))


def _set(found: Any) -> dict[str, Any]:
    findings = found.findings
    return {
        "number": found.number,
        "state": found.state,
        "source": found.source,
        "as_of": found.as_of.isoformat(),
        "counts": found.counts,
        "totals": found.totals,
        "totals_agree": all(each["agrees"] for each in found.totals),
        "error_counts": findings["error_counts"],
        "warning_counts": findings["warning_counts"],
        "errors": findings["errors"],
        "warnings": findings["warnings"],
    }


def _show(result: dict[str, Any]) -> None:
    lines = [f"{result['number']}  {result['source']}  数据时点 {result['as_of']}"]
    lines += [
        f"  {part}  {each['rows']} 行，可载入 {each['accepted']}，拒收 {each['rejected']}"
        for part, each in result["counts"].items()
    ]
    lines += [
        f"[总数不符] {each['part']} {each['item']}：清单 {each['told']}，实有 {each['found']}"
        for each in result["totals"]
        if not each["agrees"]
    ]
    lines += [f"[拒收] {each['message']}" for each in result["errors"][:_SHOWN]]
    lines += [f"[提醒] {each['message']}" for each in result["warnings"][:_SHOWN]]
    sys.stdout.write("\n".join(lines) + "\n")
