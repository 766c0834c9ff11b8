"""How keys read on the screen: their tree as a picture, their versions, who did what."""

from collections.abc import Iterable, Mapping

from django.urls import reverse

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design import states
from xueka.entrypoints.design.key_tree import Mark, Node, Tree

#: In the picture each state is one character beside the number of the version.
SHORT = {"pre_active": "待", "active": "用", "verify_only": "验", "retired": "停", "destroyed": "销"}
_ROOTS = ("local", "platform")


def tree(found: Iterable[keys.Key], counts: Mapping[int, tuple[int, int]]) -> Tree:
    """Local master keys with all that hangs below them, then the platform's keys, then foreign ones.

    A derived master stands beside the one that it comes from, any other beside what protects it.
    """
    rows = list(found)
    below: dict[int | None, list[keys.Key]] = {}
    for key in rows:
        below.setdefault(key.source_id or key.parent_id, []).append(key)

    def node(key: keys.Key) -> Node:
        children = [node(child) for child in below.get(key.pk, [])]
        return Node(
            key.title,
            _note(key, counts),
            reverse("custodian:key", args=[key.label]),
            [mark(version) for version in key.versions.all()],
            children,
            dashed=not key.held,
        )

    tops = below.get(None, [])
    ours = [key for level in _ROOTS for key in tops if key.held and key.level == level]
    return Tree("密钥层级图", [node(key) for key in [*ours, *(key for key in tops if not key.held)]])


def mark(version: keys.KeyVersion) -> Mark:
    look = states.badge("key_version", version.state)
    return Mark(f"{version.number}{SHORT[version.state]}", look.tone, f"第 {version.number} 版{look.text}")


def _note(key: keys.Key, counts: Mapping[int, tuple[int, int]]) -> str:
    if not key.held:
        return f"{key.label} · {key.owner}持有"
    cards = sum(counts.get(version.pk, (0, 0))[1] for version in key.versions.all())
    told = f" · {cards:,} 张次" if cards and key.level == "master" else ""
    level = f" · {keys.LEVELS[key.level]}" if key.level in ("city", "issuer") else ""
    return f"{key.label} · {keys.ALGORITHMS[key.algorithm]}{level}{told}"


def usages(key: keys.Key) -> str:
    return "、".join(keys.USAGES[each] for each in key.usages)
