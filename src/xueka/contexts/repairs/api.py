"""Repairing what people or machines got wrong: dry run, difference, second person, applied, undone."""

__all__: list[str] = []
