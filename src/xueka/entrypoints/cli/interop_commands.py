"""`xueka interop`: the data exchange with other platforms."""

import signal
import sys
import threading
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import common
from xueka.kernel.errors import BadInput

app = typer.Typer(help="与其他平台的数据交换。", no_args_is_help=True)
IDLE = 0.5  # seconds until the next look where nothing was due


@app.callback()
def _group() -> None:
    """与其他平台的数据交换。"""


@app.command()
def status(user: common.As = None, as_json: common.Json = False) -> None:
    """每个接口：待发、已送达、失败重试、停发、最久的等待、数据质量；有停发或差异时退出码为 1。"""
    with common.edge(user) as actor:
        from xueka.contexts.interop import api as interop

        rows = interop.status(actor)

    def human() -> None:
        for row in rows:
            typer.echo(
                f"{row['name'] or row['code']}（{row['code']}）："
                f"待发 {row['queued']}，已送达 {row['delivered']}，"
                f"重试中 {row['failed']}，停发 {row['dead']}，最久等待 {row['oldest_seconds']} 秒，"
                f"今天收到 {row['received']}，停办 {row['incoming_dead']}，差异 {row['differences']}"
            )
            meant = interop.meaning(row["code"], row["kind"])
            told = "，".join(
                f"{interop.MEASURES[name]} "
                + (
                    ("未测" if value is None else f"{value:.2%}")
                    if name in meant and meant[name].applies
                    else "不适用"
                )
                for name, value in row["quality"].items()
            )
            typer.echo(f"  {told}")
        if not rows:
            typer.echo("还没有接口。")

    common.answer({row["code"]: row for row in rows}, as_json, human)
    bad = any(row["dead"] or row["incoming_dead"] or row["differences"] or not row["usable"] for row in rows)
    raise typer.Exit(1 if bad else 0)


