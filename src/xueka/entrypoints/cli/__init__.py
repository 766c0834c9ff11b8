"""The `xueka` command. Each module `*_commands.py` brings its part; no business rule lives here."""
