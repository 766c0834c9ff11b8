"""Three payment channels, written from docs/interfaces/channels.md."""
