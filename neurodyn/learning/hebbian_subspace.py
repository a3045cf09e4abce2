"""The principal subspace of activity, learned by lateral Hebbian connections, and protected.

`HebbianSubspace` is a layer of lateral neurons that learn, batch by batch, which directions
the activity beside them takes. `ProjectOut` takes those directions out of gradients, so that what a
network answers to old activity does not change while it learns something new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, checked_number, real_numbers

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

#: Rows have length 1 where they rest; entries beyond this are on their way to infinity.
_DIVERGED = 5.0


@dataclass(frozen=True, eq=False)
class HebbianSubspace:
    r"""Lateral neurons whose symmetric connections become a basis of the principal subspace.

    The response of the lateral neurons to activity x is y = H x, and their feedback onto the units
    that they hear is H' y. For a batch X (trial, unit), with Y = X H', the rows learn by

    .. math::
        \Delta = Y^T (X - Y H) / n_{trials}, \qquad
        P \to a P + (1 - a)\, \mathrm{clip}(\Delta), \qquad H \to H + \eta P

    a Hebbian term Y'X and an anti-Hebbian one, -(Y'Y) H. Rows are *frozen* when what they have
    learned shall last. New rows hear the residual that the frozen ones leave, X - Y H with all
    rows, and learn its principal subspace. Instances are immutable: methods return new ones.

    Parameters
    ----------
    n_inputs : int
        Units that the lateral neurons hear.
    learning_rate : float
        :math:`\eta`. Stable as long as its product with the largest eigenvalue of X'X/n_trials is
        not much above 1; entries above 5 count as divergence.
    repeats : int
        Updates with each batch. Default 5.
    averaging : float
        :math:`a`, in [0, 1). Default 0.9.
    largest_change : float
        Entries of :math:`\Delta` are cut to plus or minus this. Default 10.
    response_range : float, optional
        Spiking lateral neurons: in `feedback` responses are cut to plus or minus this, and
        rounded to its multiples over `response_levels`. Default None: linear neurons.
    response_levels : int
        Default 40.
    rows : ndarray, (n_rows, n_inputs), optional
        :math:`H`, frozen rows first. Default none.
    n_frozen : int
        How many of them are frozen.
    average : ndarray, (n_rows - n_frozen, n_inputs), optional
        :math:`P` of the rows that learn; default 0.

    Notes
    -----
    The activity is not centred: its mean is part of the subspace. The same rule for one pattern at
    a time, as a rule of a coupling, is `neurodyn.plasticity.oja_subspace`. Rows beyond the rank of
    what is left for them keep random directions, which overlap with the frozen ones; see
    `frozen`.

    Source: Xiao, Meng, Zhang, He & Lin (2024), ICLR; the rule is the subspace rule of Karhunen &
    Oja (1982) with momentum.

    Examples
    --------
    >>> import neurodyn as nd
    >>> X = np.random.default_rng(0).normal(size=(64, 4)) * [3, 2, 0.1, 0.1]
    >>> found = nd.learning.HebbianSubspace(4, learning_rate=0.02).with_rows(2, rng=0)
    >>> for _ in range(200):
    ...     found = found.learned(X)
    >>> angles = nd.analyses.principal_angles(found.rows.T, np.eye(4)[:, :2])
    >>> bool(angles.max() < 0.02)
    True
    """

    n_inputs: int
    learning_rate: float = 0.01
    repeats: int = 5
    averaging: float = 0.9
    largest_change: float = 10.0
    response_range: float | None = None
    response_levels: int = 40
    rows: Any = None
    n_frozen: int = 0
    average: Any = None

    def __post_init__(self):
        checked_count(self.n_inputs, "n_inputs")
        checked_count(self.repeats, "repeats")
        checked_count(self.response_levels, "response_levels")
        for name in ("learning_rate", "largest_change", "response_range"):
            value = getattr(self, name)
            if value is not None and not checked_number(value, name, 0.0) > 0:
                raise ValueError(f"`{name}` must be positive; got {value!r}")
        if not 0 <= checked_number(self.averaging, "averaging", 0.0) < 1:
            raise ValueError(f"`averaging` must be in [0, 1); got {self.averaging!r}")
        rows = np.zeros((0, self.n_inputs)) if self.rows is None else self._activity(self.rows)
        object.__setattr__(self, "rows", rows)
        if checked_count(self.n_frozen, "n_frozen", 0) > len(rows):
            raise ValueError(f"`n_frozen` is {self.n_frozen}, but there are {len(rows)} rows")
        average = np.zeros_like(self._learning) if self.average is None else self.average
        object.__setattr__(self, "average", np.asarray(average, float))
        if self.average.shape != self._learning.shape:
            raise ValueError(
                f"`average` must have the shape of the rows that learn, {self._learning.shape}; "
                f"got {self.average.shape}"
            )

    def _activity(self, X: Any) -> np.ndarray:
        X = real_numbers(X, "X")
        if X.ndim != 2 or X.shape[1] != self.n_inputs:
            raise ValueError(
                f"activity must be (trial, unit) with {self.n_inputs} units; got shape {X.shape}"
            )
        return X

    @property
    def _learning(self) -> np.ndarray:
        return self.rows[self.n_frozen :]

    @property
    def _frozen(self) -> np.ndarray:
        return self.rows[: self.n_frozen]

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    def with_rows(self, n: int, rng: RNG = None) -> HebbianSubspace:
        """Itself with `n` more rows, at random, orthonormal among themselves.

        Raises
        ------
        ValueError
            If there would be more rows than units, for which the rule has no stable state.
        """
        checked_count(n, "n", 0)
        if self.n_rows + n > self.n_inputs:
            raise ValueError(
                f"`n` = {n} more rows than the {self.n_rows} that there are would be more than "
                f"the {self.n_inputs} units have directions; leave some for new tasks"
            )
        new = np.linalg.qr(as_generator(rng).standard_normal((self.n_inputs, n)))[0].T
        return self._replaced(
            np.concatenate([self.rows, new]), np.concatenate([self.average, np.zeros_like(new)])
        )

    def _replaced(self, rows, average, **changes) -> HebbianSubspace:
        return replace(self, rows=rows, average=average, **changes)

    def learned(self, X: Any) -> HebbianSubspace:
        """Itself after `repeats` updates with a batch of activity (trial, unit).

        Raises
        ------
        FloatingPointError
            If the rows diverge.
        """
        X = self._activity(X)
        if self.n_frozen == self.n_rows:
            return self
        H, P = self._learning, self.average
        residual = X - (X @ self._frozen.T) @ self._frozen
        for _ in range(self.repeats):
            Y = X @ H.T
            change = Y.T @ (residual - Y @ H) / len(X)
            change = np.clip(change, -self.largest_change, self.largest_change)
            P = self.averaging * P + (1 - self.averaging) * change
            H = H + self.learning_rate * P
        largest = np.abs(H).max()
        if not largest < _DIVERGED:  # NaN too
            raise FloatingPointError(
                f"the rows of the subspace diverge (largest entry {largest:.3g}); take a smaller "
                f"`learning_rate` than {self.learning_rate:g}"
            )
        return self._replaced(np.concatenate([self._frozen, H]), P)

    def frozen(self, *, orthonormalise: bool = False) -> HebbianSubspace:
        """Itself with all rows frozen.

        Parameters
        ----------
        orthonormalise : bool
            Make the rows that learned orthonormal first, to one another and to the frozen ones, so
            that `projected` is a projection exactly. Not part of the published rule.
        """
        rows = self.rows
        if orthonormalise and self.n_rows:
            new = self._learning - (self._learning @ self._frozen.T) @ self._frozen
            rows = np.concatenate([self._frozen, np.linalg.qr(new.T)[0].T])
        return replace(self, rows=rows, n_frozen=self.n_rows, average=None)

    def response(self, X: Any) -> np.ndarray:
        """Responses (trial, row) of the frozen rows to activity (trial, unit)."""
        Y = self._activity(X) @ self._frozen.T
        if self.response_range is None:
            return Y
        step = self.response_range / self.response_levels
        return step * np.rint(np.clip(Y, -self.response_range, self.response_range) / step)

    def projected(self, X: Any) -> np.ndarray:
        """Activity (trial, unit) less the feedback of the frozen rows."""
        return self._activity(X) - self.response(X) @ self._frozen

    def captured_energy(self, X: Any) -> float:
        """``1 - |X - X H'H|^2/|X|^2`` with all rows: 1 if they span the activity; NaN without."""
        X = self._activity(X)
        residual = X - (X @ self.rows.T) @ self.rows
        energy = float(np.vdot(X, X))
        return 1 - float(np.vdot(residual, residual)) / energy if energy else float("nan")


