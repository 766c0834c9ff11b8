"""The configuration that comes with the context as a data file."""

import tomllib
from functools import cache
from importlib import resources

from xueka.contexts.printing.domain.printing import SupplySort


@cache
def supply_sorts() -> dict[str, SupplySort]:
    """Consumables by code, in the order to show."""
    file = resources.files("xueka.contexts.printing").joinpath("data/supplies.toml")
    return {
        code: SupplySort(code, **fields) for code, fields in tomllib.loads(file.read_text("utf-8")).items()
    }
