"""The generated modules of a structure, from the cache or newly written.

There are two kinds: ``"source"`` has the functions that simulate and pull cotangents back,
``"tangents"`` those that carry tangent vectors along.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

from neurodyn.compile import cache
from neurodyn.compile.structure import Structure

if TYPE_CHECKING:
    from neurodyn.compile.sensitivities import WantedSensitivities
    from neurodyn.compile.wanted import Wanted


@lru_cache(maxsize=256)
def _source(kind: str, structure_key: str, structure_box: _Box) -> str:
    stored = cache.load_text(kind, structure_key)
    if stored is None:
        stored = _WRITERS[kind](structure_box.structure)
        cache.store_text(kind, structure_key, stored)
    return stored


class _Box:
    """Carries a structure past the cache of `_source`, whose key is the structure's text."""

    def __init__(self, structure: Structure):
        self.structure = structure

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return isinstance(other, _Box)


def source(structure: Structure, kind: str = "source") -> str:
    """Text of a module that serves `structure`."""
    return _source(kind, structure.key(), _Box(structure))


def load(structure: Structure, kind: str = "source") -> ModuleType:
    """The imported module that serves `structure`; its functions compile when first called."""
    name = "_".join(structure.identifiers)[:40]
    return cache.load_module(source(structure, kind), name)


def load_gradients(structure: Structure, wanted: Wanted) -> ModuleType:
    """The module that sweeps back through runs of `structure`, for what is wanted."""
    key = f"{structure.key()}\n{wanted.key()}"
    text = cache.load_text("gradients", key)
    if text is None:
        from neurodyn.compile import adjoint_loops, signal_loops

        writer = adjoint_loops if wanted.through_time else signal_loops
        text = writer.write(structure, wanted)
        cache.store_text("gradients", key, text)
    return cache.load_module(text, "_".join(structure.identifiers)[:40])


def load_sensitivities(structure: Structure, wanted: WantedSensitivities, kind: str) -> ModuleType:
    """The module of `neurodyn.compile.sensitivities`, or of ``"local_traces"``."""
    key = f"{structure.key()}\n{wanted.key()}"
    text = cache.load_text(kind, key)
    if text is None:
        from neurodyn.compile import local_traces, sensitivities

        writers = {"sensitivities": sensitivities, "local_traces": local_traces}
        text = writers[kind].write(structure, wanted)
        cache.store_text(kind, key, text)
    return cache.load_module(text, "_".join(structure.identifiers)[:40])


def write(structure: Structure) -> str:
    """Generate the module's text; SymPy and Brian2 are needed for this and for nothing later."""
    from neurodyn.compile.derivatives import DerivativeWriter
    from neurodyn.compile.exact import Exact
    from neurodyn.compile.source import ModuleWriter
    from neurodyn.compile.steppers import STEPPERS

    writer = ModuleWriter(structure)
    derivatives = DerivativeWriter(writer)
    functions = [writer.evaluate()]
    if not structure.plastic:  # derivatives are those of the weights as they are at the beginning
        functions += [
            writer.field(),
            derivatives.linearise(),
            derivatives.adjoint(),
            derivatives.parameter_gradient(),
        ]
    for stepper in STEPPERS.values():
        noise_fits = stepper.noise or not structure.noise_streams
        if noise_fits and (stepper.takes_spikes or not (structure.spikes or structure.plastic)):
            functions.append(stepper(writer).function())
    exact = Exact(writer)
    if not exact.reason and not structure.noise_streams:
        functions.append(exact.function())
        systems = [dataclasses.astuple(system) for system in exact.systems()]
        functions.append(f"LINEAR_SYSTEMS = {systems!r}")
    functions.append(f"NOT_LINEAR = {exact.reason!r}")
    slots = ", ".join(map(str, derivatives.local_slots()))
    functions.append(f"LOCAL_SLOTS = [{slots}]")
    return writer.module(functions)


def write_tangents(structure: Structure) -> str:
    """Generate the text of the module of tangents."""
    from neurodyn.compile import tangents
    from neurodyn.compile.source import ModuleWriter

    writer = ModuleWriter(structure)
    return writer.module(tangents.functions(writer))


_WRITERS = {"source": write, "tangents": write_tangents}
