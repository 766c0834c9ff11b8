"""Asks every page of every role of a filled city, as links lead there; prints one JSON object a page.

Started in a process of its own (`python -m tests.faults.city_pages`) on the home that XUEKA_HOME names. Of
each kind of page one is asked; with XUEKA_TEST_SIZE=full two for every set of parameters, state and order.
"""

import html
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from tests.support.size import dial
from xueka.entrypoints.cli import common

FULL = dial(False, True)
OF_A_KIND = dial(1, 2)
TOLD_APART = ("state", "sort")
SEARCHES = dial(
    ("子涵", "250000000017"),
    ("子涵", "王", "欧阳", "250000000017", "B25-00012", "SF250000001", "XH250000001"),
)
LISTS = ("students", "cards", "applications", "deliveries")
_LINK = re.compile(r'href="(/[^"#]*)"')
#: Files, not pages.
_LEFT_OUT = re.compile(r"\.(jpg|csv|xlsx|pdf|svg)$|^/static/|^/styleguide/|^/logout")


def pages(client: "Client", user: str) -> Iterator[dict[str, object]]:
    """Breadth first from the first page, plus every search."""
    waiting = deque(["/", *(f"/search/?q={text}" for text in SEARCHES)])
    waiting.extend(f"/{each}/?q={text}" for each in LISTS for text in SEARCHES[:4])
    seen: set[str] = set()
    kinds: Counter[tuple[object, ...]] = Counter()
    while waiting:
        address = waiting.popleft()
        parts = urlsplit(address)
        if address in seen or _LEFT_OUT.search(parts.path):
            continue
        seen.add(address)
        name = resolve(parts.path).view_name
        query = tuple((key, value if key in TOLD_APART else "") for key, value in parse_qsl(parts.query))
        query = query if FULL else ()
        searched = address if "search" in name or "q=" in address else ""
        kinds[name, query, searched] += 1
        if kinds[name, query, searched] > OF_A_KIND:
            continue
        with CaptureQueriesContext(connection) as queries:
            begin = time.perf_counter()
            answer = client.get(address)
            took = time.perf_counter() - begin
        none = {"sql": "", "time": "0"}
        slowest = max(queries.captured_queries, key=lambda each: float(each["time"]), default=none)
        yield {
            "user": user,
            "page": name,
            "address": address,
            "status": answer.status_code,
            "queries": len(queries),
            "ms": round(1000 * took),
            "slowest_ms": round(1000 * float(slowest["time"])),
            "slowest": slowest["sql"][:2000],
        }
        if answer.status_code == 200 and "html" in answer.headers["Content-Type"]:
            waiting.extend(html.unescape(link) for link in _LINK.findall(answer.content.decode()))


if __name__ == "__main__":
    with common.database():
        from django.conf import settings
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext
        from django.urls import resolve

        from xueka.config import assets
        from xueka.platform.identity import demo

        settings.ALLOWED_HOSTS = ["localhost"]
        assets.collect_if_changed()
        for login in demo.demo_logins():
            if login.username == "operator2":  # she sees what the first one sees
                continue
            one = Client(raise_request_exception=False, HTTP_HOST="localhost")
            one.post("/login/", {"username": login.username, "password": login.password})
            if "held" in one.session:
                one.post("/login/code/", {"code": demo.code_of(login.username)[0]})
            for page in pages(one, login.username):
                sys.stdout.write(json.dumps(page, ensure_ascii=False) + "\n")
                sys.stdout.flush()
