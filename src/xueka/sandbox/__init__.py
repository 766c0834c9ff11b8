"""Stand-ins for counterparts that nobody outside can reach.

Strangers on purpose: each is its own process, written from the published format in docs/interfaces alone, and
imports nothing of the system it talks to (the import contracts check that).
"""
