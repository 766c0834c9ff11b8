"""Who wants no reminders. Codes, receipts and decisions go to everybody: the family needs them to act."""

from django.db import transaction

from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.kernel.identifiers import clean_phone, phone_problem
from xueka.kernel.masking import mask_phone
from xueka.kernel.text import compact
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given
from xueka.platform.messages.models import OptOut
from xueka.platform.messages.services import index_of

MANAGE = "city:message:manage"

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


def write_down(actor: Actor, phone: str, words: str) -> bool:
    """A family said at the desk that it wants no reminders. Raises BadInput `PHONE_INVALID`, what
    `reason_given` raises. Needs `city:message:manage`.
    """
    actor.require(MANAGE)
    index, shown = _phone(phone)
    words = reason_given(words)
    done = refuse(index, shown, "desk", words, actor.username)
    record(actor, "message.refuse", "phone", shown, detail={"reason": words})
    return done


def take_back(actor: Actor, opt_out_id: int) -> OptOut:
    """A family said at the desk that it wants reminders again. Raises NotFound `OPT_OUT_NOT_FOUND`. Needs
    `city:message:manage`.
    """
    actor.require(MANAGE)
    found = OptOut.objects.select_for_update().filter(pk=opt_out_id, ended_at=None).first()
    if found is None:
        raise NotFound("OPT_OUT_NOT_FOUND", "没有这条退订，或已经恢复。", action="请刷新页面。")
    want(bytes(found.phone_index), "desk", actor.username)
    record(actor, "message.want", "phone", found.shown_to)
    return found


def of_family(phone: str) -> OptOut | None:
    """The refusal of a family's phone that is in force."""
    return OptOut.objects.filter(phone_index=index_of(phone), ended_at=None).first()


def choose(phone: str, *, reminders: bool) -> None:
    """The family chooses on its page; what it agreed to is kept with the version of the text."""
    index, shown = _phone(phone)
    if reminders:
        want(index, "page")
    else:
        refuse(index, shown, "page", f"{CONSENT}（{CONSENT_VERSION}）")


def _phone(typed: str) -> tuple[bytes, str]:
    phone = clean_phone(typed)
    if reason := phone_problem(phone):
        raise BadInput(
            "PHONE_INVALID",
            reason.message if phone else "请填写手机号。",
            where="手机号",
            expected=reason.expected,
        )
    return index_of(phone), mask_phone(phone)
