"""Tables of parameters in ``data/`` as quantities by name."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def parameters(table: str) -> Mapping[str, Any]:
    """What the columns `name`, `value` and `unit` of a table say.

    Parameters
    ----------
    table : str
        As `neurodyn.data.load_table` takes it.

    Returns
    -------
    mapping of str to int, float or Quantity
        Numbers whose unit is 1 are plain, whole ones int.
    """
    from neurodyn import units
    from neurodyn.data import load_table

    found: dict[str, Any] = {}
    for row in load_table(table):
        value, unit = row["value"], row["unit"]
        if unit == 1:
            found[row["name"]] = int(value) if value == int(value) else value
        else:
            found[row["name"]] = value * getattr(units, unit)
    return MappingProxyType(found)
