"""Adaptation in closed form, and what it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import gains, measures, model
from .comparison import LABELS, compare, dataset, orientations

if TYPE_CHECKING:
    import xarray as xr

    from .model import Ring

__all__ = ["adaptation", "dependence"]

#: Variants of the model, by what differs from the defaults.
CONDITIONS: dict[str, dict[str, Any]] = {
    "reference": {},
    "half the penalty": {"alpha": 0.5},
    "no recurrence": {"rho": 0.0},
    "excitation only": {"rho": 0.8, "inh": 0.0},
    "ridge decoder": {"decoder": "ridge"},
    "hardly any anchor": {"gamma": 1e-6},
}

_OF_OBJECTIVE = ("alpha", "gamma")


def _settled(population: Ring, g: np.ndarray, stimuli: np.ndarray) -> np.ndarray:
    """Responses (N, stimuli) of the simulated network after 500 time constants."""
    import neurodyn as nd

    drive = population.drive.T[stimuli]
    duration = 500 * model.tau
    ds = nd.simulate(
        model.network(population, g=g),
        nd.Euler(dt=0.1 * model.tau),
        duration,
        trials=len(stimuli),
        every=duration,
        progress=False,
        inputs={"cortex.f": nd.signals.ArraySignal(drive[:, None], dt=duration)},
    )
    return ds["cortex.r.final"].values.T


def adaptation(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    N: int = 60,
    S: int = 180,
    adapter_probability: float = 0.35,
) -> xr.Dataset:
    """Tuning curves and populations in a uniform and a biased ensemble, with optimal gains.

    For the model as it is and for five variants (`CONDITIONS`).

    Parameters
    ----------
    size : {"fast", "full"}
        Simulate the adapted network for 12 stimuli, or for all.
    rng : int
        Not used: nothing here is random.
    N, S : int
        Neurons and stimuli; see `model.ring`. Claims are for the default numbers.
    adapter_probability : float
        Of the biased ensemble.

    Returns
    -------
    xarray.Dataset
        Over (condition, ...); `simulation_error` (stimulus) compares the simulated network with its
        steady state.
    """
    p = model.biased_ensemble(S, adapter_probability=adapter_probability)
    found, rings = [], {}
    for name, changes in CONDITIONS.items():
        penalties = {key: value for key, value in changes.items() if key in _OF_OBJECTIVE}
        rings[name] = model.ring(
            N, S, **{key: value for key, value in changes.items() if key not in _OF_OBJECTIVE}
        )
        found.append(compare(rings[name], p, **penalties))
    population, reference = rings["reference"], found[0]
    shown = np.arange(0, S, S // 12 if size == "fast" else 1)
    simulated = _settled(population, reference["gain"][1], shown)
    closest = gains.closest_gains(
        population,
        measures.covariance(population.drive, p),
        reference["covariance"][0],
        reference["gain"][1],
    )
    nearest = measures.covariance(population.responses(closest), p)
    ds = dataset(found, "condition", list(CONDITIONS)).assign_coords(orientations(population))
    return ds.assign(
        {
            "ensemble_probability": labelled(
                ("ensemble", "orientation"), [model.uniform_ensemble(S), p], "probability"
            ),
            "spectral_radius": labelled(
                "condition", [one.spectral_radius for one in rings.values()], "spectral radius of W"
            ),
            "simulation_error": labelled(
                "stimulus",
                np.abs(simulated - reference["response"][1][:, shown]).max(axis=0),
                "largest difference of simulated and steady response",
            ),
            "closest_gain": labelled("neuron", closest, "gain that best restores the covariance"),
            "closest_distance": labelled(
                (),
                measures.distance(nearest, reference["covariance"][0]),
                "distance of the covariance from the control's, with these gains",
            ),
        }
    ).assign_coords(stimulus=("stimulus", population.stimulus[shown], {"units": "deg"}))


# --------------------------------------------------------------------------- what it depends on

#: Values of each parameter, by size; the others are at their defaults.
SWEEPS = {
    "fast": {
        "adapter_probability": np.linspace(0.1, 0.6, 6),
        "alpha": [0, 0.25, 0.5, 1, 2, 4],
        "gamma": [1e-3, 0.1, 0.5, 1, 2, 8],
        "rho": [0, 0.2, 0.4, 0.6, 0.8, 0.95],
    },
    "full": {
        "adapter_probability": np.linspace(0.05, 0.95, 19),
        "alpha": np.append(0, np.geomspace(1e-2, 1e2, 21)),
        "gamma": np.geomspace(1e-4, 1e2, 25),
        "rho": np.linspace(0, 1.1, 23),
    },
}

#: What is left of the neurons: these, by preferred orientation.
PROBES = (0, 12, 24, 90)


def dependence(*, size: Literal["fast", "full"] = "fast", rng: int = 0) -> xr.Dataset:
    """The measures over each parameter by itself, and with 30, 60 and 120 neurons.

    Parameters
    ----------
    size : {"fast", "full"}
        About 6 or about 20 values of each parameter.
    rng : int
        Not used: nothing here is random.

    Returns
    -------
    xarray.Dataset
        Over a dimension for each parameter, with its name in front: ``alpha_cv``.
    """
    import xarray as xr

    parts = []
    for name, values in (SWEEPS[size] | {"N": [30, 60, 120]}).items():
        found = [_probed(**{name: value}) for value in values]
        kept = [
            key
            for key, (dims, _, _) in LABELS.items()
            if not {"orientation", "neuron_b"} & set(dims) and key != "mean_response"
        ]
        ds = dataset(found, name, list(values), set(LABELS) - set(kept))
        ds = ds.assign(
            largest_repulsion=labelled(
                name, [one["largest_repulsion"] for one in found], "largest repulsion", "deg"
            )
        )
        parts.append(ds.rename({key: f"{name}_{key}" for key in ds.data_vars}))
    return xr.merge(parts).assign_coords(neuron=("neuron", list(PROBES), {"units": "deg"}))


def _probed(
    adapter_probability: float = 0.35, alpha: float = 1.0, gamma: float = 1.0, **parameters: Any
) -> dict[str, Any]:
    """What `compare` finds, at the neurons `PROBES` only."""
    population = model.ring(**parameters)
    found = compare(
        population,
        model.biased_ensemble(adapter_probability=adapter_probability),
        alpha=alpha,
        gamma=gamma,
    )
    at = [population.neuron_at(orientation) for orientation in PROBES]
    largest = found["repulsion"].max()
    for key, (dims, _, _) in LABELS.items():
        if dims[-1] == "neuron":
            found[key] = found[key][..., at]
    return found | {"largest_repulsion": largest}
