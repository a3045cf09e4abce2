"""What trained networks are asked: accuracy on streams, timescales, dimension, damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator

from . import model
from .curriculum import Curriculum, Stage, task_for
from .model import STEP, Values

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

__all__ = ["DAMAGED", "STRENGTHS", "ablations", "activity", "memory", "perturbations",
           "stream_accuracy", "timescales"]

#: A stream: so many steps are classified, after so many that are not; and its trials.
STREAM, WARM_UP, TRIALS = 1000, 100, 10
#: Steps that are left out before activity is analysed, and lags of fits; both as in the paper.
BURN_IN, MAX_LAG = 1000, 30.0
#: Share of the units, the fastest and the slowest, that are ablated one by one: 20 of 500.
DAMAGED = 20 / 500
#: Perturbations, relative to the norm of what is perturbed.
STRENGTHS = (0.05, 0.1, 0.2, 0.5, 1.0)


def stream_accuracy(values: Values, curriculum: Curriculum, n: tuple[int, ...], rng: RNG, *,
                    trials: int = TRIALS, heads: tuple[int, ...] | None = None) -> np.ndarray:
    """Share of right classes, at every step of long streams of bits with p = 1/2.

    Parameters
    ----------
    values : dict of str to ndarray
    curriculum : Curriculum
        Says the task and the form of the leak.
    n : tuple of int
        Of which N.
    rng : int, SeedSequence, Generator or None
    trials : int
    heads : tuple of int, optional
        The head that answers for each N. Default the one that was trained on it, and the only one
        of a single-head network.

    Returns
    -------
    ndarray, (len(n),)
    """
    generator = as_generator(rng)
    steps = WARM_UP + STREAM
    batch = task_for(curriculum.task, n, p=0.5, length=steps, every_step=True).batch(
        generator, trials)
    bits = batch.inputs["bits"]
    # a sample is taken before its step, so that the class of bit k is that of sample k + 1
    bits = np.concatenate([bits, bits[:, -1:]], axis=1)
    logits = _simulated(values, curriculum, bits, "heads.o", generator)[:, 1 + WARM_UP:]
    logits = logits.reshape(trials, STREAM, -1, 2)
    if heads is None:
        heads = tuple(0 if curriculum.heads == "single" else k - curriculum.start for k in n)
    answers = logits.argmax(axis=3)
    return np.array([(answers[:, :, head] == classes[:, WARM_UP:]).mean()
                     for head, classes in zip(heads, batch.targets.values(), strict=True)])


def memory(stage: Stage, curriculum: Curriculum, rng: RNG) -> np.ndarray:
    """Accuracy, on streams, of a network that has learned N on every N from the first on.

    Returns
    -------
    ndarray, (N - start + 1,)
    """
    return stream_accuracy(stage.values, curriculum, tuple(range(curriculum.start, stage.n + 1)),
                           rng)


def _simulated(values: Values, curriculum: Curriculum, bits: np.ndarray, name: str,
               rng: np.random.Generator) -> np.ndarray:
    """A variable (trial, time, unit), with the input `bits` (trial, time, 1), before each step."""
    import neurodyn as nd

    trials, steps, _ = bits.shape
    drive = nd.signals.ArraySignal(bits[:, :, 0], axes=("trial", "time"))
    run = nd.simulate(model.build(values, curriculum.leak), nd.Euler(dt=STEP), steps * STEP,
                      trials=trials, record=[name], inputs={"rnn.bits": drive}, rng=rng)
    return run[name].values


# ---------------------------------------------------------------------------------- activity

def activity(values: Values, curriculum: Curriculum, rng: RNG, *, steps: int, trials: int = TRIALS,
             p: float | None = None) -> np.ndarray:
    """Activity (trial, time, unit) driven by random bits.

    `p` is the probability of a one; None draws it from U(0, 1) for every trial.
    """
    generator = as_generator(rng)
    chance = generator.random((trials, 1, 1)) if p is None else p
    bits = (generator.random((trials, BURN_IN + steps, 1)) < chance).astype(float)
    return _simulated(values, curriculum, bits, "rnn.h", generator)[:, BURN_IN:]


def timescales(values: Values, curriculum: Curriculum, rng: RNG, *, steps: int) -> dict[str, Any]:
    """How long the units of a network remember, by their leak and in the network.

    Returns
    -------
    dict
        ``network``: mean of the fitted timescales above 1, those that the paper takes; ``units``:
        share of the units that these are; ``integrated``: mean over units of the integral of the
        autocorrelation up to where it falls below 0.05; ``dimension``: principal components for
        90 % of the variance. Times in steps.
    """
    from neurodyn import analyses

    seeds = as_generator(rng).spawn(2)
    h = activity(values, curriculum, seeds[0], steps=steps)
    fits = analyses.network_timescales(h, STEP, max_lag=MAX_LAG, tau=model.leaks(values),
                                       is_discrete=True)
    slow = fits.network[fits.network > 1]
    # bits of p = 1/2 are white: what remains is the network's
    white = activity(values, curriculum, seeds[1], steps=steps, p=0.5)
    white = white[:, :, np.ptp(white, axis=(0, 1)) > 0]
    curve = analyses.autocorrelation(white, STEP, mean="within", max_lag=4 * MAX_LAG)
    return {
        "network": float(slow.mean()) if slow.size else float("nan"),
        "units": slow.size / fits.network.size,
        "integrated": float(np.nanmean(analyses.integrated_timescale(curve))),
        "dimension": analyses.dimensionality(white).n_components(0.9),
    }


# ------------------------------------------------------------------------------------ damage

def ablations(stage: Stage, curriculum: Curriculum, rng: RNG) -> np.ndarray:
    """Accuracy for N: intact, and without one of the fastest and one of the slowest units.

    Returns
    -------
    ndarray, (3,)
        The last two are means over the units of which one was ablated at a time.
    """
    generator = as_generator(rng)
    order = np.argsort(stage.values["tau"], kind="stable")
    count = max(1, round(DAMAGED * order.size))

    def accuracy(values: Values) -> float:
        return float(stream_accuracy(values, curriculum, (stage.n,), generator)[0])

    return np.array([accuracy(stage.values), *(
        np.mean([accuracy(model.ablated(stage.values, unit)) for unit in units])
        for units in (order[:count], order[-count:]))])


def perturbations(stage: Stage, curriculum: Curriculum, rng: RNG) -> np.ndarray:
    """Relative accuracy for N after perturbations of the weights and of the time constants.

    Relative accuracy is 1 for the intact network and 0 at chance. Every trial has a perturbation of
    its own.

    Returns
    -------
    ndarray, (2, len(STRENGTHS))
    """
    generator = as_generator(rng)

    def above_chance(values: Values, trials: int = TRIALS) -> float:
        found = stream_accuracy(values, curriculum, (stage.n,), generator, trials=trials)
        return float(found[0]) - 0.5

    intact = above_chance(stage.values)
    return np.array([[
        np.mean([above_chance(damage(stage.values, strength, generator), 1)
                 for _ in range(TRIALS)]) / intact
        for strength in STRENGTHS] for damage in (model.perturbed_weights, model.perturbed_leaks)])
