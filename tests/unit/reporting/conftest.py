from tests.unit.cards.conftest import city

__all__ = ["city"]
