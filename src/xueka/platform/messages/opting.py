"""Who wants no reminders. Codes, receipts and decisions go to everybody: the family needs them to act."""

from django.db import transaction

from xueka.kernel import clock
from xueka.kernel.text import compact
from xueka.platform.messages.models import OptOut

#: What the family agrees to on the page; a changed text gets a new date.
CONSENT = "不再接收新卡待领、新卡寄出等提醒短信；验证码、受理回执和办理结果仍会发送。可随时恢复。"
CONSENT_VERSION = "2026-11"
REFUSE, WANT = "refuse", "want"
_REPLIES = {
    REFUSE: {"TD", "T", "N", "退订", "退", "TUIDING"},
    WANT: {"DY", "Y", "HF", "恢复", "订阅"},
}


def meaning_of(text: str) -> str:
    """What a reply asks for: `refuse`, `want`, or nothing (empty)."""
    word = compact(text).upper().strip("。.!！")
    return next((meaning for meaning, words in _REPLIES.items() if word in words), "")


def refuses(phone_index: bytes) -> bool:
    """Whether the phone of this index wants no reminders."""
    return OptOut.objects.filter(phone_index=phone_index, ended_at=None).exists()


def refuse(phone_index: bytes, shown_to: str, way: str, words: str, by: str = "") -> bool:
    """No more reminders from now on; False where that was so already. `way`: one of `models.WAYS`."""
    row = OptOut(
        phone_index=phone_index,
        shown_to=shown_to,
        at=clock.now(),
        way=way,
        by=by,
        words=words[:200],
    )
    if refuses(phone_index):
        return False
    with transaction.atomic():
        OptOut.objects.bulk_create([row], ignore_conflicts=True)
    return True


def want(phone_index: bytes, way: str, by: str = "") -> bool:
    """Reminders again; False where there was nothing to take back."""
    found = OptOut.objects.filter(phone_index=phone_index, ended_at=None)
    return bool(found.update(ended_at=clock.now(), ended_way=way, ended_by=by))
