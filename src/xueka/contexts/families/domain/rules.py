"""The rules of the parents' door: how often a code may be asked for and tried, how long what holds."""

from dataclasses import dataclass
from datetime import timedelta

from xueka.kernel.errors import Refused

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)
CODE_TRIES = 5
#: How long a browser stays signed in (decisions: parents 30 days on a phone with a code).
SESSION_LIFETIME = timedelta(days=30)
#: The container whose web view a session may be, how long such a one lasts (docs/interfaces/jingtong.md §4).
JINGTONG = "jingtong"
CONTAINER_LIFETIME = timedelta(hours=12)
#: Requests are kept so long: longer than any window below, no longer than they are needed.
KEPT = timedelta(days=2)
#: A phone that stands for more children than this is hardly a parent's: only those of whom the education ID
#: was shown are seen with it.
MOST_CHILDREN = 6
#: Guardians whom a school may add for one child.
MOST_GUARDIANS = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """How many codes were asked for before, right or wrong alike."""

    by_phone_last_minute: int
    by_phone_today: int
    for_child_today: int
    from_address_last_hour: int


def check_limits(asked: Asked) -> None:
    """Raises Refused `CODE_TOO_SOON` or `CODE_TOO_OFTEN`. What was typed is counted, not what was found, so
    that the refusal tells nothing about who is on record.
    """
    if asked.by_phone_last_minute:
        raise Refused("CODE_TOO_SOON", "一分钟内只能获取一次验证码。", action="请稍候再点“获取验证码”。")
    if asked.by_phone_today >= 10 or asked.for_child_today >= 20 or asked.from_address_last_hour >= 60:
        raise Refused(
            "CODE_TOO_OFTEN",
            "获取验证码的次数太多。",
            expected="一部手机每天 10 次",
            action="请明天再试，或请学校卡管老师代为办理。",
        )
