"""Every address of every portal × every role × own and foreign objects × reading and writing.

A stranger's object is not found (404), never forbidden; no page names it; what is refused changes nothing.
`XUEKA_TEST_SIZE=full` probes everything (more than 10,000); otherwise a sample by a printed seed.
"""

import hashlib
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.journeys import town as towns
from tests.journeys.town import SYSTEM, Town
from tests.support.families import with_guardian
from tests.support.size import dial
from xueka.contexts.cards import api as cards
from xueka.contexts.families import api as families
from xueka.contexts.families.api import FamilyAccount
from xueka.contexts.officers import api as officers
from xueka.contexts.payments import api as payments
from xueka.contexts.printing import api as printing
from xueka.contexts.receipts import api as receipts
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal
from xueka.platform.identity import services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope

pytestmark = pytest.mark.django_db

SAMPLE = int(os.environ.get("XUEKA_PROBES", dial(400, 0)))  # 0: everything
PLACES = {"own": "first", "school": "second", "district": "stranger", "none": ""}
MODES = ({}, {"HX-Request": "true"}, {"Accept": "application/json"})
PEOPLE = {
    "": "",
    "school_officer": "school",
    "school_reviewer": "reviewer",
    "district_officer": "district",
    "counter_operator": "counter",
    "city_operator": "operator",
    "city_admin": "admin",
    "security_admin": "security",
    "auditor": "auditor",
    "finance": "finance",
    "guardian": "",  # by the cookie of the parents' door
}
PHONE = "13800000001"
SECRETS: list[str] = []
#: Pages of the door itself, which have no objects; the style guide; files.
SKIPPED = {"logout", "login", "login_code", "activate", "session_token", "sign_in", "code"}
#: What a refused attempt may leave: its own trace.
TRACES = ("audit_", "django_", "axes_", "procrastinate_", "identity_staffsession", "database_cache", "jobs_")


@dataclass
class Place:
    """The objects of one school, by the address's parameters; `names` are not for strangers."""

    values: dict[str, object] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def addresses() -> list[tuple[str, str, dict[str, object], tuple[str, ...]]]:
    """(view name, route, parameters, permissions of which one is enough) of every address."""

    def walk(
        patterns: list[object], route: str, space: str
    ) -> Iterator[tuple[str, str, dict[str, object], tuple[str, ...]]]:
        for each in patterns:
            if isinstance(each, URLResolver):
                inner = f"{each.namespace}:" if each.namespace else space
                yield from walk(each.url_patterns, route + str(each.pattern), inner)
            elif isinstance(each, URLPattern) and each.name and each.name not in SKIPPED:
                permissions = getattr(each.callback, "permissions", ())
                yield (
                    f"{space}{each.name}",
                    route + str(each.pattern),
                    dict(each.pattern.converters),
                    permissions,
                )

    found = list(walk(get_resolver().url_patterns, "", ""))
    return [each for each in found if not each[0].startswith(("styleguide", "design"))]


def converters_of(pattern: URLPattern) -> dict[str, object]:
    """The parameters of an address, also of one that is written as an expression."""
    found = dict(pattern.pattern.converters)
    groups = getattr(getattr(pattern.pattern, "regex", None), "groupindex", {})
    return found or dict.fromkeys(groups)


@pytest.fixture
def town() -> Town:
    made = towns.build()
    for username, name, role in (
        ("counter", "秦朗", "counter_operator"),
        ("admin", "陈立", "city_admin"),
        ("security", "卫平", "security_admin"),
        ("auditor", "褚宁", "auditor"),
        ("finance", "许晴", "finance"),
    ):
        made.passwords[username] = towns.add_user(username, name, role, made.schools["first"])
    return made


