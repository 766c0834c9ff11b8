"""A counterpart of the data exchange, written from docs/interfaces/exchange.md alone."""
