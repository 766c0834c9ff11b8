"""What must always hold of schools, students, enrolments, transfers and consent."""

from xueka.contexts.registry.domain.transitions import ABSENCE, TRANSFER
from xueka.contexts.registry.domain.vocabulary import STAGES
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

_LAST_GRADES = ", ".join(f"('{stage}', {last})" for stage, last in STAGES.items())

INVARIANTS = [
    from_rows(
        "registry_campus_has_a_main_school",
        "校区的主校是真正的主校，不是另一个校区",
        """
            SELECT c.code, m.main_school_id IS NOT NULL OR m.id = c.id
              FROM registry_school c JOIN registry_school m ON m.id = c.main_school_id""",
    ),
    from_rows(
        "registry_enrolments_follow_each_other",
        "学生的历次在籍首尾相接，止于现在的在籍",
        """
            SELECT student_id || ' ' || from_date, to_date > next_from
              FROM (SELECT e.student_id, e.from_date, e.to_date,
                           coalesce(lead(e.from_date) OVER (PARTITION BY e.student_id ORDER BY e.id),
                                    s.enrolled_from) AS next_from
                      FROM registry_enrolment e JOIN registry_student s ON s.id = e.student_id) AS stay""",
    ),
    from_rows(
        "registry_personal_fields_are_sealed",
        "每名学生的个人信息都已加密，盲索引完整",
        """
            SELECT education_id, length(envelope) < 32 OR get_byte(envelope, 0) <> 1
                   OR coalesce(length(id_index), 32) <> 32 OR coalesce(length(phone_index), 32) <> 32
              FROM registry_student""",
    ),
    from_rows(
        "registry_open_transfer_is_between_schools",
        "待确认的转学都是两所学校之间的，名册带来的都是跨区的，且从学生现在的学校转出",
        """
            SELECT t.id::text, f.id = n.id OR (t.origin = 'roster' AND f.district_id = n.district_id)
                   OR t.from_school_id <> s.school_id
                   OR c.school_id <> t.to_school_id
              FROM registry_transfer t
              JOIN registry_student s ON s.id = t.student_id
              JOIN registry_school f ON f.id = t.from_school_id
              JOIN registry_school n ON n.id = t.to_school_id
              JOIN registry_schoolclass c ON c.id = t.to_class_id
             WHERE t.state = 'open'""",
    ),
    from_rows(
        "registry_consent_given_before_withdrawn",
        "撤回同意之前必有同意",
        """
            SELECT id::text, action = 'withdrawn' AND coalesce(before, '') <> 'given'
              FROM (SELECT id, action, lag(action) OVER (PARTITION BY student_id ORDER BY id) AS before
                      FROM registry_consent) AS said""",
    ),
    from_rows(
        "registry_import_counts_add_up",
        "每次导入的行数等于新增、更新、未变、退回之和，更新的学生都有记录",
        """
            SELECT r.id || ' ' || r.file_name,
                   r.rows <> r.created + r.updated + r.unchanged + r.rejected
                   OR (r.kind IN ('roster', 'oneroster')
                       AND count(c.id) <> CASE WHEN r.dry_run THEN 0 ELSE r.updated END)
              FROM registry_importrun r LEFT JOIN registry_studentchange c ON c.run_id = r.id
             GROUP BY r.id""",
    ),
    from_rows(
        "registry_closed_schools_have_nobody",
        "撤销的学校没有在籍学生",
        """
            SELECT s.code, NOT s.is_open AND EXISTS (
                       SELECT 1 FROM registry_student x
                        WHERE x.school_id = s.id AND x.status IN ('在校', '借读', '休学'))
              FROM registry_school s""",
    ),
    from_rows(
        "registry_grades_exist_in_their_stage",
        "班的年级不超过学段的年数",
        f"""
            SELECT c.id || ' ' || c.stage || c.grade, l.last IS NULL OR c.grade > l.last
              FROM registry_schoolclass c
              LEFT JOIN (VALUES {_LAST_GRADES}) AS l (stage, last) ON l.stage = c.stage""",  # noqa: S608
    ),
    from_rows(
        "registry_left_students_have_left",
        "办了离校的缺失学生都有因离校结束的在籍",
        """
            SELECT a.id::text, NOT EXISTS (SELECT 1 FROM registry_enrolment e
                                            WHERE e.student_id = a.student_id AND e.reason = 'left')
              FROM registry_absence a WHERE a.state = 'left'""",
    ),
    from_rows(
        "registry_befores_belong_to_changes",
        "每条导入前的样子都有对应的变更记录，撤回过的导入没有漏办的学生",
        """
            SELECT b.id::text, c.id IS NULL OR (r.reverted_at IS NOT NULL AND b.outcome = 'applied')
              FROM registry_studentbefore b
              JOIN registry_importrun r ON r.id = b.run_id
              LEFT JOIN registry_studentchange c
                     ON c.student_id = b.student_id AND c.run_id = b.run_id AND c.line = b.line""",
    ),
    state_matches_history(TRANSFER, "registry_transfer"),
    steps_allowed(TRANSFER),
    state_matches_history(ABSENCE, "registry_absence"),
    steps_allowed(ABSENCE),
]
