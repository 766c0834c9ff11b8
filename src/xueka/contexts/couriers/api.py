"""Couriers: parcels, waybills, tracking, custody, problem parcels. The only door into this context."""

from xueka.contexts.couriers.domain.sf import digest as sf_digest
from xueka.contexts.couriers.domain.transitions import SHIPMENT

__all__ = ["SHIPMENT", "sf_digest"]
