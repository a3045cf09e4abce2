"""Two populations: a context input that saturates one of them switches the other's dynamics on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.analyses import LowRankEnsemble

__all__ = ["context_gating"]

#: Overlaps of m and n in the two populations, each half of the units.
OVERLAPS = (6.0, -2.0)
#: Standard deviation over units of the context input, which the first population receives. None is
#: near 0.87, where the effective coupling is 1: there networks of any size scatter about the onset.
CONTEXTS = (0.0, 0.4, 1.5, 2.0, 3.0, 5.0, 8.0)
#: The same for the curves.
FINE = np.concatenate([np.linspace(0, 0.8, 9), [0.84, 0.86, 0.88, 0.92], np.linspace(1, 8, 15)])


def ensemble(context: float) -> LowRankEnsemble:
    """Rank one; the context input goes to the units of the first population, at random."""
    from neurodyn import analyses

    covariance = np.zeros((2, 3, 3))                      # of m, n, I
    for C, overlap, spread in zip(covariance, OVERLAPS, (context, 0.0)):
        C[:] = np.diag([1, 1 + overlap**2, spread**2])
        C[0, 1] = C[1, 0] = overlap
    return analyses.LowRankEnsemble(covariance)


def context_gating(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                   n_units: int | None = None, networks: int | None = None) -> xr.Dataset:
    """How the strength of a context input changes the effective coupling, and so the attractors.

    Parameters
    ----------
    size : {"fast", "full"}
        6 networks of 2000 units at each strength, or 20 of 8000.
    rng : int
        Seed of all networks.
    n_units, networks : int, optional
        Instead of the numbers that go with `size`; 2 networks at least.

    Returns
    -------
    xarray.Dataset
        Effective coupling ``n^T diag(phi'(I)) m / N`` of the state without structure, and kappa at
        rest, by strength of the context, in theory and simulated.
    """
    import xarray as xr

    import neurodyn as nd

    n_units = (2000 if size == "fast" else 8000) if n_units is None else n_units
    networks = (6 if size == "fast" else 20) if networks is None else networks
    if n_units < 2 or n_units % 2:
        raise ValueError(f"`n_units` must be even, for two halves; got {n_units}")
    if networks < 2:
        raise ValueError(f"`networks` must be 2 at least, for a standard error; got {networks}")
    seeds = iter(np.random.SeedSequence(rng).spawn(len(CONTEXTS) * networks))
    kappa, coupling = np.empty((2, len(CONTEXTS), networks))
    for at in np.ndindex(kappa.shape):
        W, inputs, _ = ensemble(CONTEXTS[at[0]]).sample(n_units, rng=next(seeds))
        slope = 1 - np.tanh(inputs) ** 2
        coupling[at] = (W.n[:, 0] * slope) @ W.m[:, 0]
        net = nd.rate_network(W, tau=1.0, I_ext=inputs)
        run = nd.simulate(net, nd.Euler(dt=0.2), 80.0, record=[],
                          initial={"E.x": (W.m[:, 0] + inputs)[None]})
        kappa[at] = np.tanh(nd.final_state(run)["E.x"][0]) @ W.n[:, 0]
    dims = ("context", "network")
    return xr.Dataset({
        "kappa": labelled(dims, kappa, "overlap kappa at rest"),
        "coupling": labelled(dims, coupling, "effective coupling"),
    } | _theory(), {"context": ("context", list(CONTEXTS),
                                {"long_name": "strength of the context input", "units": "1"})},
        {"n_units": n_units, "overlaps": OVERLAPS})


def _theory() -> dict[str, Any]:
    """kappa and effective coupling at the simulated strengths and along a finer grid."""
    from neurodyn import analyses

    found: dict[str, Any] = {}
    for name, strengths in (("theory", np.array(CONTEXTS)), ("curve", FINE)):
        kappa, coupling, points = [], [], []
        for strength in strengths:
            mean_field = analyses.lowrank_fixed_points(ensemble(strength), n_starts=24)
            kappa.append(mean_field.kappa[-1, 0])
            points.append(int(mean_field.is_stable.sum()))
            # at kappa = 0 the flow is -kappa + coupling * kappa
            coupling.append(analyses.effective_flow(ensemble(strength)).jacobian([0.0])[0, 0] + 1)
        dim = "context" if name == "theory" else "fine"
        found[f"kappa_{name}"] = labelled(dim, kappa, "overlap kappa at rest, theory")
        found[f"coupling_{name}"] = labelled(dim, coupling, "effective coupling, theory")
        found[f"stable_{name}"] = labelled(dim, points, "stable fixed points, theory")
    found["context_fine"] = labelled("fine", FINE, "strength of the context input")
    return found
