"""Named repairs of boxes and of students: which steps put them right, and when they may not."""

from collections.abc import Mapping

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs.domain.steps import Step
from xueka.contexts.repairs.services.writing import plain
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.text import normalise
from xueka.platform.identity.actor import Actor

Params = Mapping[str, str]
ENDED = ("fulfilled", "refused", "withdrawn", "cancelled")


def unreceive_box(actor: Actor, params: Params) -> list[Step]:
    """A box was signed for that is not there: it and its cards are on the road again."""
    box = logistics.box(actor.scope, params["box"])
    if box.state != "received":
        raise Refused(
            "NOT_RECEIVED", f"卡箱 {box.number} 没有签收。", found=logistics.BOX.state(box.state).label
        )
    if box.discrepancies.exists():
        raise Refused(
            "DISCREPANCIES", f"卡箱 {box.number} 签收时登记过差异，不能整箱退回。", action="请逐项处理差异。"
        )
    places = list(box.contents.select_related("card").order_by("position"))
    if moved := [
        place.card.number for place in places if not place.is_here or place.card.state != "at_school"
    ]:
        raise Refused(
            "CARDS_MOVED",
            f"箱里有 {len(moved)} 张卡已经发放或另行处理。",
            found="、".join(moved[:5]),
            action="请先把这些卡修复到“已到校”。",
        )
    steps = [
        Step("card", place.card_id, place.card.number, "state", "at_school", "in_transit") for place in places
    ]
    for place in places:
        name = f"{box.number} 第 {place.position} 张"
        steps += _cleared("place", place.id, name, place, ("scanned_at", "scanned_by"))
    steps.append(Step("box", box.id, box.number, "state", "received", "in_transit"))
    steps += _cleared("box", box.id, box.number, box, ("received_at", "received_by"))
    delivery = box.delivery
    if delivery.state == "received":
        steps.append(Step("delivery", delivery.id, delivery.number, "state", "received", "in_transit"))
        steps += _cleared("delivery", delivery.id, delivery.number, delivery, ("received_at", "received_by"))
    return steps


def move_box(actor: Actor, params: Params) -> list[Step]:
    """A box bears the wrong school: it, its delivery and its cards go where the students are."""
    box = logistics.box(actor.scope, params["box"])
    school = registry.school(actor.scope, params["school"])
    delivery = box.delivery
    if box.state not in {"packed", "in_transit", "received"} or box.school_id == school.id:
        raise Refused("NOTHING_TO_MOVE", f"卡箱 {box.number} 不必改学校。", found=box.school.name)
    if delivery.boxes.count() > 1:
        raise Refused(
            "NOT_ALONE", f"配送单 {delivery.number} 里还有别的箱子。", action="请先取消配送，重新装箱。"
        )
    places = list(box.contents.filter(is_here=True).select_related("card__student").order_by("position"))
    students = [place.card.student for place in places]
    if elsewhere := [student.education_id for student in students if student.school_id != school.id]:
        raise Refused(
            "STUDENTS_ELSEWHERE",
            f"箱里有 {len(elsewhere)} 名学生不在{school.name}。",
            found="、".join(elsewhere[:5]),
            action="请先核对学生的学校。",
        )
    steps = []
    for place, student in zip(places, students, strict=True):
        card = place.card
        steps += _changed("card", card.id, card.number, card, {
            "school_id": student.school_id, "school_class_id": student.school_class_id,
        })  # fmt: skip
    of = students[0].school_class_id if students else box.school_class_id
    steps += _changed("box", box.id, box.number, box, {"school_id": school.id, "school_class_id": of})
    steps += _changed("delivery", delivery.id, delivery.number, delivery, {
        "school_id": school.id,
        "address": school.address,
        "consignee": school.consignee,
        "consignee_phone": school.consignee_phone,
        "receiving_hours": school.receiving_hours,
    })  # fmt: skip
    return steps


def move_student_back(actor: Actor, params: Params) -> list[Step]:
    """A student was moved by mistake: back to the class of the enrolment before."""
    student = registry.student(actor.scope, params["student"])
    before = student.past_enrolments.order_by("-id").first()
    if before is None or before.school_class_id == student.school_class_id:
        raise Refused("NEVER_MOVED", f"学生 {student.education_id} 没有可以退回的班级。")
    if registry.Transfer.objects.filter(student=student, state="open").exists():
        raise Refused(
            "TRANSFER_OPEN", f"学生 {student.education_id} 有待确认的转学。", action="请先退回转学。"
        )
    old, new = student.school_class_id, before.school_class_id
    return [Step("student", student.id, student.education_id, "class", old, new)]


