"""Gradients of weights from cotangents of inputs, collected piece by piece of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neurodyn.learning.unrolled import Unrolled
    from neurodyn.weights import Weights


class SummedGradients:
    """Sums over time and trials of one block.

    Parameters
    ----------
    unrolled : Unrolled
    """

    def __init__(self, unrolled: Unrolled):
        self.unrolled = unrolled
        self._dense: dict[tuple[int, str], np.ndarray] = {}
        self._other: dict[tuple[int, str], np.ndarray] = {}

    def add(self, c: int, delta: np.ndarray, r: np.ndarray) -> None:
        """Add a piece of coupling `c`.

        Parameters
        ----------
        c : int
        delta : ndarray, (evaluation, trial, post)
            Cotangents of its target; rows may be longer than there are units.
        r : ndarray, (evaluation, trial, pre)
            What its source was.
        """
        delta = delta.reshape(-1, 1, delta.shape[-1])
        r = r.reshape(-1, 1, r.shape[-1])
        for prefix, term in terms(self.unrolled.values.weights[c]):
            if is_full(term):
                self._add_full(c, prefix, term, delta, r)
            else:
                n_post, n_pre = term.shape
                found = term.gradient(delta[:, 0, :n_post], r[:, 0, :n_pre])
                for name, value in found.items():
                    key = (c, prefix + name)
                    self._other[key] = self._other[key] + value if key in self._other else value

    def _add_full(self, c: int, prefix: str, term: Weights, delta, r) -> None:
        # the sums run along the longer side
        along_post = term.n_post >= term.n_pre
        a, b, n = (r, delta, term.n_pre) if along_post else (delta, r, term.n_post)
        key = (c, prefix + "W")
        if key not in self._dense:
            self._dense[key] = np.zeros((1, n, b.shape[-1]), delta.dtype)
        self.unrolled.outer(a, b, self._dense[key])

    def gradient(self, c: int) -> dict[str, np.ndarray]:
        """By the names of `Weights.parameters`."""
        found = {name: value for (k, name), value in self._other.items() if k == c}
        for prefix, term in terms(self.unrolled.values.weights[c]):
            if is_full(term):
                total = self._dense[c, prefix + "W"][0]
                along_post = term.n_post >= term.n_pre
                found[prefix + "W"] = (
                    total[:, : term.n_post].T if along_post else total[:, : term.n_pre]
                )
        return found


def terms(weights: Weights) -> list[tuple[str, Weights]]:
    """The primitive terms of weights, each with what goes before the names of its arrays."""
    if weights.kind != "sum":
        return [("", weights)]
    return [(f"{k}.", term) for k, term in enumerate(weights.terms)]


def is_full(term: Weights) -> bool:
    """Whether weights are a full matrix of their own."""
    return term.kind == "dense" and not term.is_transposed
