"""Orders, parcels, and what really becomes of each (couriers.md §2, §5). Minutes are divided by the speed."""

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from xueka.sandbox.common import notices
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.store import Store

SCHEMA = f"""
{notices.SCHEMA}
create table if not exists parcel (
    waybill text primary key, order_id text not null, position integer not null, made text not null,
    fate text not null, state text not null, told integer not null default 0,
    follower text not null default '', company text not null default '', called_back text not null default ''
);
create index if not exists parcel_of_order on parcel (order_id);
create table if not exists printed (
    file text primary key, token text not null, waybill text not null, template text not null,
    pages text not null, made text not null
);
create table if not exists ordered (
    order_id text primary key, message text not null, made text not null, outcome text not null
);
"""
MINUTE = 60
#: Minutes after the order: (code, words).
USUAL = [
    (20, "50", "顺丰速运 已收取快件"),
    (60, "30", "快件在【北京集散中心】完成分拣，准备发往下一站"),
    (180, "31", "快件到达【北京集散中心】"),
    (240, "130", "快件到达【北京派送点】"),
    (300, "44", "正在派送途中，请您准备签收"),
    (480, "80", "已签收，签收人：本人"),
]
FATES = ("none", "lost", "returned", "locker", "second_attempt", "found")
_LOCKER = [(480, "80", "快件已派送至自助柜，请凭取件码取件"), (960, "80", "快件已从自助柜取出")]
_SECOND = [
    (330, "70", "收方不在，另约时间派送"),
    (540, "44", "正在派送途中"),
    (600, "80", "已签收，签收人：家人"),
]
_BACK = [(330, "70", "收方拒收，快件退回"), (400, "648", "快件退回，运往寄方"), (720, "80", "退件已签收")]


