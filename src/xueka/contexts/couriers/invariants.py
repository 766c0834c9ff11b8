"""What must always hold between parcels, the cards in them, and what couriers said."""

from xueka.contexts.couriers.domain.transitions import SHIPMENT
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    state_matches_history(SHIPMENT, "couriers_shipment"),
    steps_allowed(SHIPMENT),
    from_rows(
        "shipments_have_waybills",
        "取得运单的运件都有运单号和卡，没有取得的没有运单号",
        """
        SELECT s.number,
               (s.state NOT IN ('asked', 'failed', 'cancelling', 'cancelled')
                 AND NOT EXISTS (SELECT 1 FROM couriers_waybill w WHERE w.shipment_id = s.id))
               OR (s.state IN ('asked', 'failed')
                 AND EXISTS (SELECT 1 FROM couriers_waybill w WHERE w.shipment_id = s.id))
               OR NOT EXISTS (SELECT 1 FROM couriers_shipmentcard c WHERE c.shipment_id = s.id)
          FROM couriers_shipment s
        """,
    ),
    from_rows(
        "shipments_closed_on_the_couriers_word",
        "系统按轨迹办结的运件，都有承运商查询证实的轨迹",
        """
        SELECT s.number, h.detail->>'status' IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM couriers_trackingevent e JOIN couriers_waybill w ON w.id = e.waybill_id
                    WHERE w.shipment_id = s.id AND e.confirmed_at IS NOT NULL)
          FROM couriers_shipment s
          JOIN history_transition h ON h.machine = 'shipment' AND h.object_id = s.id
           AND h.to_state IN ('delivered', 'returned')
         WHERE s.state IN ('delivered', 'returned')
        """,
    ),
    from_rows(
        "shipment_custody_follows_the_state",
        "每个运件最后的保管人与状态一致",
        """
        SELECT s.number, coalesce((SELECT c.holder FROM couriers_custody c WHERE c.shipment_id = s.id
                                    ORDER BY c.seq DESC LIMIT 1), '') <>
               CASE s.state WHEN 'asked' THEN '' WHEN 'ordered' THEN 'sender'
                 WHEN 'on_the_way' THEN 'courier' WHEN 'delivering' THEN 'courier'
                 WHEN 'returning' THEN 'courier' WHEN 'in_locker' THEN 'locker'
                 WHEN 'delivered' THEN 'receiver' WHEN 'lost' THEN 'nobody' ELSE 'sender' END
          FROM couriers_shipment s WHERE s.state <> 'cancelling'
        """,
    ),
    from_rows(
        "lost_parcels_hold_no_living_card",
        "丢失运件里的卡都没有启用",
        """
        SELECT k.number, k.state IN ('active', 'ready', 'at_school', 'in_transit')
          FROM couriers_shipment s
          JOIN couriers_shipmentcard c ON c.shipment_id = s.id
          JOIN cards_card k ON k.id = c.card_id
          LEFT JOIN logistics_box b ON b.id = c.box_id
         WHERE s.state = 'lost' AND (b.id IS NULL OR b.state = 'lost')
        """,
    ),
]