@app.command()
def reconcile(
    code: Annotated[str, typer.Argument(metavar="CODE", help="对接方代码。")],
    dataset: Annotated[str | None, typer.Option(help="数据集（缺省为约定的全部）。")] = None,
    send: Annotated[bool, typer.Option("--send", help="对方没有或不同的，随即补发。")] = False,
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """与对接方逐级核对：先比计数和摘要，再找出不同的记录；有差异时退出码为 1。"""
    with common.acting(user) as actor:
        from django.db import transaction

        from xueka.contexts.interop import api as interop
        from xueka.platform.exchange.counterparts import counterpart

        partner = counterpart(code)
        found = [
            interop.reconcile(actor, partner, each) for each in ([dataset] if dataset else partner.datasets)
        ]
        sent = 0
        if send:
            with transaction.atomic():
                ids = list(
                    interop.differences(actor, code, ["open"])
                    .exclude(kind="missing_here")
                    .values_list("id", flat=True)
                )
                sent = interop.send_again(actor, ids) if ids else 0
    rows = [
        {
            "dataset": each.dataset,
            "ours": each.ours,
            "theirs": each.theirs,
            "agreeing": each.agreeing,
            "differing": each.differing,
            "on_the_way": each.on_the_way,
            "round_trips": each.round_trips,
            "whole": each.whole,
            "problem": each.problem,
        }
        for each in found
    ]

    def human() -> None:
        for row in rows:
            if row["problem"]:
                typer.echo(f"{row['dataset']}：{row['problem']}")
            else:
                typer.echo(
                    f"{row['dataset']}：本方 {row['ours']}，对方 {row['theirs']}，一致 {row['agreeing']}，"
                    f"差异 {row['differing']}，在途 {row['on_the_way']}，往返 {row['round_trips']} 次"
                )

    common.answer({"comparisons": rows, "sent": sent}, as_json, human)
    raise typer.Exit(1 if any(row["differing"] or row["problem"] for row in rows) else 0)


@app.command()
def replay(
    code: Annotated[str, typer.Argument(metavar="CODE", help="对接方代码。")],
    reason: Annotated[str, typer.Option(help="理由。")],
    id_: Annotated[list[int] | None, typer.Option("--id", help="消息的编号，可多个。")] = None,
    card: Annotated[str, typer.Option(help="卡的任一号码，或教育ID（其全部卡）。")] = "",
    kind: Annotated[str, typer.Option(help="消息种类。")] = "",
    reason_code: Annotated[str, typer.Option("--code", help="停发原因的代码。")] = "",
    after: Annotated[int | None, typer.Option(help="书签：这个编号之后的全部。")] = None,
    since: Annotated[datetime | None, typer.Option(help="书签：这个时间（北京）起的全部。")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="只补发停发的。")] = False,
    do: Annotated[bool, typer.Option("--do", help="真正补发；缺省只预览条数。")] = False,
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """补发已发过的或停发的消息：一条、一个书签之后的全部，或按条件；内容不变，对方不会重复办理。"""
    with common.edge(user) as actor:
        from xueka.contexts.interop import api as interop
        from xueka.kernel.clock import SHANGHAI
        from xueka.platform.exchange import replaying

        which = replaying.Which(
            code,
            ids=id_ or (),
            keys=interop.keys_traced(actor, card) if card else (),
            kind=kind,
            code=reason_code,
            since=since.replace(tzinfo=SHANGHAI) if since else None,
            after=after,
            states=("dead",) if dead else ("delivered", "dead"),
        )
        counts = replaying.replay(actor, which, reason) if do else replaying.preview(actor, which)
    result: dict[str, Any] = {"done": do, "matched": counts.matched, "messages": counts.messages}
    result |= {"keys": counts.keys, "forgotten": counts.forgotten}

    def human() -> None:
        verb = "已排入补发" if do else "将补发"
        typer.echo(
            f"符合条件 {counts.matched} 条；{verb} {counts.keys} 个对象的 {counts.messages} 条（含其后的）。"
        )
        if not do:
            typer.echo("加 --do 真正补发。")

    common.answer(result, as_json, human)


@app.command()
def trace(
    number: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER", help="卡的任一号码（卡号、一卡通号、北京通号、芯片号）、教育ID或消息编号。"
        ),
    ],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """一张卡（或一位学生的各张卡）与外面的往来：消息，快递、短信、改过学生的名册；最近 500 条。"""
    with common.edge(user) as actor:
        from xueka.contexts.interop import api as interop
        from xueka.contexts.operations import api as operations

        traced = operations.trace(actor, interop.keys_traced(actor, number))
    rows: dict[str, list[dict[str, Any]]] = {"messages": [], "beside": []}
    told = []
    for each in traced.lines:
        at, arrow = each.at.isoformat(timespec="seconds"), "→" if each.direction == "out" else "←"
        if isinstance(each, operations.Beside):
            rows["beside"].append(asdict(each) | {"at": at})
            words = f"{each.who} {each.key} {each.what} {each.number} {each.state} {each.said}"
        else:
            known = {name: value for name, value in asdict(each).items() if name not in ("seq", "ended_at")}
            rows["messages"].append(known | {"at": at, "sequence": each.seq, "tries": len(each.tries)})
            words = f"{each.counterpart} {each.key} {each.kind} 第 {each.seq} 条 {each.state} {each.code}"
            words = f"{words} {each.problem}"
        told.append(" ".join(f"{at} {arrow} {words}".split()))

    def human() -> None:
        typer.echo("\n".join(told) or "还没有往来的消息。")

    common.answer({**rows, "cut": traced.cut}, as_json, human)


