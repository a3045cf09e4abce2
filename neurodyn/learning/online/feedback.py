"""What brings an error back to where it came from: the weights' transposes, or others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.population import listed, suggestion
from neurodyn.simulation.arguments import root_seed
from neurodyn.weights import Weights

KINDS = ("symmetric", "random", "adaptive")


@dataclass(frozen=True)
class Feedback:
    """The feedback weights of a rule.

    Parameters
    ----------
    given : str or dict of str to array_like
        ``"symmetric"``: the transposes of the weights; ``"random"``: fixed random numbers instead
        (Lillicrap et al. 2016, Nature Communications 7:13276); ``"adaptive"``: random at first,
        then moved by every update that the weights get, so that the difference to them shrinks by
        `decay` an update, as it does where both decay (Kolen & Pollack 1994; Bellec et al. 2020).
        Or the numbers themselves, by the label of a coupling: ``{"E.r->out.I": B}`` with `B`
        (pre, post), as papers write it; other couplings then keep their transposes.
    rng : int, SeedSequence, Generator or None
        Of random feedback.
    scale : float, optional
        Standard deviation of random feedback weights; default ``1/sqrt(n_post)``, of as many as a
        unit gets.
    decay : float
        From 0 to 1.
    """

    given: str | Mapping[str, Any] = "symmetric"
    rng: Any = None
    scale: float | None = None
    decay: float = 0.01

    def __post_init__(self):
        if not isinstance(self.given, Mapping) and self.given not in KINDS:
            raise ValueError(
                f"`feedback` must be 'symmetric', 'random', 'adaptive', or arrays by the labels of "
                f"couplings; got {self.given!r}"
            )
        if self.scale is not None and not 0 < self.scale < np.inf:
            raise ValueError(f"`scale` must be positive; got {self.scale!r}")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"`decay` must be from 0 to 1; got {self.decay!r}")
        if self.given in ("random", "adaptive"):  # once, so that feedback stays what it is
            object.__setattr__(self, "rng", root_seed(self.rng, None))

    def check(self, labels: Mapping[int, str], all_labels) -> None:
        """Refuse arrays of couplings that bring no error back."""
        for label in self.given if isinstance(self.given, Mapping) else ():
            if label not in labels.values():
                raise ValueError(
                    f"`feedback`: `{label}` is no coupling that an error comes back through"
                    f"{suggestion(label, all_labels) or '.'} There are {listed(labels.values())}."
                )

    def weights(self, c: int, label: str, now: Weights, start: Weights, updates: int):
        """Weights in the place of a coupling's own, or None for its own.

        Parameters
        ----------
        c, label : int, str
            The coupling.
        now, start : Weights
            Its weights, and those at the beginning of the training.
        updates : int
            How often they have been updated.
        """
        if isinstance(self.given, Mapping):
            return _given(self.given[label], label, now) if label in self.given else None
        if self.given == "symmetric":
            return None
        drawn = self._drawn(c, start)
        if self.given == "random":
            return drawn
        kept = (1 - self.decay) ** updates
        first, drawn, current = start.parameters, drawn.parameters, now.parameters
        return now.with_parameters(
            **{name: current[name] + kept * (drawn[name] - first[name]) for name in first}
        )

    def _drawn(self, c: int, like: Weights) -> Weights:
        root = self.rng
        seed = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, c))
        generator = np.random.Generator(np.random.PCG64(seed))
        scale = self.scale or 1 / np.sqrt(like.n_post)
        arrays = {
            name: (scale * generator.normal(size=array.shape)).astype(array.dtype)
            for name, array in like.parameters.items()
        }
        return like.with_parameters(**arrays)


def _given(B, label: str, like: Weights) -> Weights:
    if isinstance(B, Weights):
        if (B.shape, B.kind) != (like.shape[::-1], like.kind):
            raise ValueError(
                f"`feedback[{label!r}]` must be {like.kind} weights of shape (pre, post) = "
                f"{like.shape[::-1]}; got {B!r}"
            )
        return B.T
    if like.kind != "dense":
        raise ValueError(
            f"`feedback[{label!r}]` must be Weights of the kind of the coupling's own, {like.kind}"
        )
    B = real_numbers(B, f"feedback[{label!r}]")
    if B.shape != like.shape[::-1]:
        raise ValueError(
            f"`feedback[{label!r}]` must have the shape (pre, post) = {like.shape[::-1]}; got "
            f"{B.shape}"
        )
    return like.with_parameters(W=B if like.is_transposed else B.T)


def zeros_like(weights: Weights) -> Weights:
    """Weights of the same kind that let nothing pass."""
    return weights.with_parameters(**{n: np.zeros_like(a) for n, a in weights.parameters.items()})
