"""A theory's numbers beside those of simulations: how far apart, in standard errors.

Theories of large networks are limits. A simulated network differs from them by chance, which falls
with the number of repetitions, and by its finite size, which does not: `allowance` is for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import real_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Standard errors within which the two count as the same.
_AGREEMENT = 4.0


@dataclass(frozen=True, eq=False)
class TheoryComparison:
    """Predictions beside simulations, for each value of a parameter.

    Attributes
    ----------
    x : ndarray, (point,)
        Parameter, or time.
    predicted, simulated : ndarray, (point,)
        `simulated` is the mean over repetitions.
    standard_error : ndarray, (point,)
        Of that mean, from the scatter over repetitions.
    allowance : ndarray, (point,)
        What the two may differ by besides chance.
    n_repetitions : int
    x_name, y_name : str
        For figures.
    """

    x: np.ndarray
    predicted: np.ndarray
    simulated: np.ndarray
    standard_error: np.ndarray
    allowance: np.ndarray
    n_repetitions: int
    x_name: str
    y_name: str

    @property
    def difference(self) -> np.ndarray:
        """Simulated less predicted."""
        return self.simulated - self.predicted

    @property
    def z(self) -> np.ndarray:
        """What of the difference is beyond the allowance, in standard errors, with its sign."""
        beyond = np.maximum(np.abs(self.difference) - self.allowance, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(beyond > 0, beyond / self.standard_error, 0.0)
        return np.sign(self.difference) * z

    @property
    def agrees(self) -> bool:
        """Whether all lie within 4 standard errors beyond the allowance."""
        return bool(np.all(np.abs(self.z) <= _AGREEMENT))

    def __repr__(self) -> str:
        worst = int(np.argmax(np.abs(self.z)))
        return (
            f"<TheoryComparison of {self.y_name} at {self.x.size} values of {self.x_name}, "
            f"{self.n_repetitions} repetitions: {'agrees' if self.agrees else 'disagrees'}, at "
            f"most {np.abs(self.z[worst]):.2g} standard errors beyond the allowance, at "
            f"{self.x[worst]:.4g}>"
        )


def compare_with_theory(
    x: ArrayLike,
    predicted: ArrayLike,
    simulated: ArrayLike,
    *,
    allowance: ArrayLike = 0.0,
    x_name: str = "parameter",
    y_name: str = "value",
) -> TheoryComparison:
    """Set repeated simulations beside a theory.

    Parameters
    ----------
    x : array_like, (point,)
        Value of a parameter (or time) of each point.
    predicted : array_like, (point,)
    simulated : array_like, (repetition, point)
        At least two repetitions, independent: other networks, not only other initial states.
    allowance : float or array_like, (point,)
        What the two may differ by besides chance, such as the order 1/N of a finite network.
    x_name, y_name : str
        For figures, with units.

    Returns
    -------
    TheoryComparison

    Raises
    ------
    ValueError
        For a single repetition, a negative allowance, or shapes that do not fit.

    Examples
    --------
    >>> compare_with_theory([1, 2], [1.0, 2.0], [[1.1, 1.9], [0.9, 2.0], [1.1, 2.2]])
    <TheoryComparison of value at 2 values of parameter, 3 repetitions: agrees, at most 0.5 standard
    errors beyond the allowance, at 1>
    """
    x, predicted, simulated, allowance = (
        np.asarray(real_numbers(value, name), float)
        for value, name in ((x, "x"), (predicted, "predicted"), (simulated, "simulated"),
                            (allowance, "allowance"))
    )  # fmt: skip
    if x.ndim != 1 or x.size == 0 or predicted.shape != x.shape:
        raise ValueError(
            f"`x` and `predicted` must be (point,); got shapes {x.shape} and {predicted.shape}"
        )
    if simulated.ndim != 2 or simulated.shape[1] != x.size or len(simulated) < 2:
        raise ValueError(
            f"`simulated` must be (repetition, {x.size}) with at least 2 repetitions, without "
            f"which there is no standard error; got shape {simulated.shape}"
        )
    if allowance.shape not in ((), x.shape) or allowance.min() < 0:
        raise ValueError(f"`allowance` must be 0 or more, one number or {x.shape}")
    n = len(simulated)
    return TheoryComparison(
        x, predicted, simulated.mean(axis=0), simulated.std(axis=0, ddof=1) / np.sqrt(n),
        np.broadcast_to(allowance, x.shape), n, x_name, y_name,
    )  # fmt: skip
