"""How the citizens' sign-on stands, for the page of the interfaces: what the audit log has of it."""

from datetime import datetime

from django.db.models import Count, Q, Subquery

from xueka.contexts.families.adapters import jingtong
from xueka.platform.audit import queries as audit
from xueka.platform.database.at_once import first as row
from xueka.platform.database.at_once import moment, whole
from xueka.platform.exchange.standing import SIGN_ON, Standing, Telling
from xueka.platform.identity.scope import EVERYWHERE


def standings(first: datetime) -> Telling:
    """Jingtong, once it has handed over its card. `received`: citizens let in, `failed`: those who stand for
    no child, and the minutes in which it did not work.
    """
    entries = audit.entry_rows(EVERYWHERE).filter(action="family.sign_on").order_by("-id")
    begun = audit.entry_rows(EVERYWHERE).filter(at__gte=first).order_by("at", "id").values("id")[:1]
    found = yield {
        "in": entries.filter(result="done").values("at")[:1],
        "wrong": entries.filter(result="failed").values("at", "detail")[:1],
        "today": whole(
            entries.filter(id__gte=Subquery(begun)),
            done=Count("id", filter=Q(result="done")),
            strangers=Count("id", filter=Q(result="refused")),
            failed=Count("id", filter=Q(result="failed")),
        ),
    }
    card = jingtong.card()
    if card is None:
        return []
    today, wrong = row(found["today"]), row(found["wrong"])
    good, bad = moment(row(found["in"]).get("at")), moment(wrong.get("at"))
    said = str(wrong.get("detail", {}).get("message", ""))
    return [
        Standing(
            "jingtong",
            "京通登录",
            SIGN_ON,
            answered_at=good,
            problem=said,
            received=today.get("done", 0),
            failed=today.get("strangers", 0) + today.get("failed", 0),
            in_time=0,
            trouble=f"最近一次没有登录成：{said}" if bad and (good is None or bad > good) else "",
            notes=[
                ("今天登入", f"{today.get('done', 0):,} 次"),
                ("没有登记为监护人", f"{today.get('strangers', 0):,} 次"),
                ("最近不成", bad),
            ],
        )
    ]
