"""How the error reaches the weights: by rates, through time, or online; and by which way back.

Each class runs the compiled network on a batch of images and finds the gradient of the weights W_l
[post, pre] of all layers as a product of an error and a presynaptic factor. What old tasks used is
taken out of the presynaptic factor; neither the response of the network nor the error changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import model

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

__all__ = ["PROPAGATIONS", "Activity", "Bptt", "Online", "Rates", "build"]


@dataclass(frozen=True)
class Activity:
    """What a batch of images evoked.

    Attributes
    ----------
    pixels : ndarray (trial, pixel)
    recorded : dict of str to ndarray, (trial, sample, unit)
    logits : ndarray (trial, class)
        Their largest is the answer.
    heard : list of ndarray, (trial or trial and step, unit)
        What the lateral neurons of each layer learn from.
    """

    pixels: np.ndarray
    recorded: dict[str, np.ndarray]
    logits: np.ndarray
    heard: list[np.ndarray]


class Propagation:
    """A network that is run batch by batch, and the gradients of its weights.

    Parameters
    ----------
    sizes : sequence of int
        Pixels, hidden units, classes.
    batch : int
        Trials of a run.
    rng : int, SeedSequence, Generator or None
        Of random feedback.
    """

    training = ""
    #: Names of what is recorded of each hidden layer, and whether at every step.
    hidden_records: tuple[str, ...] = ()
    every_step = True

    def __init__(self, sizes: Sequence[int], batch: int, rng: RNG = None):
        import neurodyn as nd

        self.sizes, self.batch = tuple(sizes), batch
        n_hidden = len(self.sizes) - 2
        self.names = model.layers(n_hidden)
        self.labels = model.coupling_labels(n_hidden)
        self.network = model.network(self.sizes, training=self.training, rng=0)
        self.step, self.n_steps = model.steps_of(self.training)
        records = [f"{name}.{what}" for name in self.names[1:-1] for what in self.hidden_records]
        self._initial = model.initial_state(self.network, batch)
        self._run = nd.learning.Unrolled(
            self.network, nd.Euler(dt=self.step), self.n_steps * self.step,
            record=[*records, "readout.logit"], trainable=self.labels, trials=batch,
            every=self.step if self.every_step else self.n_steps * self.step, driven=["pixels.I"],
        )
        self._draw_feedback(rng)

    def _draw_feedback(self, rng: RNG) -> None:
        """Random weights of the way back, if there are any."""

    def run(self, weights: Sequence[np.ndarray], pixels: np.ndarray) -> Activity:
        """Show a batch of images (trial, pixel); as many as `batch`."""
        from neurodyn._blas import one_blas_thread

        self._run.values.set(dict(zip(self.labels, weights)))
        with one_blas_thread():
            found = self._run.forward([np.asarray(pixels, float)[None]], self._initial)
        return Activity(pixels, found, self._logits(found), self._heard(pixels, found))

    def run_all(self, weights: Sequence[np.ndarray], pixels: np.ndarray) -> tuple:
        """Logits (trial, class), and what is heard, for any number of images."""
        n = len(pixels)
        padded = np.resize(np.arange(n), -(-n // self.batch) * self.batch)
        runs = [self.run(weights, pixels[part]) for part in padded.reshape(-1, self.batch)]
        logits = np.concatenate([run.logits for run in runs])[:n]
        return logits, [np.concatenate(layer) for layer in zip(*(run.heard for run in runs))]

    def _logits(self, found: dict[str, np.ndarray]) -> np.ndarray:
        return found["readout.logit"][:, -1]

    def _heard(self, pixels: np.ndarray, found: dict[str, np.ndarray]) -> list[np.ndarray]:
        raise NotImplementedError

    def gradients(self, weights: Sequence[np.ndarray], activity: Activity, classes: np.ndarray,
                  outputs: slice = slice(None), subspaces: Sequence[Any] | None = None
                  ) -> list[np.ndarray]:
        """Gradients of the mean cross-entropy by the weights of each layer.

        Parameters
        ----------
        weights : sequence of ndarray
            With which `activity` was made, in the last run.
        classes : ndarray of int, (trial,)
            Places among `outputs`.
        outputs : slice
            Units of the readout that the task uses.
        subspaces : sequence of HebbianSubspace, optional
            What is taken out of the presynaptic factor of each layer.
        """
        factors = self._factors(weights, activity, classes, outputs)
        if subspaces is not None:
            factors = [(delta, subspace.projected(x))
                       for (delta, x), subspace in zip(factors, subspaces)]
        return [delta.T @ x for delta, x in factors]

    def _factors(self, weights, activity, classes, outputs) -> list[tuple[np.ndarray, np.ndarray]]:
        raise NotImplementedError


def error(logits: np.ndarray, classes: np.ndarray, outputs: slice) -> np.ndarray:
    """Derivative of the mean cross-entropy by the logits (trial, class); 0 for other outputs."""
    used = logits[:, outputs]
    powers = np.exp(used - used.max(axis=1, keepdims=True))
    delta = np.zeros_like(logits)
    delta[:, outputs] = powers / powers.sum(axis=1, keepdims=True)
    places = np.arange(logits.shape[1])[outputs]
    delta[np.arange(len(logits)), places[classes]] -= 1
    return delta / len(logits)


# ------------------------------------------------------------------- differentiation of rates


class Rates(Propagation):
    """The gradient of spike representations: that of a network of clipped linear rates.

    With Ibar the weighted mean of the current of a unit over time, and rates of at most V_th/step,
    the error of a layer's current is ::

        delta_l = (delta_{l+1} B_{l+1}) [0 < Ibar_l < tau V_th/step] / tau

    the same for all steps, so that ``dL/dW_l = delta_l' mean(x)``, and for the readout
    ``delta' rate``. B are the weights (exact transport), or what a subclass puts in their place.

    Source: Meng, Xiao, Yan, Wang, Lin & Luo (2022), CVPR, for the rates.
    """

    training = "rates"
    hidden_records = ("rate", "mean", "current")
    every_step = False

    def _heard(self, pixels, found):
        return [pixels, *(found[f"{name}.rate"][:, 0] for name in self.names[1:-1])]

    def _way_back(self, layer: int, W: np.ndarray) -> np.ndarray:
        """Weights by which the error comes from the layer behind."""
        return W

    def _factors(self, weights, activity, classes, outputs):
        p, found = model.PARAMETERS, activity.recorded
        delta = error(activity.logits, classes, outputs)
        factors = [(delta, activity.heard[-1])]
        for k in reversed(range(1, len(weights))):
            current = found[f"{self.names[k]}.current"][:, 0]
            is_open = (current > 0) & (current < p["tau"] * p["V_th"] / p["step"])
            delta = (delta @ self._way_back(k, weights[k])) * is_open / p["tau"]
            x = activity.pixels if k == 1 else found[f"{self.names[k - 1]}.mean"][:, 0]
            factors.append((delta, x))
        return factors[::-1]


class RandomFeedback(Rates):
    """Errors come back through fixed random weights (Lillicrap et al. 2016)."""

    def _draw_feedback(self, rng):
        self._feedback = model.first_weights(self.sizes, rng)

    def _way_back(self, layer, W):
        return self._feedback[layer]


class SignSymmetric(Rates):
    """Errors come back through signs of the weights, over ``sqrt(n_pre)`` (Liao et al. 2016)."""

    def _way_back(self, layer, W):
        return np.sign(W) / np.sqrt(W.shape[1])


# ------------------------------------------------------------------------------- through time


class Bptt(Propagation):
    """Backpropagation through time, with the derivative of a sigmoid for that of a spike.

    The error at every step is multiplied by the presynaptic spikes of that step. To take a
    subspace out of every one of them is to take it out of the gradient: the projection is linear.
    """

    training = "bptt"
    hidden_records = ("spiked",)

    def _heard(self, pixels, found):
        spikes = (found[f"{name}.spiked"] for name in self.names[1:-1])
        return [pixels, *(x.reshape(-1, x.shape[-1]) for x in spikes)]

    def gradients(self, weights, activity, classes, outputs=slice(None), subspaces=None):
        import neurodyn as nd
        from neurodyn._blas import one_blas_thread

        cotangent = np.zeros_like(activity.recorded["readout.logit"])
        cotangent[:, -1] = error(activity.logits, classes, outputs)
        with one_blas_thread():
            self._run.backward({"readout.logit": cotangent})
            found = self._run.gradients()
        if subspaces is not None:
            if any(subspace.response_range is not None for subspace in subspaces):
                raise ValueError(
                    "lateral neurons that spike are not linear: with `response_range` gradients "
                    "through time cannot be projected as a whole; train by 'rates' or 'online'"
                )
            found = nd.learning.ProjectOut(dict(zip(self.labels, subspaces)))(found)
        return [found[label] for label in self.labels]


class Online(Propagation):
    """Online training through time: errors of each step alone, and traces of presynaptic spikes.

    ``dL/dW_l = sum over t of delta_l(t)' trace(t)`` with the trace of presynaptic spikes,
    ``trace <- trace/2 + x``, the error of this step's readout current, over n_steps, and the
    derivative of a sigmoid for that of a spike. Weights change once a batch.

    Source: Xiao, Meng, Zhang, He & Lin (2022), NeurIPS 35.
    """

    training = "online"
    hidden_records = ("spiked", "trace", "potential")

    def _logits(self, found):
        return found["readout.logit"].mean(axis=1)

    def _heard(self, pixels, found):
        both = ([found[f"{name}.{what}"] for what in ("spiked", "trace")]
                for name in self.names[1:-1])
        return [pixels, *(np.concatenate(x).reshape(-1, x[0].shape[-1]) for x in both)]

    def _factors(self, weights, activity, classes, outputs):
        import neurodyn as nd

        found = activity.recorded
        derivative = nd.surrogates.Sigmoid(slope=4.0).derivative
        logits = _flat(found["readout.logit"])           # rows are trials and steps
        # `error` divides by the number of rows, which is trials times steps
        delta = error(logits, np.repeat(classes, self.n_steps), outputs)
        factors = []
        for k in reversed(range(len(weights))):
            if k == 0:
                x = np.repeat(activity.pixels, self.n_steps, axis=0)
            else:
                x = _flat(found[f"{self.names[k]}.trace"])
            factors.append((delta, x))
            if k:
                potential = _flat(found[f"{self.names[k]}.potential"])
                delta = (delta @ weights[k]) * derivative(potential - 1)
        return factors[::-1]


def _flat(array: np.ndarray) -> np.ndarray:
    """(trial, step, unit) as (trial and step, unit)."""
    return array.reshape(-1, array.shape[-1])


#: By name: differentiation of rates with three ways back, and two ways through time.
PROPAGATIONS: dict[str, Callable[..., Propagation]] = {
    "rates, exact": Rates,
    "rates, random feedback": RandomFeedback,
    "rates, sign-symmetric": SignSymmetric,
    "through time": Bptt,
    "online": Online,
}


def build(name: str, sizes: Sequence[int], batch: int, rng: RNG = None) -> Propagation:
    """The one called `name`, with a network of these sizes, which is compiled."""
    if name not in PROPAGATIONS:
        raise ValueError(f"`name` must be one of {', '.join(PROPAGATIONS)}; got {name!r}")
    return PROPAGATIONS[name](sizes, batch, rng)
