"""Accounts of the demo city: one log-in per role, with random passwords, made when the city is made."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.crypto import fields
from xueka.platform.database import home
from xueka.platform.identity import second_factor, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import SecondFactor, User
from xueka.platform.identity.permissions import ROLES, is_city_role


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """What the start prints. `changed_at` (ISO 8601): when the password was set; a change shows."""

    label: str
    username: str
    password: str
    changed_at: str


_ACCOUNTS = (
    ("school", "周敏", "school_officer"),
    ("reviewer", "吴岚", "school_reviewer"),
    ("district", "郑宇", "district_officer"),
    ("counter", "秦朗", "counter_operator"),
    ("operator", "王芳", "city_operator"),
    ("operator2", "冯杰", "city_operator"),  # the second person
    ("finance", "许晴", "finance"),
    ("finance2", "何川", "finance"),  # the second person
    ("admin", "陈立", "city_admin"),
    ("security", "卫平", "security_admin"),
    ("auditor", "褚宁", "auditor"),
    ("keyadmin", "蒋文", "key_admin"),
    ("custodian", "沈静", "key_custodian"),
    ("custodian2", "韩立", "key_custodian"),  # the second person
)


def make_demo_accounts(*, district: str, school: str) -> list[DemoLogin]:
    """Make the accounts in the caller's transaction, those of school level for `school` in `district`.

    Call it once, on the real clock: by a simulated one the passwords of the city roles would be out of date.
    """
    actor = Actor.system("demo")
    logins = []
    for username, name, role in _ACCOUNTS:
        level = ROLES[role].level
        user, password = services.create_user(
            actor,
            username,
            name,
            role,
            district=district if level != "city" else "",
            school=school if level == "school" else "",
        )
        user.must_change_password = False  # it is random, and the start prints it
        user.save(update_fields=["must_change_password"])
        if is_city_role(role):
            second_factor.enrol_at_once(actor, username)
        logins.append(DemoLogin(ROLES[role].label, username, password, user.password_changed_at.isoformat()))
    _store(logins)
    return logins


def demo_logins() -> list[DemoLogin]:
    """The log-ins that were made; empty where there is no demo city."""
    try:
        sealed = bytes.fromhex(json.loads(_path().read_text("ascii"))["sealed"])
    except FileNotFoundError:
        return []
    return [DemoLogin(**login) for login in fields.unseal(sealed)["logins"]]


def login_lines() -> list[str]:
    """One line per log-in for the terminal, e.g. `学校卡管老师  school  k7mp-…`."""
    logins = demo_logins()
    present = {
        user.username: user for user in User.objects.filter(username__in=[one.username for one in logins])
    }
    width = max((len(one.label) for one in logins), default=0)
    lines = [_line(one, present.get(one.username), width) for one in logins]
    if lines:
        lines.append("市级账号登录时还要动态验证码：python3 run.py demo code 用户名")
    return lines


def code_of(username: str) -> tuple[str, int]:
    """The code of the second factor of a demo account, and the seconds it still holds.

    Raises NotFound `DEMO_ACCOUNT_UNKNOWN` for any account that the demo city has not made.
    """
    made = username in {login.username for login in demo_logins()}
    if not made or not SecondFactor.objects.filter(user__username=username).exists():
        raise NotFound(
            "DEMO_ACCOUNT_UNKNOWN",
            f"{username} 不是演示城市里绑定了动态验证码的账号。",
            expected="、".join(name for name, _, role in _ACCOUNTS if is_city_role(role)),
            action="请核对用户名；其他账号的验证码只在使用者的手机上。",
        )
    return second_factor.present_code(username)


def name_the_staff(names: Mapping[str, str]) -> None:
    """Names for those who work in a simulated city, so that timelines show people. They cannot log in."""
    now = clock.now()
    made = [
        User(username=username, name=name, is_active=False, created_at=now, password_changed_at=now)
        for username, name in names.items()
    ]
    for user in made:
        user.set_unusable_password()
    User.objects.bulk_create(made, update_conflicts=True, unique_fields=["username"], update_fields=["name"])


def _line(login: DemoLogin, user: User | None, width: int) -> str:
    label = login.label + "　" * (width - len(login.label))
    password = login.password
    if user is None or not user.is_active:
        password = "（已停用）"  # noqa: S105
    elif user.password_changed_at.isoformat() != login.changed_at:
        password = "（密码已由使用者修改）"  # noqa: S105
    return f"{label}  {login.username:<10} {password}"


def _store(logins: Sequence[DemoLogin]) -> None:
    sealed = fields.seal({"logins": [asdict(one) for one in logins]})
    draft = _path().with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"sealed": sealed.hex()}, file)
    draft.replace(_path())


def _path() -> Path:
    return home.keys_directory() / "demo-logins.json"
