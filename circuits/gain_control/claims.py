"""What is claimed of learning, of parameters and of sessions; and all claims of the circuit.

Sources are those of `adaptation_claims`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most, within

from .adaptation_claims import ABSTRACT, ADAPTATION, BENUCCI, DERIVED, INDEPENDENT

if TYPE_CHECKING:
    import xarray as xr


def _learning() -> list[Claim]:
    experiment = "gain_learning"
    return [
        Claim(
            "Closed form: largest distance from the gains of a numerical minimiser",
            DERIVED,
            0,
            at_most(1e-5),
            lambda ds: float(
                np.abs(ds.gain_minimised - ds.gain_optimal.sel(ensemble="biased")).max()
            ),
            experiment,
        ),
        Claim(
            "Closed form: gradient there, over that at g = 1",
            DERIVED,
            0,
            at_most(1e-8),
            lambda ds: float(ds.relative_gradient),
            experiment,
        ),
        Claim(
            "Gradient descent: largest distance from the closed form after 5000 steps",
            DERIVED,
            0,
            at_most(1e-4),
            lambda ds: float(ds.descent_error[-1]),
            experiment,
        ),
        Claim(
            "Network: rms distance of late gains from their exact mean, in standard errors",
            DERIVED,
            "about 1",
            at_most(3),
            _in_standard_errors,
            experiment,
            note="root mean square over neurons and phases; late: second half of a phase",
        ),
        Claim(
            "Network: late gain at the adapter, biased over uniform, mean over networks",
            INDEPENDENT,
            0.552,
            within(0.552, absolute=0.05),
            lambda ds: float(_late_ratio(ds).mean()),
            experiment,
        ),
        Claim(
            "Network: the same, standard deviation over networks",
            INDEPENDENT,
            0,
            at_most(0.15),
            lambda ds: float(_late_ratio(ds).std(ddof=1)),
            experiment,
            note="the learning rate keeps the gains moving; 5 networks, 10 at full size",
        ),
        Claim(
            "Network: late gain at the adapter, uniform again over uniform, mean over networks",
            f"{ABSTRACT} no synapse changes",
            1,
            within(1, absolute=0.1),
            lambda ds: float((_late(ds, "uniform again") / _late(ds, "uniform")).mean()),
            experiment,
        ),
    ]


def _late(ds: xr.Dataset, phase: str) -> np.ndarray:
    return ds.late_gain.sel(phase=phase, neuron=0).values


def _late_ratio(ds: xr.Dataset) -> np.ndarray:
    return _late(ds, "biased") / _late(ds, "uniform")


def _in_standard_errors(ds: xr.Dataset) -> float:
    miss = ds.late_gain.mean("trial") - ds.late_expected
    variance = ds.late_gain.var("trial", ddof=1) / ds.sizes["trial"]
    return float(np.sqrt((miss**2).mean() / variance.mean()))


# ------------------------------------------------------------------- dependence and sessions


def _dependence() -> list[Claim]:
    experiment, claims = "dependence", []
    for N in (30, 120):
        claims += [
            Claim(
                f"N = {N}: gain at {degrees} deg over the control's, minus that for N = 60",
                INDEPENDENT,
                0,
                within(0, absolute=5e-4),
                lambda ds, N=N, d=degrees: float(
                    ds.N_gain_ratio.sel(N=N, neuron=d) - ds.N_gain_ratio.sel(N=60, neuron=d)
                ),
                experiment,
            )
            for degrees in (0, 12, 24, 90)
        ]
        claims += [
            Claim(
                f"N = {N}: largest repulsion minus that for N = 60, deg",
                INDEPENDENT,
                0,
                within(0, absolute=0.025),
                lambda ds, N=N: float(
                    ds.N_largest_repulsion.sel(N=N) - ds.N_largest_repulsion.sel(N=60)
                ),
                experiment,
            ),
            Claim(
                f"N = {N}: CV of mean responses with adaptation, minus that for N = 60",
                INDEPENDENT,
                0,
                within(0, absolute=5e-4),
                lambda ds, N=N: float(np.diff(ds.N_cv.sel(N=[60, N], case="with"))[0]),
                experiment,
            ),
            Claim(
                f"N = {N}: objective over that for N = 60",
                INDEPENDENT,
                N / 60,
                within(N / 60, relative=1e-3),
                lambda ds, N=N: float(
                    np.divide(
                        *ds.N_objective.sel(N=[N, 60], context="adapted", ensemble="biased").values
                    )
                ),
                experiment,
            ),
        ]
    claims += [
        Claim(
            "alpha = 0: largest distance of the gains from 1",
            DERIVED,
            0,
            at_most(1e-12),
            lambda ds: float(np.abs(ds.alpha_gain.sel(alpha=0) - 1).max()),
            experiment,
            note="rounding",
        ),
        Claim(
            "Largest increase of a gain from one alpha to the next",
            DERIVED,
            "< 0",
            at_most(0),
            lambda ds: float(ds.alpha_gain.diff("alpha").max()),
            experiment,
        ),
        Claim(
            "Largest gain distance from 1 at the strongest anchor, over that at the weakest",
            DERIVED,
            "< 1",
            at_most(0.5),
            lambda ds: float(
                np.divide(
                    *np.abs(ds.gamma_gain.isel(gamma=[-1, 0]) - 1).max(["context", "neuron"]).values
                )
            ),
            experiment,
        ),
        Claim(
            "Largest increase of the adapter's gain from one probability of it to the next",
            f"{ABSTRACT} adaptation to the ensemble",
            "< 0",
            at_most(0),
            lambda ds: float(
                ds.adapter_probability_gain_ratio.sel(neuron=0).diff("adapter_probability").max()
            ),
            experiment,
        ),
        Claim(
            "Least increase of the largest repulsion from one rho to the next, deg",
            f"{ABSTRACT} gains act through recurrent connections",
            ">= 0",
            at_least(0),
            lambda ds: float(ds.rho_largest_repulsion.diff("rho").min()),
            experiment,
        ),
    ]
    return claims


def _sessions() -> list[Claim]:
    experiment = "recording_sessions"
    return [
        Claim(
            f"{words}, with adaptation over without: the session with the largest",
            BENUCCI,
            "homeostasis",
            at_most(0.5),
            lambda ds, n=name: float((ds[n].sel(case="with") / ds[n].sel(case="without")).max()),
            experiment,
            note="the model at the sessions' probabilities, not the recordings",
        )
        for name, words in (
            ("cv", "CV of mean responses"),
            ("covariance_distance", "Covariance's distance from the control's"),
        )
    ]


CLAIMS = (*ADAPTATION, *_learning(), *_dependence(), *_sessions())
