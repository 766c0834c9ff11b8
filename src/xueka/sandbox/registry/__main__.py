"""`python -m xueka.sandbox.registry`: the student registry, OneRoster 1.2 by REST on one loopback port.

Below --home: `partner.json` is what it hands over, written when the port listens (oneroster.md §8).
"""

import argparse
import base64
import binascii
import hmac
import secrets
import sqlite3
import time
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from xueka.sandbox.common import http, process
from xueka.sandbox.common.control import Control, body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import HANG_UP, Answer, Request, json_answer
from xueka.sandbox.common.store import Store
from xueka.sandbox.registry.roll import COLLECTIONS, OF_SCHOOL, SCHEMA, BadQuery, Record, Roll, shown

ROOT = "/ims/oneroster/rostering/v1p2"
SCOPES = tuple(
    f"https://purl.imsglobal.org/spec/or/v1p2/scope/{name}.readonly"
    for name in ("roster", "roster-demographics")
)
CLIENT = "xueka"
LIVES = 3600
MOST = 10_000
TOKENS = "create table if not exists token (value text primary key, until text not null);"
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 400, "limited_seconds": 1},
    "none": {},
    "light": {"drop": 0.01, "errors": 0.01, "stale": 0.01, "again": 0.02},
    "heavy": {
        "delay": 0.05, "drop": 0.1, "errors": 0.1, "limited": 0.05, "token": 0.05, "again": 0.1,
        "shuffle": 0.2, "stale": 0.1, "drift": 0.05,
    },
}  # fmt: skip


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self.card, self._keys = home / "partner.json", home / "keys"
        self._keys.mkdir(exist_ok=True)
        self._keys.chmod(0o700)
        self.store = Store(home / "registry.sqlite3", SCHEMA + TOKENS)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.roll = Roll(self.store, self.clock.now)
        self.control = Control(self.clock, self.dial, None, self._kept("control"))
        wanted = options.port or http.port_before(self.card)
        self.server = http.bind(lambda port: http.Server(port, self.answer), wanted)

    def start(self) -> None:
        """Answer calls, and be found."""
        self.server.start()
        base = self.server.base
        http.write_card(
            self.card,
            {
                "code": "demo-registry",
                "name": "学籍系统（模拟器）",
                "base": f"{base}{ROOT}",
                "port": self.server.port,
                "token_url": f"{base}/token",
                "client_id": CLIENT,
                "client_secret": self._kept("client"),
                "scope": " ".join(SCOPES),
                "control": base,
                "control_token": self._kept("control"),
            },
        )

    def stop(self) -> None:
        self.server.stop()

    # ---- calls

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/_sim/"):
            return self._controlled(request)
        what = f"call/{self.store.number('calls')}" if self.dial.values else ""
        strikes, record = self.dial.strikes, self.dial.record
        if what and strikes("delay", what):
            record("delay", "registry", what)
            time.sleep(self.dial.setting("delay_ms") / 1000)
        if what and strikes("limited", what):
            record("limited", "registry", what)
            return self._limited(what)
        if what and strikes("errors", what):
            record("errors", "registry", what)
            if self.dial.throw("errors.form", what) < 0.5:
                return Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})
            return _failure(500, "internal_server_error", "no answer from the database")
        if what and strikes("token", what):
            record("token", "registry", what)
            self.store.run("delete from token")
        found = self._called(request, what)
        if what and strikes("drop", what):
            record("drop", "registry", what)
            return HANG_UP
        return found

    def _limited(self, what: str) -> Answer:
        """One too many, or maintenance; Retry-After as a number of seconds or as a moment."""
        seconds = int(self.dial.setting("limited_seconds"))
        dated = self.dial.throw("limited.date", what) < 0.5
        wait = formatdate(time.time() + seconds, usegmt=True) if dated else str(seconds)
        status = 429 if self.dial.throw("limited.form", what) < 0.5 else 503
        return _failure(status, "server_busy", "too many requests", {"Retry-After": wait})

    def _called(self, request: Request, what: str) -> Answer:
        try:
            if (request.method, request.path) == ("POST", "/token"):
                return self._token(request)
            if not self._known(request):
                return _failure(401, "unauthorisedrequest", "no valid token")
            return self._read(request, what)
        except BadQuery as error:
            return _failure(400, error.code, error.message)
        except ValueError as error:
            return _failure(400, "invalid_data", str(error))

    def _read(self, request: Request, what: str) -> Answer:
        """A page of a collection, or one object of it."""
        collection, _, identity = request.path.removeprefix(f"{ROOT}/").partition("/")
        if request.method != "GET" or not request.path.startswith(ROOT) or collection not in COLLECTIONS:
            return _failure(404, "unknownobject", f"no such address: {request.path}")
        school, _, part = identity.rpartition("/")
        if collection == "schools" and part in OF_SCHOOL:
            if self.roll.one("schools", school) is None:
                return _failure(404, "unknownobject", f"no such object: {school}")
            return self._page(OF_SCHOOL[part][0], request, what, school)
        return self._single(collection, identity) if identity else self._page(collection, request, what)

    def _token(self, request: Request) -> Answer:
        form = request.form
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, given = request.header("Authorization").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                name = ""
        if form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        if name != CLIENT or not hmac.compare_digest(secret, self._kept("client")):
            return json_answer({"error": "invalid_client"}, 401)
        wanted = form.get("scope", "").split()
        if not wanted or set(wanted) - set(SCOPES):
            return json_answer({"error": "invalid_scope"}, 400)
        value = secrets.token_urlsafe(24)
        until = self.clock.now() + timedelta(seconds=LIVES)
        self.store.insert("token", value=value, until=until.isoformat())
        self.store.run("delete from token where until < ?", self.clock.now().isoformat())
        found = {
            "access_token": value,
            "token_type": "bearer",
            "expires_in": LIVES,
            "scope": " ".join(wanted),
        }
        return json_answer(found)

    def _known(self, request: Request) -> bool:
        scheme, _, value = request.header("Authorization").partition(" ")
        now = self.clock.now().isoformat()
        held = self.store.one("select 1 from token where value = ? and until >= ?", value, now)
        return scheme.lower() == "bearer" and held is not None

    def _page(self, collection: str, request: Request, what: str, school: str = "") -> Answer:
        query = request.query
        limit = min(int(query.get("limit") or 100), MOST)
        offset = int(query.get("offset") or 0)
        if limit < 1 or offset < 0:
            return _failure(400, "invalid_data", "limit and offset")
        asked = offset
        if what and offset and self.dial.strikes("again", what):
            self.dial.record("again", "registry", what)
            asked = max(0, offset - limit)  # the page before, once more
        rows, total = self.roll.page(collection, query, asked, limit, school)
        records = [self._shown(row, what) for row in rows]
        if what and self.dial.strikes("shuffle", what):
            self.dial.record("shuffle", "registry", what)
            records.reverse()
        answer = json_answer({COLLECTIONS[collection][1]: records})
        answer.headers["X-Total-Count"] = str(total)
        answer.headers["Link"] = _links(f"{self.server.base}{request.path}", query, offset, limit, total)
        return answer

    def _shown(self, row: sqlite3.Row, what: str) -> Record:
        each = f"{what}/{row['id']}"
        stale = bool(what) and bool(row["former"]) and self.dial.strikes("stale", each)
        if stale:
            self.dial.record("stale", "registry", each)
        record = shown(row, stale=stale)
        if what and self.dial.strikes("drift", each):
            self.dial.record("drift", "registry", each)
            record["xSchoolBus"] = {"line": 3}
            if self.dial.throw("drift.form", each) < 0.3:
                record["identifier" if "identifier" in record else "title"] = [1]
            elif "grades" in record:
                record["grades"] = record["grades"][0]
        return record

    def _single(self, collection: str, identity: str) -> Answer:
        row = self.roll.one(collection, identity)
        if row is None:
            return _failure(404, "unknownobject", f"no such object: {identity}")
        name = COLLECTIONS[collection][1]
        return json_answer({"class" if name == "classes" else name.removesuffix("s"): shown(row)})

    # ---- control

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        try:
            done = self.control.answer(request) or self._own_control(request)
        except LookupError as error:
            return json_answer({"code": "NOT_FOUND", "message": f"没有这个人或少一项：{error}"}, 404)
        except (ValueError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)
        return done or json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)

    def _own_control(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "GET", "/_sim/counts":
                return json_answer(self.roll.counts())
            case "GET", "/_sim/users":
                return json_answer(self.roll.users())
            case "POST", "/_sim/people":
                with self.store.work():
                    return json_answer([self.roll.put(person) for person in body(request)["people"]])
            case "POST", "/_sim/change":
                with self.store.work():
                    return json_answer({"id": self._change(body(request))})
        return None

    def _change(self, told: dict[str, Any]) -> str:
        """`act` and what it needs (§9)."""
        user = str(told.get("id", ""))
        match told.get("act"):
            case "correct":
                self.roll.correct(user, told["values"], at=str(told.get("at", "")))
            case "move":
                self.roll.move(user, told["to"])
            case "leave":
                self.roll.leave(user)
            case "come_back":
                self.roll.come_back(user)
            case "end_enrolment":
                self.roll.end_enrolment(user)
            case "purge":
                self.roll.purge(str(told["kind"]), user)
            case _:
                raise ValueError(f"unknown act: {told.get('act')}")
        return user

    def _kept(self, name: str) -> str:
        path = self._keys / f"{name}.secret"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(secrets.token_hex(16), "ascii")
            part.rename(path)
        return path.read_text("ascii")


def _failure(status: int, code: str, said: str, headers: dict[str, str] | None = None) -> Answer:
    answer = json_answer(
        {
            "imsx_codeMajor": "failure",
            "imsx_severity": "error",
            "imsx_description": said,
            "imsx_CodeMinor": {
                "imsx_codeMinorField": [
                    {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": code}
                ]
            },
        },
        status,
    )
    answer.headers.update(headers or {})
    return answer


def _links(address: str, query: dict[str, str], offset: int, limit: int, total: int) -> str:
    places = {"first": 0, "last": max(0, (total - 1) // limit * limit)}
    if offset + limit < total:
        places["next"] = offset + limit
    if offset:
        places["prev"] = max(0, offset - limit)
    return ", ".join(
        f'<{address}?{urlencode({**query, "offset": place, "limit": limit}, quote_via=quote)}>; rel="{name}"'
        for name, place in places.items()
    )


def parser() -> argparse.ArgumentParser:
    return process.parser("registry", __doc__, speed="of nothing; taken as the others take it")


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
