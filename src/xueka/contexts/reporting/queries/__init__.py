"""Reads for statistics; every one takes a scope."""
