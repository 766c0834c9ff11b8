"""The platform's own keys (fields, index, signature, log-in), known here by name and check value.

They lie in sealed files of the home, which the platform opens itself; here is only what the files say.
"""

from pathlib import Path

from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.transitions import ACTIVE, KEY_VERSION, PRE_ACTIVE
from xueka.contexts.keys.models import FILES, FieldRotation, Key, KeyVersion
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.audit.services import record
from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.database import home
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

#: Below the keys folder of the home.
_PLACES = (
    "fields.json",
    "bureau/city-sign.key",
    "bureau/city-ssh.key",
    "partner/hot-list-sign.key",
    "closing/close-sign.key",
)
_MANY = "exchange/*.key"  # one for each counterpart


def take_note(actor: Actor) -> int:
    """Put keys of the files on record that are not there yet; returns how many it were."""
    found = [(place, entry) for place in _places() for entry in _entries(place)]
    known = set(KeyVersion.objects.filter(store=FILES).values_list("key__label", "number"))
    known |= set(FieldRotation.objects.filter(made_at=None).values_list("source__key__label", "number"))
    fresh = [(place, entry) for place, entry in found if (entry.label, entry.version) not in known]
    for place, entry in fresh:
        _add(actor, place, entry)
    return len(fresh)


def kcv(version: KeyVersion) -> str:
    """The check value in the file, which is opened for it. XuekaError `KEY_FILE_LOCKED`, `KEY_GONE`."""
    path = home.keys_directory() / version.handle
    if path.exists():
        for entry in sealed_files.opened_entries(path):
            if (entry.label, entry.version) == (version.key.label, version.number):
                return entry.kcv
    raise XuekaError(
        "KEY_GONE",
        f"{version.key.title}不在它的密钥文件里。",
        where=version.handle,
        action="请从备份恢复该文件。",
    )


def _places() -> list[str]:
    folder = home.keys_directory()
    return [*_PLACES, *sorted(str(each.relative_to(folder)) for each in folder.glob(_MANY))]


def _entries(place: str) -> list[Entry]:
    path: Path = home.keys_directory() / place
    return sealed_files.entries(path) if path.exists() else []


def _add(actor: Actor, place: str, entry: Entry) -> None:
    kind = v.TYPES[entry.kind]
    now = clock.now()
    key, _ = Key.objects.get_or_create(
        label=entry.label,
        defaults={
            "title": entry.title,
            "level": kind.level,
            "kind": kind.code,
            "algorithm": entry.algorithm,
            "usages": list(kind.usages),
            "created_at": now,
            "created_by": actor.username,
        },
    )
    made = KeyVersion.objects.create(
        key=key,
        number=entry.version,
        state=PRE_ACTIVE,
        state_at=now,
        algorithm=entry.algorithm,
        kcv=entry.kcv,
        store=FILES,
        handle=place,
        origin="found",
        created_at=now,
    )
    begin(KEY_VERSION, [made.pk], actor, detail={"kcv": entry.kcv, "origin": "found"})
    before = KeyVersion.objects.filter(key=key, state=ACTIVE).first()
    if before is None:
        apply(KEY_VERSION, KeyVersion, [made.pk], "activate", actor)
        if not entry.present:
            apply(KEY_VERSION, KeyVersion, [made.pk], "supersede", actor)
    elif entry.present:
        apply(KEY_VERSION, KeyVersion, [before.pk], "supersede", actor)
        apply(KEY_VERSION, KeyVersion, [made.pk], "activate", actor)
    record(actor, "key.found", "key", entry.label, detail={"version": entry.version, "kcv": entry.kcv})
