"""The spiking networks, and the lateral neurons that protect what they have learned.

All networks are layers of units without bias, in steps of Euler: what a step of the papers does to
a state s, ``s <- F(s)``, is ``ds/dt = (F(s) - s)/step``. Spikes pass all layers within a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count

if TYPE_CHECKING:
    import neurodyn as nd
    from neurodyn._arrays import RNG

__all__ = ["FIRST_GAIN", "N_STEPS", "PARAMETERS", "coupling_labels", "first_weights",
           "initial_state", "lateral_network", "layers", "network", "steps_of"]

#: Of the neurons that are trained by their rates: step and time constant (s), threshold, and the
#: fraction of it at which they spike.
PARAMETERS: Mapping[str, float] = MappingProxyType(
    {"step": 0.05, "tau": 1.0, "V_th": 0.3, "a": 0.3})

#: Steps for which an image is shown, by the way of training.
N_STEPS: Mapping[str, int] = MappingProxyType({"rates": 20, "bptt": 6, "online": 6})

#: Of the first weights. Units with threshold 1 that are driven for 6 steps only would stay silent,
#: with weights within 1/sqrt(n_pre), and a layer behind them would learn nothing.
FIRST_GAIN: Mapping[str, float] = MappingProxyType({"rates": 1.0, "bptt": 3.0, "online": 2.0})

#: Equations of a hidden unit: spikes x of amplitude V_th/step; rate, the weighted mean of x with
#: weights exp(-(T - t) step/tau); mean, that without weights; current, the weighted mean of I.
_RATES = """
    m = beta*v + (1 - beta)*I : 1
    spiking = heaviside(m - a*V_th) : 1
    x = V_th/step*spiking : 1
    dv/dt = (m - V_th*spiking - v)/step/second : 1
    drate/dt = ((beta - 1)*rate + x/total)/step/second : 1
    dmean/dt = x/(n_steps*step)/second : 1
    dcurrent/dt = ((beta - 1)*current + I/total)/step/second : 1
    """
_RATES_READOUT = "dlogit/dt = ((beta - 1)*logit + I/total)/step/second : 1"

#: Hard reset, through which gradients pass; x of the step before is kept as `spiked`.
_BPTT = """
    m = v + (I - v)/2 : 1
    x = spike(m - 1) : 1
    dv/dt = (m*(1 - x) - v)/step/second : 1
    dspiked/dt = (x - spiked)/step/second : 1
    """
_BPTT_READOUT = "dlogit/dt = I/(n_steps*step)/second : 1"

#: Soft reset; trace, of spikes up to this step, and the potential of the step are kept.
_ONLINE = """
    m = v/2 + I : 1
    x = heaviside(m - 1) : 1
    dv/dt = (m - x - v)/step/second : 1
    dspiked/dt = (x - spiked)/step/second : 1
    dtrace/dt = (x - trace/2)/step/second : 1
    dpotential/dt = (m - potential)/step/second : 1
    """
_ONLINE_READOUT = "dlogit/dt = (I - logit)/step/second : 1"

_TEXTS = {"rates": (_RATES, _RATES_READOUT), "bptt": (_BPTT, _BPTT_READOUT),
          "online": (_ONLINE, _ONLINE_READOUT)}


def layers(n_hidden: int = 2) -> list[str]:
    """Names of the populations, pixels first."""
    return ["pixels", *(f"hidden_{k + 1}" for k in range(n_hidden)), "readout"]


def coupling_labels(n_hidden: int = 2) -> list[str]:
    """Names of the weights of each layer, as `Unrolled` and `train` know them."""
    names = layers(n_hidden)
    return [f"{pre}.x->{post}.I" for pre, post in zip(names, names[1:])]


def steps_of(training: str) -> tuple[float, int]:
    """The step (s) and the number of steps for which an image is shown."""
    return (PARAMETERS["step"] if training == "rates" else 1.0), N_STEPS[training]


def first_weights(sizes: Sequence[int], rng: RNG = None, gain: float = 1.0) -> list[np.ndarray]:
    """Weights [post, pre] of each layer, uniform within ``gain/sqrt(n_pre)``."""
    from neurodyn._arrays import as_generator

    random = as_generator(rng)
    return [gain * random.uniform(-1, 1, (n_post, n_pre)) / np.sqrt(n_pre)
            for n_pre, n_post in zip(sizes, sizes[1:])]


def network(
    sizes: Sequence[int] = (144, 150, 150, 10),
    *,
    training: str = "rates",
    weights: Sequence[np.ndarray] | None = None,
    subspaces: Sequence[nd.learning.HebbianSubspace] | None = None,
    rng: RNG = None,
) -> nd.Network:
    """A feedforward spiking network; with lateral neurons, if `subspaces` says so.

    Trained by rates, a unit is, with beta = exp(-step/tau) and I the sum of its inputs::

        v <- beta v + (1 - beta) I;    if v > a V_th:  v <- v - V_th and a spike V_th/step

    For `training` "bptt" it is ``v <- v + (I - v)/2`` with a spike of 1 above 1 and a reset to 0,
    for "online" ``v <- v/2 + I``, with ``v <- v - 1``.

    Parameters
    ----------
    sizes : sequence of int
        Pixels, units of the hidden layers, classes.
    training : {"rates", "bptt", "online"}
        The neurons with which the papers of the three ways of training work.
    weights : sequence of ndarray [post, pre], optional
        Of each layer. Default random, `first_weights`.
    subspaces : sequence of HebbianSubspace, optional
        One for each layer but the readout. For each a population `lateral_k` of its rows hears the
        rates of the layer (of the pixels, the pixels) and sends them back through the same weights
        to the input `feedback` of the layer; ``protected = rate - feedback`` is what may learn.
        Only for `training` "rates".
    rng : int, SeedSequence, Generator or None
        Of the weights.

    Returns
    -------
    Network
        Populations `pixels`, `hidden_1`, ..., `readout`. Images go to the input `pixels.I`.
    """
    import neurodyn as nd

    if training not in _TEXTS:
        raise ValueError(f"`training` must be one of {', '.join(_TEXTS)}; got {training!r}")
    sizes = [checked_count(n, "sizes") for n in sizes]
    if len(sizes) < 3:
        raise ValueError(f"`sizes` must have pixels, hidden layers and classes; got {sizes}")
    if weights is None:
        weights = first_weights(sizes, rng, FIRST_GAIN[training])
    weights = list(weights)
    shapes = [np.shape(W) for W in weights]
    if shapes != list(zip(sizes[1:], sizes)):
        raise ValueError(f"`weights` must be [post, pre] with `sizes` {sizes}; got {shapes}")
    if subspaces is not None and (training != "rates" or len(subspaces) != len(sizes) - 1):
        raise ValueError(
            f"`subspaces` must be one for each of the {len(sizes) - 1} layers but the readout, "
            f"with `training` 'rates'; got {len(subspaces)} with {training!r}"
        )
    names = layers(len(sizes) - 2)
    texts = ["x = I : 1", *[_TEXTS[training][0]] * (len(sizes) - 2), _TEXTS[training][1]]
    if subspaces is not None:
        texts[0] += "\nrate = x : 1"
        texts = [f"{text}\nprotected = rate - feedback : 1" for text in texts[:-1]] + texts[-1:]
    populations = {name: nd.Population(n, text, **_values(training, text))
                   for name, n, text in zip(names, sizes, texts)}
    couplings = [nd.Coupling(*label.split("->"), W)
                 for label, W in zip(coupling_labels(len(sizes) - 2), weights)]
    for k, subspace in enumerate(subspaces or ()):
        H = subspace.rows[: subspace.n_frozen]
        populations[f"lateral_{k}"] = nd.Population(subspace.n_frozen, "y = I : 1")
        there = nd.weights.Dense(H)
        back = nd.weights.Transpose(there)
        couplings += [nd.Coupling(f"{names[k]}.rate", f"lateral_{k}.I", there),
                      nd.Coupling(f"lateral_{k}.y", f"{names[k]}.feedback", back)]
    return nd.Network(populations, couplings)


def _values(training: str, text: str) -> dict[str, Any]:
    """The parameters that an equation text needs."""
    import re

    import neurodyn as nd

    step, n_steps = steps_of(training)
    p = PARAMETERS
    beta = np.exp(-p["step"] / p["tau"])
    values = {"step": step, "n_steps": n_steps, "beta": beta, "V_th": p["V_th"], "a": p["a"],
              "total": (beta ** np.arange(n_steps)).sum()}
    values = {name: v for name, v in values.items() if re.search(rf"\b{name}\b", text)}
    if "spike(" in text:
        values["surrogate"] = nd.surrogates.Sigmoid(slope=4.0)
    return values


def initial_state(net: nd.Network, trials: int) -> dict[str, np.ndarray]:
    """All states at 0, (trial, unit)."""
    return {name: np.zeros((trials, net.populations[name.split(".")[0]].size))
            for name in net.state_names}


def lateral_network(rows: np.ndarray, eta: Any, *, tau_average: float = 10.0,
                    largest: float = 10.0) -> nd.Network:
    """Units and lateral neurons alone, which learn at every step from one pattern.

    Parameters
    ----------
    rows : ndarray, (row, unit)
        First weights from the units to the lateral neurons.
    eta : float or ndarray (row, unit)
        Learning rate; 0 for the rows that are frozen.
    tau_average : float, s
        Of the running average of the changes; the default, in steps of 1 s, is the paper's 0.9.
    largest : float
        Changes are cut to plus or minus this.

    Returns
    -------
    Network
        Populations `units`, whose input `u` is the pattern, and `lateral`.
    """
    import neurodyn as nd

    rows = np.asarray(rows, float)
    rule = nd.plasticity.oja_subspace(eta=eta, tau_average=tau_average, largest=largest, pre="x",
                                      post="y")
    return nd.Network({"units": nd.Population(rows.shape[1], "x = u : 1\nu : 1"),
                       "lateral": nd.Population(len(rows), "y = I : 1")},
                      [nd.Coupling("units.x", "lateral.I", rows, plasticity=rule)])
