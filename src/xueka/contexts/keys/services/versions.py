"""Making versions of keys and moving them through their states. What asks for it has two people."""

from collections.abc import Mapping
from typing import Any

from xueka.contexts.keys.domain.transitions import ACTIVE, DESTROYED, KEY_VERSION, PRE_ACTIVE
from xueka.contexts.keys.models import FILES, Key, KeyChange, KeyVersion
from xueka.contexts.keys.ports import StoredKey
from xueka.contexts.keys.services import finding, removing
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

MOST_VERSIONS = 255


def next_number(key: Key) -> int:
    """Versions count from 1 and are never used twice; a card keeps its key's version in one byte."""
    last = KeyVersion.objects.filter(key=key).order_by("-number").values_list("number", flat=True).first()
    number = (last or 0) + 1
    if number > MOST_VERSIONS:
        raise Refused(
            "KEY_VERSIONS_FULL", f"密钥 {key.label} 的版本号已用完。", where=key.label, found=number
        )
    return number


def add(
    actor: Actor,
    key: Key,
    stored: StoredKey,
    *,
    number: int,
    origin: str,
    asked_by: str,
    wrapped_by: KeyVersion | None,
    derived_from: KeyVersion | None = None,
    change: KeyChange | None = None,
    ceremony_id: int | None = None,
) -> KeyVersion:
    """Put a new version on record, waiting to be activated. `actor` is the second of the two people."""
    now = clock.now()
    made = KeyVersion.objects.create(
        key=key,
        number=number,
        state=PRE_ACTIVE,
        state_at=now,
        algorithm=key.algorithm,
        kcv=stored.kcv,
        store=stored.store,
        handle=stored.handle,
        block=stored.block or None,
        wrapped_by=wrapped_by,
        derived_from=derived_from,
        origin=origin,
        drill=key.drill,
        created_at=now,
        asked_by=asked_by,
        confirmed_by=actor.username,
        change=change,
        ceremony_id=ceremony_id,
    )
    told = {"kcv": stored.kcv, "origin": origin}
    if derived_from is not None:
        told["derived_from"] = str(derived_from)
    begin(KEY_VERSION, [made.pk], actor, detail=told)
    return made


def activate(actor: Actor, made: KeyVersion, *, event: str = "activate", reason: str = "") -> KeyVersion:
    """Make it the one in use; the one before goes to verify-only. Returns it as it stands then."""
    present = finding.active(made.key)
    if present is not None:
        move(actor, present, "supersede", reason)
    move(actor, made, event, reason)
    made.refresh_from_db()
    return made


def move(
    actor: Actor, version: KeyVersion, event: str, reason: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    apply(KEY_VERSION, KeyVersion, [version.pk], event, actor, reason=reason, detail=detail)


def alone(version: KeyVersion, event: str) -> None:
    """Only `rotate` and `reinstate` replace the active version; activating beside one is refused."""
    present = finding.active(version.key)
    if present is not None and present.pk != version.pk:
        raise Refused(
            "KEY_ACTIVE_EXISTS",
            f"密钥 {version.key.label} 已有第 {present.number} 版在用。",
            where=version.key.label,
            found=KEY_VERSION.state(ACTIVE).label,
            action="请改用“轮换”，一步完成启用新版本和停用旧版本。",
        )


def destroy(actor: Actor, version: KeyVersion, reason: str) -> None:
    """The record first, and with it what the store is to forget (services/removing.py does it once this is
    committed); what others are wrapped by stays.

    Raises Refused `KEY_WRAPS_OTHERS`, `KEY_OF_FILES`.
    """
    KEY_VERSION.target("destroy", version.state)
    if wrapped := version.wraps.exclude(state=DESTROYED).count():
        raise Refused(
            "KEY_WRAPS_OTHERS",
            f"还有 {wrapped} 个密钥由 {version.key.label} 第 {version.number} 版保护，不能销毁。",
            where=version.key.label,
            action="请先轮换并等重新加密完成。",
        )
    if version.store == FILES:
        raise Refused(
            "KEY_OF_FILES", f"{version.key.title}由系统自己使用，不能在此销毁。", where=version.key.label
        )
    removing.intend(version)
    # A destroyed version has neither block nor handle, any other has one: the handle goes with the state.
    KeyVersion.objects.filter(pk=version.pk).update(handle=_GOING, block=None)
    apply(
        KEY_VERSION,
        KeyVersion,
        [version.pk],
        "destroy",
        actor,
        reason=reason,
        detail={"kcv": version.kcv, "store": version.store},
        also={"handle": {version.pk: ""}},
    )


_GOING = "going"
