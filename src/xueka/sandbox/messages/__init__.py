"""A gateway for short messages, written from docs/interfaces/messages.md."""
