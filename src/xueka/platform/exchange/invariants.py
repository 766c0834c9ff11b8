"""What must always hold of outbox and inbox."""

from xueka.platform.invariants import from_rows

_NUMBERED = """
    SELECT s.counterpart || ' ' || s.id,
           count(o.id) <> s.last_seq OR coalesce(max(o.seq), 0) <> s.last_seq
      FROM exchange_stream s LEFT JOIN exchange_outgoing o ON o.stream_id = s.id
     WHERE s.direction = 'out' GROUP BY s.id"""
_ORDER = """
    SELECT s.counterpart || ' ' || o.seq,
           CASE WHEN o.seq <= s.done_seq THEN o.state <> 'delivered'
                WHEN o.seq = s.done_seq + 1 THEN o.state = 'delivered' OR (o.state = 'dead') <> s.held
                ELSE o.state <> 'queued' END
      FROM exchange_outgoing o JOIN exchange_stream s ON s.id = o.stream_id"""
_APPLIED = """
    SELECT s.counterpart || ' ' || i.seq,
           s.direction <> 'in' OR s.counterpart <> i.counterpart OR i.seq > s.last_seq
           OR CASE WHEN i.seq <= s.done_seq THEN i.state NOT IN ('applied', 'passed')
                   WHEN i.seq = s.done_seq + 1
                        THEN i.state IN ('applied', 'passed') OR (i.state = 'dead') <> s.held
                   ELSE i.state <> 'waiting' END
      FROM exchange_incoming i JOIN exchange_stream s ON s.id = i.stream_id"""
_TRIED = """
    SELECT o.message_id, NOT EXISTS (
               SELECT 1 FROM exchange_attempt a WHERE a.outgoing_id = o.id AND a.code = '')
      FROM exchange_outgoing o WHERE o.state = 'delivered'"""

INVARIANTS = [
    from_rows("exchange_numbers_have_no_gap", "发给对接方的消息，每个对象的序号从 1 起连续", _NUMBERED),
    from_rows("exchange_order_is_kept", "发给对接方的消息按对象的顺序送达，停发的一条挡住后面的", _ORDER),
    from_rows("exchange_applied_in_order", "对接方来的消息按对象的顺序处理，停办的一条挡住后面的", _APPLIED),
    from_rows("exchange_delivered_was_tried", "已送达的消息有一次成功的发送记录", _TRIED),
]
