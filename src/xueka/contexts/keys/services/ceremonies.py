"""A ceremony: people in one room make keys by a reviewed file, and what happened is written down for ever.

Everything is checked before anybody is asked anything. The keys, the ceremony's record and its audit entry
are rows of the caller's transaction: a ceremony that breaks off leaves at most an empty store.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from xueka.contexts.keys.adapters.local_keys import BOUND
from xueka.contexts.keys.domain import ceremony as rules
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.ceremony import Person, Plan, PlannedKey
from xueka.contexts.keys.models import Ceremony, Key, KeyVersion
from xueka.contexts.keys.ports import StoredKey
from xueka.contexts.keys.services import asking, changes, deriving, finding, keeping, stores, versions
from xueka.contexts.keys.services.asking import Asker
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import sealing, sm3
from xueka.platform.crypto.sealing import Custody
from xueka.platform.identity import accounts, second_factor
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

LEAD, CONFIRM = "city:key:ceremony", "city:key:confirm"
WORDS_ASKED = (3, 11)  # which words of her share a custodian gives back

Proof = Callable[[Person, str], bool]


@dataclass
class Notes:
    """The transcript while it grows."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, step: str, text: str, **more: Any) -> None:
        at = clock.now().isoformat(timespec="seconds")
        self.lines.append({"at": at, "step": step, "text": text, **more})


def check(plan: Plan) -> None:
    """Would the plan be possible as things stand? Raises Refused `CEREMONY_PLAN` with every reason."""
    if problems := list(_obstacles(plan)):
        raise Refused(
            "CEREMONY_PLAN",
            f"仪式文件现在还做不成：{problems[0]}",
            found=f"{len(problems)} 处",
            action="请改正文件，重新复核。",
            problems=problems,
        )


def people_of(plan: Plan) -> tuple[Actor, Actor]:
    """Leader and reviewer, in the roles that a ceremony needs. Raises Refused `CEREMONY_PERSON`."""
    for person in plan.custodians:
        _in_role(person.username, CONFIRM)
    return _in_role(plan.led_by, LEAD), _in_role(plan.reviewed_by, CONFIRM)


def by_code(person: Person, code: str) -> bool:
    """Whether the code is that of the person's second factor: she is in the room, with her telephone."""
    return bool(second_factor.check(accounts.find(person.username), code))


def run(
    leader: Actor,
    reviewer: Actor,
    plan: Plan,
    asker: Asker,
    proof: Proof = by_code,
    *,
    left_open: bool = False,
) -> Ceremony:
    """Hold the ceremony. A new store is sealed to the custodians, unless it is `left_open` (a demo's).

    Raises Refused `CEREMONY_PLAN`, `CEREMONY_GIVEN_UP`, `SAME_PERSON`, `KEY_STORE_SECRET`.
    """
    leader.require(LEAD)
    reviewer.require(CONFIRM)
    second_person(
        reviewer,
        leader.username,
        "复核人不能是主持人。",
        code="SAME_PERSON",
        action="请另请一位密钥保管人复核。",
    )
    check(plan)
    began, notes = clock.now(), Notes()
    digest = sm3.hexdigest(plan.text.encode())
    notes.add("plan", f"仪式文件的 SM3 摘要 {digest}", digest=digest)
    asker.told(f"{plan.title}：仪式文件的 SM3 摘要为 {digest}")
    for person in _in_the_room(plan, leader, reviewer):
        _proved(asker, person, digest, proof)
        notes.add("present", f"{person.name}（{person.username}）到场", person=person.username)
    custody = None if left_open else _opened(plan, asker, notes)
    number = _next_id()
    for foreign in plan.foreign:
        changes.register(leader, foreign.label, foreign.definition(), held=False)
        notes.add("foreign", f"登记外部密钥 {foreign.label}，由{foreign.owner}持有", label=foreign.label)
    for planned in plan.keys:
        _made(leader, reviewer, plan, planned, asker, notes, number)
    if custody is not None:
        _handed_out(plan, asker, notes, custody)
    held = Ceremony.objects.create(
        id=number,
        number=f"YS{clock.today():%y}-{number:04d}",
        title=plan.title,
        drill=plan.drill,
        plan=plan.text,
        plan_digest=digest,
        threshold=plan.threshold,
        people=[
            {"username": each.username, "name": each.name} for each in _in_the_room(plan, leader, reviewer)
        ],
        transcript=notes.lines,
        transcript_digest=transcript_digest(notes.lines),
        began_at=began,
        ended_at=clock.now(),
        led_by=leader.username,
        reviewed_by=reviewer.username,
    )
    detail = {
        "plan": digest,
        "transcript": held.transcript_digest,
        "drill": plan.drill,
        "keys": [line["label"] for line in notes.lines if line["step"] == "key"],
        "reviewed_by": reviewer.username,
    }
    record(leader, "key.ceremony", "key_ceremony", held.number, detail=detail)
    if custody is not None and (local := stores.sealed(stores.name_for(drill=plan.drill))):
        local.reseal_to_custody(custody[0])  # the last thing: whatever failed before has left it unsealed
    asker.told(f"{held.number} 已完成，记录的 SM3 摘要为 {held.transcript_digest}")
    return held


def transcript_digest(lines: object) -> str:
    return sm3.hexdigest(rules.canonical(lines))


# --- inside ---


