"""Ways to the optimal gains: a minimiser, gradient descent, and the network itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import gains, model
from . import presentations as shows
from .comparison import orientations

if TYPE_CHECKING:
    import xarray as xr

    from .model import Ring

__all__ = ["gain_learning"]

#: By size: presentations of each context and the time constants for which one lasts, learning rate
#: of one presentation, and networks.
LEARNING = {
    "fast": {"presentations": 500, "held": 100, "eta": 1e-2, "trials": 5},
    "full": {"presentations": 3000, "held": 200, "eta": 3e-3, "trials": 10},
}

#: A step of Euler's method, in time constants.
STEP = 0.5


def gain_learning(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    presentations: int | None = None,
    held: int | None = None,
    eta: float | None = None,
    trials: int | None = None,
    adapter_probability: float = 0.35,
    progress: bool = True,
) -> xr.Dataset:
    """Three ways to the optimal gains: a minimiser, gradient descent, and the network itself.

    The network with adapting gains sees one stimulus after the other: from the uniform ensemble,
    the biased and again the uniform one. Beside it stands its exact mean over sequences of stimuli.

    Parameters
    ----------
    size : {"fast", "full"}
        500 presentations of each context in 5 networks, or 3000 in 10.
    rng : int
        Seed of the stimuli.
    presentations : int, optional
        In each context. None: as `size` says, like the others.
    held : int, optional
        Membrane time constants for which a stimulus is held.
    eta : float, optional
        Learning rate of one presentation.
    trials : int, optional
        Networks, each with stimuli of its own.
    adapter_probability : float
        Of the biased ensemble.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
    """
    import xarray as xr

    given = {"presentations": presentations, "held": held, "eta": eta, "trials": trials}
    s = LEARNING[size] | {name: value for name, value in given.items() if value is not None}
    for name, least in {"presentations": 10, "held": 1, "trials": 2}.items():
        if s[name] < least:
            raise ValueError(f"`{name}` must be {least} at least; got {s[name]}")
    if not s["eta"] > 0:
        raise ValueError(f"`eta` must be positive; got {s['eta']!r}")
    population, n = model.ring(), s["presentations"]
    S = len(population.stimulus)
    ensembles = [
        model.uniform_ensemble(S),
        model.biased_ensemble(S, adapter_probability=adapter_probability),
    ]
    best = np.array([gains.optimal_gains(population, p) for p in ensembles])
    course = gains.descend(population, ensembles[1])
    g, expected, at_rest = _learning_network(population, ensembles, best[0], s, rng, progress)
    second_half = [slice((k + 1) * n - n // 2, (k + 1) * n) for k in range(3)]
    slopes = [
        gains.gradient(population, one, ensembles[1])
        for one in (best[1], np.ones(population.n_neurons))
    ]
    shown = np.unique(np.geomspace(1, len(course) - 1, 60).astype(int))
    thin = max(1, 3 * n // 300)
    return xr.Dataset(
        {
            "gain_optimal": labelled(("ensemble", "neuron"), best, "gain in closed form"),
            "gain_minimised": labelled(
                "neuron",
                gains.minimise(population, ensembles[1]),
                "gain by L-BFGS, biased ensemble",
            ),
            "relative_gradient": labelled(
                (),
                np.abs(slopes[0]).max() / np.abs(slopes[1]).max(),
                "gradient at the closed form, over that at g = 1",
            ),
            "descent_error": labelled(
                "step",
                np.abs(course[shown] - best[1]).max(axis=1),
                "largest distance of the gains from the closed form",
            ),
            "gain": labelled(
                ("trial", "presentation", "neuron"), g[:, ::thin], "gain in the network"
            ),
            "gain_expected": labelled(
                ("presentation", "neuron"),
                expected[::thin],
                "exact mean of the gain over sequences of stimuli",
            ),
            "gain_at_rest": labelled(
                ("ensemble", "neuron"), at_rest, "the same after many presentations"
            ),
            "late_gain": labelled(
                ("phase", "trial", "neuron"),
                [g[:, half].mean(axis=1) for half in second_half],
                "mean gain in the network, second half of the phase",
            ),
            "late_expected": labelled(
                ("phase", "neuron"),
                [expected[half].mean(axis=0) for half in second_half],
                "exact mean of that",
            ),
        },
        {
            "ensemble": ["uniform", "biased"],
            "phase": ["uniform", "biased", "uniform again"],
            "neuron": orientations(population)["neuron"],
            "step": shown,
            "presentation": np.arange(0, 3 * n, thin),
        },
    )


def _learning_network(
    population: Ring,
    ensembles: list[np.ndarray],
    g: np.ndarray,
    s: dict[str, Any],
    rng: int,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Gains (trial, presentation, N), their exact mean, and where that rests (ensemble, N)."""
    import neurodyn as nd

    phases, n, steps = (0, 1, 0), s["presentations"], round(s["held"] / STEP)
    held = s["held"] * model.tau
    tau_g = held / (2 * s["eta"])
    shown = shows.draw([ensembles[k] for k in phases], n, s["trials"], rng)
    signal = nd.signals.ArraySignal(population.drive.T[shown], dt=held)
    run = nd.simulate(
        model.adapting_network(population, g=g, tau_g=tau_g),
        nd.Euler(dt=STEP * model.tau),
        len(phases) * n * held,
        trials=s["trials"],
        inputs={"cortex.f": signal, "error.f": signal},
        record=["cortex.g"],
        every=held,
        progress=progress,
    )
    maps = shows.mean_presentations(
        population, ensembles, steps=steps, dt=STEP, rate=model.tau / tau_g
    )
    expected = shows.expected_course([maps[k] for k in phases], n, g)
    return run["cortex.g"].values, expected, [one.fixed_gains for one in maps]
