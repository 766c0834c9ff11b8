"""A mail server with the boxes of everybody else, written from docs/interfaces/messages.md §10–§14."""
