"""The history row of every step that anything in the city has taken."""

from collections.abc import Sequence

from xueka.simulation.city_size.bulk import execute, fill, quoted

_SCHOOL, _DISTRICT = "'sim-s' || o.code", "'sim-d' || o.district"
_FIRST, _SECOND, _SYSTEM = "'sim-operator-a'", "'sim-operator-b'", "'system'"
#: (seq, event, from, to, after, actor) as SQL expressions over the object `o`.
Step = tuple[str, str, str, str, str, str]


def of_cards() -> None:
    """The main line in order, then what came after it."""
    batch, box = "jsonb_build_object('batch', o.batch_number)", "'{}'::jsonb"
    main = [
        ("create", "", "planned", "0 hours", _FIRST, batch),
        ("order", "planned", "ordered", "2 hours", _SECOND, batch),
        ("make", "ordered", "made", "3 days", _SYSTEM, batch),
        ("pack", "made", "packed", "4 days", _FIRST, box),
        ("dispatch", "packed", "in_transit", "5 days", _FIRST, box),
        ("receive", "in_transit", "at_school", "8 days", _SCHOOL, box),
        ("hand_out", "at_school", "active", "9 days", _SCHOOL, box),
    ]
    _main_line("card", "city_card", "o.t", main)
    lost = "o.tail LIKE 'L%'"
    _tail("card", "city_card", lost, ("8", "report_lost", "active", "lost", "o.lost_at", _SCHOOL))
    after = f"CASE WHEN {lost} THEN 9 ELSE 8 END"
    live = f"CASE WHEN {lost} THEN 'lost' ELSE 'active' END"
    _tail(
        "card",
        "city_card",
        "o.tail LIKE '%C%'",
        (after, "cancel", live, "cancelled", "o.cancelled_at", _SCHOOL),
        reason="CASE WHEN o.replaced THEN '已换发新卡' ELSE '停用' END",
    )
    _tail(
        "card",
        "city_card",
        "o.tail LIKE '%CD'",
        (f"{after} + 1", "destroy", "cancelled", "destroyed", "o.state_at", _FIRST),
    )
    _tail(
        "card",
        "city_card",
        "o.tail = 'V'",
        ("6", "void", "in_transit", "void", "o.void_at", _FIRST),
        reason="'卡箱丢失'",
    )
    _tail(
        "card",
        "city_card",
        "o.failed",
        ("3", "fail", "ordered", "failed", "o.failed_at", _SYSTEM),
        reason="'02 打印不良'",
    )
    _tail("card", "city_card", "o.tail = 'FD'", ("4", "destroy", "failed", "destroyed", "o.state_at", _FIRST))


def of_applications() -> None:
    """Draft, two reviews, production, hand-out; some were made twice, some ended early."""
    detail, none = "jsonb_build_object('reason', o.reason)", "'{}'::jsonb"
    table = "city_application"
    main = [
        ("create", "", "draft", "0 hours", _SCHOOL, detail),
        ("submit", "draft", "district_review", "1 hour", _SCHOOL, none),
        ("approve", "district_review", "city_review", "1 day", _DISTRICT, none),
        ("approve", "city_review", "accepted", "2 days", _FIRST, none),
        (
            "order",
            "accepted",
            "in_production",
            "9 days",
            _FIRST,
            "jsonb_build_object('batch', o.first_batch)",
        ),
    ]
    _main_line("application", table, "o.made_at", main)
    remade = "o.failed_first"
    again = f"{remade} AND o.main >= 6"
    _tail(
        "application",
        table,
        again,
        ("6", "remake", "in_production", "accepted", "o.first_batch_at + interval '3 days'", _SYSTEM),
    )
    _tail("application", table, again, ("7", "order", "accepted", "in_production", "o.batch_at", _FIRST))
    _tail(
        "application",
        table,
        "o.main >= 6",
        (
            f"CASE WHEN {remade} THEN 8 ELSE 6 END",
            "fulfil",
            "in_production",
            "fulfilled",
            "o.batch_at + interval '9 days'",
            _SCHOOL,
        ),
    )
    early = "o.made_at + interval '1 day'"
    for tail, step in {
        "S": ("2", "submit", "draft", "school_review", "o.made_at + interval '1 hour'", _SCHOOL),
        "B": ("3", "send_back", "district_review", "returned", early, _DISTRICT),
        "R": ("3", "refuse", "district_review", "refused", early, _DISTRICT),
        "W": ("3", "withdraw", "district_review", "withdrawn", early, _SCHOOL),
        "X": ("5", "cancel", "accepted", "cancelled", "o.made_at + interval '3 days'", _FIRST),
        "M": ("6", "remake", "in_production", "accepted", "o.batch_at + interval '7 days'", _FIRST),
    }.items():
        _tail(
            "application", table, f"o.tail = '{tail}'", step, reason="'照片不清晰'" if tail in "BR" else "''"
        )


def of_accounts() -> None:
    """Opened with the first application; closed when the student has left."""
    source = """(SELECT account AS id, code, max(status) AS status, min(made_at) AS made_at
                   FROM city_application GROUP BY account, code) o"""
    _insert("account", source, "true", ("1", "create", "", "open", "o.made_at", _SCHOOL))
    closed = ("2", "close", "open", "closed", "o.made_at + interval '3 years'", _FIRST)
    _insert("account", source, "o.status IN ('毕业', '转出')", closed)


