"""The Jacobian of a network as a matrix, put together from what it is made of.

Equations are elementwise and couplings are linear, so most of a Jacobian is weights with scaled
rows and columns, ``diag(a) W diag(b)``: an outer product of scales where the tangents of n unit
vectors take a product of two n x n matrices. Only weights behind weights, couplings in a chain, are
multiplied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import sympy

from neurodyn.compile.derivatives import DerivativeWriter
from neurodyn.compile.printer import symbol
from neurodyn.compile.source import ModuleWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.compile.structure import Structure


class _Derivative(NamedTuple):
    """A local derivative: in a slot of the local derivatives, or of scalar parameters only."""

    variable: str
    slot: int | None
    number: Callable[..., Any] | None


class _Term(NamedTuple):
    """One summand of a derivative by a state: ``diag(left) matrix diag(right)``.

    `left` is ``(trial, n)`` or ``(1, n)``; `matrix` is ``(n, m)``, the same in all trials,
    ``(trial, n, m)``, or None for the identity, and then `right` is None too.
    """

    left: np.ndarray
    matrix: np.ndarray | None = None
    right: np.ndarray | None = None


class JacobianAssembly:
    """The order in which the Jacobian of one compiled network is put together.

    Parameters
    ----------
    compiled : CompiledNetwork
    """

    def __init__(self, compiled: CompiledNetwork):
        self.compiled, self.structure = compiled, compiled.structure
        self.derivatives = _derivatives(compiled.structure)
        self.scalars = [
            [float(compiled.network.populations[p.name].compiled_values[n]) for n in p.scalars]
            for p in self.structure.populations
        ]
        self.weights = {
            c: compiled.network.couplings[c].weights.to_dense().astype(compiled.dtype)
            for c in self.structure.rate_couplings
        }

    def __call__(self, workspaces, t: float | None, dt: float | None) -> np.ndarray:
        """Jacobians ``(trial, n_states, n_states)`` at the states last evaluated."""
        local = self.compiled._linearised(workspaces, t, dt)
        shared = self.compiled._time(t, dt)
        #: Of each variable, by (population, name): its terms by each state.
        known: dict[tuple[int, str], dict[tuple[int, str], list[_Term]]] = {}
        for p, population in enumerate(self.structure.populations):
            one = np.ones((1, self.compiled.sizes[p]), self.compiled.dtype)
            known |= {(p, s): {(p, s): [_Term(one)]} for s in population.states}
        for stage in self.structure.stages:
            for c in stage.couplings:
                coupling = self.structure.couplings[c]
                target = known.setdefault(coupling.target, {})
                for state, terms in known.get(coupling.source, {}).items():
                    found = target.setdefault(state, [])
                    found += [_coupled(self.weights[c], term) for term in terms]
            for p, names in stage.algebraic.items():
                for name in names:
                    known[p, name] = self._equation(p, name, known, local, shared)
        return self._placed(
            {
                (p, s): self._equation(p, f"d{s}", known, local, shared)
                for p, population in enumerate(self.structure.populations)
                for s in population.states
            },
            len(workspaces[0][0]),
        )

    def _equation(self, p: int, equation: str, known, local, shared):
        """Terms of an equation by each state: the chain rule."""
        found: dict[tuple[int, str], list[_Term]] = {}
        for entry in self.derivatives[p].get(equation, ()):
            if entry.number is not None:
                factor = self.compiled.dtype.type(entry.number(*self.scalars[p], *shared))
            else:
                factor = local[p][entry.slot][:, : self.compiled.sizes[p]]
            for state, terms in known.get((p, entry.variable), {}).items():
                sums = found.setdefault(state, [])
                for term in terms:
                    _add(sums, term._replace(left=factor * term.left))
        return found

    def _placed(self, derivatives, n_trials: int) -> np.ndarray:
        place, start = {}, 0
        for p, population in enumerate(self.structure.populations):
            for s in population.states:
                place[p, s] = start
                start += self.compiled.sizes[p]
        out = np.zeros((n_trials, start, start), self.compiled.dtype)
        for row, by_state in derivatives.items():
            rows = slice(place[row], place[row] + self.compiled.sizes[row[0]])
            for column, terms in by_state.items():
                columns = slice(place[column], place[column] + self.compiled.sizes[column[0]])
                block, is_empty = out[:, rows, columns], True
                for term in sorted(terms, key=lambda term: term.matrix is None):
                    if term.matrix is None:
                        diagonal = np.arange(term.left.shape[1])
                        block[:, diagonal, diagonal] += term.left
                    elif is_empty:
                        _matrix(term, block)
                    else:
                        block += _matrix(term)
                    is_empty = False
        return out


#: `_derivatives` of structures by their keys, as networks with other values share a structure.
_known: dict[str, tuple[dict[str, list[_Derivative]], ...]] = {}


def _derivatives(structure: Structure) -> tuple[dict[str, list[_Derivative]], ...]:
    """Of each population, by equation."""
    key = structure.key()
    if key not in _known:
        _known[key] = _differentiated(structure)
    return _known[key]


def _differentiated(structure: Structure) -> tuple[dict[str, list[_Derivative]], ...]:
    found = []
    entries = DerivativeWriter(ModuleWriter(structure)).entries
    for population, of_population in zip(structure.populations, entries, strict=True):
        names = [symbol(n) for n in (*population.scalars, "t", "dt")]
        by_equation: dict[str, list[_Derivative]] = {}
        for entry in of_population:
            number = None if entry.slot is not None else _function(names, entry.value)
            derivative = _Derivative(entry.variable, entry.slot, number)
            by_equation.setdefault(entry.equation, []).append(derivative)
        found.append(by_equation)
    return tuple(found)


def _function(names: list[sympy.Symbol], value: sympy.Expr) -> Callable[..., Any]:
    """An expression of numbers as a function of them."""
    if not value.free_symbols:
        constant = float(value)
        return lambda *_: constant
    if value.atoms(sympy.core.function.AppliedUndef):  # functions that only kernels know
        return lambda *given: float(value.subs(dict(zip(names, map(float, given), strict=True))))
    return sympy.lambdify(names, value, "numpy")


def _coupled(weights: np.ndarray, term: _Term) -> _Term:
    """What a coupling makes of a term of its source."""
    one = np.ones((1, len(weights)), weights.dtype)
    if term.matrix is None:
        return _Term(one, weights, term.left)
    return _Term(one, weights @ _matrix(term))


def _matrix(term: _Term, out: np.ndarray | None = None) -> np.ndarray:
    if term.right is None:
        return np.multiply(term.left[:, :, None], term.matrix, out=out)
    scaled = np.multiply(term.matrix, term.right[:, None, :], out=out)
    return np.multiply(scaled, term.left[:, :, None], out=out)


def _add(terms: list[_Term], new: _Term) -> None:
    """Add a term, to one of the same matrix if there is one."""
    for k, old in enumerate(terms):
        if old.matrix is new.matrix and old.right is new.right:
            terms[k] = old._replace(left=old.left + new.left)
            return
    terms.append(new)
