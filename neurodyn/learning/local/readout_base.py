"""What rules share that change a coupling while its network runs: targets, seeds, predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from neurodyn._arrays import checked_count, real_numbers
from neurodyn.network import Network
from neurodyn.population import listed, suggestion
from neurodyn.simulation.arguments import root_seed
from neurodyn.simulation.simulate import simulate


class OnlineRule(RegressorMixin, BaseEstimator):
    """A rule for one coupling of a network. Subclasses learn, and give `_begin`.

    Parameters of all are `network`, `coupling`, `solver` and `rng`.
    """

    network: Any
    coupling: str
    solver: Any
    rng: Any
    #: The variable that targets are of.
    _output: str

    def fit(self, X: Mapping[str, Any] | None, y: Any):
        """Learn from the beginning, with the weights and the initial state of `network`.

        Parameters
        ----------
        X : dict of str to Signal or array_like, or None
            Inputs of the network, as `simulate` takes them; arrays have a row a step.
        y : array_like, (step, output) or (step,)
            Wanted outputs at the beginnings of steps.
        """
        self._begin()
        return self.partial_fit(X, y)

    def partial_fit(self, X: Mapping[str, Any] | None, y: Any):
        """Go on from where network and weights are; inputs begin anew."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Check the network; forget all that was learned."""
        if not isinstance(self.network, Network):
            raise TypeError(f"`network` must be a Network; got {type(self.network).__name__}")
        self._weights(self.coupling)
        self._root, self._n_runs = root_seed(self.rng, None), 0
        self.network_ = self.network
        initial = self.network.initial_state([self._next_seed()])
        self.state_ = {name: rows[0] for name, rows in initial.items()}

    def predict(
        self, X: Mapping[str, Any] | None = None, *, n_steps: int | None = None
    ) -> np.ndarray:
        """The output of the network that has learned, from where learning stopped.

        Parameters
        ----------
        X : dict of str to Signal or array_like, optional
            Inputs.
        n_steps : int, optional
            Default: as many as the longest array in `X` has rows.

        Returns
        -------
        ndarray, (step, output)
        """
        check_is_fitted(self, "coef_")
        if n_steps is None:
            lengths = [len(v) for v in (X or {}).values() if np.ndim(v)]
            if not lengths:
                raise ValueError("give `n_steps`: no array in `X` says how many steps to run")
            n_steps = max(lengths)
        n_steps = checked_count(n_steps, "n_steps")
        ds = simulate(
            self.network_, self.solver, n_steps * self.solver.dt, record=[self._output], inputs=X,
            initial=self.state_, rng=self._seed(self._n_runs),
        )  # fmt: skip
        return ds[self._output].values[0]

    def score(self, X: Mapping[str, Any] | None, y: Any) -> float:
        """R squared of `predict`, the mean over outputs."""
        from sklearn.metrics import r2_score

        y = self._checked_targets(y)
        return float(r2_score(y, self.predict(X, n_steps=len(y))))

    # -- small helpers -------------------------------------------------------------------------

    def _coupling(self, label: str):
        labels = self.network.coupling_labels
        if label not in labels:
            raise ValueError(
                f"no coupling `{label}`{suggestion(label, labels) or '.'} There are "
                f"{listed(labels)}."
            )
        return self.network.couplings[labels.index(label)]

    def _weights(self, label: str):
        return self._coupling(label).weights

    def _checked_targets(self, y: Any) -> np.ndarray:
        y = real_numbers(y, "y", "[step, output]").astype(float)
        y = y[:, None] if y.ndim == 1 else y
        n_outputs = self._weights(self.coupling).n_post
        if y.ndim != 2 or y.shape[1] != n_outputs or not len(y):
            raise ValueError(
                f"`y` must be (step, output) with {n_outputs} outputs; got shape {y.shape}"
            )
        return y

    def _seed(self, k: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._root.entropy, spawn_key=(*self._root.spawn_key, k))

    def _next_seed(self) -> np.random.SeedSequence:
        self._n_runs += 1
        return self._seed(self._n_runs - 1)
