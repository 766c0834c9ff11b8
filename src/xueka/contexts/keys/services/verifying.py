"""`xueka keys verify`: what the records say against what the stores hold. It reads, and opens every block."""

from dataclasses import dataclass

from xueka.contexts.keys.domain.transitions import DESTROYED
from xueka.contexts.keys.models import FILES, Ceremony, KeyVersion
from xueka.contexts.keys.services import deriving, keeping, platform_keys, stores
from xueka.contexts.keys.services.ceremonies import transcript_digest
from xueka.kernel.errors import XuekaError
from xueka.platform.audit import queries as audit
from xueka.platform.crypto import sm3
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit: of which object, and what."""

    what: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"what": self.what, "message": self.message}


@dataclass(frozen=True, slots=True)
class Verified:
    """`locked` are stores that nobody has opened: their blocks were not looked at."""

    keys: int
    ceremonies: int
    locked: list[str]
    findings: list[Finding]


def verify(actor: Actor) -> Verified:
    """Every ceremony's transcript, every key's check value. Needs `city:key:read`; changes nothing."""
    actor.require("city:key:read")
    findings: list[Finding] = []
    held = list(Ceremony.objects.order_by("id"))
    for ceremony in held:
        findings += _ceremony(actor, ceremony)
    locked: set[str] = set()
    rows = (
        KeyVersion.objects.exclude(state=DESTROYED)
        .select_related("key", "wrapped_by__wrapped_by")
        .select_related("derived_from__key", "derived_from__wrapped_by__wrapped_by")
        .order_by("key__label", "number")
    )
    opened = 0
    for version in rows:
        if version.store != FILES and not stores.is_open(version.store):
            locked.add(version.store)
            continue
        opened += 1
        if found := _key(version):
            findings.append(Finding(f"{version.key.label}/{version.number}", found))
    return Verified(opened, len(held), sorted(locked), findings)


def _key(version: KeyVersion) -> str:
    try:
        kcv = platform_keys.kcv(version) if version.store == FILES else keeping.kcv(version)
        if not deriving.fits(version):
            return f"与上级 {version.derived_from} 分散的结果不符。"
    except XuekaError as refusal:
        return refusal.message
    return "" if kcv == version.kcv else f"校验值为 {kcv}，记录为 {version.kcv}。"


def _ceremony(actor: Actor, ceremony: Ceremony) -> list[Finding]:
    wrong = []
    if transcript_digest(ceremony.transcript) != ceremony.transcript_digest:
        wrong.append("记录被改动，摘要不符。")
    if sm3.hexdigest(ceremony.plan.encode()) != ceremony.plan_digest:
        wrong.append("仪式文件被改动，摘要不符。")
    entries = audit.entries(actor.scope, action="key.ceremony", object_id=ceremony.number, limit=2)
    if len(entries) != 1 or entries[0].detail.get("transcript") != ceremony.transcript_digest:
        wrong.append("审计日志中没有这次仪式，或摘要不符。")
    told = {
        (line["label"], line["version"]): line["kcv"] for line in ceremony.transcript if line["step"] == "key"
    }
    kept = {(each.key.label, each.number): each.kcv for each in ceremony.versions.select_related("key")}
    if told != kept:
        wrong.append("记录中的密钥与台账不一致。")
    return [Finding(ceremony.number, each) for each in wrong]
