"""How students, cards, applications and boxes read on the screen: names, links, facts, timeline."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.urls import reverse

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import formats, nav, states
from xueka.entrypoints.design.ui import CardFace, Event, Link
from xueka.platform.history.queries import Step
from xueka.platform.identity import accounts
from xueka.platform.identity.models import User
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope

STAGES = {"小学": "primary", "初中": "junior", "高中": "senior"}


def class_of(school_class: registry.SchoolClass) -> str:
    """三年级2班, 初一1班, as on the card and its box."""
    return production.class_label(school_class.stage, school_class.grade, school_class.name)


def columns_in_words(columns: Sequence[registry.Column]) -> str:
    """The headings that a file to be taken in must have, and those it may have."""
    needed = "、".join(each.header for each in columns if each.required)
    further = "、".join(each.header for each in columns if not each.required)
    return f"首行是列名，次序不限。要有：{needed}。" + (f"可有：{further}。" if further else "")


def student_url(education_id: str) -> str:
    return reverse("objects:student", args=[education_id])


def student_link(student: registry.Student) -> Link:
    return Link(
        student.name, student_url(student.education_id), "学生", "user", class_of(student.school_class)
    )


def card_link(card: cards.Card) -> Link:
    state = states.badge("card", card.state).text
    return Link(card.number, reverse("objects:card", args=[card.number]), card.kind.name, "id", state)


def application_link(application: cards.Application) -> Link:
    state = states.badge("application", application.state).text
    return Link(application.number, application_url(application.number), "申领", "file-check", state)


def application_url(number: str) -> str:
    return reverse("objects:application", args=[number])


def box_link(place: logistics.BoxCard | None) -> Link:
    """The box in which a card lies or lay."""
    if place is None:
        return Link("还没有装箱", "", "卡箱", "package")
    note = states.badge("box", place.box.state).text if place.is_here else "已取出"
    return Link(place.box.number, reverse("objects:box", args=[place.box.number]), "卡箱", "package", note)


def photo_url(photo_id: int | None) -> str:
    return reverse("objects:photo", args=[photo_id]) if photo_id else ""


def reason(application: cards.Application) -> str:
    """Why it was sent back or refused: 照片不清晰：侧脸."""
    return refusal(application.refusal_code, application.refusal_text)


def refusal(code: str, text: str) -> str:
    return "：".join(part for part in (cards.REASON_CODES.get(code, code), text) if part)


def doubts(application: cards.Application) -> str:
    return "；".join(cards.DOUBTS.get(code, code) for code in application.doubts)


def next_level(application: cards.Application) -> str:
    """Who has the application now, in words: 东城区审核."""
    words = {
        "school_review": "本校审核人审核",
        "district_review": f"{application.school.district.name}审核",
        "city_review": "市级受理",
        "accepted": "市级制卡",
        "draft": "学校提交",
        "returned": "学校改正",
    }
    return words.get(application.state, states.badge("application", application.state).text)


def card_face(card: cards.Card) -> CardFace:
    student = card.student
    return CardFace(
        school=card.school.name,
        name=student.name,
        sex=student.sex,
        education_id=student.education_id,
        valid_until=formats.day(card.valid_until).split(" ")[0] if card.valid_until else "发放时写入",
        city_number=card.beijing_tong_number,
        transit_number=card.transit_number,
        stage=STAGES.get(card.school_class.stage, ""),
        state=states.badge("card", card.state),
    )


_TONES = {
    "submit": "progress",
    "approve": "ok",
    "send_back": "bad",
    "refuse": "bad",
    "withdraw": "ended",
    "cancel": "ended",
    "order": "progress",
    "make": "ok",
    "fail": "bad",
    "pack": "progress",
    "dispatch": "progress",
    "receive": "ok",
    "hand_out": "ok",
    "issue": "progress",
    "finish": "ok",
    "spoil": "bad",
    "again": "bad",
    "give": "ok",
    "fulfil": "ok",
    "report_lost": "stop",
    "lift": "ok",
    "found": "wait",
    "lose": "bad",
    "void": "ended",
    "destroy": "ended",
}
_OBJECTS = {"account": "卡账户", "application": "申领", "card": "学生卡"}


def events(timeline: Sequence[Mapping[str, Any]], only: str = "") -> list[Event]:
    """The steps of `cards.timeline` as the screen shows them, newest first; `only` keeps one number's."""
    kept = [step for step in reversed(timeline) if only in ("", step["number"])]
    names = accounts.names_of(step["actor"] for step in kept)
    return [_event(step, names, of_many=not only) for step in kept]


