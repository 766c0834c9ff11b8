"""A key that arrives in components: each custodian enters hers on her own log-in, and none sees another's.

Until the change is carried out the components lie in the database under a key that exists in the machine's
memory only, and that goes with the last of them. After a restart they are entered again; a disk or a backup
never holds what would open them. No component is in an audit entry, a refusal or an answer.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from django.db import connection

from xueka.contexts.keys.adapters.memory_file import MemoryFile
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.key_block import KEY_SIZES
from xueka.contexts.keys.domain.transitions import ASKED
from xueka.contexts.keys.models import Key, KeyChange, KeyPart
from xueka.contexts.keys.services import finding, keeping, stores, versions
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import card_ciphers, sealing
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor

#: Who may bring a component: a custodian, who could confirm a change as well.
BRINGS = "city:key:confirm"
LEVELS = (v.KEK, v.MASTER, v.TRANSPORT)


def judged(text: str, check: str, algorithm: str) -> bytes:
    """One person's component; its own check value, typed beside it, must fit.

    Raises Refused `COMPONENT_FORM`, `COMPONENT_KCV`; BadInput `KCV_FORMAT`. None of them repeats it.
    """
    sizes = KEY_SIZES[algorithm]
    try:
        part = bytes.fromhex("".join(text.split()))
    except ValueError:
        part = b""
    if len(part) not in sizes:
        digits = " 或 ".join(str(2 * size) for size in sizes)
        raise Refused("COMPONENT_FORM", f"分量应为 {digits} 位十六进制数字。", action="请重新输入。")
    if card_ciphers.kcv(algorithm, part) != v.check_kcv(check):
        raise Refused(
            "COMPONENT_KCV", "分量与它的校验值不符，有一处输错了。", action="请逐组核对后重新输入。"
        )
    return part


def possible(key: Key, people: Sequence[str]) -> None:
    """Raises Refused `KEY_PART_LEVEL`, `KEY_PART_PERSON`."""
    if key.level not in LEVELS or key.algorithm in v.HARDWARE_ONLY:
        raise Refused(
            "KEY_PART_LEVEL",
            f"{key.title}不能在页面上由分量导入。",
            where=key.label,
            found=v.LEVELS[key.level],
            expected="、".join(v.LEVELS[each] for each in LEVELS),
            action="本地主密钥在密钥仪式中导入（见密钥仪式手册）。",
        )
    for username in people:
        if not _is_custodian(username):
            raise Refused(
                "KEY_PART_PERSON",
                f"{username} 不是密钥保管人，不能带分量。",
                where="people",
                found=username[:40],
                action="请改选一位密钥保管人。",
            )


def begin(asked: KeyChange) -> None:
    KeyPart.objects.bulk_create(KeyPart(change=asked, person=each) for each in asked.params["people"])


def enter(actor: Actor, number: str, text: str, check: str) -> KeyPart:
    """Take the actor's own component; entered again, it replaces what she entered before.

    Raises NotFound `KEY_PART_NOT_FOUND` (she has none to bring), Refused as `judged`.
    """
    part, algorithm = _mine(actor, number)
    plain = judged(text, check, algorithm)
    kcv = card_ciphers.kcv(algorithm, plain)
    part.kcv, part.entered_at = kcv, clock.now()
    part.sealed = sealing.box(_memory_key(), plain, _bound(part))
    part.save(update_fields=["kcv", "entered_at", "sealed"])
    record(actor, "key.part", "key", part.change.label, detail={"change": number, "kcv": kcv})
    return part


def take_back(actor: Actor, number: str) -> None:
    """She takes her component out again, as long as nothing was made of it."""
    part, _ = _mine(actor, number)
    KeyPart.objects.filter(pk=part.pk).update(sealed=None, kcv="", entered_at=None)
    record(actor, "key.part_back", "key", part.change.label, detail={"change": number})


def missing(asked: KeyChange) -> list[str]:
    """Who has still to enter her component: never entered, or lost with the machine's memory."""
    return [part.person for part in asked.parts.all() if _opened(part) is None]


def whole_kcv(asked: KeyChange) -> str:
    """The check value of what the components make together; empty while one is missing."""
    parts = [_opened(part) for part in asked.parts.all()]
    if not parts or None in parts:
        return ""
    total = bytes(len(parts[0] or b""))
    for part in parts:
        total = bytes(a ^ b for a, b in zip(total, part or b"", strict=True))
    return card_ciphers.kcv(finding.key(asked.label).algorithm, total)


def carry_out(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    """Make the version of all components, whose whole must have the check value that was asked for.

    Raises Refused `KEY_PARTS_MISSING`, BadInput `KEY_COMPONENTS`, XuekaError `KCV_DIFFERS`: nothing is made,
    and the components stay to be corrected.
    """
    if names := missing(asked):
        raise Refused(
            "KEY_PARTS_MISSING",
            f"还有 {len(names)} 位保管人没有录入分量，或机器重启后须重新录入。",
            where=asked.number,
            found="、".join(names),
            action="请等各人在自己的账号上录入后再确认。",
        )
    key = finding.locked(asked.label)
    number = versions.next_number(key)
    parts = [part for each in asked.parts.all() if (part := _opened(each)) is not None]
    stored, wrapped_by = keeping.from_components(key, number, parts, asked.params["kcv"])
    made = versions.add(
        actor, key, stored, number=number, origin="components", asked_by=asked.asked_by,
        wrapped_by=wrapped_by, change=asked,
    )  # fmt: skip
    wipe(asked)
    return {"version": made.number, "kcv": made.kcv}


def wipe(asked: KeyChange) -> None:
    """Nothing of any component is left; with the last one anywhere goes the key in memory."""
    if not asked.parts.exists():
        return
    _one_at_a_time()
    asked.parts.update(sealed=None)
    if not KeyPart.objects.exclude(sealed=None).exists():
        _memory().remove()


# --- inside ---


def _mine(actor: Actor, number: str) -> tuple[KeyPart, str]:
    """Her part of an open change, locked, and the algorithm of the key."""
    actor.require(BRINGS)
    asked = (
        KeyChange.objects.visible_to(actor.scope)
        .select_for_update()
        .filter(number=number.strip(), state=ASKED)
        .first()
    )
    part = KeyPart.objects.filter(change=asked, person=actor.username).first() if asked else None
    if asked is None or part is None:
        raise NotFound(
            "KEY_PART_NOT_FOUND", "没有等您录入的分量。", found=number[:20], action="请核对变更编号。"
        )
    part.change = asked
    return part, finding.key(asked.label).algorithm


def _is_custodian(username: str) -> bool:
    try:
        return any(each.may(BRINGS) for each in accounts.actors_of(accounts.find(username)))
    except NotFound:
        return False


def _opened(part: KeyPart) -> bytes | None:
    held = _memory().read()
    if part.sealed is None or not held:
        return None
    try:
        return sealing.unbox(held[0], bytes(part.sealed), _bound(part))
    except (InvalidTag, ValueError):
        return None


def _memory_key() -> bytes:
    """The key in memory, made for the first component; two that come at once agree."""
    _one_at_a_time()
    held = _memory().read()
    if not held:
        held = [secrets.token_bytes(sealing.KEY_SIZE)]
        _memory().write(held)
    return held[0]


def _one_at_a_time() -> None:
    """Who makes the key in memory or takes it away; until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('keys.parts'))")


def _memory() -> MemoryFile:
    return MemoryFile(stores.root() / "parts")


def _bound(part: KeyPart) -> bytes:
    return f"key part {part.change_id} {part.person}".encode()
