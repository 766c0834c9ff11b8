"""A whole city at its real size, made in sets: people by the import, everything else by INSERT … SELECT."""