def join_students(actor: Actor, params: Params) -> list[Step]:
    """Two education IDs, one person: what the second has goes to the first, the second leaves."""
    keep = registry.student(actor.scope, params["keep"])
    drop = registry.student(actor.scope, params["drop"])
    if keep.id == drop.id or (keep.name, keep.birth_year, keep.sex) != (drop.name, drop.birth_year, drop.sex):
        raise Refused(
            "NOT_ONE_PERSON",
            "两条学籍的姓名、出生年或性别不同，不能合并。",
            found=f"{keep.education_id}、{drop.education_id}",
            action="请先核对，改正后再提出。",
        )
    mine = cards.CardAccount.objects.filter(student=keep).first()
    theirs = cards.CardAccount.objects.filter(student=drop).first()
    held = cards.Card.objects.filter(
        student__in=[keep.id, drop.id], state__in=[*cards.LIVE, *cards.BEFORE_HAND_OUT]
    )
    kinds = list(held.values_list("kind_id", flat=True))
    asked = cards.Application.objects.filter(account__student__in=[keep.id, drop.id]).exclude(state__in=ENDED)
    wanted = list(asked.values_list("kind_id", flat=True))
    if len(kinds) > len(set(kinds)) or len(wanted) > len(set(wanted)):
        raise Refused(
            "BOTH_HAVE_ONE",
            "两条学籍各有一张同卡种的卡或在办申领。",
            action="请先注销或撤回其中一张。",
        )
    steps: list[Step] = []
    if theirs and mine is None:
        steps.append(Step("account", theirs.id, theirs.number, "student_id", drop.id, keep.id))
    elif theirs and mine:
        for application in theirs.applications.order_by("id"):
            steps.append(
                Step("application", application.id, application.number, "account_id", theirs.id, mine.id)
            )
        if theirs.state == "open":
            steps.append(Step("account", theirs.id, theirs.number, "state", "open", "closed"))
    for card in cards.Card.objects.filter(student=drop).order_by("id"):
        steps.append(Step("card", card.id, card.number, "student_id", drop.id, keep.id))
        if mine:
            steps.append(Step("card", card.id, card.number, "account_id", card.account_id, mine.id))
    if drop.status != "转出":
        steps.append(Step("student", drop.id, drop.education_id, "status", drop.status, "转出"))
    return steps


def correct_citizen(actor: Actor, params: Params) -> list[Step]:
    """What the keeper of the citizens' data says of name and sex; empty says nothing."""
    student = registry.student(actor.scope, params["student"])
    name, sex = normalise(params["name"]), params["sex"]
    if len(name) > 100 or sex not in ("", "男", "女"):
        raise BadInput(
            "VALUE_INVALID",
            "姓名或性别不对。",
            expected="姓名不超过 100 个字；性别为男或女",
            action="请核对后重新填写。",
        )
    wanted = {field: value for field, value in (("name", name), ("sex", sex)) if value}
    return _changed("student", student.id, student.education_id, student, wanted)


def move_consent(actor: Actor, params: Params) -> list[Step]:
    """Consent was recorded for the wrong student: withdrawn there, given here; nothing is erased."""
    wrong = registry.student(actor.scope, params["wrong"])
    right = registry.student(actor.scope, params["right"])
    if registry.last_consent(wrong.id) != "given" or wrong.id == right.id:
        raise Refused("CONSENT_NOT_GIVEN", f"学生 {wrong.education_id} 没有有效的同意记录。")
    steps = [Step("consent", wrong.id, wrong.education_id, "action", "given", "withdrawn")]
    if (last := registry.last_consent(right.id)) != "given":
        steps.append(Step("consent", right.id, right.education_id, "action", last, "given"))
    return steps


def _cleared(what: str, id_: int, name: str, row: object, fields: tuple[str, ...]) -> list[Step]:
    empty = {"scanned_at": None, "received_at": None}
    return _changed(what, id_, name, row, {field: empty.get(field, "") for field in fields})


def _changed(what: str, id_: int, name: str, row: object, wanted: Mapping[str, object]) -> list[Step]:
    """Steps for the fields that are not yet as wanted."""
    steps = []
    for field, value in wanted.items():
        old, new = plain(getattr(row, field)), plain(value)
        if old != new:
            steps.append(Step(what, id_, name, field, old, new))
    return steps
