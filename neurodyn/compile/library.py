"""The hand-written functions that a generated module is built on, as text.

A generated module must hold all that it calls: numba's cache looks at nothing but the file of the
cached function. See `neurodyn.compile.source_text` for how text is copied.
"""

from __future__ import annotations

from collections.abc import Iterable

from neurodyn.compile import elementary, random_source, source_text, spike_delivery

#: Constants and flags of a generated module; REAL becomes its number type.
HEADER = """\
real = REAL
ZERO, ONE, SMALL = real(0.0), real(1.0), real(0.05 if real is np.float64 else 0.5)
SERIES = tuple(real(1 / n) for n in (2, 3, 8, 30, 144, 840, 5760, 45360))
# Fused multiply-add is allowed; nothing that could hide a NaN or reorder a sum.
FLAGS = {"error_model": "numpy", "fastmath": {"contract"}, "no_cfunc_wrapper": True}
KERNEL = {**FLAGS, "nogil": True, "cache": True}  # called from Python
INNER = {**FLAGS, "no_cpython_wrapper": True}  # called from kernels
REDUCTION = {**INNER, "fastmath": {"contract", "reassoc", "nsz"}}
"""

#: Functions that exist once a number type, under one name.
_TYPED = {**elementary.FUNCTIONS, **random_source.FUNCTIONS, **spike_delivery.FUNCTIONS}


def source(names: Iterable[str], dtype: str) -> str:
    """Text of the named functions and all that they need.

    Parameters
    ----------
    names : iterable of str
        ``tanh`` and the like stand for the version of the number type.
    dtype : {"float64", "float32"}
    """
    definitions = source_text.library()
    typed, plain, pending = set(), set(), list(names)
    while pending:
        name = pending.pop()
        if name in _TYPED:
            typed.add(name)
        elif name not in plain:
            plain.add(name)
            pending += definitions[name].needs & (_TYPED.keys() | definitions.keys())
    return source_text.text_of(
        [*plain, *(_TYPED[name][dtype] for name in typed)]
    ) + "".join(f"\n{name} = {_TYPED[name][dtype]}" for name in sorted(typed))
