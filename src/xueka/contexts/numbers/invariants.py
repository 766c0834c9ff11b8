"""What must always hold of ranges, numbers and blanks."""

from xueka.contexts.numbers.domain.transitions import INITIALISATION
from xueka.platform.history.invariants import state_matches_history
from xueka.platform.invariants import from_rows

INVARIANTS = [
    from_rows(
        "numbers_ranges_do_not_overlap",
        "同一种号码的号段互不重叠",
        """
            SELECT r.sort || ' #' || r.id AS example, EXISTS (
                SELECT 1 FROM numbers_numberrange o
                 WHERE o.id <> r.id AND o.sort = r.sort
                   AND length(o.prefix) + o.width = length(r.prefix) + r.width
                   AND rtrim(o.prefix, '0123456789') = rtrim(r.prefix, '0123456789')
                   AND numbers_low(o.prefix, o.width, o.first) <= numbers_low(r.prefix, r.width, r.last)
                   AND numbers_low(r.prefix, r.width, r.first) <= numbers_low(o.prefix, o.width, o.last)
            ) AS wrong FROM numbers_numberrange r""",
    ),
    from_rows(
        "numbers_no_gap_in_a_range",
        "号段内已发的号码一个不缺，未发的一个没有",
        """
            SELECT r.sort || ' #' || r.id AS example,
               count(u.id) <> r.next_serial - r.first
               OR count(DISTINCT u.serial) <> count(u.id)
               OR coalesce(min(u.serial), r.first) < r.first
               OR coalesce(max(u.serial), r.first - 1) >= r.next_serial AS wrong
              FROM numbers_numberrange r LEFT JOIN numbers_numberuse u ON u.range_id = r.id
             GROUP BY r.id""",
    ),
    from_rows(
        "numbers_each_given_once",
        "每个号码只发一次，且与所属号段的写法一致",
        """
            SELECT u.sort || ' ' || u.number AS example,
               count(*) OVER (PARTITION BY u.sort, u.number) > 1
               OR (r.id IS NOT NULL AND (u.sort <> r.sort
                   OR CASE WHEN u.sort = 'card' THEN left(u.number, 11) ELSE u.number END
                      <> r.prefix || lpad(u.serial::text, r.width, '0'))) AS wrong
              FROM numbers_numberuse u LEFT JOIN numbers_numberrange r ON r.id = u.range_id""",
    ),
    from_rows(
        "numbers_blank_agrees_with_its_number",
        "空白卡的去向与其一卡通号的去向一致",
        """
            SELECT b.transit_number AS example,
               CASE WHEN b.card_id IS NULL THEN u.id IS NOT NULL
                    ELSE u.id IS NULL OR u.card_id IS DISTINCT FROM b.card_id OR u.range_id IS NOT NULL
                         OR u.state <> CASE b.state WHEN 'bound' THEN 'assigned' ELSE b.state END
               END AS wrong
              FROM numbers_blank b
              LEFT JOIN numbers_numberuse u ON u.sort = 'transit' AND u.number = b.transit_number
             WHERE b.transit_number <> ''""",
    ),
    from_rows(
        "numbers_lot_is_complete",
        "每批空白卡的张数与交接数一致，序号连续",
        """
            SELECT l.number AS example,
               count(b.id) <> l.quantity OR coalesce(max(b.position), 0) <> l.quantity
               OR coalesce(min(b.position), 1) <> 1 AS wrong
              FROM numbers_blanklot l LEFT JOIN numbers_blank b ON b.lot_id = l.id
             GROUP BY l.id""",
    ),
    from_rows(
        "numbers_counter_stock_adds_up",
        "发给每个柜台的空白卡，减去退回的，等于那里剩下、用去和报废的",
        """
            SELECT s.counter || ' ' || l.number AS example,
               s.net <> (SELECT count(*) FROM numbers_blank b
                          WHERE b.counter = s.counter AND b.lot_id = s.lot_id) AS wrong
              FROM (SELECT counter, lot_id,
                           sum(CASE direction WHEN 'out' THEN quantity ELSE -quantity END) AS net
                      FROM numbers_counterslip GROUP BY counter, lot_id
                     UNION ALL
                    SELECT counter, lot_id, 0 FROM numbers_blank b
                     WHERE counter <> '' AND NOT EXISTS (SELECT 1 FROM numbers_counterslip c
                            WHERE c.counter = b.counter AND c.lot_id = b.lot_id)
                     GROUP BY counter, lot_id) s
              JOIN numbers_blanklot l ON l.id = s.lot_id""",
    ),
    state_matches_history(INITIALISATION, "numbers_initialisation"),
    from_rows(
        "numbers_hand_overs_add_up_to_their_order",
        "排产单的状态与交接记录的张数一致",
        """
            SELECT o.number AS example,
               sent > o.quantity OR back > sent
               OR CASE o.state WHEN 'planned' THEN sent > 0
                               WHEN 'cancelled' THEN sent > 0
                               WHEN 'received' THEN sent = 0 OR back <> sent
                               ELSE sent = 0 OR back = sent END AS wrong
              FROM numbers_initialisation o
             CROSS JOIN LATERAL (
                SELECT coalesce(sum(h.quantity) FILTER (WHERE h.purpose = 'send'), 0) AS sent,
                       coalesce(sum(h.quantity + h.rejected) FILTER (WHERE h.purpose = 'receive'), 0) AS back
                  FROM numbers_handover h
                 WHERE h.order_id = o.id
                   AND NOT EXISTS (SELECT 1 FROM numbers_handover r WHERE r.replaces_id = h.id)) AS sums""",
    ),
    from_rows(
        "numbers_no_more_of_a_lot_is_out_than_it_has",
        "每批空白卡出库的张数不超过这批的数量",
        """
            SELECT l.number AS example, out_now < 0 OR out_now > l.quantity AS wrong
              FROM numbers_blanklot l
             CROSS JOIN LATERAL (
                SELECT coalesce(sum(CASE WHEN h.purpose IN ('to_bureau', 'to_supplier') THEN h.quantity
                                         WHEN h.purpose = 'from_bureau' THEN -h.quantity ELSE 0 END), 0)
                       AS out_now
                  FROM numbers_handover h
                 WHERE h.lot_id = l.id
                   AND NOT EXISTS (SELECT 1 FROM numbers_handover r WHERE r.replaces_id = h.id)) AS sums""",
    ),
]
