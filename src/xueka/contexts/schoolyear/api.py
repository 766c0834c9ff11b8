"""The school year: promotion, graduation, schools merged or closed: mass changes that can be taken back."""

__all__: list[str] = []
