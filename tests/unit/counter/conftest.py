from tests.unit.printing.conftest import counter

__all__ = ["counter"]
