"""Masters that come from the one above them: a city's, by the issuer's number, then by the application's.

A derived version has a block (or a place in the module) of its own: it is used, exported and destroyed like
any other. Which version it came from is kept, so that a leak above is counted with every card below.
"""

from collections.abc import Mapping
from typing import Any

from xueka.contexts.keys.domain import policy
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.transitions import DESTROYED
from xueka.contexts.keys.models import Key, KeyVersion
from xueka.contexts.keys.ports import StoredKey
from xueka.contexts.keys.services import finding, keeping, stores, using
from xueka.kernel.errors import BadInput, Conflict, Refused
from xueka.platform.identity.actor import Actor

PURPOSE = "derivation"


def source_of(label: str, params: Mapping[str, Any]) -> Key | None:
    """The master that a key to be registered will be derived from.

    Raises BadInput `KEY_SOURCE`, Conflict `KEY_FACTOR_TAKEN`: one source and factor give one key.
    """
    if not params.get("source"):
        return None
    source = finding.held(params["source"])
    wanted = v.SOURCES[params["level"]]
    if source.level not in wanted or (source.kind, source.algorithm, source.drill) != (
        params["kind"], params["algorithm"], label.startswith(v.DRILL_PREFIX),
    ):  # fmt: skip
        raise BadInput(
            "KEY_SOURCE",
            f"密钥 {label} 不能由 {source.label} 分散。",
            where=label,
            found=f"{v.LEVELS[source.level]}，{v.TYPES[source.kind].label}，{v.ALGORITHMS[source.algorithm]}",
            expected=f"同一类型、同一算法的{'或'.join(v.LEVELS[level] for level in wanted)}",
        )
    if taken := Key.objects.filter(source=source, factor=params["factor"]).first():
        raise Conflict(
            "KEY_FACTOR_TAKEN",
            f"{taken.label} 已用这个因子由 {source.label} 分散，再分散一次得到的是同一个密钥。",
            where=label,
            found=params["factor"],
            action="请换一个分散因子。",
        )
    return source


def possible(key: Key) -> KeyVersion:
    """The version that the next one of `key` will be derived from.

    Raises Refused `KEY_NONE_ACTIVE`, `KEY_USAGE`, `KEY_SOURCE_SAME` where it would come out as it is already.
    """
    assert key.source is not None
    source = finding.usable(key.source.label, None)
    policy.check_use(source.key.label, source.number, source.state, source.key.usages, v.DERIVE)
    if KeyVersion.objects.filter(key=key, derived_from=source).exists():
        raise Refused(
            "KEY_SOURCE_SAME",
            f"{key.label} 已由 {source.key.label} 的这一版分散过，再分散一次还是同一个密钥。",
            where=key.label,
            found=f"{source.key.label} 第 {source.number} 版",
            action=f"请先轮换 {source.key.label}。",
        )
    return source


def not_derived(key: Key) -> None:
    """A derived key comes from above and from nowhere else. Raises Refused `KEY_DERIVED`."""
    if key.source is not None:
        raise Refused(
            "KEY_DERIVED",
            f"{key.title}由 {key.source.label} 分散得到，不能另行导入。",
            where=key.label,
            action="请用“生成新版本”或“轮换”。",
        )


def made(actor: Actor, key: Key, number: int) -> tuple[StoredKey, KeyVersion | None, KeyVersion]:
    """The next version, what wraps it, and what it was derived from; the use of that is on record first."""
    source = possible(key)
    using.written(actor, [source], v.DERIVE, PURPOSE, key.label, cards=0)
    stored, above = keeping.derived(key, number, source)
    return stored, above, source


def fits(version: KeyVersion) -> bool:
    """Whether a derived version is what its source and factor give; asked while both can be opened."""
    source = version.derived_from
    if source is None or DESTROYED in (source.state, version.state) or not stores.is_open(source.store):
        return True
    return keeping.derived_kcv(version, source) == version.kcv


def below(version: KeyVersion) -> list[KeyVersion]:
    """Every version that this one opens: what was derived from it, what lies under it, and so on down.

    What lies under a wrapping key opens with it for whoever has the blocks too.
    """
    found: dict[int, KeyVersion] = {}
    level = [version.pk]
    while level:
        rows = KeyVersion.objects.select_related("key").exclude(pk__in=[*found, version.pk])
        level_rows = list(rows.filter(derived_from__in=level) | rows.filter(wrapped_by__in=level))
        found |= {each.pk: each for each in level_rows}
        level = [each.pk for each in level_rows]
    return sorted(found.values(), key=lambda each: (each.key.label, each.number))
