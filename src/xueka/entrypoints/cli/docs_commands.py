"""`xueka docs states`: the state tables as a document, printed from the rows themselves."""

import typer

app = typer.Typer(help="由程序生成的文档。", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `states` a command of its own while it is the only one."""


@app.command()
def states() -> None:
    """状态图与权限表（docs/states.md 的内容）。"""
    typer.echo(render(), nl=False)


def render() -> str:
    """docs/states.md: one diagram and one table for each machine."""
    from xueka.contexts.cards.domain import transitions as cards
    from xueka.contexts.closing.domain.transitions import CLOSE
    from xueka.contexts.coordination.domain.transitions import MATTER
    from xueka.contexts.couriers.domain.transitions import SHIPMENT
    from xueka.contexts.interop.domain.transitions import DIFFERENCE, NUMBER_REQUEST, TONG_APPLICATION
    from xueka.contexts.keys.domain import transitions as keys
    from xueka.contexts.logistics.domain import transitions as logistics
    from xueka.contexts.multiapp.domain import transitions as multiapp
    from xueka.contexts.numbers.domain.transitions import INITIALISATION
    from xueka.contexts.officers.domain.transitions import HAND_OVER
    from xueka.contexts.payments.domain import transitions as payments
    from xueka.contexts.personalization.domain import transitions as personalization
    from xueka.contexts.printing.domain.transitions import PRINT_JOB
    from xueka.contexts.production.domain.transitions import BATCH
    from xueka.contexts.receipts.domain.transitions import RECEIPT
    from xueka.contexts.registry.domain.transitions import ABSENCE, TRANSFER
    from xueka.contexts.repairs.domain.transitions import REPAIR
    from xueka.contexts.replacements.domain.transitions import REPLACEMENT
    from xueka.contexts.reporting.domain.transitions import EXPORT
    from xueka.contexts.schoolyear.domain.transitions import YEAR_JOB
    from xueka.contexts.takeover.domain.transitions import TAKEOVER
    from xueka.contexts.transit.domain import transitions as transit
    from xueka.contexts.treasury.domain.transitions import BREAK
    from xueka.contexts.welfare.domain.transitions import ENTITLEMENT
    from xueka.platform.identity.machines import GRANT_REQUEST
    from xueka.platform.identity.permissions import ROLES

    machines = [
        TRANSFER,
        ABSENCE,
        cards.ACCOUNT,
        cards.APPLICATION,
        cards.CARD,
        cards.DESTRUCTION,
        keys.KEY_VERSION,
        keys.KEY_CHANGE,
        keys.KEY_DELIVERY,
        personalization.PROFILE,
        personalization.SCRIPT,
        personalization.AGENT,
        personalization.SESSION,
        INITIALISATION,
        PRINT_JOB,
        BATCH,
        logistics.DELIVERY,
        logistics.BOX,
        REPLACEMENT,
        SHIPMENT,
        DIFFERENCE,
        MATTER,
        NUMBER_REQUEST,
        TONG_APPLICATION,
        transit.BINDING,
        transit.EXTENSION,
        transit.PAPER,
        ENTITLEMENT,
        EXPORT,
        YEAR_JOB,
        TAKEOVER,
        GRANT_REQUEST,
        HAND_OVER,
        REPAIR,
        multiapp.UNIT,
        multiapp.CARD_GRANT,
        multiapp.SAM,
        multiapp.RISK,
        multiapp.STOCK_TAKE,
        multiapp.CREDENTIAL,
        BREAK,
        CLOSE,
        payments.ORDER,
        payments.PAYMENT,
        payments.REFUND,
        RECEIPT,
    ]
    lines = [
        "# States",
        "",
        "Printed by `xueka docs states` from the tables in `domain/transitions.py` and the roles in",
        "`platform/identity/permissions.py`; a test compares. A state changes only by a row of these tables.",
        "",
    ]
    for machine in machines:
        lines += [
            f"## {machine.label} `{machine.name}`",
            "",
            "```mermaid",
            machine.diagram().rstrip(),
            "```",
            "",
        ]
        lines += ["| event | from | to | permission | who | condition |", "|---|---|---|---|---|---|"]
        for row in machine.matrix():
            who = "、".join(
                role.label
                for role in ROLES.values()
                if row["permission"] in role.permissions and role.code != "system"
            )
            lines.append(
                f"| {row['event_label']} `{row['event']}` | {row['source_label']} | {row['target_label']} "
                f"| `{row['permission']}` | {who or '系统'} | {row['guard']} |"
            )
        lines.append("")
    return "\n".join(lines)
