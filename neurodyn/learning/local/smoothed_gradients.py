"""Gradients of a smoothed loss, from nothing but values of the loss: `evolution_gradient`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from neurodyn._arrays import as_generator, checked_count, real_numbers
from neurodyn.learning.local.samples import checked_positive

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

SHAPINGS = ("none", "rank")


def evolution_gradient(
    loss: Callable[[Any], float],
    x: Any,
    *,
    sigma: float,
    population: int,
    antithetic: bool = True,
    shaping: str = "none",
    rng: RNG = None,
) -> tuple[Any, np.ndarray]:
    r"""The gradient of a loss that is smoothed by normal noise, estimated from its values.

    .. math::
        \nabla \langle L(x + \sigma\epsilon) \rangle
        \approx \frac{1}{n \sigma} \sum_{k=1}^{n} L(x + \sigma\epsilon_k)\, \epsilon_k

    over a population of n. Antithetic members come as pairs, epsilon and -epsilon. Without shaping
    the estimate has no bias; for a quadratic loss its expectation is the gradient itself, and with
    antithetic pairs its covariance ``2 (|g|**2 1 + g g')/n``, whatever sigma and the curvature are.

    Parameters
    ----------
    loss : callable
        ``loss(x)``, with `x` of the form that is given here.
    x : array_like, or dict of str to array_like
    sigma : float
        Standard deviation of the noise.
    population : int
        Evaluations; even where antithetic.
    antithetic : bool
        Default True.
    shaping : {"none", "rank"}
        ``"rank"``: losses are replaced by their ranks, from -1/2, the least, to 1/2, ties by their
        mean. What comes out is no gradient, but does not change under monotonic functions of the
        loss. Without shaping and pairs the mean of the losses is taken off.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    gradient : ndarray or dict of str to ndarray
        Like `x`.
    losses : ndarray, (population,)
        Before shaping; antithetic ones in the second half.

    References
    ----------
    Salimans, Ho, Chen, Sidor & Sutskever (2017), arXiv:1703.03864, algorithm 1.
    Nesterov & Spokoiny (2017), Found Comput Math 17:527.

    Examples
    --------
    >>> gradient, _ = evolution_gradient(lambda x: x @ x, [1.0, -2.0], sigma=0.1,
    ...                                  population=20_000, rng=0)
    >>> gradient.round(1)
    array([ 2., -4.])
    """
    sigma = checked_positive(sigma, "sigma")
    n = checked_count(population, "population", 2)
    if shaping not in SHAPINGS:
        raise ValueError(f"`shaping` must be one of {SHAPINGS}; got {shaping!r}")
    if antithetic and n % 2:
        raise ValueError(f"`population` must be even where antithetic; got {n}")
    named = isinstance(x, Mapping)
    values = (
        {k: real_numbers(v, f"x[{k!r}]").astype(float) for k, v in x.items()}
        if named
        else {"x": real_numbers(x, "x").astype(float)}
    )
    sizes = np.cumsum([v.size for v in values.values()])
    generator = as_generator(rng)
    noise = generator.standard_normal((n // 2 if antithetic else n, sizes[-1]))
    if antithetic:
        noise = np.concatenate([noise, -noise])

    def unpacked(flat):
        parts = np.split(flat, sizes[:-1])
        return {k: part.reshape(v.shape) for part, (k, v) in zip(parts, values.items())}

    def moved(e):
        found = {k: values[k] + sigma * d for k, d in unpacked(e).items()}
        return found if named else found["x"]

    losses = np.array([float(loss(moved(e))) for e in noise])
    gradient = unpacked(shaped(losses, shaping, antithetic) @ noise / (n * sigma))
    return (gradient if named else gradient["x"]), losses


def shaped(losses: np.ndarray, shaping: str, antithetic: bool) -> np.ndarray:
    """What the noises are weighted by; losses that are not finite are the worst ranks."""
    if shaping == "rank":
        ranks = rankdata(np.where(np.isfinite(losses), losses, np.inf))
        return (ranks - 1) / (len(losses) - 1) - 0.5
    return losses if antithetic else (losses - losses.mean()) * len(losses) / (len(losses) - 1)
