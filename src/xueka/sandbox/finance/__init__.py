"""The finance office's non-tax platform, written from docs/interfaces/nontax.md."""
