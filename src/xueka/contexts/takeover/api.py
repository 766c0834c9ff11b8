"""Taking over a programme that runs already: accounts, cards, used numbers, open applications, by file."""

__all__: list[str] = []
