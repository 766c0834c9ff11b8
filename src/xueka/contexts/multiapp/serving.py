"""What a partner is given: answers about cards, and the hot-list, of its own part of the city only."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q
from psycopg import sql

from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp.adapters.signing import signing_key
from xueka.contexts.multiapp.domain import hot_list as lines
from xueka.contexts.multiapp.domain import interface as words
from xueka.contexts.multiapp.domain.transitions import IN_FORCE
from xueka.contexts.multiapp.models import GrantPlace, HotList, Unit
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor

AT_A_TIME = 2_000
"""Lines that are signed and sent together."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The cards of a partner: of these kinds, at these schools (None: the whole city), by its grants."""

    parts: tuple[tuple[str, frozenset[int] | None], ...]

    def covers(self, kind: str, school: int) -> bool:
        return any(kind == its and (schools is None or school in schools) for its, schools in self.parts)


@dataclass(frozen=True, slots=True)
class Validity:
    """`card_id` is for the record alone. `list_version` is that of the hot-list at the same moment."""

    state: str
    checked_at: datetime
    card_id: int | None


def reach(unit: Unit) -> Reach:
    """What the unit's grants in force reach. Raises Refused `NO_GRANT` where it has none."""
    parts: dict[str, set[int] | None] = {}
    places = GrantPlace.objects.filter(
        grant__unit=unit, grant__state=IN_FORCE, grant__valid_until__gte=clock.today(), holds=True
    )
    for kind, school in places.values_list("area__kind_id", "school_id"):
        schools = parts.setdefault(kind, set())
        if school is None:
            parts[kind] = None
        elif schools is not None:
            schools.add(school)
    if not parts:
        raise Refused(
            "NO_GRANT",
            f"{unit.name}没有有效的卡上授权。",
            action="请与市级运营联系：授权可能未生效、已暂停或已到期。",
        )
    return Reach(
        tuple(
            (kind, None if schools is None else frozenset(schools)) for kind, schools in sorted(parts.items())
        )
    )


def grants_told(unit: Unit) -> list[dict[str, str]]:
    """The unit's grants in force as the interface tells them: number, card kind, from, until."""
    rows = unit.grants.filter(state=IN_FORCE).select_related("area").order_by("number")
    return [
        {
            "number": each.number,
            "kind": each.area.kind_id,
            "from": each.valid_from.isoformat(),
            "until": each.valid_until.isoformat(),
        }
        for each in rows
    ]


def validity(actor: Actor, unit: Unit, number: str) -> Validity:
    """Whether a card may be accepted, by card number or chip UID. A stranger's card is as unknown as none."""
    return validities(actor, unit, [number])[0]


def validities(actor: Actor, unit: Unit, numbers: Sequence[str]) -> list[Validity]:
    """The same for many, in their order."""
    actor.require(words.CHECK)
    asked = [words.check_number(each) for each in numbers]
    part = reach(unit)
    chips = {each.upper() for each in asked}
    rows = cards.Card.objects.filter(Q(number__in=asked) | Q(chip_uid__in=chips))
    known: dict[str, cards.Card] = {}
    for card in rows.select_related("student"):
        known[card.number] = known[card.chip_uid] = card
    now, today = clock.now(), clock.today()
    found = []
    for each in asked:
        its = known.get(each) or known.get(each.upper())
        if its is None or not part.covers(its.kind_id, its.student.school_id):
            found.append(Validity(words.UNKNOWN, now, None))
        else:
            found.append(Validity(words.answer(its.state, its.valid_until, today), now, its.id))
    return found


def head() -> lines.Head:
    """Where the hot-list stands; version 0 until its first tick."""
    found = HotList.objects.filter(id=1).first()
    return lines.Head(found.version, found.floor, found.at) if found else lines.Head(0, 0, clock.now())


def full_list(actor: Actor, unit: Unit) -> Iterator[bytes]:
    """The whole list of the partner's part, as signed lines, piece by piece."""
    actor.require(words.LIST)
    return lines_of(lines.FULL, reach(unit), head(), 0)


def change_list(actor: Actor, unit: Unit, since: int) -> Iterator[bytes]:
    """What changed after version `since`. Raises Conflict `HOT_LIST_GAP`: then the full list is due."""
    actor.require(words.LIST)
    part, now = reach(unit), head()
    lines.check_since(since, now)
    return lines_of(lines.CHANGES, part, now, since)


def lines_of(what: str, part: Reach, now: lines.Head, since: int) -> Iterator[bytes]:
    """The database writes the lines itself (COPY); they are signed as they pass, never held together."""
    count = 0
    with signing_key().signing() as signature:

        def signed(piece: bytes) -> bytes:
            signature.update(piece)
            return piece

        yield signed(lines.first_line(what, now, since))
        with connection.cursor() as cursor, cursor.copy(statement(part, what, since)) as copy:
            waiting: list[bytes] = []
            for count, line in enumerate(copy, start=1):  # noqa: B007 - the last number is the answer
                waiting.append(bytes(line))
                if len(waiting) == AT_A_TIME:
                    yield signed(b"".join(waiting))
                    waiting.clear()
            yield signed(b"".join(waiting))
        yield signed(lines.last_line(count))
        yield lines.signature_line(base64.b64encode(signature.finish()).decode())


def statement(part: Reach, what: str, since: int) -> sql.Composed:
    """`+⇥number⇥chip⇥reason` for what is not to be accepted, `-⇥number⇥chip⇥` for what is so again."""
    places = []
    for kind, schools in part.parts:
        place = sql.SQL("kind_id = {}").format(sql.Literal(kind))
        if schools is not None:
            place += sql.SQL(" AND school_id = ANY({})").format(sql.Literal(sorted(schools)))
        places.append(sql.SQL("({})").format(place))
    when = (
        sql.SQL("state <> ''") if what == lines.FULL else sql.SQL("version > {}").format(sql.Literal(since))
    )
    return sql.SQL(
        "COPY (SELECT CASE WHEN state = '' THEN '-' ELSE '+' END, number, chip_uid, state"
        " FROM multiapp_hotcard WHERE {} AND ({}) ORDER BY number) TO STDOUT"
    ).format(when, sql.SQL(" OR ").join(places))
