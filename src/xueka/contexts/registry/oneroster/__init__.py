"""OneRoster 1.2: packages opened, joined into a roster, brought in; who is missing; the way back."""
