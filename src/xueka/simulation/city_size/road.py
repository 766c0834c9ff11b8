"""Deliveries, boxes and the cards in them, from the plan: a delivery per batch and school, boxes by class."""

from xueka.simulation.city_size.bulk import fill, restart, workshop
from xueka.simulation.city_size.plan import AT_SCHOOL, IN_TRANSIT, LOST_BOX, PACKED

CAPACITY = 60
_BOX_STATE = f"""CASE phase WHEN {PACKED} THEN 'packed' WHEN {IN_TRANSIT} THEN 'in_transit'
                      WHEN {LOST_BOX} THEN 'lost' ELSE 'received' END"""


def plan_road() -> None:
    """Which card lies, or lay, in which box of which delivery."""
    workshop(
        "place",
        f"""
        SELECT *, dense_rank() OVER (ORDER BY batch, code) AS delivery,
               dense_rank() OVER (ORDER BY batch, code, class, (in_class - 1) / {CAPACITY}) AS box,
               (in_class - 1) % {CAPACITY} + 1 AS seat
          FROM (SELECT c.id AS card, c.batch, c.phase, c.year, c.t, c.school, c.code, c.class, c.main, c.tail,
                       n.card_number,
                       row_number() OVER (PARTITION BY c.batch, c.class ORDER BY c.id) AS in_class
                  FROM city_card c JOIN city_number n ON n.card = c.id WHERE c.main >= 4) packed
         ORDER BY card
        """,  # noqa: S608
    )
    workshop(
        "box",
        f"""
        SELECT box AS id, delivery, batch, phase, year, t, school, code, class, count(*) AS cards,
               {_BOX_STATE} AS state,
               'XH' || right(year::text, 2) || lpad(box::text, 7, '0') AS number
          FROM city_place GROUP BY box, delivery, batch, phase, year, t, school, code, class
        """,  # noqa: S608
    )
    workshop(
        "delivery",
        """
        SELECT delivery AS id, batch, phase, year, t, school, code, count(*) AS boxes, sum(cards) AS cards,
               CASE state WHEN 'packed' THEN 'packing' ELSE state END AS state,
               'PS' || right(year::text, 2) || lpad(delivery::text, 7, '0') AS number,
               'SF' || right(year::text, 2) || lpad(delivery::text, 7, '0') AS waybill
          FROM city_box GROUP BY delivery, batch, phase, year, t, school, code, state
        """,
    )


def deliveries_and_boxes() -> None:
    """The rows of both; what is on the road should have arrived, or will."""
    left = "d.state <> 'packing'"
    arrived = "d.state IN ('received', 'lost')"
    fill(
        "logistics.Delivery",
        "FROM city_delivery d JOIN registry_school o ON o.id = d.school ORDER BY d.id",
        id="d.id",
        number="d.number",
        school_id="d.school",
        state="d.state",
        address="o.address",
        consignee="o.consignee",
        consignee_phone="o.consignee_phone",
        receiving_hours="o.receiving_hours",
        carrier=f"CASE WHEN {left} THEN '顺丰速运' ELSE '' END",
        waybill=f"CASE WHEN {left} THEN d.waybill ELSE '' END",
        created_by="'sim-operator-a'",
        created_at="d.t + interval '4 days'",
        dispatched_at=f"CASE WHEN {left} THEN d.t + interval '5 days' END",
        expected_on=f"CASE WHEN {left} THEN (d.t + interval '9 days')::date END",
        received_at=f"CASE WHEN {arrived} THEN d.t + interval '8 days' END",
        received_by=f"CASE WHEN {arrived} THEN 'sim-s' || d.code ELSE '' END",
    )
    fill(
        "logistics.Box",
        "FROM city_box b ORDER BY b.id",
        id="b.id",
        number="b.number",
        delivery_id="b.delivery",
        school_id="b.school",
        school_class_id="b.class",
        state="b.state",
        card_count="b.cards",
        created_at="b.t + interval '4 days'",
        received_at="CASE b.state WHEN 'received' THEN b.t + interval '8 days' END",
        received_by="CASE b.state WHEN 'received' THEN 'sim-s' || b.code ELSE '' END",
    )
    restart("logistics.Delivery")
    restart("logistics.Box")


def contents() -> None:
    """Every card's place; those handed out or lost have left theirs. Cards that did not arrive are noted."""
    fill(
        "logistics.BoxCard",
        "FROM city_place ORDER BY card",
        box_id="box",
        card_id="card",
        position="seat",
        is_here="main < 7 AND tail = ''",
        scanned_at="CASE WHEN main >= 6 THEN t + interval '8 days' END",
        scanned_by="CASE WHEN main >= 6 THEN 'sim-s' || code ELSE '' END",
    )
    fill(
        "logistics.Discrepancy",
        f"FROM city_place WHERE phase = {AT_SCHOOL} AND main = 5 ORDER BY card",
        box_id="box",
        kind="'short'",
        card_id="card",
        scanned="card_number",
        opened_at="t + interval '8 days'",
        opened_by="'sim-s' || code",
    )
    fill(
        "logistics.Discrepancy",
        "FROM city_box WHERE state = 'lost' ORDER BY id",
        box_id="id",
        kind="'lost_box'",
        note="'承运方确认遗失'",
        state="'resolved'",
        opened_at="t + interval '7 days'",
        opened_by="'sim-operator-a'",
        resolution="'remake'",
        resolved_at="t + interval '7 days'",
        resolved_by="'sim-operator-a'",
    )
