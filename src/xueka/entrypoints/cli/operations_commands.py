"""`xueka verify` and `xueka simulate`: does everything hold, and does a whole year of it?"""

from typing import Annotated, Literal

import typer

from xueka.entrypoints.cli import common


def register(app: typer.Typer) -> None:
    app.command()(verify)
    app.command()(simulate)


def verify(
    names: Annotated[list[str] | None, typer.Argument(help="只查这些（缺省为全部）。")] = None,
    as_json: common.Json = False,
) -> None:
    """核对所有不变量与审计链；有违反时退出码为 1。"""
    with common.database():
        from xueka.contexts.operations import api as operations

        results = operations.verify(names or ())

    def human() -> None:
        for result in results:
            mark = "✗" if result.violated else "✓"
            examples = f"：{'、'.join(result.examples)}" if result.violated else ""
            line = f"{mark} {result.title}（查 {result.checked}，违反 {result.violated}）{examples}"
            typer.echo(line)

    common.answer({"invariants": [result.as_dict() for result in results]}, as_json, human)
    if any(result.violated for result in results):
        raise typer.Exit(1)


def simulate(
    students: Annotated[int, typer.Option(help="学生人数。", min=16)],
    seed: Annotated[int, typer.Option(help="随机种子：相同的种子得到相同的城市。")],
    schools: Annotated[int | None, typer.Option(help="学校数（缺省按人数推算）。", min=1)] = None,
    faults: Annotated[Literal["light", "heavy", "none"], typer.Option(help="各对接方出错的程度。")] = "light",
    as_json: common.Json = False,
) -> None:
    """在空的数据目录里模拟一个城市的一个学年；有违反，或与对接方核对不一致时，退出码为 1。"""
    with common.database():
        from xueka.platform.database import home
        from xueka.simulation import year

        plan = year.Plan(students=students, seed=seed, schools=schools, faults=faults)
        result = year.simulate(plan, home.home() / "bureau", lambda line: typer.echo(line, err=True))
    common.answer(result, as_json)
    if result["invariants"]["violated"] or any(each["differing"] for each in result["counterparts"]):
        raise typer.Exit(1)
