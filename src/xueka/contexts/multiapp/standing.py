"""How the partners use the interface that we offer, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, OuterRef, Q, Subquery

from xueka.contexts.multiapp.models import ApiCall, Credential
from xueka.platform.database.at_once import moment
from xueka.platform.exchange.standing import PARTNER, Standing, Telling

#: From so many calls on, and from this share of refused ones, somebody should look.
ENOUGH, MUCH = 20, 20  # calls, per cent


def standings(first: datetime) -> Telling:
    """Every partner with a credential in use. `received`: calls, `failed`: those answered with 4xx or 5xx."""
    last = ApiCall.objects.filter(credential=OuterRef("pk")).order_by("-at").values("at")[:1]
    found = yield {
        "partners": Credential.objects.filter(state__in=["active", "ending"])
        .order_by("id")
        .values("id", "unit__code", "unit__name", last=Subquery(last)),
        "calls": ApiCall.objects.filter(at__gte=first)
        .order_by()
        .values("credential_id")
        .annotate(
            many=Count("id"),
            refused=Count("id", filter=Q(status__gte=400, status__lt=500)),
            broken=Count("id", filter=Q(status__gte=500)),
        ),
    }
    calls = {each["credential_id"]: each for each in found["calls"]}
    by_unit: dict[str, list[dict[str, object]]] = {}
    for each in found["partners"]:
        by_unit.setdefault(each["unit__code"], []).append({**each, **calls.get(each["id"], {})})
    return [_standing(code, rows) for code, rows in by_unit.items()]


def _standing(code: str, rows: list[dict[str, object]]) -> Standing:
    many, refused, broken = (sum(int(str(each.get(name, 0))) for each in rows) for name in _FIGURES)
    trouble = []
    if broken:
        trouble.append(f"今天有 {broken} 次本系统没有答出来")
    if many >= ENOUGH and refused * 100 >= many * MUCH:
        trouble.append(f"今天 {refused * 100 // many}% 的调用被拒")
    return Standing(
        f"unit-{code}",
        str(rows[0]["unit__name"]),
        PARTNER,
        answered_at=max(filter(None, (moment(each["last"]) for each in rows)), default=None),  # type: ignore[arg-type]
        received=many,
        failed=refused + broken,
        in_time=0,
        trouble="，".join(trouble),
        notes=[("4xx", _share(refused, many)), ("5xx", _share(broken, many))] if many else [],
    )


_FIGURES = ("many", "refused", "broken")


def _share(some: int, many: int) -> str:
    return f"{some:,} 次，{some * 100 / many:.1f}%"
