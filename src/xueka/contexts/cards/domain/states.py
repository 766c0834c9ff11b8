"""States of account, application and card."""

ACCOUNT_OPEN = "open"
ACCOUNT_CLOSED = "closed"

DRAFT = "draft"
SCHOOL_REVIEW = "school_review"
DISTRICT_REVIEW = "district_review"
CITY_REVIEW = "city_review"
RETURNED = "returned"
ACCEPTED = "accepted"
AT_COUNTER = "at_counter"
IN_PRODUCTION = "in_production"
FULFILLED = "fulfilled"
REFUSED = "refused"
WITHDRAWN = "withdrawn"
APPLICATION_CANCELLED = "cancelled"

PLANNED = "planned"
ORDERED = "ordered"
MADE = "made"
ISSUING = "issuing"
READY = "ready"
FAILED = "failed"
PACKED = "packed"
IN_TRANSIT = "in_transit"
AT_SCHOOL = "at_school"
ACTIVE = "active"
LOST = "lost"
CANCELLED = "cancelled"
VOID = "void"
DESTROYED = "destroyed"

COLLECTING = "collecting"
SIGNED = "signed"
DESTRUCTION_CANCELLED = "cancelled"

#: A student holds at most one card of a kind in these states (database constraint).
LIVE = [ACTIVE, LOST]

#: Once handed out, a card follows its student to another school.
IN_LIFE = [ACTIVE, LOST, CANCELLED, DESTROYED]

#: From the intent to make it until it lies in the student's hand.
BEFORE_HAND_OUT = [PLANNED, ORDERED, MADE, PACKED, IN_TRANSIT, AT_SCHOOL, ISSUING, READY]

#: An account has at most one application of a kind outside these states (database constraint).
CLOSED_APPLICATION = [FULFILLED, REFUSED, WITHDRAWN, APPLICATION_CANCELLED]

#: Somebody still has something to do on these.
OPEN_APPLICATION = [
    DRAFT,
    SCHOOL_REVIEW,
    DISTRICT_REVIEW,
    CITY_REVIEW,
    RETURNED,
    ACCEPTED,
    AT_COUNTER,
    IN_PRODUCTION,
]
