"""The empirical neural tangent kernel of a network, between the trials of a run.

For an output y of each trial, K_ij is the scalar product of the gradients of y_i and y_j by all
trained parameters (Jacot, Gabriel and Hongler 2018). How much it turns during training says how
*lazy* learning is (Chizat, Oyallon and Bach 2019); its alignment with the targets says how fast the
task is learnt along it.

The gradients come from one sweep backwards for all trials together (`neurodyn.learning`), as
cotangents of inputs, and become a gradient a trial only in slices of the parameters, as many as
memory allows, each of which adds its part of G G^T.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn._blas import one_blas_thread
from neurodyn.learning.gradients import run_forward, trial_count
from neurodyn.learning.unrolled import Unrolled
from neurodyn.learning.weight_gradients import terms
from neurodyn.simulation.arguments import as_signals
from neurodyn.simulation.time_grid import count_steps

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver
    from neurodyn.weights import Weights

#: Bytes of the slice of gradients that is formed at a time.
_SLICE_BYTES = 16 * 2**20
#: The tape is kept whole: a number of bytes that nothing reaches.
_NO_LIMIT = 2**62


@dataclass(frozen=True)
class TangentKernel:
    """A tangent kernel and what it was made of.

    Attributes
    ----------
    kernel : ndarray, (n, n)
        Symmetric, positive semidefinite; n is the number of outputs times that of trials, output by
        output. In the units of the output squared over those of the parameters squared, in SI.
    outputs : ndarray, (output, trial)
        Their values. Outputs are in the order of times, and within one of the rows of the readout.
    parameters : dict of str to int
        How many numbers were trained, by name.
    """

    kernel: np.ndarray
    outputs: np.ndarray
    parameters: dict[str, int]

    @property
    def n_parameters(self) -> int:
        """Number of all trained numbers: the rank of the kernel is no larger."""
        return sum(self.parameters.values())

    @property
    def eigenvalues(self) -> np.ndarray:
        """Largest first; rounding makes zero ones slightly negative."""
        return np.linalg.eigvalsh(self.kernel)[::-1]

    def alignment(self, targets, *, centred: bool = False) -> float:
        """Alignment with targets, one a row of the kernel; see `target_alignment`."""
        return target_alignment(self.kernel, targets, centred=centred)


def tangent_kernel(
    network: Network,
    solver: Solver,
    duration,
    *,
    output: str,
    trainable: Sequence[str],
    readout=None,
    times: Sequence[Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    trials: int | None = None,
    rng=None,
    dtype: str = "float64",
) -> TangentKernel:
    """Empirical neural tangent kernel between trials.

    Parameters
    ----------
    network : Network
        Without populations that spike by threshold and reset.
    solver : Solver
        `Euler`, `ExponentialEuler`, `Heun` or `RK4`.
    duration : float or Quantity
        s; a multiple of dt.
    output : str
        Full name of a variable, ``"out.y"``.
    trainable : sequence of str
        Parameters, weights and initial states (shared by the trials), as for
        `neurodyn.learning.bptt`.
    readout : array_like, (unit,) or (n, unit), optional
        Fixed weights of the outputs: ``readout @ variable``. Default: each unit is an output.
    times : sequence of float or Quantity, optional
        When outputs are taken, s after the start, at ends of steps; default the end of the run.
    inputs, initial, trials, rng, dtype
        As for `neurodyn.learning.bptt`. Trials are the samples of the kernel.

    Returns
    -------
    TangentKernel

    Raises
    ------
    ValueError
        For what gradients cannot be found for; for inputs among `trainable`, which are not shared.
    FloatingPointError
        If an output or a gradient is not finite.

    Examples
    --------
    One linear unit after one step of dt = tau is y = w x, so K = x_i x_j:

    >>> import neurodyn as nd
    >>> net = nd.rate_network([[0.5]], tau=0.1, activation="relu")
    >>> found = tangent_kernel(
    ...     net, nd.Euler(dt=0.1), 0.1, output="E.x", trainable=["E.r->E.I_rec"],
    ...     initial={"E.x": [[1.0], [3.0]]},
    ... )
    >>> found.kernel
    array([[1., 3.],
           [3., 9.]])

    Notes
    -----
    Costs one sweep an output, the gradients of all trials (n_trials n_parameters n_steps) and their
    products (n^2 n_parameters).
    """
    signals = as_signals(network, inputs)
    unrolled = Unrolled(
        network,
        solver,
        duration,
        record=[output],
        trainable=trainable,
        trials=trial_count(trials, signals, initial),
        driven=tuple(signals),
        dtype=dtype,
        memory=_NO_LIMIT,
        whole=True,
    )
    driven = [t.key for t in unrolled.trainables if t.kind == "input"]
    if driven:
        raise ValueError(
            f"`trainable`: `{driven[0]}` is an input, of which every trial has its own; a kernel "
            "is of what trials share"
        )
    samples = _samples(unrolled, times)
    with one_blas_thread():
        recorded = run_forward(unrolled, signals, initial, rng)[output]
        rows = _readout(readout, output, recorded.shape[2]).astype(unrolled.dtype)
        values = np.stack([recorded[:, k] @ row for k in samples for row in rows])
        if not np.isfinite(values).all():
            raise FloatingPointError(f"`{output}` is not finite: try a smaller dt")
        kernel, counts = _kernel(unrolled, output, samples, rows)
    if not np.isfinite(kernel).all():
        raise FloatingPointError("gradients are not finite: they grew on their way back")
    return TangentKernel(kernel, values, counts)


def target_alignment(kernel, targets, *, centred: bool = False) -> float:
    """Alignment of a kernel with targets y, ``<K, y y^T> / (|K| |y y^T|)`` with Frobenius products.

    Between 0 and 1 for a positive semidefinite kernel; 1 if it is a multiple of ``y y^T``
    (Cristianini et al. 2001). For two kernels see `neurodyn.analyses.kernel_alignment`.

    Parameters
    ----------
    kernel : array_like, (n, n)
    targets : array_like, (n,) or (n, d)
        One row a row of the kernel.
    centred : bool
        Take the means of the kernel's rows and columns, and of the targets, out first (Cortes,
        Mohri and Rostamizadeh 2012).

    Examples
    --------
    >>> round(target_alignment([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.0]), 6)
    0.894427
    """
    K, y = real_numbers(kernel, "kernel").astype(float), real_numbers(targets, "targets")
    if K.ndim != 2 or K.shape[0] != K.shape[1]:
        raise ValueError(f"`kernel` must be a square matrix; got shape {K.shape}")
    if y.ndim not in (1, 2) or len(y) != len(K):
        raise ValueError(
            f"`targets` must be ({len(K)},) or ({len(K)}, d), one row a row of the kernel; got "
            f"shape {y.shape}"
        )
    y = y.reshape(len(K), -1).astype(float)
    if centred:
        y = y - y.mean(axis=0)
        K = K - K.mean(axis=0) - K.mean(axis=1, keepdims=True) + K.mean()
    wanted = y @ y.T
    for name, array in (("kernel", K), ("targets", wanted)):
        if not array.any():
            raise ValueError(f"`{name}` is 0 (after centring): it has no direction")
    return float(np.vdot(K, wanted) / (np.linalg.norm(K) * np.linalg.norm(wanted)))


# -- arguments ---------------------------------------------------------------------------------


def _samples(unrolled: Unrolled, times) -> list[int]:
    """Numbers of the samples at the times wanted."""
    if times is None:
        return [unrolled.n_samples - 1]
    found = []
    for time in times:
        steps = count_steps(time, unrolled.dt, "times")
        if steps > unrolled.n_steps:
            raise ValueError(
                f"`times`: {steps * unrolled.dt:g} s is after the end of the run, "
                f"{unrolled.n_steps * unrolled.dt:g} s"
            )
        found.append(steps - 1)
    return found


def _readout(readout, output: str, size: int) -> np.ndarray:
    if readout is None:
        return np.eye(size)
    rows = np.atleast_2d(real_numbers(readout, "readout"))
    if rows.ndim != 2 or rows.shape[1] != size:
        raise ValueError(
            f"`readout` must be ({size},) or (n, {size}), weights of the units of `{output}`; got "
            f"shape {np.shape(readout)}"
        )
    return rows


# -- the kernel --------------------------------------------------------------------------------


class _Kept:
    """Cotangents of inputs and sources of one block, by coupling."""

    def __init__(self, copy: bool):
        self.copy = copy
        self.deltas: dict[int, np.ndarray] = {}
        self.sources: dict[int, np.ndarray] = {}

    def add(self, c: int, delta: np.ndarray, r: np.ndarray) -> None:
        self.deltas[c] = delta.copy() if self.copy else delta
        self.sources[c] = r


def _kernel(unrolled: Unrolled, output: str, samples, rows) -> tuple[np.ndarray, dict[str, int]]:
    outputs = [(k, row) for k in samples for row in rows]
    sweeps, plain = [], []
    for k, row in outputs:
        cotangent = np.zeros_like(unrolled.recorded[output])
        cotangent[:, k] = row
        kept = [_Kept(len(outputs) > 1) for _ in unrolled.blocks]
        unrolled.backward({output: cotangent}, kept)
        sweeps.append(kept)
        plain.append(_plain(unrolled))
    n = len(outputs) * unrolled.n_trials
    K = np.zeros((n, n), unrolled.dtype)
    counts = {}
    for one in unrolled.trainables:
        if one.kind != "weights":
            G = np.concatenate([found[one.key] for found in plain])
            K += G @ G.T
            counts[one.key] = G.shape[1]
            continue
        c = unrolled.network.coupling_labels.index(one.name)
        counts[one.key] = unrolled.values.weights[c].parameters[one.array].size
        for G in _slices(unrolled, sweeps, c, one.array):
            K += G @ G.T
    return K, counts


def _plain(unrolled: Unrolled) -> dict[str, np.ndarray]:
    """Gradients of parameters and initial states, a row a trial."""
    found = unrolled.gradients_by_trial()
    return {key: np.array(value).reshape(unrolled.n_trials, -1) for key, value in found.items()}


def _slices(unrolled: Unrolled, sweeps, c: int, array: str) -> Iterator[np.ndarray]:
    """Gradients (row, number) of one array of weights, in slices that fit into memory."""
    prefix, _, name = array.rpartition(".")
    term = dict(terms(unrolled.values.weights[c]))[f"{prefix}." if prefix else ""]
    pairs = [
        _outer_pair(term, name, kept.deltas[c], kept.sources[c])
        for sweep in sweeps
        for kept in sweep
    ]
    if isinstance(pairs[0], _Entries):
        yield from _entry_slices(pairs)
        return
    n_rows = sum(a.shape[1] for a, *_ in pairs)
    _, b, n, n_columns = pairs[0]
    width = b.shape[2]
    step = min(n, max(1, _SLICE_BYTES // (n_rows * width * unrolled.dtype.itemsize)))
    memory = unrolled.buffers.empty((n_rows * step * width,), unrolled.dtype)
    for start in range(0, n, step):
        stop = min(start + step, n)
        G = memory[: n_rows * (stop - start) * width].reshape(n_rows, stop - start, width)
        G[:] = 0
        at = 0
        for a, b, *_ in pairs:
            part = a if stop - start == n else np.ascontiguousarray(a[:, :, start:stop])
            unrolled.outer(part, b, G[at : at + a.shape[1]])
            at += a.shape[1]
        G[:, :, n_columns:] = 0
        yield G.reshape(n_rows, -1)


@dataclass
class _Entries:
    """Pairs of units the products of whose activities, summed over time, are the gradient."""

    delta: np.ndarray
    r: np.ndarray
    post: np.ndarray
    pre: np.ndarray


def _outer_pair(term: Weights, name: str, delta, r):
    """Factors (time, trial, ...) of outer products, and how many numbers each has.

    Their rows may be longer, with other numbers beyond.
    """
    if term.is_transposed:
        return _outer_pair(term.T, name, r, delta)
    n_post, n_pre = term.shape
    if term.kind == "dense":
        return (r, delta, n_pre, n_post) if n_post >= n_pre else (delta, r, n_post, n_pre)
    if term.kind == "low_rank":
        if name == "m":
            return np.ascontiguousarray(r[..., :n_pre] @ term.n), delta, term.rank, n_post
        return np.ascontiguousarray(delta[..., :n_post] @ term.m), r, term.rank, n_pre
    if term.kind == "diagonal":
        every = np.arange(n_post)
        return _Entries(delta, r, every, every)
    post = np.repeat(np.arange(n_post), np.diff(term.indptr))
    return _Entries(delta, r, post, term.indices)


def _entry_slices(pairs: list[_Entries]) -> Iterator[np.ndarray]:
    largest = max(pair.delta.shape[0] * pair.delta.shape[1] for pair in pairs)
    step = max(1, _SLICE_BYTES // (16 * largest))
    for start in range(0, pairs[0].post.size, step):
        entries = slice(start, start + step)
        yield np.concatenate(
            [
                np.einsum("tbk,tbk->bk", p.delta[..., p.post[entries]], p.r[..., p.pre[entries]])
                for p in pairs
            ]
        )