def place_of(town: Town, short: str, mark: str) -> Place:
    """Cards, an application, a box, an officer, a hand-over of a school, under names that one recognises."""
    if not short:
        values = {"username": "nobody-here", "number": "990000000001", "education_id": "99999999"}
        return Place(values)
    school = town.schools[short]
    for at, student in enumerate(town.students(short)):
        registry.Student.objects.filter(pk=student.pk).update(name=f"{mark}学生{at}")
    students = town.students(short)
    [card] = town.in_hand(students[:1])
    [application_id] = town.submitted(students[1:2])
    box = town.on_the_way(students[2:3])
    officer, _ = services.create_user(
        SYSTEM,
        f"probe-{short}",
        f"{mark}老师",
        "school_officer",
        district=school.district_id,
        school=school.code,
    )
    services.create_user(
        SYSTEM,
        f"probe2-{short}",
        f"{mark}同事",
        "school_reviewer",
        district=school.district_id,
        school=school.code,
    )
    (grant,) = officer.grants.all()
    herself = Actor.in_role(officer.username, officer.name, "school_officer", grant.scope, user_id=officer.pk)
    handed = officers.ask(herself, grant.pk, f"probe2-{short}", clock.today())
    keeper = Actor.in_role("k", "k", "district_officer", Scope("district", school.district_id))
    run = officers.import_officers(
        keeper, "学校标识码,姓名,角色,手机号\n".encode(), f"{mark}名单.csv", dry_run=True
    )
    application = cards.application(SYSTEM.scope, application_id)
    printer = printing.register_printer(
        SYSTEM, f"{mark}打印机", f"a-{short}", "证卡打印机", district=school.district_id
    )
    values: dict[str, object] = {
        "education_id": students[0].education_id,
        "class_id": students[0].school_class_id,
        "school_class": students[0].school_class_id,
        "school_code": school.code,
        "district": school.district_id,
        "code": school.code,
        "username": officer.username,
        "grant_id": grant.pk,
        "hand_over_id": handed.pk,
        "list_id": run.run_id,
        "student_id": students[0].pk,
        "printer_id": printer.pk,
        "receipt_id": _receipt_of(students[0].pk).pk,
        "number": {
            "box": box.number,
            "deliver": box.delivery.number,
            "card": card.number,
            "": application.number,
        },
    }
    return Place(
        values,
        {student.name for student in students} | {school.name, officer.name, printer.name, f"{mark}名单.csv"},
    )


def _receipt_of(student_id: int) -> receipts.Receipt:
    """A receipt that is due for a child's paid order."""
    now = clock.now()
    order = payments.create_order(
        SYSTEM, student_id=student_id, subject=f"probe:{student_id}", title="x", amount_fen=100, tariff="x"
    )
    paid = payments.Payment.objects.create(
        order=order,
        attempt=1,
        channel="wechat",
        settlement="merchant",
        fee_bearer="none",
        out_trade_no=f"{order.number}P01",
        amount_fen=100,
        state="succeeded",
        state_at=now,
        channel_id=order.number,
        received_fen=100,
        success_at=now,
        credited=True,
        created_at=now,
    )
    values = {"order": order, "payment": paid, "amount_fen": 100, "pay_code": "1" * 20, "since": now}
    return receipts.Receipt.objects.create(**values, state="due", state_at=now, created_at=now)


def url_of(route: str, converters: dict[str, object], place: Place) -> str:
    """The address with the place's objects in it; verbs and unknown kinds get something harmless."""
    for name, converter in converters.items():
        value, counted = place.values.get(name), type(converter).__name__ == "IntConverter"
        if isinstance(value, dict):
            value = None if counted else next(number for part, number in value.items() if part in route)
        if value is None:
            value = "2000000001" if counted else "unknown"
        for spelled in (f"<{kind}:{name}>" for kind in ("int", "str", "slug", "path", "uuid")):
            route = route.replace(spelled, str(value))
    route = re.sub(r"\(\?P<\w+>([^)|]+)[^)]*\)", lambda group: _plain(group[1]), route)
    return "/" + route.replace("^", "").replace("$", "")


def _plain(pattern: str) -> str:
    """Something that a named group matches: a word of a choice as it stands, a number, or any text."""
    if pattern.isalpha():
        return pattern
    return "2000000001" if pattern.startswith("\\d") else "unknown"


def has_object(converters: dict[str, object], place: Place) -> bool:
    return any(name in place.values for name in converters)


def client_of(username: str) -> Client:
    made = Client(raise_request_exception=True)
    if username:
        user = User.objects.get(username=username)
        made.force_login(user, "xueka.platform.identity.backends.Password")
        User.objects.filter(pk=user.pk).update(last_login=None)
        session = made.session
        session["factor"] = True
        session["proved"] = int(clock.now().timestamp())
        session.save()
    return made