@dataclass(frozen=True)
class ProjectOut:
    """Take directions of presynaptic activity out of the gradients of weights.

    A gradient G [post, pre] of weights becomes ``G - (G H') H`` with orthonormal rows H: then the
    weights, changed along it, answer to activity in the span of H as before. Given to `train` as
    ``clip=``, a step of `SGD` (momentum too) keeps what old activity is answered; optimisers that
    scale each number by itself, such as `Adam`, and weight decay do not.

    Parameters
    ----------
    subspaces : dict of str to HebbianSubspace or array_like (row, pre)
        By the name of the weights, ``"E.r->out.I"``. Of a `HebbianSubspace` the frozen rows.
    then : callable, optional
        What is done with all gradients after that: `ClipNorm`, for example.

    Source: Zeng, Chen, Cui & Yu (2019), Nature Machine Intelligence 1, 364; Saha, Garg & Roy
    (2021), ICLR, in this form.

    Examples
    --------
    >>> G = np.arange(6.0).reshape(2, 3)
    >>> ProjectOut({"a->b": [[0.0, 0.0, 1.0]]})({"a->b": G})["a->b"]
    array([[0., 1., 0.],
           [3., 4., 0.]])
    """

    subspaces: Mapping[str, Any]
    then: Callable | None = None

    def __call__(self, gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if unknown := set(self.subspaces) - set(gradients):
            raise ValueError(
                f"`subspaces` has `{min(unknown)}`, whose gradient is not taken; there are "
                f"{', '.join(gradients)}"
            )
        found = dict(gradients)
        for name, subspace in self.subspaces.items():
            given = isinstance(subspace, HebbianSubspace)
            H = subspace._frozen if given else real_numbers(subspace, f"subspaces[{name!r}]")
            G = gradients[name]
            if H.ndim != 2 or G.ndim != 2 or H.shape[1] != G.shape[1]:
                raise ValueError(
                    f"`subspaces[{name!r}]` must be (row, pre) for weights [post, pre] of shape "
                    f"{G.shape}; got {H.shape}"
                )
            found[name] = G - (G @ H.T) @ H
        return found if self.then is None else self.then(found)
