from tests.support.commands import xueka

__all__ = ["xueka"]
