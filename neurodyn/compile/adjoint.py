"""The pull-back of a cotangent through the equations of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from neurodyn.weights import Weights


class Adjoint(NamedTuple):
    """What `CompiledNetwork.adjoint` returns: the pull-back of one cotangent.

    Attributes
    ----------
    state : ndarray, like the state
        Transposed Jacobian times the cotangent.
    parameters : dict of str to ndarray
        Cotangent of each parameter, ``(trial,)`` for a scalar one and ``(trial, unit)`` for one a
        unit (no trial axis where the state had none). Sum over trials for the gradient of a sum.
    inputs : dict of str to ndarray, (trial, unit)
        Cotangent of each input.
    activity : dict of str to ndarray, (trial, unit)
        Value of each coupling's source, by coupling label.
    weights : dict of str to Weights
        The weights by coupling label; see `weight_gradient`.
    targets : dict of str to str
        The input that each coupling ends at.
    """

    state: np.ndarray
    parameters: dict[str, np.ndarray]
    inputs: dict[str, np.ndarray]
    activity: dict[str, np.ndarray]
    weights: dict[str, Weights]
    targets: dict[str, str]

    def weight_gradient(self, label: str) -> dict[str, np.ndarray]:
        """Gradient with respect to the arrays of a coupling's weights, summed over trials."""
        return self.weights[label].gradient(
            self.inputs[self.targets[label]], self.activity[label]
        )
