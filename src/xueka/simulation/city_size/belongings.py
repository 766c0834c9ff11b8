"""What else a city has on record: consents, enrolments, transfers, destroyed cards, staff, the audit log."""

from django.db import connection, transaction

from xueka.contexts.keys import api as keys
from xueka.contexts.registry import api as registry
from xueka.kernel.districts import DISTRICTS
from xueka.platform.crypto.fields import seal_many
from xueka.platform.database.copy import copy_rows
from xueka.platform.identity import demo as accounts
from xueka.simulation import staff
from xueka.simulation.city_size.bulk import dice, execute, fill, restart, workshop
from xueka.simulation.city_size.plan import YEAR

_SLIPS = 2_000
_OF_SCHOOL = "(SELECT 'school:' || district_id || ':' || code FROM registry_school s WHERE s.code = o.code)"
_TERM = f"make_timestamptz({YEAR}, 9, 1, 9, 0, 0, 'Asia/Shanghai')"


def consents(seed: int) -> None:
    """97 of 100 guardians have signed; the slips carry some thousands of different sealed names."""
    execute("CREATE UNLOGGED TABLE city_slip (n int PRIMARY KEY, envelope bytea)")
    sealed = seal_many([f'{{"name":"家长{n}"}}'.encode() for n in range(_SLIPS)])
    copy_rows(connection, "city_slip", ["n", "envelope"], enumerate(sealed))
    fill(
        "registry.Consent",
        f"""FROM city_student s JOIN city_slip p ON p.n = s.place % {_SLIPS}
            WHERE {dice(seed, "consent", "s.student")} < 9700 ORDER BY s.student""",
        student_id="s.student",
        action="'given'",
        notice_version=f"'{YEAR}-1'",
        given_by="p.envelope",
        method="'paper'",
        at=_TERM,
        recorded_by="'sim-s' || s.code",
    )


def enrolments(seed: int) -> None:
    """One in five was in another standing before."""
    fill(
        "registry.Enrolment",
        f"""FROM city_student s JOIN registry_student r ON r.id = s.student
            WHERE {dice(seed, "enrolment", "s.student", 5)} = 0 ORDER BY s.student""",
        student_id="s.student",
        school_id="s.school",
        school_class_id="s.class",
        status="'借读'",
        from_date="r.enrolled_from - 365",
        to_date="r.enrolled_from",
        reason="'status'",
    )


def transfers(seed: int) -> None:
    """Moves between districts: some wait for both sides, some were sent back."""
    throw, target = dice(seed, "transfer", "s.student"), dice(seed, "to class", "s.student", 2**31 - 1)
    execute(
        "CREATE UNLOGGED TABLE city_class AS"
        " SELECT id, school_id, row_number() OVER (ORDER BY id) AS n FROM registry_schoolclass"
    )
    execute("CREATE UNIQUE INDEX ON city_class (n)")
    workshop(
        "transfer",
        f"""
        SELECT row_number() OVER (ORDER BY s.student) AS id, s.student, s.school AS from_school,
               c.school_id AS to_school, c.id AS to_class, s.district, s.code,
               CASE WHEN {throw} < 15 THEN 'open' ELSE 'rejected' END AS state
          FROM city_student s
          JOIN city_class c ON c.n = {target} % (SELECT count(*) FROM city_class) + 1
          JOIN registry_school o ON o.id = c.school_id
         WHERE {throw} < 30 AND o.district_id <> s.district AND s.status = '在校'
        """,  # noqa: S608
    )
    fill(
        "registry.Transfer",
        "FROM city_transfer t ORDER BY id",
        id="id",
        student_id="student",
        from_school_id="from_school",
        to_school_id="to_school",
        to_class_id="to_class",
        state="state",
        asked_at=f"{_TERM} + interval '60 days'",
        rejected_by="CASE state WHEN 'rejected' THEN 'sim-d' || district ELSE '' END",
        closed_at=f"CASE state WHEN 'rejected' THEN {_TERM} + interval '63 days' END",
    )
    restart("registry.Transfer")
    for seq, event, before, after, days, condition in (
        (1, "create", "", "open", 60, "true"),
        (2, "reject", "open", "rejected", 63, "state = 'rejected'"),
    ):
        fill(
            "history.Transition",
            f"FROM city_transfer WHERE {condition}",
            machine="'transfer'",
            object_id="id",
            seq=str(seq),
            event=f"'{event}'",
            from_state=f"'{before}'",
            to_state=f"'{after}'",
            at=f"{_TERM} + interval '{days} days'",
            actor="'sim-operator-a'" if seq == 1 else "'sim-d' || district",
            reason="''" if seq == 1 else "'家长改变主意'",
        )


