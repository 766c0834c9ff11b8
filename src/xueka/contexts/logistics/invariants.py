"""What must always hold between boxes and the cards in them."""

from xueka.contexts.logistics.domain.transitions import BOX, DELIVERY
from xueka.platform.history.invariants import state_matches_history
from xueka.platform.invariants import Invariant

INVARIANTS = [
    state_matches_history(DELIVERY, "logistics_delivery"),
    state_matches_history(BOX, "logistics_box"),
    Invariant(
        "box_cards_are_where_their_box_is",
        "箱里的卡与卡箱在同一处",
        """
        SELECT count(*),
               count(*) FILTER (WHERE NOT fits),
               (array_agg(card ORDER BY card) FILTER (WHERE NOT fits))[1:5]
          FROM (SELECT c.number AS card,
                       CASE b.state
                         WHEN 'packed' THEN c.state = 'packed'
                         WHEN 'in_transit' THEN c.state = 'in_transit'
                         WHEN 'received' THEN c.state = 'at_school'
                              OR (c.state = 'in_transit' AND EXISTS (
                                    SELECT 1 FROM logistics_discrepancy d
                                     WHERE d.card_id = c.id AND d.box_id = b.id AND d.kind = 'short'))
                         ELSE false
                       END AS fits
                  FROM logistics_boxcard p
                  JOIN logistics_box b ON b.id = p.box_id
                  JOIN cards_card c ON c.id = p.card_id
                 WHERE p.is_here) places
        """,
    ),
    Invariant(
        "cards_on_the_way_lie_in_a_box",
        "装箱、在途、到校的卡都在某个箱里",
        """
        SELECT count(*),
               count(*) FILTER (WHERE p.id IS NULL),
               (array_agg(c.number ORDER BY c.number) FILTER (WHERE p.id IS NULL))[1:5]
          FROM cards_card c
          LEFT JOIN logistics_boxcard p ON p.card_id = c.id AND p.is_here
         WHERE c.state IN ('packed', 'in_transit', 'at_school')
        """,
    ),
    Invariant(
        "boxes_hold_cards_of_their_school",
        "卡箱只装本校的卡",
        """
        SELECT count(*),
               count(*) FILTER (WHERE c.school_id <> b.school_id),
               (array_agg(c.number ORDER BY c.number) FILTER (WHERE c.school_id <> b.school_id))[1:5]
          FROM logistics_boxcard p
          JOIN logistics_box b ON b.id = p.box_id
          JOIN cards_card c ON c.id = p.card_id
         WHERE p.is_here
        """,
    ),
    Invariant(
        "boxes_count_their_cards",
        "箱签上的张数等于箱内登记的张数",
        """
        SELECT count(*),
               count(*) FILTER (WHERE written <> counted),
               (array_agg(number ORDER BY number) FILTER (WHERE written <> counted))[1:5]
          FROM (SELECT b.number, b.card_count AS written,
                       (SELECT count(*) FROM logistics_boxcard p WHERE p.box_id = b.id) AS counted
                  FROM logistics_box b) boxes
        """,
    ),
]
