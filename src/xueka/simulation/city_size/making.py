"""Batches with what was sent and what came back, from the plan."""

from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection, transaction

from xueka.kernel import clock
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.database.copy import copy_rows
from xueka.simulation import bureau as simulated_bureau
from xueka.simulation import issuing, staff
from xueka.simulation.city_size.bulk import fill, one, restart, rows, workshop
from xueka.simulation.city_size.plan import YEAR

_LOCKER, _APPROVER = "'sim-operator-a'", "'sim-operator-b'"
_SENT = "('sent', 'acknowledged', 'bounced', 'reconciling', 'closed')"
#: A batch that stands open takes this many accepted applications.
OPEN_BATCH = 2_000


def bureau() -> int:
    """A bureau whose keys two people confirmed before the first year; nobody answers at its address."""
    signing, encryption, host = PrivateKey.generate(), PrivateKey.generate(), Ed25519PrivateKey.generate()
    host_key = host.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    card = {
        "code": "bureau",
        "name": "制卡厂（样例）",
        "host": "bureau.invalid",
        "port": 22,
        "username": "xueka",
        "host_key": host_key,
        "signing_key": signing.public.to_pem().decode(),
        "encryption_key": encryption.public.to_pem().decode(),
    }
    with clock.at(datetime(YEAR - 8, 8, 1, 9, tzinfo=clock.SHANGHAI)), transaction.atomic():
        simulated_bureau.introduce(card, staff.operator("a"), staff.operator("b"))
    return int(one("SELECT max(id) FROM production_partnerkeys"))


def batches() -> None:
    """The plan's batches, and open ones with half of what is accepted."""
    approved = "state IN ('approved', 'ready', 'sent', 'acknowledged', 'bounced', 'reconciling', 'closed')"
    fill(
        "production.Batch",
        "FROM city_batch ORDER BY id",
        id="id",
        number="number",
        kind_id=f"'{issuing.KIND}'",
        state="state",
        state_at="""t + CASE state WHEN 'closed' THEN interval '73 hours'
                                  WHEN 'reconciling' THEN interval '72 hours' ELSE interval '3 hours' END""",
        title="CASE phase WHEN 2 THEN '重制' ELSE year::text || ' 年制卡' END",
        created_by=_LOCKER,
        created_at="t - interval '1 day'",
        locked_by=_LOCKER,
        locked_at="t",
        approved_by=f"CASE WHEN {approved} THEN {_APPROVER} ELSE '' END",
        approved_at=f"CASE WHEN {approved} THEN t + interval '2 hours' END",
        card_count="cards",
    )
    _open_batches()
    restart("production.Batch")


def _open_batches() -> None:
    last = rows(
        "SELECT max(id), max(serial) FILTER (WHERE year = (SELECT max(year) FROM city_batch)) FROM city_batch"
    )
    last_id, last_serial = last[0]
    workshop(
        "open",
        f"""
        SELECT id AS issue, {last_id} + (n - 1) / {OPEN_BATCH} + 1 AS batch,
               (n - 1) % {OPEN_BATCH} + 1 AS position,
               {last_serial} + (n - 1) / {OPEN_BATCH} + 1 AS serial, year, made_at
          FROM (SELECT id, year, made_at, row_number() OVER (ORDER BY place) AS n
                  FROM city_application WHERE state = 'accepted' AND tail = '' AND place % 2 = 0) a
         WHERE n % 2 = 0 OR n < 0
        """,  # noqa: S608
    )
    fill(
        "production.Batch",
        """FROM (SELECT batch, serial, year, count(*) AS cards, max(made_at) AS made_at
                   FROM city_open GROUP BY 1, 2, 3) b ORDER BY batch""",
        id="batch",
        number="'B' || right(year::text, 2) || '-' || lpad(serial::text, 5, '0')",
        kind_id=f"'{issuing.KIND}'",
        state="'open'",
        state_at="made_at + interval '1 day'",
        title="'待锁定'",
        created_by=_LOCKER,
        created_at="made_at + interval '1 day'",
        card_count="cards",
    )