def guardian_client() -> Client:
    """The guardian of the first child of the town's first school, by the session that she has."""
    if not SECRETS:
        account = FamilyAccount.objects.create(
            phone_index=registry.phone_index(PHONE), envelope=seal({"phone": PHONE}), created_at=clock.now()
        )
        SECRETS.append(families.begin_session(account, "", ""))
    made = Client()
    made.cookies["xk_family"] = SECRETS[0]
    return made


def digest() -> str:
    """Of every table but those that keep the traces of attempts."""
    whole = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if not table.startswith(TRACES):
                rows = f"SELECT md5(t::text) AS row FROM {table} t"
                cursor.execute(f"SELECT md5(coalesce(string_agg(row, '' ORDER BY row), '')) FROM ({rows}) r")
                whole.update(f"{table}{cursor.fetchone()[0]}".encode())
    return whole.hexdigest()


def test_nobody_reads_or_changes_what_is_not_hers(town: Town) -> None:
    places = {where: place_of(town, short, f"标记{where}") for where, short in PLACES.items()}
    record(SYSTEM, "probe", "card", "1")
    SECRETS.clear()
    with_guardian(town.students()[0].pk, PHONE)
    guardian_client()
    seed = int(os.environ.get("XUEKA_SEED", "20260901"))
    print(f"seed {seed}")
    plan = [
        (role, name, route, converters, permissions, where, method, mode)
        for role in PEOPLE
        for name, route, converters, permissions in addresses()
        for where in PLACES
        for method in ("get", "post")
        for mode in range(len(MODES))
    ]
    if not SAMPLE:
        assert len(plan) >= 10_000, len(plan)
    else:
        plan = random.Random(seed).sample(plan, SAMPLE)
    plan.sort(key=lambda each: list(PEOPLE).index(each[0]))
    wrong: list[str] = []
    before, role_now, client = digest(), None, Client()
    for role, name, route, converters, permissions, where, method, mode in plan:
        if role != role_now:
            role_now = role
            client = guardian_client() if role == "guardian" else client_of(PEOPLE[role])
        place = places[where]
        url = url_of(route, converters, place)
        told = f"{role or 'anonymous'} {method} {url} ({where}, {name})"
        with transaction.atomic():
            answer = getattr(client, method)(url, headers=MODES[mode])
            body = b"" if answer.streaming else answer.content
            if answer.status_code < 400:
                transaction.set_rollback(True)  # what was allowed is none of this test's business
        if role == "guardian":
            client = guardian_client()
        elif "sessionid" not in client.cookies or not client.cookies["sessionid"].value:
            client = client_of(PEOPLE[role])
        beyond = {"school", "district"}
        strange = {"": set(PLACES), "school": beyond, "guardian": beyond, "district": {"district"}}.get(
            ROLES[role].level if role else "",
            set(),
        )
        leaked = [text for at in strange if at for text in places[at].names if text.encode() in body]
        if leaked:
            wrong.append(f"{told}: names {leaked[:2]}")
        if answer.status_code >= 500:
            wrong.append(f"{told}: {answer.status_code}")
        parents = name.startswith("parent:")
        known = name.endswith(("common:home", "openapi-json", "api-root", "partner_docs", "agent_docs"))
        if route.startswith("api/") and not known:  # of programs, to which a session says nothing
            if answer.status_code not in (400, 401, 403, 404, 405):
                wrong.append(f"{told}: {answer.status_code} for a person")
            continue
        if not role or parents != (role == "guardian"):  # the parents' door and that of staff are two
            if not known and answer.status_code not in (301, 302, 401, 403, 404, 405):
                wrong.append(f"{told}: {answer.status_code} for nobody")
            continue
        if parents:
            if where in strange and has_object(converters, place) and answer.status_code not in (404, 405):
                wrong.append(f"{told}: {answer.status_code} for another family's child")
            continue
        allowed = not permissions or not ROLES[role].permissions.isdisjoint(permissions)
        if not allowed and answer.status_code not in (403, 405):
            wrong.append(f"{told}: {answer.status_code} without {permissions}")
        refusals = (404, 405, 400) if method == "post" else (404, 405)
        foreign = allowed and where in strange and has_object(converters, place)
        if foreign and answer.status_code not in refusals:
            wrong.append(f"{told}: {answer.status_code} for a stranger's object")
    assert wrong == [], f"{len(wrong)} of {len(plan)} (seed {seed}):\n" + "\n".join(wrong[:40])
    assert digest() == before, "something refused has changed something"