def of_batches() -> None:
    """From composing to closing."""
    steps: Sequence[tuple[int, str, str, str, str, str]] = [
        (1, "create", "", "open", "-1 days", _FIRST),
        (2, "lock", "open", "locked", "0 hours", _FIRST),
        (3, "approve", "locked", "approved", "2 hours", _SECOND),
        (4, "build", "approved", "ready", "121 minutes", _SYSTEM),
        (5, "send", "ready", "sent", "130 minutes", _SYSTEM),
        (6, "acknowledge", "sent", "acknowledged", "3 hours", _SYSTEM),
        (7, "return", "acknowledged", "reconciling", "3 days", _SYSTEM),
        (8, "close", "reconciling", "closed", "73 hours", _SECOND),
    ]
    reached = """CASE o.state WHEN 'locked' THEN 2 WHEN 'approved' THEN 3 WHEN 'ready' THEN 4
                              WHEN 'sent' THEN 5 WHEN 'bounced' THEN 5 WHEN 'acknowledged' THEN 6
                              WHEN 'reconciling' THEN 7 ELSE 8 END"""
    for seq, event, source, target, after, actor in steps:
        step = (str(seq), event, source, target, f"o.t + interval '{after}'", actor)
        _insert("batch", "city_batch o", f"{reached} >= {seq}", step)
    bounced = ("6", "bounce", "sent", "bounced", "o.t + interval '3 hours'", _SYSTEM)
    _insert("batch", "city_batch o", "o.state = 'bounced'", bounced)
    opened = "(SELECT batch AS id, max(made_at) AS made_at FROM city_open GROUP BY batch) o"
    _insert("batch", opened, "true", ("1", "create", "", "open", "o.made_at + interval '1 day'", _FIRST))


def of_the_road() -> None:
    """Deliveries and boxes."""
    waybill = "jsonb_build_object('waybill', o.waybill)"
    left, received, lost = (
        "o.state IN ('in_transit', 'received', 'lost')",
        "o.state = 'received'",
        "o.state = 'lost'",
    )
    days = {
        name: f"o.t + interval '{after} days'"
        for name, after in (("pack", 4), ("go", 5), ("lose", 7), ("come", 8))
    }
    first = {"delivery": "packing", "box": "packed"}
    verbs = {"delivery": ("complete", "logistics"), "box": ("receive", "")}
    for machine, table in (("delivery", "city_delivery o"), ("box", "city_box o")):
        begin, (arrive, process) = first[machine], verbs[machine]
        actor = quoted(process) if process else _SCHOOL
        _insert(machine, table, "true", ("1", "create", "", begin, days["pack"], _FIRST))
        detail = waybill if machine == "delivery" else "'{}'::jsonb"
        _insert(
            machine, table, left, ("2", "dispatch", begin, "in_transit", days["go"], _FIRST), detail=detail
        )
        _insert(machine, table, received, ("3", arrive, "in_transit", "received", days["come"], actor))
        _insert(machine, table, lost, ("3", "lose", "in_transit", "lost", days["lose"], _FIRST))


def finish() -> None:
    """Statistics, so that the first page asked for is planned well."""
    execute("ANALYZE history_transition")


def _main_line(machine: str, table: str, begin: str, steps: Sequence[tuple[str, ...]]) -> None:
    """All steps that an object took along the main line, kept together as the timeline reads them."""
    values = ", ".join(
        f"({seq}, '{event}', '{source}', '{target}', interval '{after}')"
        for seq, (event, source, target, after, _, _) in enumerate(steps, start=1)
    )
    actor = " ".join(f"WHEN {seq} THEN {step[4]}" for seq, step in enumerate(steps, start=1))
    detail = " ".join(f"WHEN {seq} THEN {step[5]}" for seq, step in enumerate(steps, start=1))
    fill(
        "history.Transition",
        f"FROM {table} o JOIN (VALUES {values}) AS s(seq, event, source, target, after) ON s.seq <= o.main",
        machine=f"'{machine}'",
        object_id="o.id",
        seq="s.seq",
        event="s.event",
        from_state="s.source",
        to_state="s.target",
        at=f"{begin} + s.after",
        actor=f"CASE s.seq {actor} END",
        detail=f"CASE s.seq {detail} END",
    )


def _tail(machine: str, table: str, condition: str, step: Step, *, reason: str = "''") -> None:
    _insert(machine, f"{table} o", condition, step, reason=reason)


def _insert(
    machine: str, source: str, condition: str, step: Step, *, reason: str = "''", detail: str = "'{}'::jsonb"
) -> None:
    seq, event, before, after, at, actor = step
    fill(
        "history.Transition",
        f"FROM {source} WHERE {condition}",
        machine=f"'{machine}'",
        object_id="o.id",
        seq=seq,
        event=f"'{event}'",
        from_state=before if before.startswith("CASE") else f"'{before}'",
        to_state=f"'{after}'",
        at=at,
        actor=actor,
        reason=reason,
        detail=detail,
    )
