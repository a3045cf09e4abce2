"""Source text of library functions, with all they need, for self-contained generated modules.

Modules of the *library* (`LIBRARY`) hold plain functions and constants whose text is copied. A name
means one thing in all of them, so that the text of several functions can stand in one module.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

#: Modules that text is copied from; what stands in one may use the ones before it.
LIBRARY = (
    "neurodyn.compile.elementary",
    "neurodyn.compile.elementary_f64",
    "neurodyn.compile.elementary_f32",
    "neurodyn.compile.random_source",
    "neurodyn.compile.piecewise",
    "neurodyn.compile.products",
    "neurodyn.compile.gradient_products",
    "neurodyn.compile.vector_products",
    "neurodyn.compile.sensitivity_products",
    "neurodyn.compile.spike_delivery",
)

#: Flags of a copied function that its module's ``FLAGS`` does not name, unless the module has a
#: ``DEFAULT_FLAGS`` of its own.
_DEFAULT_FLAGS = "ELEMENTARY"

#: Names that speak about a library module rather than being in its text.
_ABOUT = frozenset({"FUNCTIONS", "FLAGS", "DEFAULT_FLAGS", "source_of"})


class _Definition(NamedTuple):
    """A constant or function at the top of a library module."""

    place: int  # order of definition in the whole library
    text: str  # source, decorated if it is a function
    needs: frozenset[str]  # all names in it; those of the library count


def source_of(names: Iterable[str], dtype: str | np.dtype | type) -> str:
    """Source text of elementary and random functions together, what they share given once.

    Parameters
    ----------
    names : iterable of str
        Names from `neurodyn.compile.elementary.FUNCTIONS` and
        `neurodyn.compile.random_source.FUNCTIONS`.
    dtype : {"float64", "float32"} or NumPy dtype
        Number type of arguments and results.

    Returns
    -------
    str
        The constants and functions needed, each once, in the order of definition, every function
        decorated by ``@njit(**FLAGS)``; last, plain names: ``tanh = tanh_f64``. The module it is
        put in must import ``math``, ``numpy as np`` and ``njit``.

    Raises
    ------
    ValueError
        If a name or the dtype is unknown.
    """
    table: dict[str, Mapping[str, str]] = {}
    for module in LIBRARY:
        table |= getattr(importlib.import_module(module), "FUNCTIONS", {})
    return of_functions(table, names, dtype)


def of_functions(
    table: Mapping[str, Mapping[str, str]],
    names: Iterable[str],
    dtype: str | np.dtype | type,
) -> str:
    """The same for the functions of one table, name -> number type -> function."""
    number = np.dtype(dtype).name
    if number not in ("float64", "float32"):
        raise ValueError(f"`dtype` must be float64 or float32; got {number}")
    chosen = sorted({names} if isinstance(names, str) else set(names))
    for name in chosen:
        if name not in table:
            close = difflib.get_close_matches(name, table, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(table)}"
            raise ValueError(f"`names` has {name!r}, which is no library function; {hint}")
    aliases = [f"{name} = {table[name][number]}\n" for name in chosen]
    return text_of(table[name][number] for name in chosen) + "".join(aliases)


def text_of(names: Iterable[str]) -> str:
    """Text of library definitions by their own names, with all they need, in order."""
    known = library()
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += known[name].needs & known.keys()
    chosen = sorted((known[name] for name in wanted), key=lambda d: d.place)
    return "".join(d.text for d in chosen)


@functools.lru_cache(maxsize=1)
def library() -> dict[str, _Definition]:
    """Every top-level definition of the library, by name."""
    found: dict[str, _Definition] = {}
    for module_name in LIBRARY:
        module = importlib.import_module(module_name)
        source = inspect.getsource(module)
        flags = getattr(module, "FLAGS", {})
        default = getattr(module, "DEFAULT_FLAGS", _DEFAULT_FLAGS)
        for node in ast.parse(source).body:
            for name in _names_bound(node):
                if name in _ABOUT:
                    continue
                if name in found:
                    raise ValueError(f"{name!r} is defined twice in the library of kernel source")
                text, needs = _text(node, source, flags.get(name, default))
                found[name] = _Definition(len(found), text, needs)
    return found


def _names_bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
        return [t.id for t in node.targets]
    return []


def _text(node: ast.stmt, source: str, flags: str) -> tuple[str, frozenset[str]]:
    text = ast.get_source_segment(source, node) + "\n"
    needs = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    # a local variable may have the name of something in the library
    needs -= {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    needs -= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    if isinstance(node, ast.FunctionDef):
        return f"\n\n@njit(**{flags})\n{text}\n\n", frozenset(needs | {flags})
    return text, frozenset(needs)
