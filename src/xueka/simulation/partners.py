"""The demo city's partners: a library of one school that works with the cards, a canteen that waits to."""

import json
import os
from datetime import date, timedelta
from pathlib import Path

from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.crypto import fields
from xueka.platform.database import home
from xueka.simulation import issuing, staff

LIBRARY, CANTEEN = "启明图书馆系统公司", "惠民学生餐饮中心"
AREA, TERM = "campus", timedelta(days=3 * 365)
BOOKS = """0001 读者信息 二进制 64 free key:education.adf.external
0002 借阅记录 循环记录 240 free key:education.adf.external"""
MEALS = """0001 就餐账户 二进制 96 free key:education.adf.external
0002 就餐记录 循环记录 400 free key:education.adf.external"""
KEYS = {"education.adf.external": "external", "education.adf.internal": "internal"}


def settle(school: registry.School) -> None:
    """In the caller's transaction: the directories of the chip, both partners, what they have or ask for.

    The library's credential is kept sealed beside the passwords of the demo's accounts: the start prints it.
    """
    first, second = staff.operator("a"), staff.operator("b")
    multiapp.adopt_profiles(first)
    elsewhere = registry.School.objects.exclude(district_id=school.district_id).order_by("code")
    district = elsewhere.values_list("district_id", flat=True)[0]
    codes = list(elsewhere.filter(district_id=district).values_list("code", flat=True))
    library = _unit(LIBRARY, "图书借阅", "HT-2026-011", "范景文", [school.code])
    canteen = _unit(CANTEEN, "食堂就餐", "HT-2026-024", "莫晓东", codes)
    multiapp.approve_grant(second, _asked(library, 400, BOOKS).number)
    _asked(canteen, 640, MEALS)
    fresh = multiapp.make_credential(first, library.code, list(multiapp.SCOPES))
    _keep({"key_id": fresh.credential.key_id, "secret": fresh.secret})


def login_lines() -> list[str]:
    """The library's credential for the terminal; empty where there is none, said where it is not in use."""
    try:
        sealed = bytes.fromhex(json.loads(_path().read_text("ascii"))["sealed"])
    except FileNotFoundError:
        return []
    kept = fields.unseal(sealed)
    found = multiapp.credentials(staff.CITY).filter(key_id=kept["key_id"]).first()
    if found is None:
        return []
    secret = (
        kept["secret"] if found.state == "active" else f"（{multiapp.CREDENTIAL.state(found.state).label}）"
    )
    return [
        f"合作单位接口（{LIBRARY}）：{kept['key_id']}  {secret}",
        f"试一试：curl -u {kept['key_id']} 网址/api/partner/v1/me，密码如上；说明在 网址/api/partner/v1/docs",
    ]


def _unit(name: str, purpose: str, contract: str, contact: str, schools: list[str]) -> multiapp.Unit:
    return multiapp.add_unit(
        staff.operator("a"),
        name=name,
        kind="vendor",
        purpose=purpose,
        contract=contract,
        contract_from=_begins(),
        contract_until=_begins() + TERM,
        contacts=[{"name": contact, "duty": "项目经理", "phone": f"1380000{contract[-3:]}1", "email": ""}],
        schools=schools,
    )


def _asked(unit: multiapp.Unit, size: int, files: str) -> multiapp.CardGrant:
    return multiapp.propose_grant(
        staff.operator("a"),
        unit.code,
        issuing.KIND,
        AREA,
        size=size,
        files=files,
        wanted=KEYS,
        valid_from=_begins(),
        valid_until=_begins() + TERM,
    )


def _begins() -> date:
    return clock.today().replace(day=1)


def _keep(credential: dict[str, str]) -> None:
    draft = _path().with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"sealed": fields.seal(credential).hex()}, file)
    draft.replace(_path())


def _path() -> Path:
    return home.keys_directory() / "demo-partner.json"
