"""Which cotangents a sweep backwards computes, and which have arrays."""

from __future__ import annotations

from functools import lru_cache

import sympy

from neurodyn.compile.expressions import to_sympy, with_surrogate
from neurodyn.compile.printer import symbol
from neurodyn.compile.structure import Structure
from neurodyn.compile.wanted import Wanted


class CotangentFlow:
    """Which cotangents matter: those that are not zero and lead to something that is wanted.

    Parameters
    ----------
    structure : Structure
    wanted : Wanted
    made : sequence of dict of str to sympy.Expr
        What a step makes of the states of each population.
    """

    def __init__(self, structure: Structure, wanted: Wanted, made):
        self.structure, self.wanted, self.made = structure, wanted, made
        self.couplings = [(c, structure.couplings[c]) for c in structure.rate_couplings]
        # each is a search through a graph without loops, the same question many times
        self.is_needed = lru_cache(None)(self._is_needed)
        self.is_live = lru_cache(None)(self._is_live)
        self.is_fused = lru_cache(None)(self._is_fused)
        self.derivative = lru_cache(None)(self._derivative)

    def _derivative(self, p: int, expression: sympy.Expr, name: str) -> sympy.Expr:
        """Partial derivative, through spikes by the population's surrogate."""
        population = self.structure.populations[p]
        return with_surrogate(sympy.diff(expression, symbol(name)), population.surrogate)

    def expression(self, p: int, name: str) -> sympy.Expr:
        """What an algebraic variable is."""
        return to_sympy(self.structure.populations[p].equations.variables[name].expression)

    def _depends(self, p: int, expression: sympy.Expr, name: str) -> bool:
        if symbol(name) not in expression.free_symbols:
            return False
        return self.derivative(p, expression, name) != 0

    def _users(self, p: int, name: str) -> list[str]:
        """Algebraic variables of the same population that depend on a variable."""
        names = self.structure.populations[p].algebraic
        return [n for n in names if self._depends(p, self.expression(p, n), name)]

    def _is_needed(self, p: int, name: str) -> bool:
        """Whether what is wanted lies before a variable."""
        population = self.structure.populations[p]
        if name in population.states:
            return True
        if name in population.algebraic:
            found = {s.name for s in self.expression(p, name).free_symbols}
            if any((p, n) in self.wanted.parameters for n in found):
                return True
            inner = (*population.states, *population.algebraic, *population.inputs)
            return any(self.is_needed(p, n) for n in found.intersection(inner))
        if name not in population.inputs:
            return False
        if (p, name) in self.wanted.inputs or self.is_trained(p, name):
            return True
        return any(self.is_needed(*k.source) for _, k in self.couplings if k.target == (p, name))

    def _is_live(self, p: int, name: str) -> bool:
        """Whether a variable acts on a state or on something that is recorded."""
        if (p, name) in self.wanted.records:
            return True
        if any(self._depends(p, made, name) for made in self.made[p].values()):
            return True
        if any(self.is_live(p, n) for n in self._users(p, name)):
            return True
        return any(self.is_live(*k.target) for _, k in self.couplings if k.source == (p, name))

    def is_active(self, p: int, name: str) -> bool:
        """Whether the cotangent of a variable is computed."""
        population = self.structure.populations[p]
        if name in population.states:
            return True
        if name not in (*population.algebraic, *population.inputs):
            return False
        return self.is_needed(p, name) and self.is_live(p, name)

    def is_trained(self, p: int, name: str) -> bool:
        """Whether a gradient of weights is wanted that end at an input."""
        return any(c in self.wanted.couplings for c, k in self.couplings if k.target == (p, name))

    def passes(self, c: int) -> bool:
        """Whether cotangents go from the target of a coupling to its source."""
        coupling = self.structure.couplings[c]
        return self.is_active(*coupling.source) and self.is_live(*coupling.target)

    def _is_fused(self, p: int, name: str) -> bool:
        """Whether an algebraic variable acts on nothing but the step of its own population.

        Its cotangent is then a number of one loop, which nobody else adds to.
        """
        if not self.is_active(p, name) or (p, name) in self.wanted.records:
            return False
        if any(k.source == (p, name) and self.passes(c) for c, k in self.couplings):
            return False
        return all(self.is_fused(p, n) for n in self._users(p, name) if self.is_active(p, n))

    def is_stored(self, p: int, name: str) -> bool:
        """Whether the cotangent of an algebraic variable has an array."""
        return self.is_active(p, name) and not self.is_fused(p, name)
