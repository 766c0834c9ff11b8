"""Accounts, applications, cards and their numbers, from the plan."""

from django.db import transaction

from xueka.contexts.numbers import api as numbers
from xueka.simulation import issuing, staff
from xueka.simulation.city_size.bulk import execute, fill, mod_11_10, one, restart, rows, workshop
from xueka.simulation.city_size.plan import CHIPPED_FROM, YEAR

TRANSIT, BEIJING_TONG = "10007510", "BJT"
BLANKS = 5_000


def numbers_for_all() -> None:
    """Number ranges with room to go on, as the operator would have entered them; and a lot of blanks."""
    operator = staff.operator("a")
    total = int(one("SELECT count(*) FROM city_card"))
    room = total * 2 + 1_000
    low = max(100, total // 20)
    with transaction.atomic():
        for (year,) in rows("SELECT DISTINCT year FROM city_card ORDER BY 1"):
            numbers.add_range(operator, "card", "市教委", f"{year % 100}", 9, 1, room, low_water=0)
        numbers.add_range(operator, "transit", "一卡通公司", TRANSIT, 9, 1, room, low_water=low)
        numbers.add_range(
            operator, "beijing_tong", "市民卡管理中心", BEIJING_TONG, 11, 1, room, low_water=low
        )
    following = f"UPDATE numbers_numberrange SET next_serial = {total + 1}"  # noqa: S608 - a count
    execute(f"{following} WHERE sort <> 'card'")
    execute(
        """
        UPDATE numbers_numberrange r SET next_serial = c.cards + 1
          FROM (SELECT year % 100 AS year, count(*) AS cards FROM city_card GROUP BY 1) c
         WHERE r.sort = 'card' AND r.prefix = lpad(c.year::text, 2, '0')
        """
    )
    body = "c.prefix || lpad(c.serial::text, 9, '0')"
    workshop(
        "number",
        f"""
        SELECT c.id AS card, b.body || {mod_11_10("b.body")} AS card_number, c.serial, r.id AS range,
               '{TRANSIT}' || lpad(c.id::text, 9, '0') AS transit,
               '{BEIJING_TONG}' || lpad(c.id::text, 11, '0') AS tong
          FROM (SELECT id, lpad((year % 100)::text, 2, '0') AS prefix,
                       row_number() OVER (PARTITION BY year ORDER BY id) AS serial FROM city_card) c
         CROSS JOIN LATERAL (SELECT {body} AS body OFFSET 0) b
          JOIN numbers_numberrange r ON r.sort = 'card' AND r.prefix = c.prefix
         ORDER BY c.id
        """,  # noqa: S608
    )
    _blanks()


def _blanks() -> None:
    """Initialised blanks in the store: the transit number lies outside the range."""
    fill(
        "numbers.BlankLot",
        "",
        id="1",
        number="'KB-2025-01'",
        supplier="'一卡通公司'",
        sm3="decode(repeat('00', 32), 'hex')",
        quantity=str(BLANKS),
        received_at=f"make_timestamptz({YEAR}, 9, 1, 9, 0, 0, 'Asia/Shanghai')",
        received_by="'sim-operator-a'",
        handed_over_by="'一卡通公司'",
    )
    fill(
        "numbers.Blank",
        f"FROM generate_series(1, {BLANKS}) n",
        lot_id="1",
        position="n",
        uid="'0F' || lpad(upper(to_hex(n)), 12, '0')",
        transit_number="'100099990' || lpad(n::text, 8, '0')",
        state="'in_stock'",
        at=f"make_timestamptz({YEAR}, 9, 1, 9, 0, 0, 'Asia/Shanghai')",
    )
    restart("numbers.BlankLot")
    restart("numbers.NumberRange")


def applications_plan() -> None:
    """Where each application stands, and when it was made: nine days before its batch was locked."""
    today = f"""make_timestamptz({YEAR}, 11, 24, 9, 0, 0, 'Asia/Shanghai')
                - (i.place % 200) * interval '30 minutes'"""
    workshop(
        "application",
        f"""
        SELECT i.*, coalesce(f.t - interval '9 days', {today}) AS made_at, c.t AS batch_at,
               f.t AS first_batch_at, o.id AS old_card, f.batch_number AS first_batch, w.main, w.tail,
               CASE w.tail WHEN 'S' THEN 'school_review' WHEN 'B' THEN 'returned' WHEN 'R' THEN 'refused'
                    WHEN 'W' THEN 'withdrawn' WHEN 'X' THEN 'cancelled' WHEN 'M' THEN 'accepted'
                    ELSE (ARRAY['draft', 'district_review', 'city_review', 'accepted', 'in_production',
                                'fulfilled'])[w.main] END AS state
          FROM city_issue i
          LEFT JOIN city_card c ON c.issue = i.id AND NOT c.failed
          LEFT JOIN city_card f ON f.issue = i.id AND f.failed = i.failed_first
          LEFT JOIN city_issue p ON p.student = i.student AND p.k = i.k - 1
          LEFT JOIN city_card o ON o.issue = p.id AND NOT o.failed
         CROSS JOIN LATERAL (
               SELECT CASE WHEN i.handed THEN 6 WHEN c.id IS NOT NULL THEN 5
                           WHEN i.fate IN ('draft', 'school_review') THEN 1 WHEN i.fate = 'city_review' THEN 3
                           WHEN i.fate IN ('accepted', 'cancelled_application') THEN 4 ELSE 2 END AS main,
                      CASE i.fate WHEN 'school_review' THEN 'S' WHEN 'returned' THEN 'B'
                           WHEN 'refused' THEN 'R' WHEN 'withdrawn' THEN 'W'
                           WHEN 'cancelled_application' THEN 'X' WHEN 'void' THEN 'M' ELSE '' END
                      AS tail) said
         CROSS JOIN LATERAL (SELECT said.main, CASE WHEN i.is_last THEN said.tail ELSE '' END AS tail) w
         ORDER BY i.id
        """,  # noqa: S608
    )


def accounts() -> None:
    """One account per student who ever applied; those who left the city's schools have closed theirs."""
    fill(
        "cards.CardAccount",
        """FROM (SELECT account, student, min(made_at) AS first, max(status) AS status
                   FROM city_application GROUP BY account, student) a ORDER BY account""",
        id="account",
        number="'ZH' || lpad(account::text, 10, '0')",
        student_id="student",
        state="CASE WHEN status IN ('毕业', '转出') THEN 'closed' ELSE 'open' END",
        opened_at="first",
    )
    restart("cards.CardAccount")


def applications() -> None:
    """All applications; a few carry a doubt for the reviewer."""
    fill(
        "cards.Application",
        "FROM city_application a ORDER BY id",
        id="id",
        number="'SL' || right(year::text, 2) || lpad(id::text, 8, '0')",
        account_id="account",
        kind_id=f"'{issuing.KIND}'",
        reason="reason",
        state="state",
        school_id="school",
        school_class_id="class",
        old_card_id="old_card",
        doubts="""CASE WHEN id % 40 = 0 AND state <> 'draft' THEN '["second_within_year"]'::jsonb
                       ELSE '[]'::jsonb END""",
        submitted_by="CASE state WHEN 'draft' THEN '' ELSE 'sim-s' || code END",
        submitted_at="CASE state WHEN 'draft' THEN NULL ELSE made_at + interval '1 hour' END",
        refusal_code="CASE WHEN state IN ('returned', 'refused') THEN 'photo_unclear' ELSE '' END",
        created_at="made_at",
        updated_at="coalesce(batch_at, made_at + interval '1 day')",
    )
    restart("cards.Application")


def physical_cards() -> None:
    """Every card that was ever planned, in the state where its way ended."""
    fill(
        "cards.Card",
        "FROM city_card c JOIN city_number n ON n.card = c.id ORDER BY c.id",
        id="c.id",
        number="n.card_number",
        account_id="c.account",
        student_id="c.student",
        kind_id=f"'{issuing.KIND}'",
        application_id="c.issue",
        state="c.state",
        transit_number="n.transit",
        beijing_tong_number="n.tong",
        chip_uid=f"""CASE WHEN c.main >= {CHIPPED_FROM}
                          THEN '04' || lpad(upper(to_hex(c.id)), 12, '0') ELSE '' END""",
        school_id="c.school",
        school_class_id="c.class",
        valid_from="c.t::date",
        valid_until="make_date(c.year + 12, 8, 31)",
        created_at="c.t",
        state_at="c.state_at",
    )
    restart("cards.Card")


def number_uses() -> None:
    """What became of each number: as its card's."""
    fate = """CASE WHEN c.main >= 7 THEN 'used' WHEN c.tail LIKE 'F%' OR c.tail = 'V' THEN 'spoiled'
                   ELSE 'assigned' END"""
    ranges = dict(rows("SELECT sort, id FROM numbers_numberrange WHERE sort <> 'card'"))
    sorts = {
        "card": ("n.card_number", "n.range", "n.serial"),
        "transit": ("n.transit", str(ranges["transit"]), "n.card"),
        "beijing_tong": ("n.tong", str(ranges["beijing_tong"]), "n.card"),
    }
    for sort, (number, range_id, serial) in sorts.items():
        fill(
            "numbers.NumberUse",
            "FROM city_card c JOIN city_number n ON n.card = c.id ORDER BY c.id",
            sort=f"'{sort}'",
            number=number,
            range_id=range_id,
            serial=serial,
            state=fate,
            card_id="c.id",
            at="CASE WHEN c.main >= 7 THEN c.t + interval '9 days' ELSE c.t END",
            reason=f"CASE {fate} WHEN 'spoiled' THEN '02 打印不良' ELSE '' END",
        )
