"""Ground of the whole system: standard library only, and no input or output beyond our own data files."""
