"""Couplings as Brian2's synapses, Poisson input as what Brian2 has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.interop.brian2_text import quantity, unit_text
from neurodyn.unit_check import import_brian2
from neurodyn.units import SECOND, Hz
from neurodyn.weights.delivery import synapse_pairs

if TYPE_CHECKING:
    from neurodyn.coupling import Coupling, PoissonInput
    from neurodyn.interop.export_groups import GroupPlan
    from neurodyn.units import Dimension
    from neurodyn.weights import Weights


def synapse_lists(weights: Weights, zeros: bool = False) -> tuple[np.ndarray, ...]:
    """Post- and presynaptic unit and weight of every synapse, term after term.

    Zeros of full matrices are left out unless wanted; those of sparse ones are synapses. The terms
    of a sum stay separate synapses.
    """
    found = []
    for term in weights.terms:
        post, pre = synapse_pairs(term)
        values = _own_values(term)
        here = np.ones(values.size, bool) if zeros or term.kind == "sparse" else values != 0
        found.append((post[here], pre[here], values[here]))
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


def _own_values(term: Weights) -> np.ndarray:
    """Weights in the order of `synapse_pairs`."""
    if term.kind == "sparse":
        return term.parameters["data"]
    W = term.to_dense()
    return np.diagonal(W) if term.kind == "diagonal" else W.ravel()


def make_spike_synapses(coupling: Coupling, pre, post, target: str, dim: Dimension, clock, name):
    """Synapses whose spikes add their weight to the variable `target` of the group `post`."""
    brian2 = import_brian2()
    w = _weight_name(pre, post)
    each = np.ndim(coupling.delay) > 0
    synapses = brian2.Synapses(
        pre,
        post,
        f"{w} : {unit_text(dim)}",
        on_pre=f"{target}_post += {w}",
        delay=None if each else quantity(coupling.delay, SECOND),
        clock=clock,
        name=name,
    )
    connect(synapses, *synapse_lists(coupling.weights), w)
    if each and len(synapses):
        delays = np.asarray(coupling.delay)
        if coupling.weights.kind != "sparse":
            delays = delays[_own_values(coupling.weights) != 0]
        synapses.pre.variables["delay"].set_value(delays)
    return synapses


def make_rate_synapses(coupling: Coupling, pre, post, target: str, dims, clock, name: str, stage):
    """Synapses that write the sum of weight times source to the variable `target` of `post`."""
    brian2 = import_brian2()
    w = _weight_name(pre, post)
    source_dim, target_dim = dims
    weight_dim = tuple(a - b for a, b in zip(target_dim, source_dim, strict=True))
    source = coupling.source.rpartition(".")[2]
    synapses = brian2.Synapses(
        pre,
        post,
        f"{w} : {unit_text(weight_dim)}\n"
        f"{target}_post = {w}*{source}_pre : {unit_text(target_dim)} (summed)",
        clock=clock,
        name=name,
    )
    connect(synapses, *synapse_lists(coupling.weights), w)
    move_sums(synapses, stage)
    return synapses


def move_sums(synapses, stage: int) -> None:
    """Compute the sums over synapses at the beginning of a step, in the place of their stage.

    Brian2 does it just before it updates the states. At the beginning, monitors see sums that
    belong to the states beside them, and sums of sums are those of this step.
    """
    for updater in synapses.summed_updaters.values():
        updater.when, updater.order = "before_start", stage


def _weight_name(pre, post) -> str:
    """What synapses call their weight: ``w``, unless one of the groups has such a variable."""
    taken = {*pre.variables, *post.variables}
    names = ("w", "weight", "w_syn", *(f"w_syn{k}" for k in range(2, 1000)))
    return next(name for name in names if name not in taken)


def connect(synapses, post: np.ndarray, pre: np.ndarray, values: np.ndarray, name: str) -> None:
    """Make the synapses of a list, and set their weights, the variable `name`."""
    if not values.size:
        synapses.connect(False)  # Brian2 refuses empty lists
        return
    synapses.connect(i=pre.astype(np.int32), j=post.astype(np.int32))
    synapses.variables[name].set_value(values)


def plan_poisson(source: PoissonInput, plan: GroupPlan, target: str, dim: Dimension):
    """Declare the numbers of a Poisson input; returns what makes it once the group is there.

    With `n_sources` it becomes Brian2's ``PoissonInput``. Without, its counts are drawn by Brian2's
    ``poisson``, by a statement that the group runs when spikes arrive.
    """
    weight = plan.parameter(f"{target}_poisson_weight", dim, source.weight)
    if source.n_sources is None:
        rate = plan.parameter(f"{target}_poisson_rate", Hz.dim, source.rate)
        plan.runs.append((f"{target} += {weight}*poisson({rate}*dt)", "synapses"))
        return None
    if np.ndim(source.rate):
        plan.obstacles.add(
            source.label,
            "Brian2's PoissonInput has one rate for all units; give `rate` as one number, or leave "
            "`n_sources` out",
        )
        return None

    def make(group):
        brian2 = import_brian2()
        rate = quantity(source.rate, Hz.dim)
        return brian2.PoissonInput(group, target, source.n_sources, rate, weight)

    return make


