"""Gaussian vectors and a random part: simulated networks beside the mean field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["mean_field"]

#: Overlaps of rank one, gains of the random part, overlaps of rank two.
OVERLAPS, GAINS, RANK_TWO = (0.5, 1.2, 1.5, 2.0, 3.0, 5.0), (0.0, 0.5, 0.8), (3.0, 2.0)
#: Overlaps that make a limit cycle, ``[[a, -b], [b, a]]``.
ROTATION = np.array([[2.0, -1.0], [1.0, 2.0]])
#: Gain of rank two, and gains over the critical one at which activity is looked at.
RANK_TWO_GAIN, AROUND_CRITICAL = 0.8, (0.8, 1.2)
#: Starts of a search for the fixed points of rank one or two, of which there are 3 or 5.
STARTS = 24


def mean_field(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
               n_units: int | None = None, networks: int | None = None) -> xr.Dataset:
    """Overlaps, fixed points and a cycle of networks of rank one and two, beside the theory.

    Parameters
    ----------
    size : {"fast", "full"}
        8 networks of 1000 units for each point, or 12 of 3000; fixed points and eigenvalues of rank
        two are those of smaller networks, of half as many units, 800 at most.
    rng : int
        Seed of all networks.
    n_units, networks : int, optional
        Instead of the numbers that go with `size`; 500 units and 2 networks at least.

    Returns
    -------
    xarray.Dataset
        For rank one kappa and the variance of x by `gain` and `overlap`, in theory and simulated,
        and how much activity fluctuates around the critical gain. For rank two with a random part
        paths of the overlaps, fixed points and their largest eigenvalues; without one the radius
        and period of the cycle that rotated overlaps make.
    """
    import xarray as xr

    n_units = (1000 if size == "fast" else 3000) if n_units is None else n_units
    networks = (8 if size == "fast" else 12) if networks is None else networks
    if not 500 <= n_units <= model.MAX_FULL:
        raise ValueError(f"`n_units` must be from 500 to {model.MAX_FULL}; got {n_units}")
    if networks < 2:
        raise ValueError(f"`networks` must be 2 at least, for a standard error; got {networks}")
    seeds = iter(np.random.SeedSequence(rng).spawn(6))
    parts: dict[str, Any] = {}
    for part in (_theory(), _rank_one(n_units, networks, next(seeds)),
                 _fluctuations(n_units, next(seeds)), _paths(n_units, next(seeds)),
                 _saddles(min(n_units // 2, 800), networks, next(seeds)),
                 _cycles(n_units, networks, next(seeds))):
        parts |= part
    coords = {"gain": list(GAINS), "overlap": list(OVERLAPS), "rank": [1, 2],
              "point": ["origin", "stable", "saddle"]}
    return xr.Dataset(parts, coords, {
        "n_units": n_units, "n_eigenvalues": min(n_units // 2, 800), "rank_two": RANK_TWO,
        "rank_two_gain": RANK_TWO_GAIN, "rotation": ROTATION.ravel().tolist()})


# --------------------------------------------------------------------------------- rank one

def positive_fixed_point(overlap: float, g: float = 0.0) -> dict[str, float]:
    """The fixed point of rank one with the largest kappa, in theory: 0 where there is no other."""
    from neurodyn import analyses

    found = analyses.lowrank_fixed_points(analyses.gaussian_ensemble(overlap), g,
                                          n_starts=STARTS)
    return {"kappa": found.kappa[-1, 0], "variance": found.variance[-1, 0],
            "radius": found.bulk_radius[-1], "eigenvalue": found.eigenvalues[-1, 0].real,
            "residual": found.residual[-1], "points": len(found),
            "complete": float(found.is_complete)}


def _theory() -> dict[str, Any]:
    """Curves of kappa by overlap, and the gain at which the fixed point turns chaotic.

    At a fixed point with kappa > 0 ``<phi'> = 1/overlap``, which fixes the variance of x, whatever
    the gain; and so ``kappa^2 = variance - g^2 <phi^2>``, where ``<phi^2> = 1 - <phi'>`` for tanh.
    The bulk of eigenvalues there has the radius ``g sqrt(<phi'^2>)``: the radius at any one gain
    gives the critical gain.
    """
    fine = np.concatenate([[1.002, 1.01], np.linspace(1.05, 5.2, 20)])
    along = [positive_fixed_point(rho, GAINS[1]) for rho in fine]
    variance, radius = (np.array([one[n] for one in along]) for n in ("variance", "radius"))
    squares = variance - np.square(GAINS)[:, None] * (1 - 1 / fine)
    points = [[positive_fixed_point(rho, g) for rho in OVERLAPS] for g in GAINS]
    dims = ("gain", "overlap")
    return {
        "kappa_curve": labelled(("gain", "fine"), np.sqrt(np.maximum(squares, 0)),
                                "overlap at the fixed point, theory"),
        "overlap_fine": labelled("fine", fine, "overlap of m and n"),
        "variance_curve": labelled("fine", variance, "variance of x at the fixed point, theory"),
        "critical_gain": labelled("fine", GAINS[1] / radius, "gain at the onset of chaos, theory"),
        **{f"{name}_theory": labelled(dims, [[one[name] for one in row] for row in points], text)
           for name, text in (("kappa", "overlap at the fixed point, theory"),
                              ("variance", "variance of x at the fixed point, theory"),
                              ("residual", "violation of the mean-field equations"),
                              ("points", "fixed points in theory"),
                              ("complete", "whether their indices sum to 1"))},
    }


def settled(net: nd.Network, kappa: Any, duration: float = 60.0) -> np.ndarray:
    """State (unit,) after `duration` time constants from ``x = m kappa``."""
    import neurodyn as nd

    start = model.low_rank_part(net).m @ np.atleast_1d(kappa)
    # a fixed point is the same for Euler's method with any step
    run = nd.simulate(net, nd.Euler(dt=0.5), duration, record=[], initial={"E.x": start[None]})
    return nd.final_state(run)["E.x"][0]


def _rank_one(n_units: int, networks: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Simulated kappa, variance of x and speed (gain, overlap, network), from ``x = m``."""
    found = np.empty((3, len(GAINS), len(OVERLAPS), networks))
    for at, one in zip(np.ndindex(found.shape[1:]), seed.spawn(found[0].size)):
        net = model.network(n_units, OVERLAPS[at[1]], GAINS[at[0]], rng=one)
        x = settled(net, 1.0)
        found[:, *at] = model.overlap_of(net, x)[0], x.var(), np.abs(net.field(x)).max()
    dims = ("gain", "overlap", "network")
    names = {"kappa": "overlap kappa", "variance": "variance of x over units",
             "speed": "largest |dx/dt| at the end"}
    return {name: labelled(dims, values, names[name]) for name, values in zip(names, found)}


def _fluctuations(n_units: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Standard deviation in time of x, below and above the critical gain of overlap 2."""
    import neurodyn as nd

    critical = GAINS[1] / positive_fixed_point(2.0, GAINS[1])["radius"]
    sd = []
    for factor, one in zip(AROUND_CRITICAL, seed.spawn(len(AROUND_CRITICAL))):
        net = model.network(n_units, 2.0, factor * critical, rng=one)
        start = model.low_rank_part(net).m[:, 0]
        before = nd.simulate(net, nd.Euler(dt=0.1), 120.0, record=[],
                             initial={"E.x": start[None]})
        run = nd.simulate(net, nd.Euler(dt=0.1), 60.0, every=1.0, initial=before,
                          record={"E.x": slice(0, 200)})
        sd.append(np.sqrt(run["E.x"].values[0].var(axis=0).mean()))
    return {"fluctuation": labelled("factor", sd, "standard deviation of x in time"),
            "factor": ("factor", list(AROUND_CRITICAL),
                       {"long_name": "gain over the critical gain", "units": "1"}),
            "critical_gain_2": labelled((), critical, "critical gain at overlap 2, theory")}


# --------------------------------------------------------------------------------- rank two

def _paths(n_units: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Paths of one network of rank two with a random part, and of one with rotated overlaps.

    On the plane of the two m, ``x = m kappa`` and the rest, from a circle of starts on it.
    """
    import neurodyn as nd

    angle = 2 * np.pi * (np.arange(8) + 0.5) / 8
    found = {}
    for (name, overlaps, g, radius), one in zip((("paths", RANK_TWO, RANK_TWO_GAIN, 1.0),
                                                 ("cycle_paths", ROTATION, 0.0, 0.2)),
                                                seed.spawn(2)):
        net = model.network(n_units, overlaps, g, rng=one)
        m = model.low_rank_part(net).m
        starts = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)[: 8 if g else 1]
        run = nd.simulate(net, nd.Euler(dt=0.1), 30.0, trials=len(starts), every=0.2,
                          record=["E.x"], initial={"E.x": starts @ m.T})
        x = np.concatenate([(starts @ m.T)[:, None], run["E.x"].values], axis=1)
        dims = ("start", f"{name}_time", "rank") if g else (f"{name}_time", "rank")
        kappa = x @ np.linalg.pinv(m).T
        found[name] = labelled(dims, kappa if g else kappa[0], "coordinate of x along m")
    return found


def _saddles(n_units: int, networks: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Fixed points of rank two in theory and of whole networks: kappa, largest eigenvalue.

    In theory there are five: 0, and a pair on each axis, of which that of the larger overlap is
    stable. In a network they are looked for with Newton's method, from the state that the theory
    says and the random part completes: ``x = m kappa + g chi phi(x)``.
    """
    from neurodyn import analyses

    ensemble = analyses.gaussian_ensemble(RANK_TWO)
    theory = analyses.lowrank_fixed_points(ensemble, RANK_TWO_GAIN, n_starts=STARTS)
    on_axis = [np.argmin(np.abs(theory.kappa).sum(axis=1)),
               np.argmax(theory.kappa[:, 0]), np.argmax(theory.kappa[:, 1])]
    kappa, eigenvalue = np.zeros((networks, 3, 2)), np.full((networks, 3), np.nan)
    for k, one in enumerate(seed.spawn(networks)):
        net = model.network(n_units, RANK_TWO, RANK_TWO_GAIN, rng=one)
        low, random = net.couplings[0].weights.terms
        starts = theory.kappa[on_axis] @ low.m.T
        x = starts
        for _ in range(30):
            x = starts + random.apply(np.tanh(x))
        points = analyses.fixed_points(net, starts=x, follow=0, escapes=0)
        for j, place in enumerate(points.start_point[:3]):
            if place >= 0:
                kappa[k, j] = model.overlap_of(net, points.x[place])
                eigenvalue[k, j] = points.eigenvalues[place, 0].real
            else:
                kappa[k, j] = np.nan
    return {
        "fixed_kappa": labelled(("network", "point", "rank"), kappa, "overlaps at a fixed point"),
        "fixed_kappa_theory": labelled(("point", "rank"), theory.kappa[on_axis],
                                       "overlaps at a fixed point, theory"),
        "eigenvalue": labelled(("network", "point"), eigenvalue, "largest eigenvalue"),
        "eigenvalue_theory": labelled("point", theory.eigenvalues[on_axis, 0].real,
                                      "largest eigenvalue, theory"),
        "rank_two_points": labelled((), len(theory), "fixed points of rank two in theory"),
        "rank_two_stable": labelled((), int(theory.is_stable.sum()), "stable ones"),
    }


def _cycles(n_units: int, networks: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Radius and period of the cycle of rotated overlaps.

    In theory, with overlaps ``[[a, -b], [b, a]]``: the radius is kappa of rank one with overlap a,
    and ``<phi'> = 1/a`` there, so that kappa turns by ``b/a`` in a time constant.
    """
    import neurodyn as nd
    from neurodyn import analyses

    flow = analyses.effective_flow(analyses.gaussian_ensemble(ROTATION))
    cycle = analyses.limit_cycle(flow, start=[1.0, 0.0], duration=80.0)
    radius, period = [], []
    for one in seed.spawn(networks):
        net = model.network(n_units, ROTATION, rng=one)
        m = model.low_rank_part(net).m
        flow_of_net = nd.simulate(net, nd.RK4(dt=0.1), 100.0, every=0.1, record=["E.x"],
                                  initial={"E.x": m[:, :1].T})
        kappa = flow_of_net["E.x"].values[0, 500:] @ np.linalg.pinv(m).T
        angle = np.unwrap(np.arctan2(kappa[:, 1], kappa[:, 0]))
        period.append(2 * np.pi * 0.1 * (len(angle) - 1) / np.abs(angle[-1] - angle[0]))
        radius.append(np.sqrt((kappa**2).sum(axis=1).mean()))
    a, b = ROTATION[0, 0], ROTATION[1, 0]
    return {
        "cycle_radius": labelled("network", radius, "radius of the cycle"),
        "cycle_period": labelled("network", period, "period of the cycle", "time constants"),
        "cycle_radius_theory": labelled((), positive_fixed_point(a)["kappa"],
                                        "radius of the cycle, theory"),
        "cycle_period_theory": labelled((), 2 * np.pi * a / b, "period of the cycle, theory",
                                        "time constants"),
        "cycle_period_flow": labelled((), cycle.period, "period of the flow of the overlaps",
                                      "time constants"),
    }
