"""Each invariant holds after ordinary work, and notices when it is broken by hand."""

import pytest
from django.db import connection

from tests.support.oneroster import files_of, records
from tests.support.registry import OPERATOR, SCHOOLS, clean, load, load_schools, school_officer
from tests.support.rosters import COLUMN
from xueka.contexts.registry.api import (
    INVARIANTS,
    Absence,
    Moves,
    Student,
    import_oneroster,
    mark_left,
    move_students,
    record_consent,
)
from xueka.contexts.registry.models import Consent, Transfer
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db(databases=["default"])


@pytest.fixture
def busy(schools: None) -> None:
    """A campus, a move, an asked and a rejected transfer, consent given and withdrawn."""
    campus = list(SCHOOLS[2])
    campus[2] = SCHOOLS[0][0]
    load_schools([campus])
    rows = clean(10, schools=SCHOOLS[:1])
    load(rows)
    rows[0][0], rows[1][0], rows[2][4] = SCHOOLS[1][0], SCHOOLS[3][0], "8班"
    load(rows)
    rows[2][4] = "9班"
    load(rows)
    here = list(Student.objects.filter(school__code=SCHOOLS[0][0]).values_list("id", flat=True))
    officer = school_officer(SCHOOLS[0])
    record_consent(officer, here[:3], "given", "1", "", "paper")
    record_consent(officer, here[:1], "withdrawn", "1", "", "paper")
    _packages(rows)
    assert OPERATOR.may("city:registry:import")


def _packages(rows: list[list[str]]) -> None:
    """A student missing and gone, another changed by a package."""
    import_oneroster(OPERATOR, files_of(records(rows[4:])), "full")
    changed = list(rows[5])
    changed[COLUMN["现住址"]] = "北京市样例路9号"
    import_oneroster(OPERATOR, files_of(records([changed])), "changed")
    absence = Absence.objects.order_by("id").first()
    assert absence is not None
    student, mover = absence.student, Actor.system("test")
    went = Moves(
        [student.id], [student.school_class_id], [student.status], [student.school_class_id], ["转出"]
    )
    assert move_students(mover, went, "left") == [student.id]
    mark_left(mover, [student.id])


def results() -> dict[str, tuple[int, int]]:
    return {one.name: (one.checked, one.violated) for one in map(check, INVARIANTS)}


def test_ordinary_work_keeps_them_all(busy: None) -> None:
    found = results()
    assert all(checked > 0 for checked, _ in found.values()), found
    assert all(violated == 0 for _, violated in found.values()), found


ANY_STUDENT = "(SELECT id FROM registry_student ORDER BY id LIMIT 1)"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (
            "registry_campus_has_a_main_school",
            f"UPDATE registry_school SET main_school_id = (SELECT id FROM registry_school WHERE code = "
            f"'{SCHOOLS[2][0]}') WHERE code = '{SCHOOLS[5][0]}'",
        ),
        (
            "registry_enrolments_follow_each_other",
            "INSERT INTO registry_enrolment (student_id, school_id, school_class_id, status, from_date, "
            "to_date, reason) SELECT id, school_id, school_class_id, status, '2030-01-01', '2031-01-01', "
            "'class' FROM registry_student LIMIT 1",
        ),
        (
            "registry_personal_fields_are_sealed",
            f"UPDATE registry_student SET envelope = convert_to(repeat('clear ', 20), 'UTF8') "
            f"WHERE id = {ANY_STUDENT}",
        ),
        (
            "registry_personal_fields_are_sealed",
            f"UPDATE registry_student SET id_index = '\\x00' WHERE id = {ANY_STUDENT}",
        ),
        (
            "registry_open_transfer_is_between_schools",
            "UPDATE registry_transfer SET from_school_id = to_school_id WHERE state = 'open'",
        ),
        (
            "registry_consent_given_before_withdrawn",
            "INSERT INTO registry_consent (student_id, action, notice_version, given_by, method, at, "
            "recorded_by) SELECT id, 'withdrawn', '1', '', 'paper', now(), 'x' FROM registry_student "
            "WHERE id NOT IN (SELECT student_id FROM registry_consent) LIMIT 1",
        ),
        (
            "registry_closed_schools_have_nobody",
            f"UPDATE registry_school SET is_open = false WHERE code = '{SCHOOLS[0][0]}'",
        ),
        ("registry_grades_exist_in_their_stage", "UPDATE registry_schoolclass SET grade = 7"),
        ("registry_import_counts_add_up", "UPDATE registry_importrun SET created = created + 1"),
        (
            "registry_import_counts_add_up",
            "INSERT INTO registry_studentchange (student_id, run_id, line) SELECT s.id, r.id, 2 "
            "FROM registry_student s, registry_importrun r WHERE r.kind = 'roster' LIMIT 1",
        ),
        ("registry_left_students_have_left", "UPDATE registry_absence SET state = 'left'"),
        ("registry_befores_belong_to_changes", "UPDATE registry_studentbefore SET line = line + 1"),
        (
            "registry_befores_belong_to_changes",
            "UPDATE registry_importrun SET reverted_at = now() WHERE kind = 'oneroster'",
        ),
        ("absence_state_equals_last_history_row", "UPDATE registry_absence SET state = 'kept'"),
        (
            "absence_steps_allowed",
            "INSERT INTO history_transition (machine, object_id, seq, event, from_state, to_state, at, "
            "actor, reason, detail) SELECT 'absence', id, 9, 'return', 'kept', 'returned', now(), 'x', '', "
            "'{}' FROM registry_absence LIMIT 1",
        ),
        (
            "transfer_state_equals_last_history_row",
            "UPDATE registry_transfer SET state = 'withdrawn' WHERE state = 'open'",
        ),
        (
            "transfer_steps_allowed",
            "INSERT INTO history_transition (machine, object_id, seq, event, from_state, to_state, at, "
            "actor, reason, detail) SELECT 'transfer', id, 9, 'close', 'rejected', 'closed', now(), 'x', '', "
            "'{}' FROM registry_transfer LIMIT 1",
        ),
    ],
)
def test_damage_is_noticed(busy: None, name: str, damage: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount >= 1
    checked, violated = results()[name]
    assert checked > 0
    assert violated > 0
    assert Transfer.objects.exists()
    assert Consent.objects.exists()


def test_the_database_refuses_what_must_never_be(busy: None) -> None:
    from django.db import IntegrityError, transaction

    for damage in (
        "UPDATE registry_student SET school_id = school_id + 1",
        "UPDATE registry_student SET sex = '?'",
        "UPDATE registry_student SET name = ''",
        "UPDATE registry_student SET id_index = (SELECT id_index FROM registry_student LIMIT 1)",
        "UPDATE registry_transfer SET state = 'closed'",
        "INSERT INTO registry_student SELECT * FROM registry_student",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(damage)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
