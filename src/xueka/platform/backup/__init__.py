"""Safe-keeping: sealed backups on schedule, restores proved by a drill (docs/adr/0100)."""
