"""A card bureau, written from docs/interfaces/card-bureau.md 1.0."""
