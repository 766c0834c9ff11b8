"""The school year: promotion, graduation, schools merged, closed or renamed; mass changes that can be taken back."""

__all__: list[str] = []
