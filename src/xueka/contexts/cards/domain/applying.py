"""May an application be opened for this student? The one decision behind both the preview and the act."""

from dataclasses import dataclass

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.bulk import Refusal


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the decision looks at; `live_state` is that of the student's live card of the kind, if any."""

    student_id: int
    enrolled: bool
    account_closed: bool
    open_application: str
    live_state: str | None
    school_closed: bool = False


def judge(reason: str, applicant: Applicant) -> Refusal | None:
    """Why no application is opened, or None."""
    found = _problem(reason, applicant)
    return Refusal(applicant.student_id, *found) if found else None


def _problem(reason: str, applicant: Applicant) -> tuple[str, str] | None:
    new, live = reason == "new", applicant.live_state
    problems = [
        (not applicant.enrolled, "NOT_ENROLLED", "学生现不在校就读，不能申领。"),
        (applicant.school_closed, "SCHOOL_CLOSED", "学校已经撤销，不能申领；请先把学生转到现在的学校。"),
        (applicant.account_closed, "ACCOUNT_CLOSED", "卡账户已销户，请先由市级恢复账户。"),
        (
            bool(applicant.open_application),
            "APPLICATION_OPEN",
            f"已有办理中的申领 {applicant.open_application}。",
        ),
        (
            new and live is not None,
            "HAS_CARD",
            "已有一张该卡种的卡：遗失请挂失后补卡，损坏或信息变更请换卡。",
        ),
        (not new and live is None, "NO_OLD_CARD", "没有可补换的卡，请按新领办理。"),
        (
            reason == "lost" and live != s.LOST,
            "NOT_REPORTED_LOST",
            "原卡尚未挂失，请先挂失再补卡。",
        ),
    ]
    return next(((code, message) for holds, code, message in problems if holds), None)
