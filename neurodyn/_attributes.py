"""JSON text for attributes that come back as they were: tuples, arrays, None, NaN, any keys."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np


def to_json(value: object, where: str) -> str:
    """JSON text of `value`, valid for every reader (no NaN literals).

    Parameters
    ----------
    value : object
        Nested dicts, lists, tuples, str, bool, None, numbers (Python's and NumPy's), arrays.
    where : str
        How to name the value in an error.

    Raises
    ------
    TypeError
        If something else is in `value`; the message says where.
    """
    return json.dumps(_tag(value, where), allow_nan=False, ensure_ascii=False)


def from_json(text: str) -> object:
    """What `to_json` was given."""
    return json.loads(text, object_hook=_untag)


def _tag(value: object, where: str) -> object:
    """`value` from JSON's own types; the others become ``{"__kind__": ...}``."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"__float__": repr(value)}
    if kind is complex:
        return {"__complex__": [_tag(value.real, where), _tag(value.imag, where)]}
    if kind is list:
        return [_tag(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, tuple):
        return {"__tuple__": [_tag(item, f"{where}[{i}]") for i, item in enumerate(value)]}
    if isinstance(value, Mapping):
        items = [(key, _tag(item, f"{where}[{key!r}]")) for key, item in value.items()]
        if all(type(key) is str and not key.startswith("__") for key, _ in items):
            return dict(items)
        return {"__dict__": [[_tag(key, where), item] for key, item in items]}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcU":
        flat = [_tag(item, where) for item in np.asarray(value).ravel().tolist()]
        if isinstance(value, np.generic):
            return {"__numpy__": [value.dtype.str, flat[0]]}
        return {"__array__": [value.dtype.str, list(value.shape), flat]}
    raise TypeError(
        f"{where} holds a {kind.__name__}, which cannot be saved: {value!r:.60}; "
        "give text, numbers, arrays, or dicts, lists and tuples of them"
    )


def _untag(found: dict) -> object:
    if len(found) != 1:
        return found
    ((key, value),) = found.items()
    match key:
        case "__float__":
            return float(value)
        case "__complex__":
            return complex(*value)
        case "__tuple__":
            return tuple(value)
        case "__dict__":
            return dict(value)
        case "__numpy__":
            return np.dtype(value[0]).type(value[1])
        case "__array__":
            return np.array(value[2], dtype=value[0]).reshape(value[1])
    return found
