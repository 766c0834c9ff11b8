"""How an interface stands, whatever it is made of: one shape and one rule for platforms, couriers, messages,
payment channels and imports. `settings.INTERFACES` names who tells of which.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from xueka.platform.database.at_once import Answers, Question, at_once, moment
from xueka.platform.exchange.models import BREAKER, CLOSED, Line

#: What kind of counterpart it is, in the order of the page.
EXCHANGE, REGISTRY, BUREAU, COURIER = "exchange", "registry", "bureau", "courier"
SIGN_ON, MESSAGES, MONEY, PARTNER = "sign_on", "messages", "money", "partner"
KINDS = {
    EXCHANGE: "数据交换",
    REGISTRY: "学籍",
    BUREAU: "卡厂",
    COURIER: "承运商",
    SIGN_ON: "登录",
    MESSAGES: "消息",
    MONEY: "支付与票据",
    PARTNER: "应用单位",
}

#: Nothing is wrong; late, or something to look at; nothing arrives, or nothing can.
GOOD, SLOW, BROKEN = "good", "slow", "broken"
HEALTH = {GOOD: "正常", SLOW: "迟缓", BROKEN: "中断"}

#: Seconds that a message may wait where the counterpart's file says nothing.
IN_TIME = 300.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One interface just now. `waiting` have not arrived, of these `failing` were tried in vain, and the
    oldest waits for `oldest_seconds`. `dead` need a person, `differences` too; `settling` differences were
    settled and wait for the next comparison. `answered_at`: the last success.

    `sent`, `received`, `failed` (tries in vain) are counted since the moment that was asked for. `in_time`:
    seconds after which a waiting message is late; 0: nothing waits by nature of the interface. `trouble`:
    what else is wrong, in words. `notes`: what this interface alone has to tell, each with its word.
    """

    code: str
    name: str
    kind: str
    usable: bool = True
    breaker: str = CLOSED
    open_until: datetime | None = None
    answered_at: datetime | None = None
    problem: str = ""
    waiting: int = 0
    failing: int = 0
    oldest_seconds: int = 0
    dead: int = 0
    differences: int = 0
    settling: int = 0
    sent: int = 0
    received: int = 0
    failed: int = 0
    in_time: float = IN_TIME
    trouble: str = ""
    notes: Sequence[tuple[str, datetime | str | None]] = ()
    quality: dict[str, float | None] = field(default_factory=dict)

    @property
    def health(self) -> tuple[str, str]:
        """GOOD, SLOW or BROKEN, and why in words."""
        if not self.usable:
            return BROKEN, self.problem or "参数文件不能用"
        if self.breaker != CLOSED:
            return BROKEN, f"{BREAKER[self.breaker]}：{self.problem or '对方没有应答'}"
        late = self.waiting and self.oldest_seconds > self.in_time
        if late and self.failing == self.waiting:
            return BROKEN, f"等待的都没有送到：{self.problem or '对方没有应答'}"
        reasons = []
        if self.dead:
            reasons.append(f"{self.dead} 件停下，等人处理")
        if late:
            reasons.append(f"最早的已等 {_long(self.oldest_seconds)}")
        if self.failing:
            reasons.append(f"{self.failing} 件在重试")
        if self.differences:
            reasons.append(f"{self.differences} 项差异没有处理")
        if self.trouble:
            reasons.append(self.trouble)
        return (SLOW, "，".join(reasons)) if reasons else (GOOD, "")


#: Who tells of some interfaces: yields what it has to ask the database, is sent the answers, returns them.
Telling = Generator[Mapping[str, Question], Answers, list[Standing]]
Teller = Callable[[datetime], Telling]


def told(tellers: Sequence[Teller], first: datetime) -> list[Standing]:
    """What these tell; all that they ask goes to the database as one query."""
    tellings = [teller(first) for teller in tellers]
    asked = [next(telling) for telling in tellings]
    answers = at_once({f"{at}.{name}": each for at, some in enumerate(asked) for name, each in some.items()})
    found: list[Standing] = []
    for at, (telling, some) in enumerate(zip(tellings, asked, strict=True)):
        try:
            telling.send({name: answers[f"{at}.{name}"] for name in some})
        except StopIteration as over:
            found += over.value
    return found


def standings(first: datetime) -> list[Standing]:
    """Every interface that exists, by kind; counts since `first`."""
    broken: dict[str, dict[str, Any]] = {}

    def breakers(_: datetime) -> Telling:
        """Those that are not closed, with the one query of all."""
        answers = yield {"open": Line.objects.exclude(breaker=CLOSED).values(*_BREAKER)}
        broken.update({each.pop("counterpart"): each for each in answers["open"]})
        return []

    found = told([*map(import_string, settings.INTERFACES), breakers], first)
    found = [_with_breaker(each, broken.get(each.code)) for each in found]
    places = list(KINDS)
    return sorted(found, key=lambda each: (places.index(each.kind), each.code))


_BREAKER = ("counterpart", "breaker", "open_until", "problem")


def _with_breaker(each: Standing, line: dict[str, Any] | None) -> Standing:
    if line is None or not each.usable:
        return each
    problem = line["problem"] or each.problem
    return replace(each, breaker=line["breaker"], open_until=moment(line["open_until"]), problem=problem)


def _long(seconds: int) -> str:
    for size, word in ((86400, "天"), (3600, "小时"), (60, "分钟")):
        if seconds >= size:
            return f"{seconds // size} {word}"
    return f"{seconds} 秒"
