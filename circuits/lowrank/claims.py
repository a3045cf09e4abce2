"""What the papers say, and how each number is measured on our run.

Sources: ``[MO]`` Mastrogiuseppe and Ostojic (2018); ``[D]`` Dubreuil et al. (2022); ``[B]`` Beiran
et al. (2021); ``[SB]`` Sussillo and Barak (2013); ``[derived]`` algebra of their equations. Where a
paper prints no number, the reference is an independent solution of its equations in plain NumPy, or
an independent simulation.

Simulated networks scatter, and differ from the limit of many units by order 1/N. Where a claim is
that they agree with the theory, its number is the least p-value of a t-test over networks of all
points, times the number of points (Bonferroni), beyond an allowance of 10/N that was fixed before
the runs. By chance it is below 0.001 in one run of a thousand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most, between, within

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

SOLVER, SIMULATION = "[MO] equations; independent solver", "[MO]; independent simulation"
#: p-value below which theory and simulation count as different.
LEAST_P = 1e-3


def agreement(predicted: ArrayLike, simulated: ArrayLike, allowance: ArrayLike = 0.0) -> float:
    """p-value that networks (network, point) have the predicted means (point,), of all points."""
    from scipy.stats import t

    from neurodyn import analyses

    predicted = np.atleast_1d(np.asarray(predicted, float))
    simulated = np.asarray(simulated, float).reshape(-1, predicted.size)
    compared = analyses.compare_with_theory(np.arange(predicted.size), predicted, simulated,
                                            allowance=allowance)
    p = 2 * t.sf(np.abs(compared.z), compared.n_repetitions - 1) * predicted.size
    return float(np.minimum(p, 1).min())


def agrees(text: str, source: str, experiment: str, measure: Callable[[xr.Dataset], float],
           note: str = "") -> Claim:
    return Claim(f"{text}: p-value of theory and simulation", source, "same",
                 at_least(LEAST_P), measure, experiment, note=note)


def value(name: str, **where: object) -> Callable[[xr.Dataset], float]:
    """Measure: the mean of a variable at a selection, over networks above all."""
    return lambda ds: float(ds[name].sel(where).mean())


# ------------------------------------------------------------------------------- mean field

def _rank_one() -> list[Claim]:
    experiment, claims = "mean_field", []
    for overlap, kappa in ((1.2, 0.48628), (1.5, 0.84342), (2.0, 1.33711), (3.0, 2.22231),
                           (5.0, 3.88654)):
        claims.append(Claim(f"Overlap {overlap:g}, no random part: kappa in theory", SOLVER, kappa,
                            within(kappa, absolute=6e-6),
                            value("kappa_theory", overlap=overlap, gain=0.0), experiment))
    for overlap, gain, variance, kappa in ((2.0, 0.5, 1.78786, 1.28952),
                                           (2.0, 0.8, 1.78786, 1.21155),
                                           (3.0, 0.8, 4.93868, 2.12415)):
        where = {"overlap": overlap, "gain": gain}
        claims += [
            Claim(f"Overlap {overlap:g}, gain {gain:g}: kappa in theory", SOLVER, kappa,
                  within(kappa, absolute=6e-6), value("kappa_theory", **where), experiment),
            Claim(f"Overlap {overlap:g}, gain {gain:g}: variance of x in theory", SOLVER, variance,
                  within(variance, absolute=6e-6), value("variance_theory", **where), experiment),
        ]
    claims += [
        Claim("Overlap 0.5: largest kappa in theory, all gains", "[MO] none below 1", 0,
              at_most(1e-9), lambda ds: float(ds.kappa_theory.sel(overlap=0.5).max()), experiment),
        Claim("Overlaps above 1: fixed points in theory whose indices do not sum to 1",
              "[MO] 0 and a pair", 0, at_most(0),
              lambda ds: float(((ds.points_theory != 3) | (ds.complete_theory != 1))
                               .sel(overlap=slice(1.1, None)).sum()), experiment),
        Claim("Variance of x in theory: largest change by the random part, overlaps above 1",
              "[derived] 1 = overlap <phi'>", 0, at_most(1e-6),
              lambda ds: float((ds.variance_theory - ds.variance_theory.isel(gain=0))
                               .sel(overlap=slice(1.1, None)).pipe(abs).max()), experiment),
        Claim("All simulated networks of rank one: largest |dx/dt| at the end", "[MO] they rest", 0,
              at_most(1e-4), lambda ds: float(ds.speed.max()), experiment),
    ]
    for gain in (0.0, 0.5, 0.8):
        claims += [
            agrees(f"Gain {gain:g}: kappa at 6 overlaps", "[MO]", experiment,
                   lambda ds, g=gain: _by_overlap(ds, "kappa", g)),
            agrees(f"Gain {gain:g}: variance of x at 6 overlaps", "[MO]", experiment,
                   lambda ds, g=gain: _by_overlap(ds, "variance", g)),
        ]
    for gain, kappa, sd in ((0.5, 1.296, 0.015), (0.8, 1.191, 0.013)):
        claims.append(Claim(
            f"Overlap 2, gain {gain:g}: mean kappa of networks of 3000 units", SIMULATION, kappa,
            within(kappa, absolute=4 * sd), value("kappa", overlap=2.0, gain=gain), experiment,
            sizes=("full",), note="four times the published error"))
    claims += [
        Claim("Overlap 2, 0.8 times the critical gain: standard deviation of x in time",
              "[MO] stationary", 0, at_most(1e-3), value("fluctuation", factor=0.8), experiment),
        Claim("Overlap 2, 1.2 times the critical gain: standard deviation of x in time",
              "[MO] chaotic", "> 0", at_least(0.1), value("fluctuation", factor=1.2), experiment),
    ]
    return claims


def _by_overlap(ds: xr.Dataset, name: str, gain: float) -> float:
    here = ds.sel(gain=gain)
    return agreement(here[f"{name}_theory"], here[name].transpose("network", "overlap"),
                     10 / ds.n_units)


def _rank_two() -> list[Claim]:
    experiment = "mean_field"
    return [
        Claim("Overlaps 3 and 2, gain 0.8: fixed points in theory",
              "[MO] 0 and a pair on each axis", 5, within(5, absolute=0), value("rank_two_points"),
              experiment),
        Claim("Overlaps 3 and 2, gain 0.8: stable ones", "[MO] those of the larger overlap", 2,
              within(2, absolute=0), value("rank_two_stable"), experiment),
        agrees("Overlaps 3 and 2, gain 0.8: kappa of the stable point and of the saddle", "[MO]",
               experiment, lambda ds: agreement(
                   [ds.fixed_kappa_theory[1, 0], ds.fixed_kappa_theory[2, 1]],
                   np.stack([ds.fixed_kappa[:, 1, 0], ds.fixed_kappa[:, 2, 1]], axis=1),
                   10 / ds.n_eigenvalues)),
        agrees("Overlaps 3 and 2, gain 0.8: largest eigenvalue at 0, stable point and saddle",
               "[MO]", experiment,
               lambda ds: agreement(ds.eigenvalue_theory, ds.eigenvalue, 10 / ds.n_eigenvalues)),
        Claim("Overlaps 3 and 2, gain 0.8: largest eigenvalue at 0 in theory",
              "[derived] overlap - 1", 2, within(2, absolute=1e-9),
              value("eigenvalue_theory", point="origin"), experiment),
        Claim("Overlaps 3 and 2, gain 0.8: unstable eigenvalue of the saddle in theory",
              "[derived] 3 <phi'> - 1 = 3/2 - 1", 0.5, within(0.5, absolute=1e-9),
              value("eigenvalue_theory", point="saddle"), experiment),
        Claim("Overlaps [[2, -1], [1, 2]]: period of the cycle of the flow of the overlaps",
              "[derived] 4 pi time constants", 4 * np.pi, within(4 * np.pi, absolute=1e-6),
              value("cycle_period_flow"), experiment),
        agrees("Overlaps [[2, -1], [1, 2]]: period of the cycle", "[derived]", experiment,
               lambda ds: agreement(ds.cycle_period_theory, ds.cycle_period, 10 / ds.n_units)),
        agrees("Overlaps [[2, -1], [1, 2]]: radius of the cycle", "[derived]", experiment,
               lambda ds: agreement(ds.cycle_radius_theory, ds.cycle_radius, 10 / ds.n_units)),
    ]


# ------------------------------------------------------------------------------ many units

def _large() -> list[Claim]:
    experiment = "large_network"
    sparse = "the random part is sparse: allowance of 1/K beside 10/N"
    claims = [
        Claim("Most memory held for a network and its run, over that of an n x n matrix",
              "[derived] no such matrix is formed", "< 1", at_most(0.1),
              lambda ds: float(ds.peak_memory.max() / (8 * ds.large_n_units**2)), experiment),
        agrees("Large networks: kappa", "[MO]", experiment, lambda ds: agreement(
            ds.kappa_theory, ds.kappa,
            10 / ds.large_n_units + float(ds.kappa_theory) / ds.in_degree), sparse),
        agrees("Large networks: variance of x", "[MO]", experiment, lambda ds: agreement(
            ds.variance_theory, ds.variance,
            10 / ds.large_n_units + float(ds.variance_theory) / ds.in_degree), sparse),
        Claim("Large networks: largest |dx/dt| at the end", "[MO] they rest", 0, at_most(1e-6),
              lambda ds: float(ds.speed.max()), experiment),
    ]
    for n_units, kappa, sd in ((500, 1.388, 0.039), (2000, 1.365, 0.030), (8000, 1.333, 0.011)):
        claims.append(Claim(
            f"Overlap 2, {n_units} units: mean kappa of networks", SIMULATION, kappa,
            within(kappa, absolute=4 * sd), value("small_kappa", n_units=n_units), experiment,
            note="four times the published error, which is less than one network's scatter"))
        for size, networks in (("fast", 30), ("full", 200)):
            claims.append(Claim(
                f"Overlap 2, {n_units} units: scatter of kappa over networks, over theory's",
                "[derived] to first order in 1/sqrt(N)", 1,
                within(1, absolute=4 / np.sqrt(2 * networks - 2)),
                lambda ds, n=n_units: float(ds.small_kappa.sel(n_units=n).std(ddof=1)
                                            / ds.scatter_theory.sel(n_units=n)),
                experiment, sizes=(size,),
                note=f"four standard errors of a standard deviation of {networks}"))
    return claims


# ---------------------------------------------------------------------------- latent dynamics

#: Notes of claims, by words in their text.
NOTES = {
    "eight": "eight is our number",
    "times 2^bits": "for many units; one population is nearly a ring, and single networks of 8192 "
                    "units keep from none to all",
    "one Gaussian population: mean accuracy":
        "thought to fail because one population is nearly a ring: the saddles of its mean field "
        "have eigenvalues of about 0.015/tau, so that the other memories fade in 7 s, while the "
        "next pulse comes after 2 s on average; after 30 s they are gone",
}


def of_trained(measure: Callable[[xr.Dataset], float]) -> Callable[[xr.Dataset], float]:
    """The measure, if all networks have learned the task; else an error that names the others."""

    def checked(ds: xr.Dataset) -> float:
        failed = np.flatnonzero(ds.accuracy.values < ds.criterion)
        if failed.size:
            worst = float(ds.accuracy.min())
            raise ValueError(f"not trained: networks {failed.tolist()} are below the criterion, an "
                             f"accuracy of {ds.criterion:g}; the least is {worst:.3g}")
        return measure(ds)
    return checked


def _latent() -> list[Claim]:
    experiment, exact = "latent_dynamics", "[D]; [derived] exact"
    claims = [
        Claim("Accuracy after training, least over networks", "criterion of this circuit",
              "> 0.95", at_least(0.95), lambda ds: float(ds.accuracy.min()), experiment,
              note="2 networks at fast size, 5 at full size; the steps at which a pulse begins are "
                   "counted too"),
        Claim("Accuracy after training, mean over networks", "criterion of this circuit", "> 0.95",
              at_least(0.95), lambda ds: float(ds.accuracy.mean()), experiment),
        Claim("Accuracy after training, standard deviation over networks", "spread of the above",
              "small", at_most(0.02),
              lambda ds: float(ds.accuracy.std(ddof=1)), experiment),
    ]
    for text, source, published, accept, measure in (
        ("Outputs: largest difference of the latent system's from the network's", exact, 0,
         at_most(1e-9), lambda ds: float(ds.output_error.max())),
        ("Share of x outside the space of m and the inputs, start at 0", exact, 0, at_most(1e-9),
         lambda ds: float(ds.outside.max())),
        ("Other starts: what is left of it outside after 20 steps, over (1 - dt/tau)^20", exact, 1,
         within(1, absolute=1e-6), lambda ds: 1 + float(
             np.abs(ds.outside_other_starts * 2**20 - 1).max())),
        ("Networks with another number of fixed points than their latent systems", exact, 0,
         at_most(0), lambda ds: float((ds.whole_points != ds.latent_points).sum())),
        ("Networks with another number of stable ones", exact, 0, at_most(0),
         lambda ds: float((ds.whole_stable != ds.latent_stable).sum())),
        ("Fixed points: largest distance from those of the latent system, relative", exact, 0,
         at_most(1e-6), lambda ds: float(ds.distance.max())),
        ("Eigenvalues times tau: largest difference from those of the latent system", exact, 0,
         at_most(1e-6), lambda ds: float(ds.eigenvalue_error.max())),
        ("The other N - R eigenvalues times tau: largest difference from -1", exact, 0,
         at_most(1e-9), lambda ds: float(ds.other_eigenvalues.max())),
        ("Latent systems whose fixed points have indices that do not sum to 1",
         "[derived] Poincare and Hopf", 0, at_most(0), lambda ds: float((ds.index_sum != 1).sum())),
        ("Networks whose stable fixed points are not one a memory, 2^bits", "[SB]", 0, at_most(0),
         lambda ds: float((ds.whole_stable != 2**ds.bits).sum())),
        ("Vectors from one Gaussian population: most stable fixed points", "[B] one pair", 2,
         at_most(2), lambda ds: float(ds.mixture_stable.sel(populations=1).max())),
        ("Vectors from eight Gaussian populations: share of networks with all memories",
         "[B], [D] several populations suffice", "most", at_least(0.5),
         lambda ds: float((ds.mixture_stable.sel(populations=8) == 2**ds.bits).mean())),
        ("Share of memories that are there 30 s after they were set, least", "[SB]", 1,
         within(1, absolute=0), lambda ds: float(ds.kept.min())),
        ("Units drawn from one Gaussian population: mean share of memories kept 30 s, times 2^bits",
         "[B] one pair", 2, within(2, absolute=1),
         lambda ds: float(ds.mixture_kept.sel(populations=1).mean() * 2**ds.bits)),
        ("Units drawn from eight Gaussian populations: mean share of memories kept 30 s",
         "[D] resampled networks do the task", "about 1", at_least(0.9),
         lambda ds: float(ds.mixture_kept.sel(populations=8).mean())),
        ("Units drawn from one Gaussian population: mean accuracy",
         "[derived] two of four memories, the others lost at once", "about 0.75", at_most(0.85),
         lambda ds: float(ds.mixture_accuracy.sel(populations=1).mean())),
        ("Units drawn from eight Gaussian populations: mean accuracy",
         "[D] resampled networks do the task", "about 1", at_least(0.9),
         lambda ds: float(ds.mixture_accuracy.sel(populations=8).mean())),
    ):
        note = next((NOTES[words] for words in NOTES if words in text), "")
        claims.append(Claim(text, source, published, accept, of_trained(measure), experiment,
                            note=note))
    return claims


# --------------------------------------------------------------------------------- gating

def _gating() -> list[Claim]:
    experiment = "context_gating"
    return [
        Claim("Without context: effective coupling in theory", "[derived] (6 - 2)/2", 2,
              within(2, absolute=1e-9), value("coupling_theory", context=0.0), experiment),
        Claim("Without context: stable fixed points in theory", "[D]", 2, within(2, absolute=0),
              value("stable_theory", context=0.0), experiment),
        Claim("Context of strength 1.5 and more: most stable fixed points in theory", "[D]", 1,
              within(1, absolute=0),
              lambda ds: float(ds.stable_theory.sel(context=slice(1.5, None)).max()), experiment),
        Claim("Strongest context: effective coupling of networks", "[D] its sign flips", "< 0",
              between(-1, 0), lambda ds: float(ds.coupling.isel(context=-1).mean()), experiment,
              note="-1 is that of the second population alone"),
        agrees("Effective coupling at 7 contexts", "[D]", experiment, lambda ds: agreement(
            ds.coupling_theory, ds.coupling.transpose("network", "context"), 10 / ds.n_units)),
        agrees("kappa at 7 contexts", "[D]", experiment, lambda ds: agreement(
            ds.kappa_theory, ds.kappa.transpose("network", "context"), 10 / ds.n_units)),
    ]


CLAIMS = (*_rank_one(), *_rank_two(), *_large(), *_latent(), *_gating())
