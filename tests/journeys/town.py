"""A small town for the journeys: two districts, their schools, a class of children, people who can log in.

What people of other roles do in between (the city makes and sends the cards) is done through the services.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction
from PIL import Image
from playwright.sync_api import Page

from tests.journeys.support import come_in, screenshot
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.crypto import fields
from xueka.platform.history.services import begin
from xueka.platform.identity import second_factor
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.permissions import ROLES, is_city_role
from xueka.platform.identity.scope import Scope
from xueka.simulation.portraits import draw_portrait

KIND = "bjt_student"
SYSTEM = Actor.system("town")
_NAMES = [
    "王子涵", "李雨桐", "张浩然", "刘梓萱", "陈一诺", "杨思远", "赵欣怡", "黄俊杰", "周若曦", "吴宇轩",
    "徐可馨", "孙嘉懿", "胡沐阳", "朱书瑶", "高睿",
    "林芷若", "何景行", "郭乐天", "马安", "罗知夏", "梁𬍛", "宋砚秋",
]  # fmt: skip


@dataclass
class Town:
    """Schools by a short name; `students[school]` in the order of their sort keys."""

    schools: dict[str, registry.School] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    def actor(self, role: str, school: str = "first", username: str = "town") -> Actor:
        where = self.schools[school]
        level = role.split("_", maxsplit=1)[0]
        scope = {
            "school": Scope("school", where.district_id, where.code),
            "district": Scope("district", where.district_id),
            "city": Scope("city"),
        }[level]
        return Actor.in_role(username, username, role, scope)

    def students(self, school: str = "first") -> list[registry.Student]:
        rows = registry.student_rows(SYSTEM.scope).filter(school=self.schools[school])
        return list(rows.order_by("school_class_id", "sort_key"))

    def log_in(self, page: Page, who: str) -> None:
        come_in(page, who, self.passwords[who])

    @transaction.atomic
    def photographed(self, students: list[registry.Student], *, gray: int = 0) -> None:
        """A portrait each; the first `gray` of them without colour."""
        for index, student in enumerate(students):
            content = without_colour(portrait(index)) if index < gray else portrait(index)
            cards.upload_photo(SYSTEM, student.id, content, "x.jpg")

    @transaction.atomic
    def submitted(self, students: list[registry.Student], *, gray: int = 0) -> list[int]:
        """Applications of these students, with photos, handed in by their school."""
        self.photographed(students, gray=gray)
        school = next(name for name, each in self.schools.items() if each.id == students[0].school_id)
        officer = self.actor("school_officer", school, "school")
        made = cards.create_applications(officer, [student.id for student in students], KIND)
        result = cards.submit(officer, made.done)
        assert not result.refused, result.refused
        return result.done

    @transaction.atomic
    def made(self, students: list[registry.Student]) -> list[cards.PlannedCard]:
        """Their cards, fresh from the bureau."""
        ids = self.submitted(students)
        for _ in ("district", "city"):
            assert not cards.approve(SYSTEM, ids).refused
        found = cards.plan_cards(SYSTEM, ids)
        card_ids = [card.id for card in found]
        cards.order_cards(SYSTEM, card_ids)
        cards.confirm_made(SYSTEM, [(id_, f"{id_:014X}") for id_ in card_ids])
        return found

    @transaction.atomic
    def on_the_way(self, students: list[registry.Student]) -> logistics.Box:
        """One box with their cards, dispatched."""
        made = self.made(students)
        [delivery] = logistics.prepare_deliveries(SYSTEM, card_ids=[card.id for card in made])
        arrives = clock.today() + timedelta(days=1)
        logistics.dispatch(
            SYSTEM, delivery.id, carrier="顺丰速运", waybill=f"SF{delivery.number[2:]}", expected_on=arrives
        )
        return logistics.boxes_of(delivery)[0]

    @transaction.atomic
    def at_school(self, students: list[registry.Student]) -> list[cards.Card]:
        box = self.on_the_way(students)
        found = [place.card for place in logistics.contents(box)]
        logistics.receive_box(SYSTEM, box.number, [card.number for card in found])
        return found

    @transaction.atomic
    def in_hand(self, students: list[registry.Student]) -> list[cards.Card]:
        found = self.at_school(students)
        assert not logistics.hand_out(SYSTEM, [card.id for card in found]).refused
        return found

    def transfer(self, student: registry.Student, to: registry.School) -> registry.Transfer:
        """A move to another district, as a roster that shows it opens one."""
        opened = registry.Transfer.objects.create(
            student=student,
            from_school=student.school,
            to_school=to,
            to_class=to.classes.first(),
            state=registry.TRANSFER.initial,
            asked_at=clock.now(),
        )
        begin(registry.TRANSFER, [opened.id], SYSTEM)
        return opened


def portrait(seed: int) -> bytes:
    return draw_portrait(seed)


def without_colour(content: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("L").convert("RGB").save(out, "JPEG", quality=80)
    return out.getvalue()


@transaction.atomic
def build() -> Town:
    cards.sync_card_kinds()
    town = Town()
    for code, name in (("110101", "东城区"), ("110102", "西城区")):
        registry.District.objects.get_or_create(code=code, defaults={"name": name})
    plan = [
        ("first", "2111010001", "东城区示范小学", "110101", [(3, "1班", 12), (3, "2班", 6)]),
        ("second", "2111010002", "东城区实验小学", "110101", [(1, "1班", 5)]),
        ("stranger", "2111020001", "西城区样例小学", "110102", [(1, "1班", 4)]),
    ]
    serial = 20260000
    for short, code, name, district, classes in plan:
        school = registry.School.objects.create(
            code=code,
            name=name,
            district_id=district,
            stages=["小学"],
            address=f"{name}东门",
            consignee="收发室",
        )
        town.schools[short] = school
        for grade, label, size in classes:
            of = registry.SchoolClass.objects.create(school=school, stage="小学", grade=grade, name=label)
            for index in range(size):
                serial += 1
                _student(serial, _NAMES[serial % len(_NAMES)], school, of, index)
    for sort, prefix in (("transit", "10007500"), ("beijing_tong", "BJT00000")):
        numbers.add_range(SYSTEM, sort, "发号单位", prefix, first=1, last=999_999, width=8)
    for username, name, role, school in (
        ("school", "周敏", "school_officer", "first"),
        ("reviewer", "吴岚", "school_reviewer", "first"),
        ("district", "郑宇", "district_officer", "first"),
        ("westdistrict", "钱辰", "district_officer", "stranger"),
        ("operator", "王芳", "city_operator", "first"),
    ):
        town.passwords[username] = add_user(username, name, role, town.schools[school])
    return town


def _student(
    serial: int, name: str, school: registry.School, of: registry.SchoolClass, index: int
) -> registry.Student:
    born = f"2017-0{index % 9 + 1}-1{index % 9}"
    number = f"110101{born.replace('-', '')}{index:03d}X"
    envelope = {
        "birth_date": born,
        "id_type": "居民身份证",
        "id_number": number,
        "national_number": f"G{number}",
        "address": "北京市东城区样例路 1 号",
        "guardians": [{"name": f"{name[0]}家长", "phone": f"138{serial:08d}", "relation": "母亲"}],
    }
    student = registry.Student.objects.create(
        education_id=str(serial), name=name, sort_key=f"key {index:02d}", sex="女" if index % 2 else "男",
        birth_year=2017, status="在校", school=school, school_class=of, envelope=fields.seal(envelope),
        row_digest=b"", created_at=clock.now(), updated_at=clock.now(),
    )  # fmt: skip
    registry.record_consent(SYSTEM, [student.id], "given", "2026-1", "家长", "paper")
    return student


def add_user(username: str, name: str, role: str, school: registry.School) -> str:
    level = ROLES[role].level
    user, password = identity.create_user(
        SYSTEM,
        username,
        name,
        role,
        district=school.district_id if level != "city" else "",
        school=school.code if level == "school" else "",
    )
    user.must_change_password = False
    user.save(update_fields=["must_change_password"])
    if is_city_role(role):
        second_factor.enrol_at_once(SYSTEM, username)
    return password


def picture(page: Page, name: str, *, whole: bool = True) -> None:
    """A picture for the manual, in 256 colours so that it stays small; made only with XUEKA_PICTURES=1,
    since names and numbers in it are other ones each time.
    """
    page.evaluate("scrollTo(0, 0)")  # else the sticky head lies in the middle of the picture
    if os.environ.get("XUEKA_PICTURES") != "1":
        return
    path = screenshot(page, name, whole=whole, folder="docs/manual/images")
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    assert path.stat().st_size < 150_000, f"{name} is too large for the manual"


@pytest.fixture
def town(transactional_db: None) -> Town:
    return build()


@contextmanager
def clicks(page: Page) -> Iterator[Callable[[], int]]:
    """Counts the clicks of a person on the pages of one task; the count outlives each page.

    A key that presses a button makes a click event too, but of no `detail`: it is not counted.
    """
    page.add_init_script(
        "if (!self.counted) addEventListener('click', e => { if (e.isTrusted && e.detail) "
        "sessionStorage.clicks = String(Number(sessionStorage.clicks || 0) + 1) }, true); self.counted = true"
    )
    page.reload()
    page.evaluate("sessionStorage.clicks = '0'")
    yield lambda: int(page.evaluate("sessionStorage.clicks"))