def steps(found: Sequence[Step], labels: Mapping[str, str]) -> list[Event]:
    """Steps of one object's history (delivery, box), newest first; `labels` names the events."""
    names = accounts.names_of(step.actor for step in found)
    return [
        Event(
            labels.get(step.event, step.event),
            step.at,
            names.get(step.actor, _process(step.actor)),
            step.reason,
            _TONES.get(step.event, "neutral"),
        )
        for step in reversed(found)
    ]


def actor_name(username: str) -> str:
    """The name of the person behind a user name; 系统 for a process."""
    return accounts.names_of([username]).get(username, _process(username)) if username else ""


class Names(dict[str, str]):
    """The names of the people on one list, by user name; each is asked for once."""

    def __missing__(self, username: str) -> str:
        self[username] = actor_name(username)
        return self[username]


def roles_in_words() -> Callable[[User], str]:
    """How one list names the roles of its people: 学校卡管老师（第一小学）. All schools are read at once."""
    schools: dict[str, str] = {}

    def place(scope: Scope) -> str:
        if scope.level != "school":
            return nav.scope_name(scope)
        if not schools:
            schools.update(registry.all_school_names())
        return schools.get(scope.school, scope.school)

    def words(user: User) -> str:
        held = [grant for grant in user.grants.all() if grant.revoked_at is None and grant.role in ROLES]
        return "、".join(f"{ROLES[grant.role].label}（{place(grant.scope)}）" for grant in held) or "—"

    return words


def _process(username: str) -> str:
    if username.startswith("guardian:"):
        return "家长"
    if username.startswith("agent:"):
        return f"发卡代理 {username.removeprefix('agent:')}"
    return "系统" if username.startswith("system:") else username


def _event(step: Mapping[str, Any], names: Mapping[str, str], *, of_many: bool) -> Event:
    detail = step["detail"]
    said = [step["reason"]]
    if batch := detail.get("batch"):
        said.append(f"批次 {batch}")
    if new := detail.get("replaced_by"):
        said.append(f"新卡 {new}")
    links = [Link(step["number"], _url(step["object"], step["number"]))] if of_many else []
    if box := detail.get("box"):
        links.append(Link(f"箱 {box}", reverse("objects:box", args=[box])))
    return Event(
        f"{_OBJECTS[step['object']]}：{step['label']}" if of_many else step["label"],
        datetime.fromisoformat(step["at"]),
        names.get(step["actor"], _process(step["actor"])),
        "；".join(part for part in said if part),
        _TONES.get(step["event"], "neutral"),
        links=links,
    )


def _url(kind: str, number: str) -> str:
    if kind == "account":
        return ""
    return reverse(f"objects:{kind}", args=[number])


def lost_effects(kind: cards.CardKind) -> str:
    """One line: when a reported loss takes effect in each system, for cards of this kind."""
    own = [cards.LostEffect(**each) for each in kind.lost_effects or []]
    return "；".join(
        f"{each.system}{each.when}" + (f"（{each.note}）" if each.note else "")
        for each in own or cards.lost_effects()
    )


def expected(day: date | None) -> str:
    """The day on which a delivery should arrive, in words."""
    return f"预计 {formats.short_day(day)}到（{formats.due(day)}）" if day else "到达日期未定"
