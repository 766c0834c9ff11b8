"""What a run brought of each student, for whoever decides on it: who is new, what changed, who is missing.

Values stay where they are: a report names columns only. Read inside the run, before a trial is undone.
"""

from typing import Any

from django.db import connection

from xueka.contexts.registry.models import ImportRun

MOST = 500
_CHANGED = """
    SELECT s.education_id,
           array_remove(ARRAY[
               CASE WHEN b.name <> s.name THEN 'name' END, CASE WHEN b.sex <> s.sex THEN 'sex' END,
               CASE WHEN b.school_id <> s.school_id THEN 'school' END,
               CASE WHEN b.school_class_id <> s.school_class_id THEN 'class' END,
               CASE WHEN b.status <> s.status THEN 'status' END], NULL)
      FROM registry_studentbefore b JOIN registry_student s ON s.id = b.student_id
     WHERE b.run_id = %s
     ORDER BY s.education_id LIMIT %s
"""
_NEW = "SELECT education_id, ARRAY['new'] FROM registry_student WHERE created_at = %s ORDER BY 1 LIMIT %s"

_MISSING = """
    SELECT s.education_id, ARRAY[a.cause]
      FROM registry_absence a JOIN registry_student s ON s.id = a.student_id
     WHERE a.run_id = %s ORDER BY 1 LIMIT %s
"""


def changed(run: ImportRun) -> list[dict[str, Any]]:
    """The first of each; `columns` is empty where only what is sealed or asked of two districts changed."""
    found: list[dict[str, Any]] = []
    with connection.cursor() as cursor:
        for statement, value in ((_NEW, run.at), (_CHANGED, run.id), (_MISSING, run.id)):
            cursor.execute(statement, [value, MOST])
            found += [{"education_id": one, "columns": columns} for one, columns in cursor.fetchall()]
    return found
