"""What the gateway knows: templates, messages, what became of them (messages.md §3–§5)."""

import json
import re
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from xueka.sandbox.common import notices
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.notices import Notices
from xueka.sandbox.common.store import Store

SCHEMA = f"""
{notices.SCHEMA}
create table if not exists template (code text primary key, text text not null);
create table if not exists message (
    message_id text primary key, key text not null unique, phone text not null, template text not null,
    body text not null, text text not null, state text not null, reason text not null, accepted text not null,
    due text not null, ends text not null, ended text, report_url text not null
);
create index if not exists message_to on message (phone, accepted);
create index if not exists message_open on message (due) where ended is null;
create table if not exists report (
    number integer primary key, report_id text not null unique, message_id text not null, key text not null,
    state text not null, reason text not null, at text not null
);
create table if not exists reply (
    number integer primary key, reply_id text not null unique, phone text not null, text text not null,
    at text not null
);
create table if not exists approval_of (code text primary key, number text not null, text text not null,
    at text not null);
create table if not exists nonce (value text primary key, at text not null);
"""
NAME = r"[a-z][a-z0-9_]{0,31}"
REASONS = ("ABSENT", "BLACKLIST", "UNKNOWN_NUMBER", "OPERATOR")
PART = 67  # characters of one part of a long text


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str, field: str | None = None, wait: int = 0) -> None:
        super().__init__(code)
        self.status, self.wait = status, wait
        self.body = {"code": code, "message": message, "field": field}


