"""Write the loops that pull a loss back through one moment, and not through time.

``forward`` is that of `neurodyn.compile.adjoint_loops`. ``backward`` goes through every evaluation
by itself: from the cotangents of recorded variables, through algebraic variables and couplings, to
those of the states *of that moment*, which are kept (they are rows of ``__E_delta``), and to those
of the weights and parameters that act on the recorded variables at once. Rules that carry the past
forward in sensitivities or eligibility traces need nothing else of a loss.
"""

from __future__ import annotations

import sympy

from neurodyn.compile.adjoint_loops import AdjointLoops
from neurodyn.compile.structure import Structure
from neurodyn.compile.wanted import Wanted


class SignalLoops(AdjointLoops):
    """The two loops, of which the second does not pass from step to step."""

    def _made(self, p: int) -> dict[str, sympy.Expr]:
        return {}  # no cotangent comes from the step after

    def _delta_rows(self, p: int) -> list[str]:
        return [*self.structure.populations[p].states, *super()._delta_rows(p)]


def write(structure: Structure, wanted: Wanted) -> str:
    """Text of the module for `structure`."""
    return SignalLoops(structure, wanted).module()
