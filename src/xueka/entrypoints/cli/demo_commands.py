"""Cities to try things in."""

import sys
from typing import Annotated

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="演示用的城市。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """演示用的城市。"""


@app.command()
def city(
    students: Annotated[int, typer.Option(help="学生人数。", min=1_000, max=2_000_000)] = 1_300_000,
    seed: Annotated[int, typer.Option(help="随机种子：相同的种子得到相同的城市。", min=0)] = 1,
    as_json: common.Json = False,
) -> None:
    """在空的数据目录里一次建成一座整城：学校、学生、历年的卡、批次、卡箱与全部历史，供试用和量速度。"""
    with common.database():
        from xueka.config import demo_city
        from xueka.simulation.city_size.build import Plan

        made = demo_city.build_whole(Plan(students, seed), lambda line: typer.echo(line, err=True))
    common.answer(made, as_json)


@app.command()
def code(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="演示账号的用户名。")],
    as_json: common.Json = False,
) -> None:
    """演示账号此刻的动态验证码；每个只能用一次。"""
    with common.database():
        from xueka.platform.identity import demo

        present, seconds = demo.code_of(username)
    common.answer(
        {"username": username, "code": present, "seconds_left": seconds},
        as_json,
        lambda: sys.stdout.write(f"{present}（还有 {seconds} 秒换下一个）\n"),
    )


@app.command()
def keys(as_json: common.Json = False) -> None:
    """演示城市的主密钥，随机生成；已有密钥时什么也不做。正式的密钥用 keys ceremony 生成。"""
    with common.edge() as actor:
        from xueka.contexts.keys import api

        made = api.make_demo_keys()
        api.note_platform_keys(actor)
    common.answer(
        {"ceremony": made.number if made else None},
        as_json,
        lambda: typer.echo("演示密钥已生成。" if made else "已有密钥，没有改动。"),
    )


@app.command()
def counter(cards: Annotated[int, typer.Option(help="白卡张数。", min=1, max=500)] = 50) -> None:
    """虚拟的读卡器、白卡和打印机，加一个已登记的发卡代理：不用硬件就能试柜台制卡。服务须在运行。"""
    from xueka.entrypoints.cli import demo_counter

    server, code = demo_counter.serving_at(), ""
    with common.edge() as actor:
        from xueka.contexts.personalization import api

        district = demo_counter.district_of_the_demo()
        if not demo_counter.enrolled(server):
            code, _ = api.make_code(actor, district)

    def introduced(agent: str) -> None:
        with common.edge() as actor:
            demo_counter.introduce(actor, agent, district, cards)

    demo_counter.run(server, code, cards, demo_counter.typed(0), typer.echo, introduced)
