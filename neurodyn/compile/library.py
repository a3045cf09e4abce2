"""The hand-written functions that generated modules are built on, as text.

A generated module must hold all that it calls: numba's cache looks at nothing but the file of the
cached function. So the functions live in ordinary source files, where they can be read, linted and
tested, and their text is copied from there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_FOLDER = Path(__file__).parent

#: Constants of a module; REAL becomes its number type.
HEADER = """\
real = REAL
ZERO, ONE, HALF = real(0.0), real(1.0), real(0.5)
THIRD, EIGHTH, THIRTIETH = real(1.0 / 3.0), real(0.125), real(1.0 / 30.0)
SMALL = real(1e-3) if real is np.float64 else real(2e-2)
# Fused multiply-add is allowed; nothing that could hide a NaN or reorder a sum.
FLAGS = {"error_model": "numpy", "fastmath": {"contract"}, "no_cfunc_wrapper": True}
KERNEL = {**FLAGS, "nogil": True, "cache": True}  # called from Python
INNER = {**FLAGS, "no_cpython_wrapper": True}  # called from kernels
REDUCTION = {**INNER, "fastmath": {"contract", "reassoc", "nsz"}}
"""

#: Files, in the order in which their functions are written into a module, and their flags.
_FLAGS = {
    "elementary.py": "ELEMENTARY",  # the flags themselves
    "elementary_f64.py": "ELEMENTARY",
    "elementary_f32.py": "ELEMENTARY",
    "random_source.py": "ELEMENTARY",
    "piecewise.py": "INNER",
    "products.py": "INNER",
}
#: Functions whose sums may be split into vector lanes.
_REDUCTIONS = {"project"}


@lru_cache(maxsize=1)
def _definitions() -> dict[str, tuple[str, frozenset[str]]]:
    """Top-level functions and constants of the library: text, and the names that it uses."""
    found = {}
    for name in _FLAGS:
        path = _FOLDER / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                key, flags = node.name, _FLAGS[name]
                if key in _REDUCTIONS:
                    flags = "REDUCTION"
                body = f"@njit(**{flags})\n{ast.get_source_segment(text, node)}"
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                key, body = node.targets[0].id, ast.get_source_segment(text, node)
            else:
                continue
            used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {key}
            if isinstance(node, ast.FunctionDef):
                used.add(flags)
            found[key] = (body, frozenset(used))
    return found


def source(names: Iterable[str], dtype: str) -> str:
    """Text of the named functions and all that they need, in the order of the library's files.

    Parameters
    ----------
    names : iterable of str
        ``tanh`` and the like stand for the version of the number type, ``tanh_f64``.
    dtype : {"float64", "float32"}
    """
    definitions = _definitions()
    suffix = "_f32" if dtype == "float32" else "_f64"
    aliases, needed, pending = {}, set(), list(names)
    while pending:
        name = pending.pop()
        if name not in definitions and name + suffix in definitions:
            aliases[name] = name + suffix
            name += suffix
        if name in needed or name not in definitions:
            continue
        needed.add(name)
        pending += definitions[name][1]
    parts = []
    short_names = {full: short for short, full in aliases.items()}
    for name, (body, _) in definitions.items():
        if name in needed:
            parts.append(body)
        if name in needed and name in short_names:
            parts.append(f"{short_names[name]} = {name}")
    return "\n\n\n".join(parts)
