"""What must always hold between the jobs of the school year and what they changed."""

from xueka.contexts.schoolyear.domain.rules import MOVING, WONT
from xueka.contexts.schoolyear.domain.transitions import YEAR_JOB
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

_MOVING = ", ".join(f"'{kind}'" for kind in MOVING)
_KNOWN_NOTES = ", ".join(f"'{code}'" for code in ("", *WONT))

INVARIANTS = [
    state_matches_history(YEAR_JOB, "schoolyear_job"),
    steps_allowed(YEAR_JOB),
    from_rows(
        "schoolyear_done_moves_happened",
        "作业办过的学生都在办到的班里，或有之后的在籍记录",
        """
            SELECT j.number || ' ' || s.education_id,
                   NOT (s.school_class_id = m.after_class_id AND s.status = m.after_status)
                   AND NOT EXISTS (SELECT 1 FROM registry_enrolment e
                                    WHERE e.student_id = m.student_id
                                      AND e.school_class_id = m.after_class_id AND e.status = m.after_status)
              FROM schoolyear_move m
              JOIN schoolyear_piece p ON p.id = m.piece_id
              JOIN schoolyear_job j ON j.id = p.job_id
              JOIN registry_student s ON s.id = m.student_id
             WHERE m.outcome IN ('done', 'undone', 'kept') AND m.after_class_id IS NOT NULL""",
    ),
    from_rows(
        "schoolyear_pieces_count_their_students",
        "每所学校的办理数等于逐人记录之和",
        f"""
            SELECT j.number || ' ' || p.school_id,
                   (p.done, p.skipped, p.undone, p.kept)
                   <> (count(m.id) FILTER (WHERE m.outcome = 'done'),
                       count(m.id) FILTER (WHERE m.outcome = 'skipped'),
                       count(m.id) FILTER (WHERE m.outcome = 'undone'),
                       count(m.id) FILTER (WHERE m.outcome = 'kept'))
                   OR coalesce(bool_or(m.note NOT IN ({_KNOWN_NOTES})), false)
              FROM schoolyear_piece p
              JOIN schoolyear_job j ON j.id = p.job_id
              LEFT JOIN schoolyear_move m ON m.piece_id = p.id
             WHERE p.state IN ('done', 'undone') AND p.kind IN ({_MOVING})
             GROUP BY p.id, j.number""",  # noqa: S608 - words of our own
    ),
    from_rows(
        "schoolyear_finished_jobs_have_no_open_school",
        "办完的作业没有未办的学校",
        """
            SELECT j.number || ' ' || p.school_id, p.state IN ('waiting', 'planned')
              FROM schoolyear_piece p JOIN schoolyear_job j ON j.id = p.job_id
             WHERE j.state = 'done'""",
    ),
]
