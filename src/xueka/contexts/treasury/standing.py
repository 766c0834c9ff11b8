"""How the payment channels stand, with their statements, for the page of the interfaces."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from xueka.contexts.payments.api import channel_standings
from xueka.contexts.treasury.models import Fetch, Statement
from xueka.kernel import clock
from xueka.platform.exchange.standing import Standing, Telling


def standings(first: datetime) -> Telling:
    """What payments tell of each channel, and up to which day its statements have come."""
    telling = channel_standings(first)
    answers = yield {
        **next(telling),
        "statements": Statement.objects.filter(usable=True)
        .order_by("channel", "-day")
        .distinct("channel")
        .values("channel", "day"),
        "missing": Fetch.objects.filter(done_at=None, tries__gt=0, day__lt=clock.today() - timedelta(days=1))
        .order_by("channel", "day")
        .distinct("channel")
        .values("channel", "day", "last_error"),
    }
    last = {each["channel"]: date.fromisoformat(each["day"]) for each in answers["statements"]}
    missing = {each["channel"]: each for each in answers["missing"]}
    try:
        telling.send(answers)
    except StopIteration as over:
        return [_with_statements(each, last, missing) for each in over.value]
    raise RuntimeError("told twice")


def _with_statements(each: Standing, last: dict[str, date], missing: dict[str, dict[str, str]]) -> Standing:
    code = each.code.removeprefix("pay-")
    day, lacking = last.get(code), missing.get(code)
    notes = [*each.notes, ("对账单到", day.isoformat() if day else "还没有")]
    if not lacking:
        return replace(each, notes=notes)
    said = "：".join(filter(None, (f"{lacking['day']} 的对账单没有取到", lacking["last_error"])))
    return replace(each, notes=notes, trouble=said)