class Gateway:
    def __init__(
        self, store: Store, clock: Clock, dial: Dial, notices: Notices, *, speed: float, signature: str
    ) -> None:
        self.store, self.clock, self.dial, self.notices = store, clock, dial, notices
        self._speed, self._signature = speed, signature

    # ---- templates

    def put_template(self, code: str, text: object, approval: object = None) -> dict[str, Any]:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{1,31}", code):
            raise Refused(422, "TEMPLATE_UNKNOWN", "模板代码应为大写字母、数字、下划线", "code")
        if not isinstance(text, str) or not 1 <= len(text) <= 300 or _names(text) is None:
            raise Refused(422, "TEXT_INVALID", "模板应为 1 到 300 字，花括号内是小写字段名", "text")
        if approval is not None and not (isinstance(approval, str) and 1 <= len(approval) <= 64):
            raise Refused(422, "TEXT_INVALID", "登记号应为 1 到 64 字", "approval")
        number = approval or f"D{int(self.dial.throw('approval', code) * 10**8):08d}"
        with self.store.work():
            again = "on conflict do update set text = excluded.text"
            self.store.run(f"insert into template values (?, ?) {again}", code, text)  # noqa: S608
            # The same text again does not begin its approval anew.
            self.store.run("delete from approval_of where code = ? and text <> ?", code, text)
            again = "on conflict do update set number = excluded.number"
            self.store.run(
                f"insert into approval_of values (?, ?, ?, ?) {again}",  # noqa: S608
                code,
                number,
                text,
                self.clock.now().isoformat(),
            )
        state = "pending" if self._pending(code) else "approved"
        return {"code": code, "state": state, "fields": _names(text), "approval": number}

    def _pending(self, code: str) -> bool:
        """Whether the carriers are still looking at the text."""
        wait = timedelta(seconds=self.dial.setting("approval_seconds") / self._speed)
        found = self.store.one("select at from approval_of where code = ?", code)
        return found is not None and self.clock.now() < datetime.fromisoformat(found["at"]) + wait

    def templates(self) -> list[dict[str, Any]]:
        found = self.store.all(
            "select t.code, t.text, a.number approval from template t left join approval_of a using (code) "
            "order by t.code"
        )
        return [
            {
                **dict(each),
                "fields": _names(each["text"]),
                "state": "pending" if self._pending(each["code"]) else "approved",
            }
            for each in found
        ]

    # ---- messages

    def send(self, value: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer: 202 for a new one, 200 for one that is known by its key."""
        key = value.get("key")
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9._:\-]{1,64}", key):
            raise Refused(422, "KEY_INVALID", "key 应为 1 到 64 位字母、数字、._:-", "key")
        told = {name: each for name, each in value.items() if name != "report_url"}  # where we hear of it
        body = json.dumps(told, ensure_ascii=False, sort_keys=True)
        with self.store.work():
            found = self.store.one("select * from message where key = ?", key)
            if found:
                if found["body"] != body:
                    raise Refused(409, "KEY_REUSED", "同一 key 的内容不同", "key")
                return 200, self.shown(found)
            text = self._text(value)
            phone = str(value.get("to", ""))
            if not re.fullmatch(r"1\d{10}", phone):
                raise Refused(422, "TO_INVALID", "手机号应为 1 开头的 11 位数字", "to")
            self._limit(phone, str(value["template"]))
            return 202, self.shown(self._accept(value, key, body, phone, text))

    def _accept(self, value: dict[str, Any], key: str, body: str, phone: str, text: str) -> sqlite3.Row:
        now = self.clock.now()
        fails, slow = self.dial.strikes("undelivered", key), self.dial.strikes("slow", key)
        for kind, hit in (("undelivered", fails), ("slow", slow)):
            if hit:
                self.dial.record(kind, "messages", key)
        message_id = f"M{int(self.dial.throw('id', key) * 10**16):016d}"
        self.store.insert(
            "message",
            message_id=message_id,
            key=key,
            phone=phone,
            template=value["template"],
            body=body,
            text=text,
            state="accepted",
            reason=self.dial.choice("reason", key, REASONS) if fails else "",
            accepted=now.isoformat(),
            due=(now + timedelta(seconds=(60 if slow else 1) / self._speed)).isoformat(),
            ends="failed" if fails else "delivered",
            report_url=str(value.get("report_url") or ""),
        )
        return self._known("message_id", message_id)

    def _text(self, value: dict[str, Any]) -> str:
        template = self.store.one("select text from template where code = ?", str(value.get("template")))
        if template is None:
            raise Refused(422, "TEMPLATE_UNKNOWN", "没有这个模板", "template")
        if self._pending(str(value["template"])):
            raise Refused(422, "TEMPLATE_PENDING", "模板还在审核", "template")
        values, names = value.get("values", {}), _names(template["text"]) or []
        good = isinstance(values, dict) and set(values) == set(names)
        if not good or not all(isinstance(each, str) and _plain(each) for each in values.values()):
            raise Refused(
                422, "VALUES_WRONG", f"values 应恰好是 {'、'.join(names) or '空'}，每个不超过 64 字", "values"
            )
        text = re.sub(rf"\{{({NAME})\}}", lambda found: str(values[found[1]]), template["text"])
        return f"{self._signature}{text}"

    def _limit(self, phone: str, template: str) -> None:
        """As gateways do: per phone and hour, per phone, template and minute."""
        now = self.clock.now()
        limits = ((3600, "per_hour", ""), (60, "per_minute", template))
        for seconds, name, only in limits:
            most = self.dial.setting(name)
            since = (now - timedelta(seconds=seconds)).isoformat()
            found = self.store.all(
                "select accepted from message where phone = ? and accepted > ? and ? in ('', template) "
                "order by accepted",
                phone,
                since,
                only,
            )
            if most and len(found) >= most:
                first = datetime.fromisoformat(found[-int(most)]["accepted"])
                wait = max(1, int(seconds - (now - first).total_seconds()))
                raise Refused(429, "PHONE_LIMIT", "向这个号码发得太频繁", "to", wait)

    def find(self, column: str, value: str) -> dict[str, Any]:
        """By `message_id` or `key`."""
        self.settle()
        return self.shown(self._known(column, value))

    def _known(self, column: str, value: str) -> sqlite3.Row:
        assert column in ("message_id", "key")
        found = self.store.one(f"select * from message where {column} = ?", value)  # noqa: S608
        if found is None:
            raise Refused(404, "NOT_FOUND", "没有这条短信")
        return found

    def shown(self, found: sqlite3.Row) -> dict[str, Any]:
        ended = found["ended"]
        return {
            "message_id": found["message_id"],
            "key": found["key"],
            "state": found["state"],
            "reason": found["reason"] if ended else "",
            "parts": 1 if len(found["text"]) <= 70 else -(-len(found["text"]) // PART),
            "accepted_at": found["accepted"],
            "ended_at": ended,
        }

    def settle(self) -> None:
        """End the messages whose time has come, and report each."""
        now = self.clock.now().isoformat()
        for found in self.store.all("select * from message where ended is null and due <= ?", now):
            with self.store.work():
                done = self.store.run(
                    "update message set state = ends, ended = ? where message_id = ? and ended is null",
                    now,
                    found["message_id"],
                )
                if done:
                    self._report(found, now)

    def _report(self, found: sqlite3.Row, now: str) -> None:
        report_id = f"R{found['message_id'][1:]}"
        self.store.insert(
            "report",
            report_id=report_id,
            message_id=found["message_id"],
            key=found["key"],
            state=found["ends"],
            reason=found["reason"],
            at=now,
        )
        if found["report_url"]:
            trouble = [
                kind
                for kind, dial in (
                    ("notice_lost", "report_lost"),
                    ("duplicate", "report_duplicate"),
                    ("shuffle", "report_shuffle"),
                )
                if self.dial.strikes(dial, found["key"])
            ]
            content = {"report_id": report_id, "reference": found["key"]}
            self.notices.add("messages", report_id, found["report_url"], content, trouble)
            for kind in ("forged", "stale"):
                if self.dial.strikes(kind, found["key"]):
                    url, name = found["report_url"], f"{kind[0].upper()}{report_id}"
                    self.notices.forge("messages", name, url, content, kind)

    def reply(self, phone: str, text: str) -> None:
        """What somebody types on her phone."""
        number = self.store.number("replies")
        at = self.clock.now().isoformat()
        self.store.insert("reply", number=number, reply_id=f"P{number}", phone=phone, text=text[:500], at=at)

    def replies(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        found = self.store.all("select * from reply where number > ? order by number limit ?", after, limit)
        told = [
            {"reply_id": each["reply_id"], "from": each["phone"], "text": each["text"], "at": each["at"]}
            for each in found
        ]
        return told, found[-1]["number"] if found else after

    def reports(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        since = (self.clock.now() - timedelta(days=30)).isoformat()
        found = self.store.all(
            "select * from report where number > ? and at > ? order by number limit ?", after, since, limit
        )
        return [report(each) for each in found], found[-1]["number"] if found else after

    # ---- phones

    def phones(self) -> list[sqlite3.Row]:
        return self.store.all(
            "select phone, max(accepted) latest, count(*) count from message group by phone "
            "order by latest desc, phone limit 200"
        )

    def inbox(self, phone: str) -> list[sqlite3.Row]:
        """Newest first; what never arrived is not there."""
        self.settle()
        return self.store.all(
            "select * from message where phone = ? and ends = 'delivered' and ended is not null "
            "order by accepted desc, rowid desc limit 200",
            phone,
        )


def report(found: sqlite3.Row) -> dict[str, Any]:
    names = ("report_id", "message_id", "key", "state", "reason", "at")
    return {name: found[name] for name in names}


def _names(text: str) -> list[str] | None:
    """The fields of a template in their order; None when its braces are wrong."""
    found = re.findall(rf"\{{({NAME})\}}", text)
    if re.search(r"[{}]", re.sub(rf"\{{{NAME}\}}", "", text)):
        return None
    return list(dict.fromkeys(found))


def _plain(text: str) -> bool:
    return 0 < len(text) <= 64 and not re.search(r"[\x00-\x1f\x7f-\x9f]", text)
