"""Statistics per city, district, school and term, and exports under approval."""

__all__: list[str] = []
