"""What depends on what is trained: which units act on which, and through what.

A network is looked at as a graph of variables. What is *influenced* depends on something trained,
at once or through the past; a coupling *carries* influence on if its source is influenced and its
target acts on a state. From the carrying couplings follow the columns of a network, and whether
units act on each other at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.learning.trainable import Trainable

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.weights import Weights

Node = tuple[int, str]


class Dependence:
    """The dependences of one network on what is trained.

    Parameters
    ----------
    compiled : CompiledNetwork
    trainables : sequence of Trainable
    """

    def __init__(self, compiled: CompiledNetwork, trainables: Sequence[Trainable]):
        self.compiled, self.structure = compiled, compiled.structure
        self.network, self.trainables = compiled.network, trainables

    def label(self, c: int) -> str:
        return self.network.coupling_labels[c]

    # -- variables -----------------------------------------------------------------------------

    @cached_property
    def _after(self) -> dict[Node, set[Node]]:
        """Of each variable those that it acts on, within a step or by their drift."""
        found: dict[Node, set[Node]] = {}
        for p, population in enumerate(self.structure.populations):
            for variable in population.equations.variables.values():
                uses = {*variable.uses}
                for text in getattr(variable, "noise", {}).values():
                    uses |= self._names_in(text)
                for used in uses:
                    found.setdefault((p, used), set()).add((p, variable.name))
        for c in self.structure.rate_couplings:
            coupling = self.structure.couplings[c]
            found.setdefault(coupling.source, set()).add(coupling.target)
        return found

    @staticmethod
    def _names_in(text: str) -> set[str]:
        import ast

        return {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}

    @cached_property
    def influenced(self) -> set[Node]:
        """Variables that depend on what is trained."""
        labels = self.network.coupling_labels
        waiting: list[Node] = []
        for one in self.trainables:
            if one.kind == "weights":
                waiting.append(self.structure.couplings[labels.index(one.name)].target)
            elif one.kind == "parameter":
                waiting += self._after.get(self.compiled.place(one.name), ())
            else:
                waiting.append(self.compiled.place(one.name))
        return self._reached(waiting)

    @cached_property
    def carrying_on(self) -> set[Node]:
        """Those of them that are states or act on states: what sensitivities are kept of."""
        return {node for node in self.influenced if self.acts_on_states(node)}

    def _reached(self, waiting: list[Node], through_states: bool = True) -> set[Node]:
        found: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if node in found:
                continue
            found.add(node)
            if through_states or not self._is_state(node):
                waiting += self._after.get(node, ())
        return found

    def _is_state(self, node: Node) -> bool:
        return node[1] in self.structure.populations[node[0]].states

    def states_driven_by(self, node: Node) -> set[int]:
        """Populations of the states that a variable acts on within a step."""
        return {n[0] for n in self._reached([node], False) if self._is_state(n) and n != node}

    def users(self, node: Node) -> set[Node]:
        """Variables whose equation contains a variable or parameter."""
        return self._after.get(node, set())

    def acts_on_states(self, node: Node) -> bool:
        """Whether a variable is a state, or acts on one."""
        return self._is_state(node) or bool(self.states_driven_by(node))

    def at_once(self, node: Node) -> set[Node]:
        """A variable, and those that it acts on within a moment; states end this."""
        return self._reached([node], False)

    # -- couplings -----------------------------------------------------------------------------

    @cached_property
    def carrying(self) -> tuple[int, ...]:
        """Couplings that carry influence on to states."""
        found = []
        for c in self.structure.rate_couplings:
            coupling = self.structure.couplings[c]
            if coupling.source in self.influenced and self.states_driven_by(coupling.target):
                found.append(c)
        return tuple(found)

    @cached_property
    def components(self) -> np.ndarray:
        """The number of the set of mutually connected populations that each is in."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n = len(self.structure.populations)
        pairs = [
            (self.structure.couplings[c].source[0], self.structure.couplings[c].target[0])
            for c in self.structure.rate_couplings
        ]
        rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
        graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(n, n))
        return connected_components(graph, connection="strong")[1]

    def is_recurrent(self, c: int) -> bool:
        """Whether a coupling is part of a loop."""
        (p, _), (q, _) = (getattr(self.structure.couplings[c], n) for n in ("source", "target"))
        return p == q or self.components[p] == self.components[q]

    def is_internal(self, c: int) -> bool:
        """Whether a coupling takes each unit to itself."""
        coupling = self.structure.couplings[c]
        same = coupling.source[0] == coupling.target[0]
        return same and set(coupling.kinds) == {"diagonal"}

    def readouts(self, method: str) -> tuple[int, ...]:
        """Carrying couplings onto linear readouts, whose states act on no other's states."""
        from neurodyn.compile.local_traces import LOCAL_METHODS, filters_alike

        if method not in LOCAL_METHODS:
            return ()
        found = []
        for c in self.carrying:
            p, (q, target) = (
                self.structure.couplings[c].source[0],
                self.structure.couplings[c].target,
            )
            ends = self.states_driven_by((q, target)) == {q}
            onward = any(self.structure.couplings[k].source[0] == q for k in self.carrying)
            if p != q and ends and not onward and filters_alike(self.structure, method, q):
                found.append(c)
        return tuple(found)

    # -- units ---------------------------------------------------------------------------------

    def not_local(self) -> str:
        """Why something trained acts on no state of its own population; empty if all does."""
        labels = self.network.coupling_labels
        for one in self.trainables:
            if one.kind == "state":
                continue
            if one.kind == "weights":
                nodes = {self.structure.couplings[labels.index(one.name)].target}
            else:
                nodes = self.users(self.compiled.place(one.name))
            for node in nodes:
                p, driven = node[0], self.states_driven_by(node)
                if not driven or p in driven or self._is_state(node):
                    continue
                reached = {
                    self.structure.couplings[c].target[0]
                    for c in self.carrying
                    if self.structure.couplings[c].source[0] == p
                }
                if driven - reached or any(
                    self.is_recurrent(c)
                    for c in self.carrying
                    if self.structure.couplings[c].source[0] == p
                ):
                    name = self.structure.populations[p].name
                    return (
                        f"`{one.key}` acts on `{name}`, whose own states do not depend on it, "
                        "and through it on states of other populations"
                    )
        return ""

    def n_columns(self, weights: dict[int, Weights], trained_is_full: bool = False) -> int:
        """The number of columns of influenced populations."""
        columns, ends = self.columns(weights, trained_is_full), np.cumsum(self.compiled.sizes)
        populations = {p for p, name in self.influenced if self._is_state((p, name))}
        return len({
            column
            for p in populations
            for column in columns[ends[p] - self.compiled.sizes[p] : ends[p]].tolist()
        })  # fmt: skip

    def columns(self, weights: dict[int, Weights], trained_is_full: bool = False) -> np.ndarray:
        """The column of every unit of every population, one after the other.

        Units that act on each other through carrying couplings are in one column. With
        `trained_is_full` trained full and low-rank matrices couple all, whatever their values.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        sizes = self.compiled.sizes
        starts = np.concatenate([[0], np.cumsum(sizes)])
        rows, columns = [np.zeros(0, int)], [np.zeros(0, int)]
        trained = {t.name for t in self.trainables if t.kind == "weights"}
        for c in self.carrying:
            coupling = self.structure.couplings[c]
            is_full = trained_is_full and self.label(c) in trained
            for term in weights[c].terms:
                post, pre = pattern(term, is_full and term.kind in ("dense", "low_rank"))
                rows.append(starts[coupling.target[0]] + post)
                columns.append(starts[coupling.source[0]] + pre)
        row, column = np.concatenate(rows), np.concatenate(columns)
        graph = coo_array((np.ones(row.size), (row, column)), shape=(starts[-1], starts[-1]))
        return connected_components(graph, directed=False)[1]


def pattern(term: Weights, is_full: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of units that a term couples: all, those of a pattern, or where it is not zero."""
    if is_full:
        return np.nonzero(np.ones(term.shape, bool))
    if term.kind == "sparse":
        indptr, indices, _ = term.kernel_arrays(np.float64)
        return np.repeat(np.arange(term.n_post), np.diff(indptr)), np.asarray(indices)
    if term.kind == "diagonal":
        return np.arange(term.n_post), np.arange(term.n_pre)
    return np.nonzero(term.to_dense())
