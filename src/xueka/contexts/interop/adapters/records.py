"""Our side of a comparison: the records of a dataset, counted and digested by the database."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from xueka.contexts.interop.domain.buckets import Side
from xueka.contexts.interop.domain.card_status import OUTSIDE
from xueka.kernel.errors import NotFound

MOST = 100_000  # records or buckets in one answer; one more where there are more
CARD_STATUS = "card-status"
TRANSIT_BINDINGS, TRANSIT_HOT_LIST = "transit-bindings", "transit-hot-list"
TRANSIT_VALIDITY = "transit-validity"
STUDENTS = "students"  # compared school by school, with the student registry alone
STUDENT_REGISTRY = "oneroster"  # no counterpart of the exchange
ENTITLED_CARDS, ENTITLEMENTS = "entitled-cards", "entitlements"
_STATUS = (
    "CASE c.state " + " ".join(f"WHEN '{state}' THEN '{word}'" for state, word in OUTSIDE.items()) + " END"
)

#: Dataset → SQL that gives its records as (key, text), texts to the byte as the counterpart's page says.
DATASETS = {
    CARD_STATUS: f"""
        SELECT c.number AS key, c.number || '|' || c.beijing_tong_number || '|' || {_STATUS} AS text
          FROM cards_card c
         WHERE c.beijing_tong_number <> '' AND {_STATUS} IS NOT NULL""",  # noqa: S608 - our own words
    TRANSIT_BINDINGS: """
        SELECT c.number AS key, c.number || '|' || c.transit_number AS text
          FROM transit_binding b JOIN cards_card c ON c.id = b.card_id WHERE b.state = 'bound'""",
    TRANSIT_HOT_LIST: """
        SELECT c.number AS key, c.number || '|' || c.transit_number || '|' || h.reason AS text
          FROM transit_hotcard h JOIN cards_card c ON c.id = h.card_id WHERE h.reason <> ''""",
    TRANSIT_VALIDITY: """
        SELECT c.number AS key, c.number || '|' || c.transit_number || '|' || v.fare || '|'
               || coalesce(to_char(v.valid_until, 'YYYY-MM-DD'), '') AS text
          FROM transit_validity v JOIN cards_card c ON c.id = v.card_id""",
    ENTITLED_CARDS: """
        SELECT c.number AS key, c.number || '|' || c.beijing_tong_number || '|' || t.state || '|' || t.holder
               AS text
          FROM welfare_entitledcard t JOIN cards_card c ON c.id = t.card_id""",
    ENTITLEMENTS: """
        SELECT c.number || '/' || e.kind AS key,
               concat_ws('|', c.number, e.kind, e.state, to_char(e.valid_from, 'YYYY-MM-DD'),
                         coalesce(to_char(e.valid_until, 'YYYY-MM-DD'), ''), e.version::text) AS text
          FROM welfare_entitlement e JOIN cards_card c ON c.id = e.card_id""",
}
#: What each is called on the screen.
DATASET_NAMES = {
    CARD_STATUS: "卡状态",
    TRANSIT_BINDINGS: "公交实名",
    TRANSIT_HOT_LIST: "公交黑名单",
    TRANSIT_VALIDITY: "公交有效期",
    ENTITLED_CARDS: "享受权益的卡",
    ENTITLEMENTS: "民生卡权益",
    STUDENTS: "在籍学生",
}
#: What stands in a record's text, in its order.
DATASET_FIELDS = {
    CARD_STATUS: ("卡号", "北京通号", "状态"),
    TRANSIT_BINDINGS: ("卡号", "一卡通号"),
    TRANSIT_HOT_LIST: ("卡号", "一卡通号", "原因"),
    TRANSIT_VALIDITY: ("卡号", "一卡通号", "优惠", "有效期至"),
    ENTITLED_CARDS: ("卡号", "北京通号", "卡状态", "持卡人"),
    ENTITLEMENTS: ("卡号", "权益种类", "状态", "开始", "到期", "版本"),
    STUDENTS: ("教育ID", "姓名", "性别", "年级", "班级"),
}
_HASHED = """
    WITH hashed AS (
        SELECT key, text, encode(sha256(convert_to(key, 'UTF8')), 'hex') AS h FROM ({records}) AS r)"""
_BUCKETS = """{hashed}
    SELECT left(h, %(width)s), count(*),
           encode(sha256(string_agg(sha256(convert_to(text, 'UTF8')), ''::bytea ORDER BY h)), 'hex')
      FROM hashed WHERE %(all)s OR left(h, %(short)s) = ANY(%(prefixes)s) GROUP BY 1 LIMIT %(most)s"""
_RECORDS = """{hashed}
    SELECT key, text FROM hashed WHERE %(all)s OR left(h, %(short)s) = ANY(%(prefixes)s) LIMIT %(most)s"""


def side(dataset: str) -> Side:
    """Raises NotFound `DATASET_UNKNOWN`."""
    if dataset not in DATASETS:
        raise NotFound(
            "DATASET_UNKNOWN", "没有这个数据集。", found=dataset[:40], expected="、".join(DATASETS)
        )
    hashed = _HASHED.format(records=DATASETS[dataset])

    def buckets(prefixes: Sequence[str], width: int) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for part in _by_length(prefixes):
            rows = _ask(_BUCKETS.format(hashed=hashed), part, width)
            found |= {prefix: (count, digest) for prefix, count, digest in rows}
        return found

    def records(prefixes: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in _by_length(prefixes):
            found |= dict(_ask(_RECORDS.format(hashed=hashed), part, 0))
        return found

    return Side(buckets, records)


def record(dataset: str, key: str) -> str:
    """The present text of one record; empty where we have none."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT text FROM ({DATASETS[dataset]}) AS r WHERE key = %s", [key])  # noqa: S608
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def _by_length(prefixes: Sequence[str]) -> list[list[str]]:
    lengths = {len(each) for each in prefixes}
    return [[each for each in prefixes if len(each) == length] for length in sorted(lengths)]


def _ask(statement: str, prefixes: Sequence[str], width: int) -> list[tuple[Any, ...]]:
    short = len(prefixes[0]) if prefixes else 0
    values: dict[str, Any] = {"width": width, "short": short, "prefixes": list(prefixes), "all": short == 0}
    values["most"] = MOST + 1
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
