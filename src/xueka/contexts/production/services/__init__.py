"""The writes of the production line: lock, decide, save, audit. The caller's edge commits."""
