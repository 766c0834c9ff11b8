"""A page of the list of students of a whole city, beside the same query through bare Django.

Ours is the whole page as an operator gets it: session, permission, navigation with its figures, fifty rows
drawn. The floor is a view that runs the list's query and answers its rows as JSON; nothing else.
"""

import html
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.city import Call, compare_calls

SIZES = (130_000, 1_300_000)
CALLS = 200
_NEXT = re.compile(r'href="(/students/\?after=[^"]+)"')


def ours(size: int) -> Iterator[Call]:
    from django.conf import settings
    from django.test import Client

    from xueka.config import assets
    from xueka.platform.identity import demo

    settings.ALLOWED_HOSTS = ["localhost"]
    assets.collect_if_changed()
    client = Client(HTTP_HOST="localhost")
    client.post("/login/", _login())
    client.post("/login/code/", {"code": demo.code_of("operator")[0]})
    address = "/students/"

    def page() -> None:
        nonlocal address
        answer = client.get(address)
        if answer.status_code != 200:
            raise AssertionError(answer.status_code)
        following = _NEXT.search(answer.content.decode())
        address = html.unescape(following[1]) if following else "/students/"

    while True:
        yield page


def floor(size: int) -> Iterator[Call]:
    from django.http import HttpRequest, JsonResponse
    from django.test import RequestFactory

    from xueka.contexts.registry.api import Student

    order = ("school_id", "school_class_id", "sort_key", "id")
    last: tuple[Any, ...] = (0, 0, "", 0)
    requests = RequestFactory()

    def view(request: HttpRequest) -> JsonResponse:
        nonlocal last
        rows = Student.objects.select_related("school", "school_class").order_by(*order)
        found = list(rows.filter(school_id__gte=last[0]).extra(where=[_BEYOND], params=last)[:51])
        last = tuple(getattr(found[-1], name) for name in order) if found else (0, 0, "", 0)
        return JsonResponse([[row.name, row.education_id, row.school.name] for row in found], safe=False)

    while True:
        yield lambda: view(requests.get("/"))


_BEYOND = """(registry_student.school_id, registry_student.school_class_id, registry_student.sort_key,
              registry_student.id) > (%s, %s, %s, %s)"""


def _login() -> dict[str, str]:
    """A log-in of an operator; the passwords lie in the home."""
    from django.db import transaction

    from xueka.contexts.registry.api import School
    from xueka.platform.identity import demo

    if not demo.demo_logins():
        school = School.objects.order_by("code")[0]
        with transaction.atomic():
            demo.make_demo_accounts(district=school.district_id, school=school.code)
    [login] = [each for each in demo.demo_logins() if each.username == "operator"]
    return {"username": login.username, "password": login.password}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        Path(folder).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", folder)
        compare_calls("list page", "pages", SIZES, CALLS, ours, floor)
