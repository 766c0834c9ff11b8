"""What the counterpart holds: messages as they were applied, the records that follow from them, files."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from xueka.sandbox.common.http import Answer, json_answer
from xueka.sandbox.common.store import Store

SCHEMA = """
create table if not exists applied (
    number integer primary key, id text not null unique, key text not null, seq integer not null,
    kind text not null, body blob not null, times integer not null default 1, unique (key, seq)
);
create table if not exists head (key text primary key, seq integer not null);
create table if not exists record (
    dataset text not null, key text not null, hash text not null, text text not null,
    primary key (dataset, key)
);
create index if not exists record_by_hash on record (dataset, hash);
create table if not exists file (digest text primary key, content blob not null);
create table if not exists told (key text primary key, seq integer not null);
"""
EMPTY = hashlib.sha256().hexdigest()
MOST_PREFIXES = 1024

#: Kind of a message → dataset, and the members of its data that make the record; the first is its key.
RECORDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "card.status": ("card-status", ("card", "beijing_tong_number", "state")),
    "holder.changed": ("entitled-cards", ("card", "beijing_tong_number", "state", "holder")),
}


class Book:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.heard: Callable[[str, Any], None] = lambda kind, data: None

    def apply(self, name: str, raw: bytes) -> Answer:
        """Keep and apply one message, once and in its order; what to answer."""
        try:
            body = json.loads(raw)
            key, seq, kind = body["key"], body["sequence"], body["kind"]
            if body["id"] != name or not isinstance(key, str) or not isinstance(seq, int):
                raise ValueError("id")
        except (ValueError, KeyError, TypeError):
            return refused(400, "BODY_WRONG", "消息的格式不对")
        with self._store.work():
            if self._store.run("update applied set times = times + 1 where id = ?", name):
                return json_answer({"id": name, "again": True})
            found = self._store.one("select seq from head where key = ?", key)
            have = found["seq"] if found else 0
            if seq > have + 1:
                return refused(409, "SEQUENCE_GAP", "缺少前面的消息", expected=have + 1)
            if seq <= have:
                return refused(409, "SEQUENCE_REUSED", "这个序号用过了")
            data = self._data(body)
            if data is None and kind != "void":
                return refused(425, "FILE_MISSING", "没有收到文件")
            self._store.insert("applied", id=name, key=key, seq=seq, kind=kind, body=raw)
            self._store.run(
                "insert into head values (?, ?) on conflict do update set seq = excluded.seq", key, seq
            )
            self._follow(kind, data)
            self.heard(kind, data)
        return json_answer({"id": name, "again": False}, 202)

    def keep_file(self, digest: str, content: bytes) -> Answer:
        if hashlib.sha256(content).hexdigest() != digest:
            return refused(400, "FILE_DIGEST", "文件与摘要不符")
        self._store.run("insert or ignore into file values (?, ?)", digest, content)
        return Answer(204)

    def forget(self, key: str) -> bool:
        """Lose the last message of a key, as after a restore; its record is as it was before, or gone."""
        with self._store.work():
            last = self._store.one("select * from applied where key = ? order by seq desc limit 1", key)
            if last is None:
                return False
            self._store.run("delete from applied where number = ?", last["number"])
            self._store.run("update head set seq = ? where key = ?", last["seq"] - 1, key)
            body = json.loads(last["body"])
            dataset, members = RECORDS.get(last["kind"], ("", ()))
            if members:
                name = str((self._data(body) or {}).get(members[0], ""))
                self._store.run("delete from record where dataset = ? and key = ?", dataset, name)
            before = self._store.one("select * from applied where key = ? order by seq desc limit 1", key)
            if before is not None:
                self._follow(before["kind"], self._data(json.loads(before["body"])))
        return True

    def put(self, dataset: str, key: str, text: str) -> None:
        """A record by another way than a message: what this side did by itself. Empty text: it is gone."""
        if not text:
            self._store.run("delete from record where dataset = ? and key = ?", dataset, key)
            return
        self._store.run(
            "insert into record values (?, ?, ?, ?) on conflict do update set text = excluded.text",
            dataset,
            key,
            hashlib.sha256(key.encode()).hexdigest(),
            text,
        )

    def answer(self, dataset: str, asked: Any, now: str, drift: Callable[[str], bool]) -> Answer:
        """§7: buckets or records below some prefixes."""
        told = asked if isinstance(asked, dict) else {}
        prefixes, width = told.get("prefixes"), told.get("width", 0)
        wants_records = told.get("records") is True
        if not isinstance(prefixes, list) or not 1 <= len(prefixes) <= MOST_PREFIXES:
            return refused(400, "QUESTION_WRONG", "问题不对")
        if not wants_records and not (isinstance(width, int) and 1 <= width <= 8):
            return refused(400, "QUESTION_WRONG", "问题不对")
        found = []
        for prefix in prefixes:
            found += self._store.all(
                "select key, hash, text from record where dataset = ? and hash >= ? and hash < ?"
                " order by hash",
                dataset,
                prefix,
                prefix + "g",
            )
        if wants_records:
            name = "content" if drift("records") else "text"
            rows = [{"key": row["key"], name: row["text"], "more": None} for row in found]
            return json_answer({"records": rows, "as_of": now})
        buckets: dict[str, tuple[int, Any]] = {}
        for row in found:
            place = row["hash"][:width]
            count, whole = buckets.get(place, (0, hashlib.sha256()))
            whole.update(hashlib.sha256(row["text"].encode()).digest())
            buckets[place] = (count + 1, whole)
        listed = [
            {"prefix": place, "count": count, "digest": whole.hexdigest()}
            for place, (count, whole) in sorted(buckets.items())
        ]
        return json_answer({"buckets": listed, "as_of": now})

    def next_told(self, key: str) -> int:
        """The number of our own next message of a key."""
        with self._store.work():
            found = self._store.one("select seq from told where key = ?", key)
            seq = (found["seq"] if found else 0) + 1
            self._store.run(
                "insert into told values (?, ?) on conflict do update set seq = excluded.seq", key, seq
            )
        return seq

    def _data(self, body: dict[str, Any]) -> Any:
        if "file" not in body:
            return body.get("data")
        found = self._store.one("select content from file where digest = ?", body["file"]["sha256"])
        return json.loads(found["content"]) if found else None

    def _follow(self, kind: str, data: Any) -> None:
        dataset, members = RECORDS.get(kind, ("", ()))
        if members and isinstance(data, dict):
            values = [str(data.get(each, "")) for each in members]
            self.put(dataset, values[0], "|".join(values))


def refused(status: int, code: str, title: str, **more: Any) -> Answer:
    made = json_answer({"status": status, "code": code, "title": title, **more}, status)
    made.headers["Content-Type"] = "application/problem+json; charset=utf-8"
    return made
