"""Taking over a programme that already runs: its accounts, cards, used numbers and open applications, by file."""

__all__: list[str] = []
