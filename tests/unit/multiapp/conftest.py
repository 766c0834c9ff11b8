"""Two partners of the small city: a campus-card vendor at one school, an application unit for all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest
from django.db import transaction

from tests.unit.cards.conftest import KIND, NOW, City, build
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import KeyVersion
from xueka.contexts.multiapp import api as multiapp
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def operator(name: str) -> Actor:
    return Actor.in_role(name, name, "city_operator", Scope("city"))


ONE, OTHER, SYSTEM = operator("one"), operator("other"), Actor.system("test")
ALL = list(multiapp.SCOPES)
CONTACT = {"name": "李工", "duty": "项目经理", "phone": "13812345678", "email": "li@vendor.example"}
DIRECTORIES = [
    multiapp.Directory("education", "教育应用", "a000000001e001", "3f01", 2304, "市教委"),
    multiapp.Directory("transit", "市政交通", "a000000632010105", "3f02", 2048, "一卡通公司"),
    multiapp.Directory("campus", "校园应用", "a000000001c001", "3f03", 1024, "", {"create": "key:control"}),
    multiapp.Directory("practice", "社会实践", "a000000001c002", "3f04", 512, "", {"create": "key:control"}),
]
FILES = "0001 基本信息 binary 64 free key:education.adf.external\n0002 消费记录 循环记录 200 free free"
KEYS = {"education.adf.external": "external", "education.adf.internal": "internal"}


@dataclass
class Partners:
    """`vendor` serves the first school, `unit` the whole city."""

    city: City
    vendor: multiapp.Unit
    unit: multiapp.Unit

    @transaction.atomic
    def proposed(self, unit: str, area: str = "campus", **change: object) -> multiapp.CardGrant:
        told: dict[str, object] = {
            "size": 400,
            "files": FILES,
            "wanted": KEYS,
            "valid_from": date(2026, 9, 1),
            "valid_until": date(2027, 8, 31),
        }
        return multiapp.propose_grant(ONE, unit, KIND, area, **{**told, **change})

    @transaction.atomic
    def granted(self, unit: str, area: str = "campus", **change: object) -> multiapp.CardGrant:
        return multiapp.approve_grant(OTHER, self.proposed(unit, area, **change).number)

    @transaction.atomic
    def credential(self, unit: str, **change: object) -> multiapp.FreshCredential:
        return multiapp.make_credential(ONE, unit, ALL, **change)


def names_of_keys() -> None:
    """The keys by name only: whoever needs versions of them holds the demo's ceremony."""
    now = clock.now()
    named = {"created_at": now, "created_by": "test", "usages": ["diversify"], "algorithm": "3des"}
    for label, kind in (
        ("external", "external"),
        ("internal", "internal"),
        ("maintain", "maintain"),
        ("control", "control"),
    ):
        keys.Key.objects.create(
            label=f"education.adf.{label}",
            title=label,
            level="master",
            kind=kind,
            application="education",
            **named,
        )
    keys.Key.objects.create(
        label="transit.load",
        title="圈存",
        level="master",
        kind="internal",
        held=False,
        owner="一卡通公司",
        place="密码机",
        **named,
    )


@transaction.atomic
def make_partners() -> Partners:
    city = build()
    names_of_keys()
    multiapp.set_areas(ONE, KIND, DIRECTORIES, "student 1.0")
    term = {"contract": "HT-2026-1", "contract_from": date(2026, 1, 1), "contract_until": date(2029, 12, 31)}
    vendor = multiapp.add_unit(
        ONE,
        name="晨光一卡通公司",
        kind="vendor",
        purpose="食堂消费、门禁",
        contacts=[CONTACT],
        schools=[city.schools[0].code],
        **term,
    )
    unit = multiapp.add_unit(
        ONE, name="青少年社会实践中心", kind="application", purpose="社会实践签到",
        contacts=[CONTACT], whole_city=True, **term,
    )  # fmt: skip
    return Partners(city, vendor, unit)


@pytest.fixture
def partners(db: None) -> Iterator[Partners]:
    with clock.at(NOW):
        yield make_partners()


def add_version(label: str, number: int = 1, kcv: str = "8baf47", state: str = "active") -> KeyVersion:
    """A version on record, as a ceremony leaves it; the key itself is not needed here."""
    return KeyVersion.objects.create(
        key=keys.Key.objects.get(label=label), number=number, state=state, state_at=clock.now(),
        algorithm="3des", kcv=kcv, store="software", block=b"-", origin="generated",
        created_at=clock.now(), asked_by="first", confirmed_by="second",
    )  # fmt: skip
