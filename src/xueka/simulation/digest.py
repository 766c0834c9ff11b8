"""One digest of a city's business end state: equal seeds give equal digests on any machine.

It covers what happened on the simulation's own clock and leaves out what must differ between runs:
database ids, wall-clock times, random secrets and signatures, and so the bytes of packages and return files;
and what lost or late answers of couriers and of the data exchange move: the steps of a parcel, differences
that came and went.
"""

from cryptography.hazmat.primitives import hashes
from django.db import connection

#: Each gives one text per row.
_PARTS = [
    """SELECT concat_ws('|', 'student', s.education_id, s.name, s.sort_key, s.sex, s.birth_year, s.status,
                        o.code, c.stage, c.grade, c.name)
         FROM registry_student s JOIN registry_school o ON o.id = s.school_id
         JOIN registry_schoolclass c ON c.id = s.school_class_id""",
    """SELECT concat_ws('|', 'consent', s.education_id, c.action, c.notice_version, c.method,
                        extract(epoch FROM c.at))
         FROM registry_consent c JOIN registry_student s ON s.id = c.student_id""",
    """SELECT concat_ws('|', 'application', a.number, s.education_id, a.kind_id, a.reason, a.state, o.code,
                        a.doubts, a.refusal_code, extract(epoch FROM a.submitted_at))
         FROM cards_application a JOIN cards_cardaccount t ON t.id = a.account_id
         JOIN registry_student s ON s.id = t.student_id JOIN registry_school o ON o.id = a.school_id""",
    """SELECT concat_ws('|', 'card', c.number, s.education_id, c.kind_id, c.state, c.transit_number,
                        c.beijing_tong_number, c.chip_uid, c.valid_from, c.valid_until, o.code,
                        extract(epoch FROM c.state_at))
         FROM cards_card c JOIN registry_student s ON s.id = c.student_id
         JOIN registry_school o ON o.id = c.school_id""",
    """SELECT concat_ws('|', 'history', machine, event, from_state, to_state, count(*))
         FROM history_transition WHERE machine NOT IN ('shipment', 'disagreement')
        GROUP BY machine, event, from_state, to_state""",
    """SELECT concat_ws('|', 'range', sort, prefix, first, last, next_serial) FROM numbers_numberrange""",
    "SELECT concat_ws('|', 'number', sort, number, state) FROM numbers_numberuse",
    """SELECT concat_ws('|', 'batch', b.number, b.state, b.card_count, c.number, i.position, i.outcome,
                        i.result_code)
         FROM production_batch b JOIN production_batchitem i ON i.batch_id = b.id
         LEFT JOIN cards_card c ON c.id = i.card_id""",
    """SELECT concat_ws('|', 'problem', b.number, p.kind, p.line, p.state, p.resolution, c.number)
         FROM production_problem p LEFT JOIN production_batch b ON b.id = p.batch_id
         LEFT JOIN cards_card c ON c.id = p.card_id""",
    """SELECT concat_ws('|', 'box', d.number, d.state, b.number, b.state, c.number, p.position, p.is_here)
         FROM logistics_box b JOIN logistics_delivery d ON d.id = b.delivery_id
         JOIN logistics_boxcard p ON p.box_id = b.id JOIN cards_card c ON c.id = p.card_id""",
    """SELECT concat_ws('|', 'replacement', r.number, s.education_id, r.reason, r.state, r.delivery,
                        r.fee_fen, o.number, a.number, r.promised_on, extract(epoch FROM r.started_at),
                        extract(epoch FROM r.delivered_at))
         FROM replacements_replacement r JOIN registry_student s ON s.id = r.student_id
         LEFT JOIN payments_order o ON o.id = r.order_id
         LEFT JOIN cards_application a ON a.id = r.application_id""",
    """SELECT concat_ws('|', 'order', o.number, s.education_id, o.amount_fen, o.tariff, o.state,
                        extract(epoch FROM o.success_at))
         FROM payments_order o JOIN registry_student s ON s.id = o.student_id""",
    """SELECT concat_ws('|', 'payment', channel, out_trade_no, state, channel_id, received_fen, credited,
                        stray, stray_fen, remitted_in, extract(epoch FROM success_at))
         FROM payments_payment""",
    "SELECT concat_ws('|', 'refund', number, amount_fen, source, way, state) FROM payments_refund",
    """SELECT concat_ws('|', 'notice', channel, outcome, count(*)) FROM payments_notice
        GROUP BY channel, outcome""",
    """SELECT concat_ws('|', 'books', e.kind, e."on", l.account, l.channel, count(*), sum(l.fen))
         FROM ledger_posting l JOIN ledger_entry e ON e.id = l.entry_id
        GROUP BY e.kind, e."on", l.account, l.channel""",
    """SELECT concat_ws('|', 'receipt', o.number, r.code, r.number, r.amount_fen, r.state)
         FROM receipts_receipt r JOIN payments_order o ON o.id = r.order_id""",
    "SELECT concat_ws('|', 'confirmation', pay_code, amount_fen, day) FROM treasury_confirmation",
    """SELECT concat_ws('|', 'statement', channel, kind, day, usable, rows, amount_fen, refund_fen, fee_fen)
         FROM treasury_statement""",
    "SELECT concat_ws('|', 'break', kind, channel, key, day, fen, state) FROM treasury_breakrow",
    """SELECT concat_ws('|', 'close', c.number, c.monday, c.state, c.prepared, p.channel, p.settlement,
                        p.orders, p.gross_fen, p.refunded_fen, p.to_remit_fen, p.confirmed_fen, p.fees_fen)
         FROM closing_close c LEFT JOIN closing_part p ON p.close_id = c.id""",
    """SELECT concat_ws('|', 'parcel', d.number, p.state, c.number)
         FROM couriers_shipment p JOIN logistics_delivery d ON d.id = p.delivery_id
         JOIN couriers_shipmentcard i ON i.shipment_id = p.id JOIN cards_card c ON c.id = i.card_id""",
    """SELECT concat_ws('|', 'binding', c.number, b.state, b.ask, v.fare, v.valid_until, h.reason, h.version)
         FROM cards_card c LEFT JOIN transit_binding b ON b.card_id = c.id
         LEFT JOIN transit_validity v ON v.card_id = c.id LEFT JOIN transit_hotcard h ON h.card_id = c.id""",
    "SELECT concat_ws('|', 'text', template, kind, count(*)) FROM outbox_message GROUP BY template, kind",
    "SELECT concat_ws('|', 'mail', key, purpose) FROM mail_mail",
    """SELECT concat_ws('|', 'discrepancy', b.number, d.kind, d.scanned, d.state, d.resolution)
         FROM logistics_discrepancy d JOIN logistics_box b ON b.id = d.box_id""",
]


def business_digest() -> str:
    """SM3 over the whole end state, 64 hexadecimal digits."""
    digest = hashes.Hash(hashes.SM3())
    for part in _PARTS:
        with connection.cursor() as cursor:
            # Sorting by bytes keeps the digest independent of a server's collation.
            cursor.execute(f'SELECT row.text FROM ({part}) AS row(text) ORDER BY row.text COLLATE "C"')  # noqa: S608
            for (text,) in cursor:
                digest.update(text.encode() + b"\n")
    return digest.finalize().hex()
