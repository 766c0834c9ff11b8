"""A student registry that speaks OneRoster 1.2 by REST, as docs/interfaces/oneroster.md describes it."""
