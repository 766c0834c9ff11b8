"""The register: every key as a list, one key with its versions, one version with the cards under it."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.custodian import lineage, looks
from xueka.entrypoints.portals.custodian.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_ASK = "city:key:ask"
_STEPS = (
    ("activate", ("pre_active",), "player-play"),
    ("reinstate", ("verify_only",), "arrow-back-up"),
    ("retire", ("active", "verify_only"), "player-stop"),
    ("destroy", ("pre_active", "retired"), "trash"),
)


@require_GET
@portal_view(READ)
def key_list(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        keys.keys(request.actor.scope),
        name="keys",
        columns=[
            Column("名称", "title"),
            Column("密钥", "label", sort="label", kind="code"),
            Column("层级", lambda row: keys.LEVELS[row.level]),
            Column("算法", lambda row: keys.ALGORITHMS[row.algorithm]),
            Column("使用中", _in_use),
            Column("校验值", _kcv, kind="code", minor=True),
            Column("版本", lambda row: row.versions.all().__len__() or "—", kind="number", minor=True),
            Column("由谁保护", lambda row: row.parent.label if row.parent else row.owner or "—", minor=True),
        ],
        sorts={"label": ("label",)},
        filters=[
            Filter("state", "状态", _in_state, [("silent", "没有版本在用"), ("pre_active", "有待启用的版本"),
                                              ("foreign", "外部密钥")], kind="tabs"),
            Filter("q", "名称", lambda rows, text: rows.filter(label__contains=text.lower()), kind="search"),
            Filter("level", "层级", lambda rows, code: rows.filter(level=code), list(keys.LEVELS.items())),
        ],
        url=lambda row: reverse("custodian:key", args=[row.label]),
        label=lambda row: row.title,
        unit="个",
        empty=Empty("还没有密钥", "密钥在仪式中生成，或登记后由两人生成。", icon="key"),
    )  # fmt: skip
    shown = {"title": "密钥台账", "sub": "每个密钥的名称、层级和版本；密钥本身不在这里。", "list": listing}
    return render(request, "custodian/list.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, label: str) -> HttpResponse:
    key = keys.key(request.actor.scope, label)
    counts = keys.uses_by_version(request.actor.scope)
    versions = [
        (
            Link(f"第 {each.number} 版", reverse("custodian:version", args=[label, each.number])),
            states.badge("key_version", each.state),
            each.kcv,
            keys.STORES[each.store],
            keys.ORIGINS[each.origin],
            f"{counts.get(each.pk, (0, 0))[0]:,}",
            f"{counts.get(each.pk, (0, 0))[1]:,}",
            _steps(request, key, each),
        )
        for each in key.versions.all()
    ]
    days = keys.uses_by_day(request.actor.scope, 30, label)
    shown = {
        "head": ObjectHead(
            key.title,
            key.label,
            "外部密钥" if not key.held else keys.LEVELS[key.level],
            _badge(key),
            facts=_facts(key),
            actions=_key_actions(request, key),
        ),
        "held": key.held,
        "versions": versions,
        "days": [(formats.short_day(day).split(" ")[0], uses, cards) for day, (uses, cards) in days.items()],
        "used": any(uses for uses, _ in days.values()),
        "changes": [
            (
                Link(each.number, reverse("custodian:change", args=[each.number])),
                keys.CHANGE_KINDS[each.kind].label,
                states.badge("key_change", each.state),
                shapes.actor_name(each.asked_by),
                shapes.actor_name(each.decided_by) or "—",
                each.asked_at,
            )
            for each in keys.changes(request.actor.scope).filter(label=label)[:20]
        ],
    }
    return render(request, "custodian/key.html", shown)


@require_GET
@portal_view(READ)
def version(request: StaffRequest, label: str, number: int) -> HttpResponse:
    """One version: how it came to be, what happened to it, and what its leak would cost."""
    scope = request.actor.scope
    found = keys.version(scope, label, number)
    labels = {code: keys.KEY_VERSION.event_label(code) for code in keys.KEY_VERSION.event_codes}
    opens = keys.below(scope, found)
    exposed = lineage.exposed(scope, found)
    uses, cards = keys.uses_by_version(scope).get(found.pk, (0, 0))
    shown = {
        "head": ObjectHead(
            f"{found.key.title} 第 {number} 版",
            f"{label}/{number}",
            "密钥版本",
            states.badge("key_version", found.state),
            facts=[
                Fact("校验值", found.kcv),
                Fact("算法", keys.ALGORITHMS[found.algorithm]),
                Fact("存放", _place(found)),
                Fact("来源", keys.ORIGINS[found.origin]),
                *([Fact("由谁分散", _to(found.derived_from))] if found.derived_from else []),
                Fact("由谁保护", _to(found.wrapped_by) if found.wrapped_by else "—"),
                Fact("申请", shapes.actor_name(found.asked_by) or "—"),
                Fact("确认", shapes.actor_name(found.confirmed_by) or "—"),
                Fact("用过", f"{uses:,} 次，{cards:,} 张次"),
            ],
            actions=[*_moves(request, found), *_steps(request, found.key, found)],
        ),
        "deliveries": [
            (
                Link(each.number, reverse("custodian:delivery", args=[each.number])),
                each.receiver,
                keys.WAYS[each.way],
                each.due_on,
                states.badge("key_delivery", each.state),
            )
            for each in keys.deliveries(scope).filter(version=found)[:50]
        ],
        "back": Link(found.key.title, reverse("custodian:key", args=[label])),
        "exposed": exposed,
        "opens": [(_to(each), each.kcv, states.badge("key_version", each.state)) for each in opens],
        "charts": [
            ("各卡种", exposed.by_kind),
            ("各状态", {states.badge("card", code).text: n for code, n in exposed.by_state.items()}),
            ("各区", exposed.by_district),
        ],
        "uses": [
            (
                each.at,
                keys.PURPOSES.get(each.purpose, each.purpose),
                each.subject,
                each.cards,
                shapes.actor_name(each.actor),
            )
            for each in keys.uses(scope).filter(version=found)[:20]
        ],
        "more": f"{reverse('custodian:uses')}?key={label}",
        "events": shapes.steps(history.timeline({"key_version": [found.pk]}), labels | {"create": "产生"}),
    }
    return render(request, "custodian/version.html", shown)


def _place(found: keys.KeyVersion) -> str:
    """Where it lies; of a destroyed one that lay in a store, whether it has left it."""
    name = keys.STORES[found.store]
    removal = getattr(found, "removal", None)
    if removal is None:
        return name
    return f"{name}（已清除）" if removal.done_at else f"{name}（等待清除）"


def _active(key: keys.Key) -> keys.KeyVersion | None:
    return next((each for each in key.versions.all() if each.state == "active"), None)


def _kcv(key: keys.Key) -> str:
    found = _active(key)
    return found.kcv if found else "—"


def _in_use(key: keys.Key) -> Badge:
    if not key.held:
        return Badge("外部持有", "neutral", "external-link")
    found = _active(key)
    return Badge(f"第 {found.number} 版", "ok") if found else Badge("没有", "bad")


def _in_state(rows: QuerySet[keys.Key], code: str) -> QuerySet[keys.Key]:
    if code == "foreign":
        return rows.filter(held=False)
    if code == "pre_active":
        return rows.filter(versions__state="pre_active").distinct()
    in_use = rows.filter(versions__state="active").values("pk")
    return rows.filter(held=True, versions__isnull=False).exclude(pk__in=in_use).distinct()


def _badge(key: keys.Key) -> Badge:
    return Badge("演练", "stop", "flask") if key.drill else _in_use(key)


def _facts(key: keys.Key) -> list[Fact]:
    facts = [
        Fact("类型", keys.TYPES[key.kind].label),
        Fact("算法", keys.ALGORITHMS[key.algorithm]),
        Fact("用途", looks.usages(key)),
    ]
    if not key.held:
        return [*facts, Fact("所有者", key.owner), Fact("存放处", key.place)]
    above = key.parent
    link = Link(above.title, reverse("custodian:key", args=[above.label])) if above else "—"
    facts += [Fact("由谁保护", link), Fact("应用", key.application or "—")]
    if key.source:
        source = Link(key.source.title, reverse("custodian:key", args=[key.source.label]))
        facts += [Fact("由谁分散", source), Fact("分散因子", key.factor)]
    return facts


def _to(found: keys.KeyVersion) -> Link:
    url = reverse("custodian:version", args=[found.key.label, found.number])
    return Link(f"{found.key.title} 第 {found.number} 版", url)


def _key_actions(request: StaffRequest, key: keys.Key) -> list[Action]:
    if not key.held or not request.actor.may(_ASK):
        return []
    if key.level == "platform":
        return [_post(key, "rotate", "轮换", "refresh", "primary")] if key.kind == "field" else []
    actions = [_post(key, "generate", "生成新版本", "plus")]
    if _active(key) is not None:
        actions.insert(0, _post(key, "rotate", "轮换", "refresh", "primary"))
    if key.source_id:
        return actions
    if key.level in ("city", "issuer", "master", "transport"):
        url = reverse("custodian:import", args=[key.label])
        actions.append(Action("导入密钥块", url, icon="file-import"))
    if key.level in ("kek", "city", "issuer", "master", "transport") and key.algorithm != "sm1":
        url = reverse("custodian:components", args=[key.label])
        actions.append(Action("分量导入", url, icon="puzzle"))
    return actions


def _steps(request: StaffRequest, key: keys.Key, found: keys.KeyVersion) -> list[Action]:
    """What may be asked for this version as it stands."""
    if not request.actor.may(_ASK) or key.level == "platform":
        return []
    params = {"version": found.number}
    return [
        _post(key, kind, keys.CHANGE_KINDS[kind].label, icon, params=params)
        for kind, allowed, icon in _STEPS
        if found.state in allowed and not (kind == "activate" and _active(key) is not None)
    ]


def _moves(request: StaffRequest, found: keys.KeyVersion) -> list[Action]:
    """Where this version may go."""
    key = found.key
    usable = found.state in ("active", "verify_only")
    if not request.actor.may(_ASK) or key.level in ("platform", "local") or key.drill:
        return []
    moves = []
    if usable or found.state == "pre_active":
        url = reverse("custodian:deliver", args=[key.label, found.number])
        moves.append(Action("安排交付", url, icon="truck-delivery"))
    if usable and "export" in key.usages:
        url = reverse("custodian:export", args=[key.label, found.number])
        moves.append(Action("导出密钥块", url, icon="file-export"))
    return moves


def _post(key: keys.Key, kind: str, label: str, icon: str, tone: str = "default", **more: Any) -> Action:
    about = keys.CHANGE_KINDS[kind]
    asked = Confirm(
        f"申请{about.label}",
        f"{key.title}。{about.warns}由另一人确认后执行。",
        "提交申请",
        "required",
        reason_label="原因",
    )
    return Action(
        label, reverse("custodian:ask", args=[key.label, kind]), "post", icon, tone, confirm=asked, **more
    )
