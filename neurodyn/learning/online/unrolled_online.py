"""Networks made ready for a rule: what `Unrolled` is for backpropagation through time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.learning.arguments import checked_bytes
from neurodyn.learning.online.dependence import Dependence
from neurodyn.learning.online.feedback import zeros_like
from neurodyn.learning.online.signals import SignalRun
from neurodyn.learning.unrolled import Unrolled

if TYPE_CHECKING:
    from neurodyn.learning.online.rules import FeedbackAlignment, OnlineRule
    from neurodyn.weights import Weights

#: Bytes for sensitivities, unless the user says otherwise.
_BYTES = 2**30


class FeedbackUnrolled(Unrolled):
    """`Unrolled` with feedback weights in the place of the transposes of couplings out of loops.

    Parameters
    ----------
    rule : FeedbackAlignment
    *arguments, **options
        Of `Unrolled`.
    """

    rule: FeedbackAlignment | OnlineRule

    def __init__(self, *arguments, rule, **options):
        self.rule = rule
        super().__init__(*arguments, **options)
        self.dependence = Dependence(self.compiled, self.trainables)
        self.start = dict(self.values.weights)
        self._prepare()
        rule.feedback_weights.check(self.returning(), self.network.coupling_labels)

    def _prepare(self) -> None:
        """Make what else a rule needs."""

    def returning(self) -> dict[int, str]:
        """Couplings, with their labels, through which errors come back from readouts."""
        passed = [c for c in self.module.TRANSPOSED if not self.dependence.is_recurrent(c)]
        return {c: self.dependence.label(c) for c in passed}

    def feedback(self) -> dict[int, Weights]:
        """Weights that errors pass now, where they are not the coupling's own."""
        found = {}
        for c, label in self.returning().items():
            weights = self.rule.feedback_weights.weights(
                c, label, self.values.weights[c], self.start[c], self.n_updates
            )
            if weights is not None:
                found[c] = weights
        return found

    def backward(self, cotangents, collectors=None, feedback=None) -> None:
        super().backward(cotangents, collectors, self.feedback() if feedback is None else feedback)


class OnlineUnrolled(FeedbackUnrolled, SignalRun):
    """A network whose gradients are found forward in time, by an `OnlineRule`.

    `backward` finds the signals of the loss at every moment, then goes through the run once more
    from its beginning, with what carries the past, and adds up signals times sensitivities.
    """

    rule: OnlineRule

    def __init__(self, *arguments, rule: OnlineRule, truncate=None, **options):
        if truncate is not None:
            raise ValueError(
                f"`truncate` is of backpropagation; {type(rule).__name__} goes forward in time"
            )
        memory = options.get("memory")
        self.limit = _BYTES if memory is None else checked_bytes(memory)
        super().__init__(*arguments, rule=rule, **options)

    def _prepare(self) -> None:
        rule = self.rule
        for one in self.trainables:
            if one.kind == "input":
                raise ValueError(
                    f"`trainable`: `{one.name}` is an input, with a number for each step, all of "
                    f"whose sensitivities {type(rule).__name__} would have to carry; use bptt"
                )
        self.carrier = rule.carrier(self.dependence, self.solver, self.values)
        size = self.carrier.bytes_per_trial()
        if size > self.limit:
            raise ValueError(
                f"{type(rule).__name__} needs {size / 2**30:.3g} GiB for the sensitivities of one "
                f"trial, and `memory` allows {self.limit / 2**30:.3g}: allow more, or use EProp(), "
                "BPTT() or a network of columns"
            )

    def returning(self) -> dict[int, str]:
        readouts = {c: self.dependence.label(c) for c in self.carrier.to_readouts}
        return super().returning() | readouts

    def feedback(self) -> dict[int, Weights]:
        cut = {c: zeros_like(self.values.weights[c]) for c in self.rule.cut(self.dependence)}
        return {**super().feedback(), **cut}

    def forward(self, drives, initial, keys=None):
        self.initial, self.keys = dict(initial), keys
        return super().forward(drives, initial, keys)

    def backward(self, cotangents, collectors=None, feedback=None) -> None:
        feedback = self.feedback() if feedback is None else feedback
        self.backward_now(cotangents, feedback, collectors)
        self.carrier.clear()
        of_states: dict[str, list[np.ndarray]] = {}
        size = max(1, min(self.n_trials, self.limit // max(1, self.carrier.bytes_per_trial())))
        for start in range(0, self.n_trials, size):
            trials = slice(start, min(start + size, self.n_trials))
            self._carry(trials, feedback)
            for key, gradient in self.carrier.state_gradients().items():
                of_states.setdefault(key, []).append(gradient)
        self.carried = self.carrier.gradients()
        self.carried |= {key: np.concatenate(parts) for key, parts in of_states.items()}

    def backward_now(self, cotangents, feedback, collectors=None) -> None:
        """Find the signals of every moment, and the gradients of what acts at once."""
        super().backward(cotangents, collectors, feedback)

    def _carry(self, trials: slice, feedback) -> None:
        """Go through the run of some trials, and add to the gradients."""
        n = trials.stop - trials.start
        workspaces = self.compiled.workspaces(n, self.solver.scratch)
        self.compiled.put(workspaces, {name: v[trials] for name, v in self.initial.items()})
        drives = [np.ascontiguousarray(d[:, trials] if d.shape[1] > 1 else d) for d in self.drives]
        keys = np.zeros((n, 2), np.uint32) if self.keys is None else self.keys[trials]
        signals = {
            p: np.ascontiguousarray(values[:, :, trials]) for p, values in self.signals.items()
        }
        self.carrier.begin(n)
        self.carrier.advance(
            workspaces, drives, np.ascontiguousarray(keys), 0, self.n_steps, self.every, signals,
            feedback,
        )  # fmt: skip

    def gradients(self) -> dict[str, np.ndarray]:
        at_once, found = super().gradients(), {}
        for one in self.trainables:
            parts = [of[one.key] for of in (at_once, self.carried) if one.key in of]
            if not parts:  # it acts on nothing that is recorded
                parts = [np.zeros_like(self.values.get(one))]
            found[one.key] = np.array(sum(parts[1:], parts[0]), self.dtype, order="K")
        return found
