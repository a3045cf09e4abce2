"""The recurrent network with trainable leaks, its readout heads, and how it is damaged.

In steps of 1, with ``tau`` used as ``max(tau, 1)`` and phi the leaky ReLU of slope 0.01:

    h_t = phi((1 - 1/tau) h_{t-1} + u_t/tau),    u_t = W h_{t-1} + b + w_in x_t + b_in

or, with the leak outside of the nonlinearity,

    h_t = (1 - 1/tau) h_{t-1} + phi(u_t)/tau.

Head k classifies by the larger of ``o_k = R_k h + c_k``. With tau = 1 nothing leaks: a unit by
itself has no memory, and the two forms are the same.

A network's values are a dict of the arrays W, b, w_in, b_in, tau, R and c, so that heads can be
added and units removed; `build` makes the `Network` of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn._arrays import as_generator, checked_count, checked_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    import neurodyn as nd
    from neurodyn._arrays import RNG

__all__ = ["HEADS", "NAMES", "STEP", "Leak", "Values", "ablated", "build", "initial_values",
           "leaks", "network", "perturbed_leaks", "perturbed_weights", "with_heads"]

Values = dict[str, np.ndarray]
Leak = Literal["inside", "outside"]

#: One step of the paper, s.
STEP = 1.0
#: Readout heads that are drawn at the beginning, for N = 2 to 101.
HEADS = 100
#: The names that the arrays have in the network.
NAMES = {"W": "rnn.h->rnn.I_rec", "b": "rnn.b", "w_in": "rnn.w_in", "b_in": "rnn.b_in",
         "tau": "rnn.tau", "R": "rnn.h->heads.I_h", "c": "heads.c"}

_UPDATES = {"inside": "leaky_relu((1 - kappa)*h + kappa*u, 0.01)",
            "outside": "(1 - kappa)*h + kappa*leaky_relu(u, 0.01)"}


def network(
    units: int = 500,
    heads: int = 1,
    *,
    tau: float | None = None,
    leak: Leak = "inside",
    rng: RNG = None,
) -> nd.Network:
    """An untrained network.

    Parameters
    ----------
    units : int
        Default the paper's 500.
    heads : int
        Readout heads, one for each N that it solves at once.
    tau : float, steps, optional
        The same for all units, at least 1. Default: drawn from U(1, 2).
    leak : {"inside", "outside"}
        Whether the leak passes the nonlinearity, the paper's default, or not, its control.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    Network
        Populations `rnn`, with the input `bits`, and `heads`, whose units 2k and 2k + 1 are the
        two classes of head k.
    """
    return build(with_heads(initial_values(units, tau=tau, rng=rng), heads), leak)


def initial_values(units: int, *, tau: float | None = None, rng: RNG = None) -> Values:
    """All arrays before training, with `HEADS` heads.

    Weights and biases are uniform within ``1/sqrt(fan_in)``. Every array has a random stream of
    its own.
    """
    n = checked_count(units, "units", 2)
    streams = dict(zip(NAMES, as_generator(rng).spawn(len(NAMES)), strict=True))

    def uniform(name: str, fan_in: int, *shape: int) -> np.ndarray:
        return streams[name].uniform(-1, 1, shape) / np.sqrt(fan_in)

    values = {"W": uniform("W", n, n, n), "b": uniform("b", n, n), "w_in": uniform("w_in", 1, n),
              "b_in": uniform("b_in", 1, n), "tau": 1 + streams["tau"].random(n),
              "R": uniform("R", n, 2 * HEADS, n), "c": uniform("c", n, 2 * HEADS)}
    np.fill_diagonal(values["W"], 0)
    if tau is not None:
        values["tau"] = np.full(n, checked_number(tau, "tau", 1.0))
    return values


def build(values: Mapping[str, np.ndarray], leak: Leak = "inside") -> nd.Network:
    """The network with these values."""
    import neurodyn as nd

    if leak not in _UPDATES:
        raise ValueError(f'`leak` must be "inside" or "outside"; got {leak!r}')
    rnn = nd.Population(
        values["W"].shape[0], f"""
        dh/dt = ({_UPDATES[leak]} - h)/step : 1
        kappa = step/(step + relu(tau - step)) : 1
        u = I_rec + b + w_in*bits + b_in : 1
        """, tau=values["tau"] * nd.second, step=STEP * nd.second,
        h=lambda rng, size: 0.1 * rng.random(size),
        **{name: values[name] for name in ("b", "w_in", "b_in")})
    heads = nd.Population(values["c"].size, "o = I_h + c : 1", c=values["c"])
    return nd.Network({"rnn": rnn, "heads": heads},
                      [nd.Coupling("rnn.h", "rnn.I_rec", values["W"]),
                       nd.Coupling("rnn.h", "heads.I_h", values["R"])])


def with_heads(values: Mapping[str, np.ndarray], heads: int) -> Values:
    """The same with the first `heads` readout heads only."""
    there = values["c"].size // 2
    if not 1 <= heads <= there:
        raise ValueError(f"`heads` must be from 1 to {there}; got {heads!r}")
    return dict(values) | {"R": values["R"][:2 * heads], "c": values["c"][:2 * heads]}


def leaks(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Time constants as the equations use them, ``max(tau, 1)``, in steps."""
    return np.maximum(values["tau"], STEP)


# ------------------------------------------------------------------------------------- damage

def ablated(values: Mapping[str, np.ndarray], unit: int) -> Values:
    """Without a unit: its row and column of W, its input and its readout are 0.

    Its biases stay, as in the authors' code; it reaches no other unit any more.
    """
    found = {name: array.copy() for name, array in values.items()}
    found["W"][unit] = 0
    found["W"][:, unit] = 0
    found["w_in"][unit] = 0
    found["R"][:, unit] = 0
    return found


def perturbed_weights(values: Mapping[str, np.ndarray], strength: float, rng: RNG) -> Values:
    """Recurrent weights moved in a random direction, by `strength` times their Frobenius norm."""
    direction = as_generator(rng).standard_normal(values["W"].shape)
    scale = strength * np.linalg.norm(values["W"]) / np.linalg.norm(direction)
    W = values["W"] + scale * direction
    np.fill_diagonal(W, 0)
    return dict(values) | {"W": W}


def perturbed_leaks(values: Mapping[str, np.ndarray], strength: float, rng: RNG) -> Values:
    """Time constants made longer in a random direction, by `strength` times their norm."""
    direction = np.abs(as_generator(rng).standard_normal(values["tau"].shape))
    scale = strength * np.linalg.norm(values["tau"]) / np.linalg.norm(direction)
    return dict(values) | {"tau": values["tau"] + scale * direction}
