"""What an entry holds, who may change it, who sees it."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from xueka.kernel import clock
from xueka.platform.audit import queries, services
from xueka.platform.audit.models import Entry
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

NOON = datetime(2024, 9, 2, 4, tzinfo=UTC)
CITY = Actor.in_role("wang", "王芳", "city_operator", Scope("city"), address="10.1.2.3")
DISTRICT = Actor.in_role("li", "李强", "district_officer", Scope("district", "110101"))
SCHOOL = Actor.in_role("zhao", "赵敏", "school_officer", Scope("school", "110101", "3111000001"))
ELSEWHERE = Actor.in_role("sun", "孙立", "school_officer", Scope("school", "110102", "3111000002"))


@pytest.mark.django_db
def test_an_entry_says_who_what_when_and_where_from() -> None:
    with clock.at(NOON):
        services.record(CITY, "batch.lock", "batch", 17, detail={"cards": 3})
    entry = Entry.objects.get()
    assert (entry.at, entry.actor, entry.actor_name, entry.role) == (NOON, "wang", "王芳", "city_operator")
    assert (entry.scope, entry.address, entry.action) == ("city", "10.1.2.3", "batch.lock")
    assert (entry.object_type, entry.object_id, entry.result) == ("batch", "17", "done")
    assert entry.detail == {"cards": 3}


@pytest.mark.django_db
def test_nobody_can_write_into_the_past() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audit_entry (at, actor, actor_name, role, scope, address, action, object_type,
                                        object_id, result, detail, recorded_at)
               VALUES ('2020-01-01Z', 'x', '', '', '', '', 'x', '', '', 'done', '{}', '2020-01-01Z')
               RETURNING clock_timestamp() - recorded_at"""
        )
        assert cursor.fetchone()[0] < timedelta(minutes=1)


@pytest.mark.parametrize("statement", ["UPDATE {} SET entry_id = 1", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["audit_entry", "audit_seal"])
@pytest.mark.django_db
def test_the_application_may_not_change_the_log(table: str, statement: str) -> None:
    statement = statement.format(table).replace("audit_entry SET entry_id", "audit_entry SET id")
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize(
    ("table", "column"), [("audit_entry", "id"), ("audit_seal", "seq"), ("history_transition", "seq")]
)
def test_the_owner_may_not_change_it_by_mistake(log: None, table: str, column: str, statement: str) -> None:
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**address.parameters(Role.OWNER, name)) as owner:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")  # rolled back with the refusal
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            owner.execute(statement.format(table, column))
        owner.rollback()


@pytest.mark.django_db
def test_a_failed_act_leaves_no_entry() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        services.record(CITY, "batch.lock")
        Entry.objects.create(at=NOON, actor=None, action="x")
    assert not Entry.objects.exists()


@pytest.fixture
def entries(db: None) -> None:
    for hour, actor in enumerate((CITY, DISTRICT, SCHOOL, ELSEWHERE)):
        with clock.at(NOON + timedelta(hours=hour)):
            services.record(actor, "card.report_lost", "card", hour)
            services.record(actor, "application.submit", "application", hour, result="refused")


def who(found: list[Entry]) -> list[str]:
    return [entry.actor for entry in found]


def test_each_scope_sees_what_was_done_inside_it(entries: None) -> None:
    assert who(queries.entries(EVERYWHERE, action="card.report_lost")) == ["sun", "zhao", "li", "wang"]
    assert who(queries.entries(CITY.scope, action="card.report_lost")) == ["sun", "zhao", "li", "wang"]
    assert who(queries.entries(DISTRICT.scope, action="card.report_lost")) == ["zhao", "li"]
    assert who(queries.entries(SCHOOL.scope, action="card.report_lost")) == ["zhao"]
    assert who(queries.entries(Scope("school", "110101", "3111000009"))) == []


def test_filters(entries: None) -> None:
    assert who(queries.entries(EVERYWHERE, actor="li")) == ["li", "li"]
    assert len(queries.entries(EVERYWHERE, action="application.")) == 4
    assert len(queries.entries(EVERYWHERE, result="refused")) == 4
    assert who(queries.entries(EVERYWHERE, object_type="card", object_id=2)) == ["zhao"]
    assert who(queries.entries(EVERYWHERE, since=NOON + timedelta(hours=3))) == ["sun", "sun"]
    assert who(queries.entries(EVERYWHERE, until=NOON + timedelta(hours=1))) == ["wang", "wang"]


def test_paging_by_key_meets_each_entry_once(entries: None) -> None:
    seen: list[int] = []
    after = None
    while page := queries.entries(EVERYWHERE, after=after, limit=3):
        seen += [entry.id for entry in page]
        after = page[-1].id
    assert seen == sorted(Entry.objects.values_list("id", flat=True), reverse=True)
