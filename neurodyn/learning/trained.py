"""What a training returns, tells while it runs, and raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import checked_count, checked_number

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.network import Network


@dataclass(frozen=True)
class Trained:
    """A trained network, and how it came about.

    Attributes
    ----------
    network : Network
        With the values after the last step.
    best_network : Network or None
        With those of the best evaluation, if `early_stopping` was asked for.
    history : xarray.Dataset
        ``loss`` (of the task, with regularisers of activity), ``penalty`` (the other regularisers),
        ``gradient_norm`` (by the free numbers, before clipping) and ``learning_rate`` by ``step``;
        ``evaluation_loss`` and the task's metrics by ``evaluated_at``, the number of steps before.
    stop_reason : str
        ``"steps"``: all were done; ``"early stopping: ..."``, ``"callback"`` or ``"interrupted"``.
    n_steps : int
        Steps done, those before a resumption too.
    """

    network: Network
    best_network: Network | None
    history: xr.Dataset
    stop_reason: str
    n_steps: int

    def __repr__(self) -> str:
        loss = self.history["loss"].values
        last = f", loss {loss[-1]:.4g}" if loss.size else ""
        return f"<Trained for {self.n_steps} steps{last}; stopped by {self.stop_reason}>"


@dataclass(frozen=True)
class StepReport:
    """What a callback is told after each step.

    Attributes
    ----------
    step : int
        From 0.
    loss, penalty, gradient_norm, learning_rate : float
        Of this step; the loss is that before its update.
    values : dict of str to ndarray
        What is trained, after the update; not to be changed.
    evaluation : dict of str to float, or None
        If there was one after this step.
    """

    step: int
    loss: float
    penalty: float
    gradient_norm: float
    learning_rate: float
    values: Mapping[str, np.ndarray]
    evaluation: Mapping[str, float] | None


class TrainingDiverged(FloatingPointError):
    """A loss, of a step or an evaluation, a penalty, a gradient or a value is not finite.

    Or no network can have a value, a time constant that is not positive for example.

    Attributes
    ----------
    step : int
    parameter : str or None
        Whose gradient or value it is; of a loss that is not finite, what the last step changed
        most, relative to its size.
    network : Network
        With the last values whose loss and gradients were finite.
    history : xarray.Dataset
    """

    def __init__(
        self, message: str, step: int, parameter: str | None, network: Network, history: xr.Dataset
    ):
        super().__init__(message)
        self.step, self.parameter = step, parameter
        self.network, self.history = network, history

    def __reduce__(self):
        arguments = (str(self), self.step, self.parameter, self.network, self.history)
        return TrainingDiverged, arguments


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop, by what is evaluated.

    Parameters
    ----------
    metric : str
        ``"evaluation_loss"``, the default, or one of the task's metrics.
    patience : int, optional
        Stop after so many evaluations without a better one than before.
    target : float, optional
        Stop when the metric has come to this.
    maximise : bool
        More is better, as for an accuracy. Default False.
    min_change : float
        What is better must be so by more than this. Default 0.
    """

    metric: str = "evaluation_loss"
    patience: int | None = None
    target: float | None = None
    maximise: bool = False
    min_change: float = 0.0

    def __post_init__(self):
        if self.patience is None and self.target is None:
            raise ValueError("`EarlyStopping` needs `patience` or `target`")
        if self.patience is not None:
            checked_count(self.patience, "patience")
        if self.target is not None:
            checked_number(self.target, "target")
        checked_number(self.min_change, "min_change", 0.0)

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best before; NaN never is."""
        if np.isnan(value):
            return False
        if best is None:
            return True
        gain = value - best if self.maximise else best - value
        return gain > self.min_change

    def reason(self, values: list[float]) -> str | None:
        """Why to stop after these evaluations, or None."""
        sign = 1 if self.maximise else -1
        if self.target is not None and values and sign * (values[-1] - self.target) >= 0:
            return f"early stopping: {self.metric} is {values[-1]:.6g}"
        if self.patience is None:
            return None
        best, since = None, 0
        for value in values:
            if self.is_better(value, best):
                best, since = value, 0
            else:
                since += 1
        if since >= self.patience:
            return f"early stopping: no better {self.metric} in {since} evaluations"
        return None
