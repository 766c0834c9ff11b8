"""Lists under a scope, page by page, along an index."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.registry import SCHOOLS, clean, load
from tests.support.rosters import COLUMN
from xueka.contexts.registry.api import (
    Page,
    Student,
    classes,
    find_by_id_number,
    find_by_number,
    import_run,
    import_runs,
    named,
    school,
    schools,
    student,
    students,
    students_named,
)
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

ROWS = clean(120, schools=[SCHOOLS[0], SCHOOLS[1], SCHOOLS[3]])
DISTRICT = Scope("district", SCHOOLS[0][3])
SCHOOL = Scope("school", SCHOOLS[0][3], SCHOOLS[0][0])
NUMBER, EDUCATION_ID, NAME, PHONE = (COLUMN[name] for name in ("证件号码", "教育ID", "姓名", "监护人手机"))


@pytest.fixture(autouse=True)
def _students(schools: None) -> None:
    load(ROWS)


def everything(fetch: Callable[[str | None], Page]) -> list:
    rows: list = []
    after: str | None = None
    while True:
        page = fetch(after)
        rows += page.rows
        after = page.after
        if after is None:
            return rows
        assert page.rows
        assert len(rows) < 1000


def of_school(code: str) -> set[str]:
    return {row[EDUCATION_ID] for row in ROWS if row[0] == code}


def test_pages_give_everybody_once_in_order() -> None:
    found = everything(lambda after: students(EVERYWHERE, after=after, limit=7))
    keys = [(one.school_id, one.school_class_id, one.sort_key, one.id) for one in found]
    assert keys == sorted(keys)
    assert sorted(one.education_id for one in found) == sorted(row[EDUCATION_ID] for row in ROWS)


def test_each_scope_sees_its_own() -> None:
    own, sister, foreign = (of_school(SCHOOLS[n][0]) for n in (0, 1, 3))
    for scope, expected in [
        (EVERYWHERE, own | sister | foreign),
        (Scope("city"), own | sister | foreign),
        (DISTRICT, own | sister),
        (SCHOOL, own),
        (Scope("district", "110119"), set()),
    ]:
        found = everything(lambda after, scope=scope: students(scope, after=after, limit=9))
        assert {one.education_id for one in found} == expected
    stranger = next(row for row in ROWS if row[0] == SCHOOLS[3][0])
    foreign_school = school(EVERYWHERE, SCHOOLS[3][0])
    assert students(DISTRICT, school=foreign_school.id).rows == []
    assert students(DISTRICT, school_class=classes(EVERYWHERE, foreign_school.id)[0].id).rows == []
    assert classes(DISTRICT, foreign_school.id) == []
    assert find_by_id_number(DISTRICT, stranger[NUMBER]) is None
    assert students(DISTRICT, search=stranger[NUMBER]).rows == []
    for missing in (
        lambda: student(DISTRICT, stranger[EDUCATION_ID]),
        lambda: school(DISTRICT, SCHOOLS[3][0]),
        lambda: student(EVERYWHERE, "00000000"),
    ):
        with pytest.raises(NotFound):
            missing()


def test_a_class_and_a_status() -> None:
    here = school(SCHOOL, SCHOOLS[0][0])
    first = classes(SCHOOL, here.id)[0]
    found = students(SCHOOL, school_class=first.id).rows
    assert found
    assert {one.school_class_id for one in found} == {first.id}
    assert students(SCHOOL, school=here.id, status="休学").rows == []


def test_search_finds_by_number_phone_and_beginning_of_the_name() -> None:
    row = ROWS[5]
    for text in (row[EDUCATION_ID], f" {row[NUMBER].lower()}", row[NUMBER][:6] + " " + row[NUMBER][6:]):
        assert [one.education_id for one in students(EVERYWHERE, search=text).rows] == [row[EDUCATION_ID]]
    assert row[EDUCATION_ID] in {one.education_id for one in students(EVERYWHERE, search=row[PHONE]).rows}
    named = everything(lambda after: students(EVERYWHERE, search=row[NAME][0], after=after, limit=2))
    assert sorted(one.name for one in named) == sorted(
        other[NAME] for other in ROWS if other[NAME].startswith(row[NAME][0])
    )
    assert students(EVERYWHERE, search="没有这个人").rows == []


def test_schools_by_code_and_name() -> None:
    found = everything(lambda after: schools(EVERYWHERE, after=after, limit=10))
    assert [one.code for one in found] == sorted(row[0] for row in SCHOOLS)
    assert {one.district_id for one in schools(EVERYWHERE, district="110102").rows} == {"110102"}
    assert [one.code for one in schools(DISTRICT, search="第2学校").rows] == [SCHOOLS[1][0]]
    assert [one.code for one in schools(DISTRICT, search=SCHOOLS[1][0][:6]).rows] == [SCHOOLS[1][0]]
    assert [one.code for one in schools(SCHOOL).rows] == [SCHOOLS[0][0]]


def test_classes_stand_in_the_order_of_schooling() -> None:
    rows = clean(12, first=1000, schools=SCHOOLS[:1])
    for number, row in enumerate(rows):
        row[3], row[4] = str(number % 2 + 1), f"{number}班"
    load(rows)
    found = [(c.grade, c.name) for c in classes(EVERYWHERE, school(EVERYWHERE, SCHOOLS[0][0]).id)]
    ours = [(grade, name) for grade, name in found if (grade, name) != (1, "1班")]
    assert ours.index((1, "2班")) < ours.index((1, "10班")) < ours.index((2, "3班"))


def test_a_cursor_that_nobody_gave_out_is_refused() -> None:
    good = students(EVERYWHERE, limit=1).after
    assert good is not None
    for bad in ("", "x", "é", good[:-3], "WzFd", "W251bGwsMSwyLDNd"):
        with pytest.raises(BadInput) as refusal:
            students(EVERYWHERE, after=bad)
        assert refusal.value.code == "CURSOR_INVALID"


def test_imports_and_their_reports() -> None:
    (run,) = import_runs(EVERYWHERE, kind="roster")
    assert import_run(EVERYWHERE, run.id).report["created"] == 120
    newest, before = import_runs(EVERYWHERE)
    assert newest.id > before.id
    assert import_runs(EVERYWHERE, before=newest.id) == [before]
    for scope, run_id in ((EVERYWHERE, 0), (DISTRICT, run.id), (SCHOOL, run.id)):
        with pytest.raises(NotFound):
            import_run(scope, run_id)
    assert import_runs(DISTRICT) == import_runs(SCHOOL) == []


def plans(ask: Callable[[], object]) -> list[str]:
    """How the database would answer each query of `ask`, were sorting and reading whole tables forbidden."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        for query in asked.captured_queries:
            cursor.execute("EXPLAIN " + query["sql"])
            found.append("\n".join(line for (line,) in cursor.fetchall()))
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_sort")
    return found