def files() -> None:
    """A small stored file in place of every package and return file; its digests are true."""
    stored = []
    for serial, (number, at, state) in enumerate(
        rows("SELECT number, t, state FROM city_batch WHERE state NOT IN ('locked', 'approved') ORDER BY id")
    ):
        stored.append(_file(2 * serial + 1, f"XKP_{number}_1.zip", at))
        if state in ("reconciling", "closed"):
            stored.append(_file(2 * serial + 2, f"XKR_{number}_1.zip", at))
    copy_rows(
        connection,
        "files_storedfile",
        ["id", "name", "media_type", "size", "sm3", "sealed", "content", "created_at", "created_by"],
        stored,
    )
    restart("files.StoredFile")
    workshop(
        "file",
        "SELECT id, substr(name, 1, 3) AS sort, split_part(name, '_', 2) AS number FROM files_storedfile",
    )


def _file(identity: int, name: str, at: object) -> tuple[object, ...]:
    content = f"{name} 合成城市的占位文件\n".encode()
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return (
        identity,
        name,
        "application/zip",
        len(content),
        digest.finalize(),
        False,
        content,
        at,
        "sim-operator-a",
    )


def packages_and_returns() -> None:
    """Each batch beyond approval has its package; those that came back have one return file."""
    keys = str(bureau())
    fill(
        "production.Package",
        "FROM city_batch b JOIN city_file f ON f.number = b.number AND f.sort = 'XKP' ORDER BY b.id",
        batch_id="b.id",
        attempt="1",
        file_id="f.id",
        keys_id=keys,
        sha256="(SELECT sha256(s.content) FROM files_storedfile s WHERE s.id = f.id)",
        state="""CASE b.state WHEN 'ready' THEN 'stored' WHEN 'sent' THEN 'sent'
                              WHEN 'bounced' THEN 'refused' ELSE 'accepted' END""",
        built_at="b.t + interval '121 minutes'",
        started_at=f"CASE WHEN b.state IN {_SENT} THEN b.t + interval '129 minutes' END",
        sent_at=f"CASE WHEN b.state IN {_SENT} THEN b.t + interval '130 minutes' END",
        acknowledged_at="""CASE WHEN b.state IN ('acknowledged', 'bounced', 'reconciling', 'closed')
                                THEN b.t + interval '3 hours' END""",
    )
    fill(
        "production.ReturnFile",
        """FROM city_batch b JOIN city_file f ON f.number = b.number AND f.sort = 'XKR'
           JOIN (SELECT batch, count(*) FILTER (WHERE NOT failed AND main >= 3) AS made,
                        count(*) FILTER (WHERE failed) AS spoiled FROM city_card GROUP BY batch) n
             ON n.batch = b.id
           ORDER BY b.id""",
        id="b.id",
        batch_id="b.id",
        file_id="f.id",
        keys_id=keys,
        return_number="1",
        final="true",
        state="'applied'",
        counts="jsonb_build_object('made', n.made, 'spoiled', n.spoiled, 'lines', n.made + n.spoiled)",
        received_at="b.t + interval '3 days'",
        received_by="'system'",
    )
    restart("production.ReturnFile")


def items() -> None:
    """Every card's place in its batch, and what the bureau said of it."""
    outcome = """CASE WHEN c.failed THEN 'failed' WHEN c.main >= 3 THEN 'matched'
                      WHEN c.batch_state = 'reconciling' THEN 'missing' ELSE 'pending' END"""
    settled = "c.failed OR c.main >= 3"
    fill(
        "production.BatchItem",
        "FROM city_card c ORDER BY c.id",
        batch_id="c.batch",
        position="c.position",
        application_id="c.issue",
        card_id="c.id",
        outcome=outcome,
        result_code=f"CASE WHEN c.failed THEN '02' WHEN {settled} THEN '00' ELSE '' END",
        result_text="CASE WHEN c.failed THEN '打印不良' ELSE '' END",
        made_at=f"CASE WHEN {settled} THEN c.t + interval '2 days' END",
        return_file_id=f"CASE WHEN {settled} THEN c.batch END",
    )
    fill(
        "production.BatchItem",
        "FROM city_open ORDER BY batch, position",
        batch_id="batch",
        position="position",
        application_id="issue",
    )
    fill(
        "production.Problem",
        "FROM city_card c WHERE c.batch_state = 'reconciling' AND c.main = 2 AND NOT c.failed ORDER BY c.id",
        batch_id="c.batch",
        return_file_id="c.batch",
        kind="'missing'",
        card_id="c.id",
        opened_at="c.t + interval '3 days'",
    )
