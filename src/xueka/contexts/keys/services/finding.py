"""Finding and locking keys and versions for the services."""

from django.db.models import QuerySet

from xueka.contexts.keys.domain.transitions import ACTIVE
from xueka.contexts.keys.models import Key, KeyVersion
from xueka.kernel.errors import NotFound, Refused


def key(label: str) -> Key:
    """Raises NotFound `KEY_NOT_FOUND`."""
    found = Key.objects.filter(label=label).select_related("parent", "source").first()
    if found is None:
        raise NotFound("KEY_NOT_FOUND", "没有登记这个密钥。", found=label[:80], action="请核对密钥名称。")
    return found


def held(label: str) -> Key:
    """A key that may have versions here. Raises NotFound, Refused `KEY_FOREIGN`."""
    found = key(label)
    if not found.held:
        raise Refused(
            "KEY_FOREIGN",
            f"{found.title}（{label}）是外部密钥，系统不持有它。",
            where=label,
            found=found.owner,
            action=f"请由所有者在“{found.place}”使用。",
        )
    return found


def locked(label: str) -> Key:
    """A held key, its row locked: who changes versions of one key does it one after the other."""
    held(label)
    return Key.objects.select_for_update(of=("self",)).select_related("parent", "source").get(label=label)


def active(of: Key) -> KeyVersion | None:
    return _versions().filter(key=of, state=ACTIVE).first()


def version(of: Key, number: int) -> KeyVersion:
    """Raises NotFound `KEY_VERSION_NOT_FOUND`."""
    found = _versions().filter(key=of, number=number).first()
    if found is None:
        raise NotFound(
            "KEY_VERSION_NOT_FOUND", f"密钥 {of.label} 没有第 {number} 版。", where=of.label, found=number
        )
    return found


def usable(label: str, number: int | None) -> KeyVersion:
    """The version named, or the active one. Raises NotFound, Refused `KEY_FOREIGN`, `KEY_NONE_ACTIVE`."""
    wanted = {"state": ACTIVE} if number is None else {"number": number}
    found = _versions().filter(key__label=label, **wanted).first()
    if found is None:
        of = held(label)
        if number is not None:
            return version(of, number)
        raise Refused(
            "KEY_NONE_ACTIVE",
            f"密钥 {label} 没有使用中的版本。",
            where=label,
            action="请由密钥保管人两人启用一个版本。",
        )
    return found


def _versions() -> QuerySet[KeyVersion]:
    """Versions with what they are wrapped by, read in one statement, so that a block and its key agree."""
    return KeyVersion.objects.select_related("key", "wrapped_by__key", "wrapped_by__wrapped_by__key")