def destructions() -> None:
    """Dead cards were collected and destroyed before witnesses once a month."""
    execute(
        """
        INSERT INTO cards_destruction (number, title, state, state_at, created_at, created_by, destroyed_on,
                                       place, method, done_by, witness_1, witness_2, document, card_count,
                                       signed_by, signed_at)
        SELECT 'HK' || to_char(month, 'YY-"000"MM'), '', 'collecting', last, first, 'sim-operator-a',
               (last AT TIME ZONE 'Asia/Shanghai')::date, '市教委库房', '粉碎', '何宁',
               '施岚', '吕安', 'XHJL-' || to_char(month, 'YYYYMM'), cards, 'sim-operator-a', last
          FROM (SELECT date_trunc('month', state_at AT TIME ZONE 'Asia/Shanghai') AS month, count(*) AS cards,
                       min(state_at) AS first, max(state_at) AS last
                  FROM cards_card WHERE state = 'destroyed' GROUP BY 1) monthly ORDER BY month
        """
    )
    execute(
        """
        INSERT INTO cards_destructioncard (destruction_id, card_id, is_here, added_at, added_by)
        SELECT d.id, c.id, true, c.state_at, d.created_by
          FROM cards_card c
          JOIN cards_destruction d
            ON d.document = 'XHJL-' || to_char(c.state_at AT TIME ZONE 'Asia/Shanghai', 'YYYYMM')
         WHERE c.state = 'destroyed' ORDER BY d.id, c.id
        """
    )
    execute("UPDATE cards_destruction SET state = 'signed'")
    for seq, event, source, target, at in (
        (1, "create", "", "collecting", "d.created_at"),
        (2, "sign", "collecting", "signed", "d.signed_at"),
    ):
        fill(
            "history.Transition",
            "FROM cards_destruction d ORDER BY d.id",
            machine="'destruction'",
            object_id="d.id",
            seq=str(seq),
            event=f"'{event}'",
            from_state=f"'{source}'",
            to_state=f"'{target}'",
            at=at,
            actor="d.created_by",
            reason="''",
            detail="'{}'::jsonb",
        )


def officers() -> None:
    """An officer for every school, and names for everybody; none of them can log in."""
    fill(
        "identity.User",
        "FROM registry_school s ORDER BY s.code",
        username="'sim-s' || s.code",
        name="''",
        password="'!'",  # noqa: S106 - an unusable password
        is_active="true",
        created_at=_TERM,
        password_changed_at=_TERM,
    )
    fill(
        "identity.Grant",
        "FROM registry_school s JOIN identity_user u ON u.username = 'sim-s' || s.code ORDER BY s.code",
        user_id="u.id",
        role="'school_officer'",
        level="'school'",
        district_code="s.district_id",
        school_code="s.code",
        granted_at=_TERM,
        granted_by="'demo'",
    )
    codes = registry.School.objects.values_list("code", flat=True)
    accounts.name_the_staff(staff.names(sorted(DISTRICTS), codes.order_by("code")))


def log_ins() -> None:
    """One demo log-in per role, and the demo's keys."""
    school = registry.School.objects.order_by("code")[0]
    with transaction.atomic():
        accounts.make_demo_accounts(district=school.district_id, school=school.code)
        keys.make_demo_keys()
        accounts.name_the_staff(keys.demo_people())


def audit() -> None:
    """One entry for each act on a batch, a delivery or a class; the sealer chains them afterwards."""
    acts = (
        ("city_batch", "batch.create", "batch", "o.number", "-1 days", "'sim-operator-a'", "true"),
        ("city_batch", "batch.lock", "batch", "o.number", "0 days", "'sim-operator-a'", "true"),
        (
            "city_batch",
            "batch.approve",
            "batch",
            "o.number",
            "2 hours",
            "'sim-operator-b'",
            "o.state <> 'locked'",
        ),
        (
            "city_batch",
            "batch.close",
            "batch",
            "o.number",
            "73 hours",
            "'sim-operator-b'",
            "o.state = 'closed'",
        ),
        ("city_delivery", "delivery.prepare", "delivery", "o.number", "4 days", "'sim-operator-a'", "true"),
        (
            "city_delivery",
            "delivery.dispatch",
            "delivery",
            "o.number",
            "5 days",
            "'sim-operator-a'",
            "o.state <> 'packing'",
        ),
        ("city_box", "box.receive", "box", "o.number", "8 days", "'sim-s' || o.code", "o.state = 'received'"),
        ("city_box", "card.hand_out", "card", "''", "9 days", "'sim-s' || o.code", "o.phase <= 2"),
    )
    for table, action, kind, identity, after, actor, condition in acts:
        fill(
            "audit.Entry",
            f"FROM {table} o WHERE {condition} ORDER BY o.id",
            at=f"o.t + interval '{after}'",
            actor=actor,
            actor_name=f"(SELECT name FROM identity_user u WHERE u.username = {actor})",  # noqa: S608
            scope="'city'" if "operator" in actor else _OF_SCHOOL,
            role="'city_operator'" if "operator" in actor else "'school_officer'",
            action=f"'{action}'",
            object_type=f"'{kind}'",
            object_id=identity,
            detail="jsonb_build_object('cards', o.cards)",
        )
