"""What every student of a whole city has been through: in tables of our own, before a row.

`city_issue` has one row per application, `city_card` one per physical card, `city_batch` one per batch. A
card goes `main` steps along the line (planned, ordered, made, packed, in transit, at school, active), then
the letters of `tail`: L lost, C cancelled, D destroyed, V void, F failed.
"""

from xueka.simulation.city_size.bulk import dice, execute, workshop

YEAR = 2025
#: Phases of a campaign, in the order in which their batches were made.
HANDED, REMAKE, LOST_BOX, AT_SCHOOL, IN_TRANSIT, PACKED, MADE, ORDERED, PLANNED, NO_CARD = range(1, 11)

#: Of ten thousand students, those who differ from their class.
_OWN = {
    "none": 300,
    "draft": 40,
    "returned": 30,
    "refused": 15,
    "withdrawn": 15,
    "cancelled_application": 10,
}
#: Of ten thousand classes, those that stand at one point of the line today; the others hold their cards.
_CLASS = {
    "planned": 60,
    "ordered": 100,
    "made": 140,
    "packed": 100,
    "in_transit": 200,
    "at_school": 300,
    "void": 30,
    "accepted": 120,
    "district_review": 200,
    "city_review": 80,
    "school_review": 10,
    "none": 160,
}
#: Of ten thousand who were given this year's card.
_SINCE = {"lost": 150, "cancelled": 20, "destroyed": 20}

_HANDED = "('active', 'lost', 'cancelled', 'destroyed')"
_PHASES = {
    "planned": PLANNED,
    "ordered": ORDERED,
    "made": MADE,
    "packed": PACKED,
    "in_transit": IN_TRANSIT,
    "at_school": AT_SCHOOL,
    "void": LOST_BOX,
}
#: (steps of the main line, tail) of what became of a card.
_WAYS = {
    "planned": (1, ""),
    "ordered": (2, ""),
    "made": (3, ""),
    "packed": (4, ""),
    "in_transit": (5, ""),
    "at_school": (6, ""),
    "active": (7, ""),
    "void": (5, "V"),
    "failed": (2, "F"),
    "failed_destroyed": (2, "FD"),
}
_STATES = ("planned", "ordered", "made", "packed", "in_transit", "at_school", "active")
_ENDS = {"L": "lost", "C": "cancelled", "D": "destroyed", "V": "void", "F": "failed"}
CHIPPED_FROM = 3


