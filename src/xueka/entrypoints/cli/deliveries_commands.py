"""`xueka deliveries`: what is on its way to the schools."""

from typing import Annotated, Any

import typer

from xueka.entrypoints.cli import common

app = typer.Typer(help="配送单：装箱、发运、签收到哪一步。", no_args_is_help=True)


@app.command("list")
def list_(
    state: Annotated[str, typer.Option("--state", metavar="STATE", help="只看这个状态的。")] = "",
    search: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="配送单号、运单号，或校名里的字。")
    ] = "",
    before: Annotated[int, typer.Option("--before", metavar="ID", help="从这个序号往前，接着看下一页。")] = 0,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=5000, help="最多几张。")] = 200,
    as_json: common.Json = False,
) -> None:
    """配送单，最新的在前；每张有几箱、几张卡，还有几箱在路上。"""
    with common.database():
        from xueka.contexts.logistics import api as logistics
        from xueka.kernel.errors import BadInput
        from xueka.platform.identity.scope import EVERYWHERE

        known = logistics.DELIVERY.state_codes
        if state and state not in known:
            raise BadInput("STATE_UNKNOWN", "没有这个状态。", found=state, expected="、".join(sorted(known)))
        found = logistics.deliveries(
            EVERYWHERE,
            states=(state,) if state else (),
            search=search,
            before=before or None,
            limit=limit,
        )
        rows = [_row(each, logistics.DELIVERY.state(each.state).label) for each in found]

    def human() -> None:
        for each in rows:
            expected = f"，预计 {each['expected_on']} 到" if each["expected_on"] else ""
            typer.echo(
                f"{each['number']} {each['school_name']} {each['state_label']}：{each['boxes']} 箱 "
                f"{each['cards']} 张 {each['carrier']} {each['waybill']}{expected}"
            )

    next_ = found[-1].id if len(found) == limit else None
    common.answer({"deliveries": rows, "count": len(rows), "next_before": next_}, as_json, human)


def _row(each: Any, label: str) -> dict[str, Any]:
    return {
        "number": each.number,
        "school": each.school.code,
        "school_name": each.school.name,
        "district": each.school.district_id,
        "state": each.state,
        "state_label": label,
        "carrier": each.carrier,
        "waybill": each.waybill,
        "boxes": each.box_total,
        "boxes_in_transit": each.boxes_open,
        "cards": each.card_total,
        "created_at": each.created_at.isoformat(),
        "dispatched_at": each.dispatched_at.isoformat() if each.dispatched_at else None,
        "expected_on": each.expected_on.isoformat() if each.expected_on else None,
        "received_at": each.received_at.isoformat() if each.received_at else None,
    }
