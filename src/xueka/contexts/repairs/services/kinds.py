"""The repairs that have a name, and the free one; each a function from parameters to steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs.domain.steps import FIELDS, FREE, LABELS, Step
from xueka.contexts.repairs.services import plan_cards, plan_places
from xueka.contexts.repairs.services.writing import MACHINES, MODELS, plain, present
from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.platform.identity.actor import Actor

Params = Mapping[str, str]
Plan = Callable[[Actor, Params], list[Step]]


@dataclass(frozen=True, slots=True)
class Kind:
    """`params` are (code, label) of what has to be told; `words` says what it does and when it may not."""

    code: str
    label: str
    words: str
    params: tuple[tuple[str, str], ...]
    plan: Plan


def _free(actor: Actor, params: Params) -> list[Step]:
    """One field of some objects, each with the value it must have now."""
    what, field = params.get("what", ""), params.get("field", "")
    if field not in FREE.get(what, ()):
        allowed = "；".join(
            f"{LABELS[each]}：{'、'.join(FIELDS[name] for name in names)}" for each, names in FREE.items()
        )
        raise BadInput(
            "FIELD_NOT_ALLOWED",
            "这个字段不能用自由修复来改。",
            found=f"{LABELS.get(what, what)} {FIELDS.get(field, field)}",
            expected=allowed,
            action="请改用有名称的修复。",
        )
    keys = params.get("keys", "").replace("，", ",").replace("\n", ",").split(",")
    keys = list(dict.fromkeys(key.strip() for key in keys if key.strip()))
    if not 0 < len(keys) <= 200:
        raise BadInput("KEYS_MISSING", "请写明 1 至 200 个对象。", found=len(keys))
    steps = []
    for key in keys:
        id_ = _find(actor, what, key)
        here = present(what, id_, field)
        expected, wanted = (
            _value(what, field, params.get("old", "")),
            _value(what, field, params.get("new", "")),
        )
        if here != expected:
            raise Refused(
                "NOT_AS_EXPECTED",
                f"{LABELS[what]} {key} 的{FIELDS[field]}现在不是所写的值。",
                found=here,
                expected=expected,
                action="请核对后重新提出。",
            )
        if here != wanted:
            steps.append(Step(what, id_, key, field, here, wanted))
    return steps


_FINDERS: dict[str, Callable[[Any, str], Any]] = {
    "account": cards.account,
    "application": cards.application,
    "card": cards.card,
    "box": logistics.box,
    "delivery": logistics.delivery,
    "student": registry.student,
}


def _find(actor: Actor, what: str, key: str) -> int:
    return int(_FINDERS[what](actor.scope, key).id)


def _value(what: str, field: str, text: str) -> Any:
    """What a person typed as the plain value of the field; states by code or label."""
    text = text.strip()
    if field == "state":
        states = {word: state.code for state in MACHINES[what].states for word in (state.code, state.label)}
        if text not in states:
            words = "、".join(state.label for state in MACHINES[what].states)
            raise BadInput("STATE_UNKNOWN", f"没有“{text}”这个状态。", found=text, expected=words)
        return states[text]
    model_field: Any = MODELS[what]._meta.get_field(field)
    if model_field.null and not text:
        return None
    try:
        value = model_field.clean(text, None) if text else ""
    except Exception:
        said = f"“{text[:40]}”不能作为{FIELDS[field]}。"
        raise BadInput("VALUE_INVALID", said, found=text[:40], action="请核对后重新填写。") from None
    return plain(value)


_MAY_BE_EMPTY = {"old", "new", "name", "sex"}
_CARD, _APPLICATION, _BOX = ("card", "卡号"), ("application", "申领号"), ("box", "箱号")
KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind(
            "hand_out",
            "误发放的卡退回",
            "卡发错了人：卡回到“已到校”，被它换下的旧卡恢复。",
            (_CARD,),
            plan_cards.undo_hand_out,
        ),
        Kind(
            "card_back",
            "误挂失、误注销的卡恢复",
            "回到挂失或注销之前；已有新卡或在办申领的不行。",
            (_CARD,),
            plan_cards.card_back,
        ),
        Kind(
            "unvoid",
            "误作废的卡恢复",
            "卡实际还在、没有重制：卡和号码恢复使用。",
            (_CARD,),
            plan_cards.unvoid,
        ),
        Kind(
            "reopen",
            "误退的申领重开",
            "不予受理、撤回、取消的申领回到原来的环节。",
            (_APPLICATION,),
            plan_cards.reopen_application,
        ),
        Kind(
            "unreceive",
            "误签收的卡箱退回",
            "箱子其实没到：箱和卡回到“运输中”。",
            (_BOX,),
            plan_places.unreceive_box,
        ),
        Kind(
            "move_box",
            "卡箱改学校",
            "箱签的学校错了：箱、配送单、卡都改到学生所在的学校。",
            (_BOX, ("school", "正确的学校标识码")),
            plan_places.move_box,
        ),
        Kind(
            "student_back",
            "误转班的学生转回",
            "回到上一次在籍的学校和班级。",
            (("student", "教育ID"),),
            plan_places.move_student_back,
        ),
        Kind(
            "join",
            "重复学籍合并",
            "一人两个教育ID：第二个名下的卡和申领归第一个，第二个转出。",
            (("keep", "保留的教育ID"), ("drop", "停用的教育ID")),
            plan_places.join_students,
        ),
        Kind(
            "consent",
            "记错人的同意更正",
            "在错的学生处记撤回，在对的学生处记同意；原记录都保留。",
            (("wrong", "记错的教育ID"), ("right", "正确的教育ID")),
            plan_places.move_consent,
        ),
        Kind(
            "citizen",
            "市民信息更正",
            "北京通等平台核实的姓名、性别与学籍不同：按对方的改；之后为在用的卡准备换卡。",
            (("student", "教育ID"), ("name", "正确的姓名"), ("sex", "正确的性别")),
            plan_places.correct_citizen,
        ),
        Kind(
            "free",
            "自由修复",
            "按对象、字段、原值、新值修改；只限允许的字段。",
            (
                ("what", "对象种类"),
                ("field", "字段"),
                ("keys", "对象（号码，逗号隔开）"),
                ("old", "现在的值"),
                ("new", "改为"),
            ),
            _free,
        ),
    )
}


def plan(actor: Actor, code: str, params: Params) -> list[Step]:
    """The steps of a repair as things are now. Raises what its rules say, or BadInput."""
    kind = KINDS.get(code)
    if kind is None:
        raise BadInput("REPAIR_UNKNOWN", "没有这种修复。", found=code, expected="、".join(KINDS))
    for name, label in kind.params:
        if not params.get(name, "").strip() and name not in _MAY_BE_EMPTY:
            raise BadInput("PARAM_MISSING", f"请填写{label}。", expected=label)
    try:
        steps = kind.plan(actor, {name: params.get(name, "").strip() for name, _ in kind.params})
    except XuekaError as error:
        error.where = error.where or kind.label
        raise
    if not steps:
        raise Refused("NOTHING_TO_REPAIR", f"{kind.label}：没有要改的地方。", action="请核对对象。")
    return steps