class Parcels:
    def __init__(self, store: Store, clock: Clock, dial: Dial, speed: float) -> None:
        self.store, self.clock, self.dial, self.speed = store, clock, dial, speed

    def order(self, message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """(errorCode, msgData)."""
        order_id = str(message.get("orderId", ""))
        with self.store.work():
            if self.store.one("select 1 from ordered where order_id = ?", order_id):
                return "8016", {}
            outcome = "3" if self._strikes("no_service", order_id) else "2"
            if outcome == "2" and self._strikes("by_hand", order_id):
                outcome = "1"
            now = self.clock.now().isoformat()
            text = json.dumps(message, ensure_ascii=False)
            self.store.insert("ordered", order_id=order_id, message=text, made=now, outcome=outcome)
            if outcome == "2":
                self._make(order_id, int(message.get("parcelQty") or 1), now)
        return "S0000", self.answer(order_id)

    def _make(self, order_id: str, count: int, now: str) -> None:
        for position in range(1, count + 1):
            waybill = f"SF{7444400000000 + self.store.number('waybill')}"
            self.add(waybill, order_id, position, now)

    def add(self, waybill: str, order_id: str, position: int, now: str) -> None:
        what = f"{order_id}/{position}" if order_id else waybill  # whichever order came first
        fate = next((each for each in FATES[1:5] if self._strikes(each, what)), "none")
        self.store.insert(
            "parcel",
            waybill=waybill,
            order_id=order_id,
            position=position,
            made=now,
            fate=fate,
            state="open",
        )

    def answer(self, order_id: str) -> dict[str, Any]:
        """What an order came to, as it is now."""
        found = self.store.one("select * from ordered where order_id = ?", order_id)
        assert found is not None
        if found["outcome"] == "1" and self._age(found["made"]) >= 5:
            with self.store.work():
                self.store.run("update ordered set outcome = '2' where order_id = ?", order_id)
                count = int(json.loads(found["message"]).get("parcelQty") or 1)
                self._make(order_id, count, self.clock.now().isoformat())
            return self.answer(order_id)
        rows = self.store.all("select * from parcel where order_id = ? order by position", order_id)
        return {
            "orderId": order_id,
            "originCode": "010",
            "destCode": "010",
            "filterResult": int(found["outcome"]),
            "remark": "1" if found["outcome"] == "3" else "",
            "waybillNoInfoList": [
                {"waybillType": 1 if row["position"] == 1 else 2, "waybillNo": row["waybill"]} for row in rows
            ],
            "routeLabelInfo": [{"code": "1000", "routeLabelData": {"destRouteLabel": "010-BJ-01"}}]
            if rows
            else [],
        }

    def search(self, order_id: str) -> tuple[str, dict[str, Any]]:
        found = self.store.one("select * from ordered where order_id = ?", order_id)
        if found is None:
            return "8018", {}
        if found["outcome"] == "off":
            return "8037", {}
        return "S0000", self.answer(order_id)

    def cancel(self, order_id: str) -> str:
        found = self.store.one("select * from ordered where order_id = ?", order_id)
        if found is None:
            return "8018"
        if found["outcome"] == "off":
            return "8037"
        rows = self.store.all("select * from parcel where order_id = ?", order_id)
        if any(self.routes(row) for row in rows):
            return "8024"
        with self.store.work():
            self.store.run("update ordered set outcome = 'off' where order_id = ?", order_id)
            self.store.run("update parcel set state = 'off' where order_id = ?", order_id)
        return "S0000"

    def intercept(self, waybill: str) -> str:
        row = self.parcel(waybill)
        if row is None or row["state"] == "off" or self.is_over(row):
            return "20036"
        now = self.clock.now().isoformat()
        self.store.run("update parcel set called_back = ? where waybill = ?", now, waybill)
        return "S0000"

    def set_fate(self, waybill: str, fate: str) -> None:
        """Raises ValueError for one that is none, LookupError for no such parcel."""
        if fate not in FATES:
            raise ValueError(f"no fate {fate}")
        if not self.store.run("update parcel set fate = ? where waybill = ?", fate, waybill):
            raise LookupError(waybill)

    def parcel(self, waybill: str) -> sqlite3.Row | None:
        return self.store.one("select * from parcel where waybill = ?", waybill)

    def routes(self, row: sqlite3.Row) -> list[dict[str, str]]:
        """What has happened to a parcel by now, oldest first; §2.5, and `id` for pushes."""
        if row["state"] == "off":
            return []
        made = datetime.fromisoformat(row["made"])
        plan = [(made + self._after(minutes), code, words) for minutes, code, words in _plan(row["fate"])]
        if row["called_back"]:
            called = datetime.fromisoformat(row["called_back"])
            plan = [each for each in plan if each[0] <= called]
            plan.append((called + self._after(30), "99", "应寄方要求，快件退回"))
            plan.append((called + self._after(300), "80", "退件已签收"))
        now = self.clock.now()
        done = [each for each in plan if each[0] <= now]
        return [self._route(row, place, *each) for place, each in enumerate(done)]

    def _route(self, row: sqlite3.Row, place: int, at: datetime, code: str, words: str) -> dict[str, str]:
        locker = code == "80" and "自助柜" in words
        taken = "取出" in words
        return {
            "id": f"{row['waybill'][2:]}{place:02d}",
            "acceptTime": f"{at:%Y-%m-%d %H:%M:%S}",
            "acceptAddress": "北京市",
            "opCode": code,
            "remark": words,
            "firstStatusCode": "4" if locker else "",
            "secondaryStatusCode": ("402" if taken else "401") if locker else "",
        }

    def stale(self, row: sqlite3.Row, routes: list[dict[str, str]]) -> list[dict[str, str]]:
        """Without the newest entry while it is young, where the dial says so."""
        if not routes or not self.dial.strikes("stale", routes[-1]["id"]):
            return routes
        at = datetime.fromisoformat(routes[-1]["acceptTime"]).replace(tzinfo=self.clock.now().tzinfo)
        return routes[:-1] if self.clock.now() - at < self._after(60) else routes

    def is_over(self, row: sqlite3.Row) -> bool:
        return any(each["opCode"] == "80" and "自助柜" not in each["remark"] for each in self.routes(row))

    def _age(self, made: str) -> float:
        """Minutes since then, as fast as we live."""
        return (self.clock.now() - datetime.fromisoformat(made)).total_seconds() / MINUTE * self.speed

    def _after(self, minutes: float) -> timedelta:
        return timedelta(seconds=int(minutes * MINUTE / self.speed))

    def _strikes(self, kind: str, what: str) -> bool:
        hit = self.dial.strikes(kind, what)
        if hit:
            self.dial.record(kind, "sf", what)
        return hit


def _plan(fate: str) -> list[tuple[int, str, str]]:
    match fate:
        case "lost":
            return USUAL[:3]
        case "found":
            return [*USUAL[:3], (2000, "31", "快件到达【北京集散中心】，重新发出")]
        case "returned":
            return [*USUAL[:5], *_BACK]
        case "locker":
            return [*USUAL[:5], *_LOCKER]
        case "second_attempt":
            return [*USUAL[:5], *_SECOND]
    return USUAL
