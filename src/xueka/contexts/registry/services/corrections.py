"""Small corrections that staff make by hand."""

import re

from xueka.contexts.registry.services.locking import lock_students
from xueka.contexts.registry.sort_keys import LIMIT
from xueka.contexts.registry.sort_keys import sort_key as automatic_key
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

_SYLLABLES = re.compile(r"[a-zü']+( [a-zü']+)*")


def correct_sort_key(actor: Actor, student_id: int, sort_key: str) -> str:
    """Set the pinyin by which a student is sorted; imports keep it as long as the name stays.

    An empty key goes back to the automatic one. Returns the key now in force. Raises BadInput
    `SORT_KEY_INVALID`, NotFound `STUDENT_NOT_FOUND`. Needs `school:student:correct`.
    """
    actor.require("school:student:correct")
    key = " ".join(normalise(sort_key).lower().split())
    if key and (len(key) > LIMIT or not _SYLLABLES.fullmatch(key)):
        raise BadInput(
            "SORT_KEY_INVALID",
            "排序拼音只能由拼音字母和空格组成。",
            found=key[:40],
            expected="每个字的拼音，用空格隔开，例如 shan tian fang",
            action="请改正后再保存；留空则恢复自动拼音。",
        )
    (student,) = lock_students(actor, [student_id])
    before = student.sort_key
    student.sort_key = key or automatic_key(student.name)
    student.sort_key_by_hand = bool(key)
    student.updated_at = clock.now()
    student.save(update_fields=["sort_key", "sort_key_by_hand", "updated_at"])
    record(
        actor,
        "student.correct_sort_key",
        "student",
        student.education_id,
        detail={"from": before, "to": student.sort_key},
    )
    return student.sort_key