@app.command()
def dead(
    code: Annotated[str, typer.Argument(metavar="[CODE]", help="对接方代码（缺省为全部）。")] = "",
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """停下的消息：发出去对方不收的，收进来办不了的，各是什么原因、挡住几条；有停下的退出码为 1。"""
    with common.edge(user) as actor:
        actor.require("city:interop:read")
        from xueka.platform.exchange import codes, queries
        from xueka.platform.exchange.models import Incoming, Outgoing

        letters: list[tuple[str, Outgoing | Incoming]] = [
            ("out", each) for each in queries.dead_letters(code)
        ]
        letters += [("in", each) for each in queries.incoming_dead_letters(code)]
        rows = [
            {
                "direction": direction,
                "counterpart": each.stream.counterpart,
                "id": each.pk,
                "message_id": each.message_id,
                "kind": each.kind,
                "key": each.stream.key,
                "sequence": each.seq,
                "code": each.code,
                "problem": each.problem or codes.words(each.code),
                "behind": each.stream.last_seq - each.seq,
            }
            for direction, each in letters
        ]

    def human() -> None:
        for row in rows:
            arrow = "→" if row["direction"] == "out" else "←"
            typer.echo(
                f"{row['id']} {arrow} {row['counterpart']} {row['kind']} {row['key']} "
                f"第 {row['sequence']} 条：{row['problem']}（{row['code']}），挡住 {row['behind']} 条"
            )
        if not rows:
            typer.echo("没有停下的消息。")

    common.answer({"letters": rows}, as_json, human)
    raise typer.Exit(1 if rows else 0)


@app.command()
def again(
    id_: Annotated[int, typer.Argument(metavar="ID", help="收到的消息的编号（interop dead 所列）。")],
    reason: Annotated[str, typer.Option(help="理由。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """收到而停办的消息，再办一次。"""
    with common.edge(user) as actor:
        from xueka.platform.exchange import replaying

        message = replaying.retry_incoming(actor, id_, reason)
    common.answer({"id": id_, "state": message.state}, as_json, lambda: typer.echo("已排入再办。"))


@app.command("pass")
def pass_(
    id_: Annotated[int, typer.Argument(metavar="ID", help="收到的消息的编号（interop dead 所列）。")],
    reason: Annotated[str, typer.Option(help="理由。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """收到而停办的消息，不办了：略过它，接着办后面的。"""
    with common.edge(user) as actor:
        from xueka.platform.exchange import replaying

        message = replaying.pass_incoming(actor, id_, reason)
    common.answer({"id": id_, "state": message.state}, as_json, lambda: typer.echo("已略过。"))


@app.command()
def key(
    code: Annotated[str, typer.Argument(metavar="CODE", help="对接方代码。")],
    new: Annotated[bool, typer.Option("--new", help="生成下一把；旧的同时签名，直到停用。")] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="停用旧的，此后只用新的签名。")] = False,
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """给这个对接方签名用的 SM2 公钥和指纹，交对方登记；更换时新旧并用。"""
    if new and drop_old:
        raise BadInput(
            "USAGE_VALUE", "--new 与 --drop-old 不能一起用。", action="先生成新的，以后再停用旧的。"
        )
    with common.edge(user) as actor:
        actor.require("city:interop:read")
        from xueka.platform.exchange import own_keys
        from xueka.platform.exchange.counterparts import counterpart

        partner = counterpart(code)
        change = own_keys.make_next if new else own_keys.drop_old if drop_old else None
        held = change(actor, code) if change else own_keys.signing(code)
    used = bool(partner.sending.private)
    rows = [
        {
            "version": each.number,
            "since": each.since.isoformat(timespec="seconds"),
            "fingerprint": each.public.fingerprint,
            "public_key": each.public.to_pem().decode("ascii"),
        }
        for each in held
    ]

    def human() -> None:
        for row in rows:
            typer.echo(f"第 {row['version']} 版，{row['since']} 起，指纹（SM3）{row['fingerprint']}")
            typer.echo(row["public_key"])
        if not used:
            typer.echo(f"{partner.name}的参数文件 sign 里没有 v1sm2，现在不用它签名。")

    common.answer({"counterpart": code, "used": used, "keys": rows}, as_json, human)


@app.command("ask-numbers")
def ask_numbers(
    quantity: Annotated[int, typer.Argument(metavar="N", help="要多少个北京通号。")],
    needed_on: Annotated[datetime, typer.Option("--by", help="哪天以前要（YYYY-MM-DD）。")],
    reason: Annotated[str, typer.Option(help="为什么需要。")],
    user: common.As = None,
    as_json: common.Json = False,
) -> None:
    """向北京通申请号码；对方拨给的号段自动登记。"""
    with common.edge(user) as actor:
        from xueka.contexts.interop import api as interop

        made = interop.ask_numbers(actor, quantity, needed_on.date(), reason)
    common.answer(
        {"request": made.number, "quantity": quantity}, as_json, lambda: typer.echo(f"{made.number} 已发出。")
    )


@app.command()
def work(
    until_empty: Annotated[bool, typer.Option("--until-empty", help="发完、办完即结束。")] = False,
) -> None:
    """持续收发交换消息：可在多台机器上同时运行，随时可停。"""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.set())
    with common.database():
        from django.db import OperationalError, connection

        from xueka.platform.database import server
        from xueka.platform.exchange import applying, queries
        from xueka.platform.exchange.counterparts import codes
        from xueka.platform.exchange.sending import Sender

        sender = Sender()
        while not stop.is_set():
            try:
                done = sender.turn() + applying.apply_due()
                if not done and until_empty and not any(each.queued for each in queries.health(codes())):
                    break
            except OperationalError as error:
                if until_empty:
                    raise
                sys.stderr.write(f"xueka: 数据库暂时不可用（{type(error).__name__}），稍后再试。\n")
                connection.close()
                server.revive()
                done = 0
            if not done:
                stop.wait(IDLE if not until_empty else IDLE / 10)
        sender.close()