def _obstacles(plan: Plan) -> Iterator[str]:
    known = {key.label: key for key in Key.objects.select_related("source")}
    planned: dict[str, str] = {}
    outside = stores.wraps_outside(stores.name_for(drill=plan.drill))
    for each in plan.keys:
        level = each.level
        if level != v.LOCAL and (each.parent or outside):
            wanted = v.LOCAL if level == v.KEK else v.KEK
            found = planned.get(each.parent) or (known[each.parent].level if each.parent in known else "")
            if found != wanted:
                above = each.parent or "空"
                yield f"密钥 {each.label} 须由一个{v.LEVELS[wanted]}保护，{above}不是，或排在它后面。"
        planned[each.label] = level
        if each.source and not (each.source in planned or each.source in known):
            yield f"密钥 {each.label} 的上级 {each.source} 没有登记，也没有排在它前面。"
        if each.label in known:
            there = known[each.label]
            above = there.source.label if there.source else ""
            if (there.held, there.kind, there.level, there.algorithm, sorted(there.usages), above) != (
                True, each.kind, each.level, each.algorithm, sorted(each.usages), each.source,
            ):  # fmt: skip
                yield f"密钥 {each.label} 已登记为另一种密钥。"
            elif each.activate and finding.active(there) is not None:
                yield f"密钥 {each.label} 已有使用中的版本，请用轮换，或在文件里写 activate = false。"
    for other in plan.foreign:
        if other.label in known:
            yield f"外部密钥 {other.label} 已登记。"


def _in_role(username: str, permission: str) -> Actor:
    try:
        actors = [each for each in accounts.actors_of(accounts.find(username)) if each.may(permission)]
    except NotFound:
        actors = []
    if not actors:
        raise Refused(
            "CEREMONY_PERSON",
            f"{username} 不能参加仪式：没有这个账号，或没有所需的角色。",
            where=username,
            expected="主持人为密钥管理员，复核人和保管人为密钥保管人",
            action="请改正仪式文件，或由系统管理员、安全管理员授予角色。",
        )
    return actors[0]


def _in_the_room(plan: Plan, leader: Actor, reviewer: Actor) -> list[Person]:
    people = [
        Person(leader.username, leader.name),
        Person(reviewer.username, reviewer.name),
        *plan.custodians,
    ]
    return list({each.username: each for each in people}.values())


def _proved(asker: Asker, person: Person, digest: str, proof: Proof) -> None:
    def ask() -> None:
        if not proof(person, asker.prove(person, digest)):
            raise Refused("CEREMONY_PROOF", "动态验证码不对。", action="请等下一个验证码再输入。")

    asking.patiently(ask, asker.told, f"{person.name}到场")


Handing = tuple[Custody, list[str]]


def _opened(plan: Plan, asker: Asker, notes: Notes) -> Handing | None:
    """The store can be used. A custody whose words are to be handed out, for a new store or by the plan."""
    local = stores.sealed(stores.name_for(drill=plan.drill))
    if local is None:
        return None
    if local.seal_kind not in ("", "open") and not local.is_open:
        local.unlock_with_shares([asker.share(person) for person in plan.custodians[: plan.threshold]])
        notes.add("open", f"{plan.threshold} 位保管人打开了密钥库")
    if local.seal_kind in ("", "open") or plan.reseal:
        return sealing.make_custody(plan.threshold, [each.name for each in plan.custodians], BOUND)
    return None


def _handed_out(plan: Plan, asker: Asker, notes: Notes, custody: Handing) -> None:
    words = custody[1]
    notes.add("custody", f"密钥库封存给 {len(words)} 位保管人，{plan.threshold} 位到场可打开")
    for person, share in zip(plan.custodians, words, strict=True):
        asking.taken(asker, person, share, WORDS_ASKED)
        notes.add("share", f"{person.name}领取份额并核对", person=person.username)


def _made(
    leader: Actor, reviewer: Actor, plan: Plan, planned: PlannedKey, asker: Asker, notes: Notes, ceremony: int
) -> None:
    if not Key.objects.filter(label=planned.label).exists():
        changes.register(leader, planned.label, planned.definition(), held=True)
    key = finding.locked(planned.label)
    number = versions.next_number(key)
    source: KeyVersion | None = None
    if key.source is not None:
        stored, wrapped_by, source = deriving.made(leader, key, number)
        keeping.expected(key, planned.kcv, stored)
    else:
        stored, wrapped_by = _stored(plan, planned, key, number, asker)
    made = versions.add(
        reviewer, key, stored, number=number, origin=_ORIGIN[planned.how], asked_by=leader.username,
        wrapped_by=wrapped_by, derived_from=source, ceremony_id=ceremony,
    )  # fmt: skip
    if planned.activate:
        versions.activate(reviewer, made)
    words = f"{rules.HOW[planned.how]} {planned.label} 第 {number} 版，校验值 {made.kcv}"
    more = {"source": str(source), "factor": key.factor} if source else {}
    notes.add("key", words, label=planned.label, version=number, kcv=made.kcv, how=planned.how, **more)
    asker.told(words)


_ORIGIN = {
    rules.GENERATE: "generated",
    rules.COMPONENTS: "components",
    rules.BLOCK: "block",
    rules.DERIVE: "derived",
}


def _stored(
    plan: Plan, planned: PlannedKey, key: Key, number: int, asker: Asker
) -> tuple[StoredKey, KeyVersion | None]:
    if planned.how == rules.GENERATE:
        return keeping.generate(key, number)
    if planned.how == rules.BLOCK:
        return keeping.take_in(key, number, planned.block, planned.kcv, finding.usable(planned.under, None))
    found: list[tuple[StoredKey, KeyVersion | None]] = []

    def ask() -> None:
        parts = [
            asking.component(asker, person, planned.label, planned.algorithm)
            for person in plan.custodians[: planned.components]
        ]
        found.append(keeping.from_components(key, number, parts, planned.kcv))

    asking.patiently(ask, asker.told, f"密钥 {planned.label}")
    return found[-1]


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('keys_ceremony', 'id'))")
        return int(cursor.fetchone()[0])
