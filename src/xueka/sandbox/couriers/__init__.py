"""SF Express and kuaidi100, written from docs/interfaces/couriers.md."""