@pytest.mark.parametrize("scope", [EVERYWHERE, DISTRICT, SCHOOL])
@pytest.mark.parametrize("search", ["", "王"])
def test_a_page_is_read_along_an_index_in_its_order(scope: Scope, search: str) -> None:
    first = students(scope, search=search, limit=1)
    assert first.after
    for after in (None, first.after):
        *_, plan = plans(lambda after=after: students(scope, search=search, after=after, limit=5))
        assert "Seq Scan on registry_student" not in plan, plan
        sorts_everything = re.search(r"(?<!Incremental )Sort  \(", plan)
        assert not sorts_everything or (search and scope is not EVERYWHERE), plan


@pytest.mark.parametrize(
    "ask",
    [
        lambda: students(EVERYWHERE, search=ROWS[3][NUMBER]),
        lambda: students(DISTRICT, search=ROWS[3][PHONE]),
        lambda: student(EVERYWHERE, ROWS[3][EDUCATION_ID]),
        lambda: find_by_id_number(DISTRICT, ROWS[3][NUMBER]),
    ],
)
def test_a_number_is_found_by_an_index(ask: Callable[[], object]) -> None:
    for plan in plans(ask):
        assert "Seq Scan" not in plan, plan


def test_two_characters_anywhere_in_a_name_find_it() -> None:
    for length in (2, 3):
        wanted = next(row[NAME] for row in ROWS if len(row[NAME]) >= length)[-length:]
        expected = {row[EDUCATION_ID] for row in ROWS if wanted in row[NAME]}
        found = everything(lambda after, text=wanted: students(EVERYWHERE, search=text, after=after, limit=7))
        assert {one.education_id for one in found} == expected
        assert {one.education_id for one in students_named(EVERYWHERE, wanted, 200)} == expected


def test_names_that_begin_so_come_first() -> None:
    wanted = ROWS[0][NAME][:2]
    found = [one.name.startswith(wanted) for one in students_named(EVERYWHERE, wanted, 200)]
    assert found == sorted(found, reverse=True)
    assert found[0]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 13])
def test_every_pair_of_a_name_of_any_length_is_indexed(length: int) -> None:
    name = "阿依努尔·买买提江阿卜杜"[:length] if length < 13 else "阿依努尔·买买提江阿卜杜拉"
    Student.objects.filter(education_id=ROWS[0][EDUCATION_ID]).update(name=name)
    for at in range(length - 1):
        found = students(EVERYWHERE, search=name[at : at + 2]).rows
        assert ROWS[0][EDUCATION_ID] in {one.education_id for one in found}


def test_a_part_of_a_name_is_found_along_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "registry_name_parts" in named(Student.objects.all(), "子涵").explain()


def test_a_personal_number_is_looked_for_on_record() -> None:
    actor = Actor.in_role("s1", "老师", "school_officer", SCHOOL)
    mine = next(row for row in ROWS if row[0] == SCHOOLS[0][0])
    other = next(row for row in ROWS if row[0] != SCHOOLS[0][0])
    assert [one.education_id for one in find_by_number(actor, mine[NUMBER])] == [mine[EDUCATION_ID]]
    assert find_by_number(actor, other[NUMBER]) == []
    assert mine[EDUCATION_ID] in {one.education_id for one in find_by_number(actor, mine[PHONE])}
    assert [one.education_id for one in find_by_number(actor, mine[EDUCATION_ID])] == [mine[EDUCATION_ID]]
    said = list(Entry.objects.filter(action="student.find").order_by("id").values_list("detail", flat=True))
    assert [(each["by"], each["found"]) for each in said] == [
        ("id_number", 1),
        ("id_number", 0),
        ("phone", 1),
    ]
    assert all("*" in each["number"] for each in said)
