"""Everything that ever happened to a student's account, applications and cards, in one line of time."""

from typing import Any

from xueka.contexts.cards.domain.transitions import ACCOUNT, APPLICATION, CARD
from xueka.contexts.cards.models import Application, Card, CardAccount
from xueka.contexts.cards.queries import account as find_account
from xueka.contexts.cards.queries import card as find_card
from xueka.contexts.cards.queries import standing_alone
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.kernel.identifiers import check_card_number
from xueka.platform.history import queries as history
from xueka.platform.history.services import CREATE, LABELS
from xueka.platform.identity.scope import Scope

_MACHINES = {machine.name: machine for machine in (ACCOUNT, APPLICATION, CARD)}
_CREATED = {ACCOUNT.name: "开户", APPLICATION.name: "填报申领", CARD.name: "编入制卡，分配卡号"}


def account_view(scope: Scope, card_or_education_id: str) -> dict[str, Any]:
    """The answer of `xueka card show`: account, cards and timeline of the student behind a number.

    Raises NotFound where nothing of that number is visible in the scope.
    """
    account = _account_behind(scope, card_or_education_id)
    student = account.student
    cards = list(_cards_of(account, scope))
    alone = standing_alone(cards)
    return {
        "account": {
            "number": account.number,
            "state": account.state,
            "state_label": ACCOUNT.state(account.state).label,
            "opened_at": clock.local(account.opened_at).isoformat(timespec="seconds"),
            "education_id": student.education_id,
            "name": student.name,
            "status": student.status,
            "school_code": student.school.code,
            "school": student.school.name,
            "class": student.school_class.name,
        },
        "cards": [_card_dict(card, card.id in alone) for card in cards],
        "applications": [_application_dict(each) for each in _applications_of(account, scope)],
        "timeline": _timeline(account, scope),
    }


def timeline(scope: Scope, education_id: str) -> list[dict[str, Any]]:
    """The steps of a student's account, applications and cards, oldest first.

    Each has at (Shanghai), actor, event, label, object, number, from, to, reason and detail (box, batch, …).
    """
    return _timeline(find_account(scope, education_id), scope)


def _account_behind(scope: Scope, number: str) -> CardAccount:
    number = number.strip()
    if check_card_number(number) or Card.objects.visible_to(scope).filter(number=number).exists():
        return CardAccount.objects.select_related("student__school", "student__school_class").get(
            id=find_card(scope, number).account_id
        )
    try:
        return find_account(scope, number)
    except NotFound:
        raise NotFound(
            "CARD_OR_STUDENT_NOT_FOUND",
            "没有这个卡号或教育ID，或该学生还没有卡账户。",
            found=number,
            expected="12 位学生卡号、旧系统卡号或教育ID",
        ) from None


def _cards_of(account: CardAccount, scope: Scope) -> list[Card]:
    found = Card.objects.visible_to(scope).filter(account=account)
    return list(found.select_related("kind", "application").order_by("id"))


def _applications_of(account: CardAccount, scope: Scope) -> list[Application]:
    found = Application.objects.visible_to(scope).filter(account=account)
    return list(found.select_related("kind").order_by("id"))


def _timeline(account: CardAccount, scope: Scope) -> list[dict[str, Any]]:
    numbers = {(ACCOUNT.name, account.id): account.number}
    numbers |= {(APPLICATION.name, each.id): each.number for each in _applications_of(account, scope)}
    numbers |= {(CARD.name, each.id): each.number for each in _cards_of(account, scope)}
    objects: dict[str, list[int]] = {}
    for machine, object_id in numbers:
        objects.setdefault(machine, []).append(object_id)
    return [
        {
            "at": clock.local(step.at).isoformat(timespec="seconds"),
            "actor": step.actor,
            "event": step.event,
            "label": _label(step.machine, step.event),
            "object": step.machine,
            "number": numbers[step.machine, step.object_id],
            "from": step.from_state,
            "to": step.to_state,
            "reason": step.reason,
            "detail": dict(step.detail),
        }
        for step in history.timeline(objects)
    ]


def _label(machine: str, event: str) -> str:
    if event in LABELS:
        return LABELS[event]
    return _CREATED[machine] if event == CREATE else _MACHINES[machine].event_label(event)


def _card_dict(card: Card, alone: bool) -> dict[str, Any]:
    return {
        "number": card.number,
        "state": card.state,
        "state_label": CARD.state(card.state).label,
        "kind": card.kind_id,
        "kind_name": card.kind.name,
        "transit_number": card.transit_number,
        "beijing_tong_number": card.beijing_tong_number,
        "chip_uid": card.chip_uid,
        "valid_from": card.valid_from.isoformat() if card.valid_from else None,
        "valid_until": card.valid_until.isoformat() if card.valid_until else None,
        "application": card.application.number,
        "stands_alone": alone,
    }


def _application_dict(application: Application) -> dict[str, Any]:
    return {
        "number": application.number,
        "state": application.state,
        "state_label": APPLICATION.state(application.state).label,
        "kind": application.kind_id,
        "reason": application.reason,
        "doubts": application.doubts,
        "refusal_code": application.refusal_code,
        "refusal_text": application.refusal_text,
    }
