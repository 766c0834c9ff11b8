"""How the line to the card bureau stands, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, Max, Min, Q

from xueka.contexts.production.models import Package, Partner, Problem, ReturnFile
from xueka.kernel import clock
from xueka.platform.database.at_once import first as row
from xueka.platform.database.at_once import moment, whole
from xueka.platform.exchange.standing import BUREAU, Standing, Telling

IN_TIME = 900.0  # seconds that a package may wait until it is sent


def standings(first: datetime) -> Telling:
    """The bureau in use. `waiting`: packages that have not arrived there, `dead`: open problems, `sent`:
    packages, `received`: return files.
    """
    waiting = Package.objects.filter(state="stored")
    found = yield {
        "bureau": Partner.objects.filter(in_use=True).values(
            "name", "last_contact_at", "failures", "last_error", "next_try_at"
        ),
        "now": whole(
            waiting,
            many=Count("id"),
            failing=Count("id", filter=~Q(last_error="")),
            oldest=Min("built_at"),
            problem=Max("last_error"),
        ),
        "sent": whole(
            Package.objects.filter(sent_at__isnull=False),
            last=Max("sent_at"),
            today=Count("id", filter=Q(sent_at__gte=first)),
        ),
        "came": whole(
            ReturnFile.objects.all(),
            last=Max("received_at"),
            today=Count("id", filter=Q(received_at__gte=first)),
        ),
        "problems": whole(Problem.objects.filter(state="open"), many=Count("id")),
    }
    bureau, now, sent, came = (row(found[name]) for name in ("bureau", "now", "sent", "came"))
    if not bureau:
        return []
    oldest = moment(now.get("oldest"))
    said = bureau["last_error"] or now.get("problem") or ""
    return [
        Standing(
            "bureau",
            bureau["name"],
            BUREAU,
            answered_at=moment(bureau["last_contact_at"]),
            problem=said,
            waiting=now.get("many", 0),
            failing=now.get("failing", 0),
            oldest_seconds=max(int((clock.now() - oldest).total_seconds()), 0) if oldest else 0,
            dead=row(found["problems"]).get("many", 0),
            sent=sent.get("today", 0),
            received=came.get("today", 0),
            failed=bureau["failures"],
            in_time=IN_TIME,
            trouble=f"连不上，已试 {bureau['failures']} 次：{said}" if bureau["failures"] else "",
            notes=[("最近发出", moment(sent.get("last"))), ("最近收到", moment(came.get("last")))],
        )
    ]