def plan(seed: int, students: int) -> None:
    """Make the tables, in the order in which one builds on another."""
    _students(seed)
    _issues(seed)
    _cards(seed, batch_size=min(2_000, max(20, students // 400)))


def _students(seed: int) -> None:
    own, of_class = dice(seed, "own", "s.id"), dice(seed, "class", "s.school_class_id")
    olds, since = dice(seed, "olds", "s.id"), dice(seed, "since", "s.id")
    fate = f"""
        CASE WHEN s.status NOT IN ('在校', '借读') THEN 'none' {_cases(own, _OWN)} {_cases(of_class, _CLASS)}
             {_cases(since, _SINCE)} ELSE 'active' END"""
    workshop(
        "student",
        f"""
        SELECT s.id AS student, s.school_id AS school, s.school_class_id AS class, o.district_id AS district,
               o.code, s.status, {fate} AS fate,
               row_number() OVER (ORDER BY o.code, s.school_class_id, s.sort_key, s.id) AS place,
               CASE WHEN s.birth_year >= {YEAR - 6} OR {olds} < 4200 THEN 0
                    WHEN {olds} < 8500 THEN 1 WHEN {olds} < 9700 THEN 2 ELSE 3 END AS olds
          FROM registry_student s JOIN registry_school o ON o.id = s.school_id
        """,  # noqa: S608
    )


def _issues(seed: int) -> None:
    """Every application: those of earlier years, all handed out, and this year's, wherever it stands."""
    is_last = "n.k > p.olds"
    spread = f"1 + {dice(seed, 'spread', 'p.student', 2)}"
    lost = dice(seed, "way", "p.student * 8 + n.k")
    reason = """CASE WHEN k = 1 THEN 'new' WHEN lag(lost_way) OVER mine THEN 'lost'
                     ELSE (ARRAY['damaged', 'data_change', 'stage_change', 'transfer'])[1 + student % 4]
                 END"""
    phases = " ".join(f"WHEN '{fate}' THEN {phase}" for fate, phase in _PHASES.items())
    workshop(
        "issue",
        f"""
        SELECT row_number() OVER (ORDER BY year, phase, place) AS id, *,
               {reason} AS reason,
               CASE WHEN k <= olds THEN {dice(seed, "end", "student * 8 + k")} END AS end_dice,
               phase = {HANDED} AS handed,
               phase = {HANDED} AND {dice(seed, "failed", "student * 8 + k")} < 50 AS failed_first,
               dense_rank() OVER (ORDER BY place) AS account
          FROM (SELECT p.student, p.school, p.class, p.district, p.code, p.status, p.fate, p.place,
                       p.olds, n.k,
                       {is_last} AS is_last,
                       {lost} < 5000 AS lost_way,
                       ({YEAR} - greatest(p.olds - n.k + 1, 0) * ({spread}))::int AS year,
                       CASE WHEN NOT ({is_last}) OR p.fate IN {_HANDED} THEN {HANDED}
                            ELSE CASE p.fate {phases} ELSE {NO_CARD} END END AS phase
                  FROM city_student p
                 CROSS JOIN LATERAL generate_series(1, p.olds + (p.fate <> 'none')::int) AS n(k)) each
        WINDOW mine AS (PARTITION BY student ORDER BY k)
        """,  # noqa: S608
    )


def _cards(seed: int, batch_size: int) -> None:
    """Physical cards in the order of making, then their batches, then what became of each."""
    workshop("card0", _cards_in_order())
    workshop("card1", _in_batches(batch_size))
    workshop("batch", _batches())
    workshop("card2", _outcomes(seed))
    execute("CREATE INDEX ON city_card2 (issue)")
    workshop("card", _with_times())
    for name in ("card0", "card1", "card2"):
        execute(f"DROP TABLE city_{name}")


def _cards_in_order() -> str:
    """A card that failed stands in its class's batch; the good one comes with the batch of second tries."""
    return f"""
        SELECT row_number() OVER (ORDER BY year, phase, place) AS id, *,
               row_number() OVER (PARTITION BY year, phase ORDER BY place) AS in_phase
          FROM (SELECT id AS issue, student, account, school, class, code, district, year, place, k,
                       false AS failed, CASE WHEN failed_first THEN {REMAKE} ELSE phase END AS phase
                  FROM city_issue WHERE phase < {NO_CARD}
                UNION ALL
                SELECT id, student, account, school, class, code, district, year, place, k, true, phase
                  FROM city_issue WHERE failed_first) made
    """  # noqa: S608


def _in_batches(batch_size: int) -> str:
    return f"""
        SELECT *, dense_rank() OVER (ORDER BY year, phase, (in_phase - 1) / {batch_size}) AS batch,
               (in_phase - 1) % {batch_size} + 1 AS position
          FROM city_card0
    """  # noqa: S608


def _batches() -> str:
    """Batches of a year are spread over 75 days; the line's last phases are the latest."""
    return f"""
        SELECT *, 'B' || right(year::text, 2) || '-' || lpad(serial::text, 5, '0') AS number,
               make_timestamptz(year, 9, 1, 9, 0, 0, 'Asia/Shanghai')
                   + (serial - 1) * (interval '75 days' / count(*) OVER (PARTITION BY year)) AS t,
               CASE phase WHEN {PLANNED} THEN 'locked'
                    WHEN {ORDERED} THEN
                        (ARRAY['acknowledged', 'sent', 'acknowledged', 'ready', 'bounced', 'approved'])
                        [1 + serial % 6]
                    WHEN {MADE} THEN CASE WHEN serial % 2 = 0 THEN 'reconciling' ELSE 'closed' END
                    ELSE 'closed' END AS state
          FROM (SELECT batch AS id, year, phase, count(*) AS cards,
                       row_number() OVER (PARTITION BY year ORDER BY batch) AS serial
                  FROM city_card1 GROUP BY batch, year, phase) b
    """  # noqa: S608


def _outcomes(seed: int) -> str:
    """What became of each card, in one word; `replaced` where the next one took its place."""
    short, missing = dice(seed, "short", "c.id"), dice(seed, "missing", "c.id")
    return f"""
        SELECT c.*, b.t, b.state AS batch_state, b.number AS batch_number, i.handed, i.lost_way,
               coalesce(n.handed, false) AS replaced, n.id AS next_issue,
               CASE WHEN c.failed THEN CASE WHEN c.id % 3 = 0 THEN 'failed_destroyed' ELSE 'failed' END
                    WHEN c.phase = {AT_SCHOOL} AND {short} < 10 THEN 'in_transit'
                    WHEN b.state = 'reconciling' AND {missing} < 50 THEN 'ordered'
                    WHEN i.is_last THEN i.fate
                    WHEN n.handed THEN CASE WHEN i.end_dice < 7000 THEN 'cancelled' ELSE 'destroyed' END
                    WHEN i.status NOT IN ('在校', '借读') THEN 'cancelled'
                    WHEN n.id IS NOT NULL AND i.lost_way THEN 'lost'
                    ELSE 'active' END AS outcome
          FROM city_card1 c
          JOIN city_batch b ON b.id = c.batch
          JOIN city_issue i ON i.id = c.issue
          LEFT JOIN city_issue n ON n.student = i.student AND n.k = i.k + 1
    """  # noqa: S608


def _with_times() -> str:
    """The way as steps and letters, the state at its end, and when it was reached."""
    mains = " ".join(f"WHEN '{word}' THEN {main}" for word, (main, _) in _WAYS.items())
    tails = " ".join(f"WHEN '{word}' THEN '{tail}'" for word, (_, tail) in _WAYS.items())
    ends = " ".join(f"WHEN '{letter}' THEN '{state}'" for letter, state in _ENDS.items())
    states = ", ".join(f"'{state}'" for state in _STATES)
    return f"""
        SELECT *, CASE right(tail, 1) {ends} ELSE (ARRAY[{states}])[main] END AS state,
               CASE right(tail, 1) WHEN 'L' THEN lost_at WHEN 'C' THEN cancelled_at
                    WHEN 'D' THEN CASE WHEN failed THEN failed_at ELSE cancelled_at END + interval '20 days'
                    WHEN 'V' THEN void_at WHEN 'F' THEN failed_at ELSE reached_at END AS state_at
          FROM (SELECT c.*, CASE c.outcome {mains} ELSE 7 END AS main,
                       CASE c.outcome {tails}
                            WHEN 'lost' THEN 'L'
                            WHEN 'cancelled' THEN CASE WHEN c.lost_way THEN 'LC' ELSE 'C' END
                            ELSE CASE WHEN c.lost_way THEN 'LCD' ELSE 'CD' END END AS tail,
                       c.t + (ARRAY[interval '0', interval '2 hours', interval '3 days', interval '4 days',
                                    interval '5 days', interval '8 days', interval '9 days'])
                             [CASE c.outcome {mains} ELSE 7 END] AS reached_at,
                       c.t + interval '29 days' AS lost_at,
                       CASE WHEN c.replaced THEN n.t + interval '9 days' ELSE c.t + interval '49 days' END
                           AS cancelled_at,
                       c.t + interval '7 days' AS void_at, c.t + interval '3 days' AS failed_at,
                       n.id AS next_card
                  FROM city_card2 c
                  LEFT JOIN city_card2 n ON n.issue = c.next_issue AND NOT n.failed) way
    """  # noqa: S608


def _cases(throw: str, shares: dict[str, int]) -> str:
    edge, cases = 0, []
    for word, share in shares.items():
        edge += share
        cases.append(f"WHEN {throw} < {edge} THEN '{word}'")
    return " ".join(cases)
