"""Learning step by step, while time goes on: `OnlineLearner`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn._blas import one_blas_thread
from neurodyn.learning.clipping import checked_clip
from neurodyn.learning.gradients import checked_cotangents, initial_state
from neurodyn.learning.losses import value_and_cotangents
from neurodyn.learning.online.carriers import NEVER
from neurodyn.learning.online.rules import OnlineRule
from neurodyn.learning.online.unrolled_online import OnlineUnrolled
from neurodyn.learning.optimisers import Optimiser
from neurodyn.learning.parametrisations import Parametrisation
from neurodyn.learning.segments import Segment
from neurodyn.learning.trained_values import TrainedValues
from neurodyn.simulation.arguments import root_seed

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


class OnlineLearner:
    """A network that runs, and may learn after every step.

    Traces and sensitivities are kept while weights change, as these rules are meant to be used: the
    past is then that of the weights as they were, and the gradient exact in the limit of a small
    learning rate only (Williams & Zipser 1989).

    Parameters
    ----------
    network : Network
    solver : Solver
    rule : OnlineRule
        `RTRL`, `EProp` or `RFLO`.
    record : sequence of str
        Variables that `step` returns, and losses see.
    trainable : sequence of str
        Weights and parameters, as for `neurodyn.learning.bptt`.
    optimiser : Optimiser
        ``nd.learning.SGD(0.1)``.
    inputs : sequence of str
        Inputs that `step` is given.
    trials : int
        Copies that run side by side, whose gradients are summed.
    parametrise : dict of str to Parametrisation, optional
    clip : float or callable, optional
        As for `train`.
    initial : dict of str to array_like, optional
        States at the beginning, (unit,) or (trial, unit).
    rng : int, SeedSequence, Generator or None
        Of noise and random initial states.
    dtype, memory
        As for `find_gradients`.

    Attributes
    ----------
    n_steps, n_updates : int
        Done so far.
    state : dict of str to ndarray, (trial, unit)
        Now.
    recorded : dict of str to ndarray, (trial, 1, unit)
        As a loss sees it; what `step` returns.
    values : dict of str to ndarray
        What is trained, now.

    Examples
    --------
    >>> import neurodyn as nd
    >>> net = nd.rate_network([[0.0]], tau=0.1)
    >>> learner = nd.learning.OnlineLearner(
    ...     net, nd.Euler(dt=0.01), nd.learning.RTRL(), record=["E.x"],
    ...     trainable=["E.r->E.I_rec"], optimiser=nd.learning.SGD(0.5), inputs=["E.I_ext"])
    >>> for _ in range(400):
    ...     x = learner.step({"E.I_ext": 1.0})["E.x"]
    ...     loss = learner.learn(nd.learning.MeanSquaredError("E.x", 1.5))
    >>> abs(float(x[0, 0]) - 1.5) < 0.01
    True
    """

    def __init__(
        self,
        network: Network,
        solver: Solver,
        rule: OnlineRule,
        *,
        record: Sequence[str],
        trainable: Sequence[str],
        optimiser: Optimiser,
        inputs: Sequence[str] = (),
        trials: int = 1,
        parametrise: Mapping[str, Parametrisation] | None = None,
        clip: float | Callable | None = None,
        initial: Mapping[str, Any] | None = None,
        rng=None,
        dtype: str = "float64",
        memory: int | None = None,
    ):
        if not isinstance(rule, OnlineRule):
            raise TypeError(
                f"`rule` must be RTRL(), EProp() or RFLO(), which go forward in time; got {rule!r}"
            )
        if not isinstance(optimiser, Optimiser):
            raise TypeError(
                f"`optimiser` must be one such as nd.learning.SGD(0.1); got {optimiser!r}"
            )
        self._trained = TrainedValues(network, trainable, parametrise)
        for one in self._trained.trainables:
            if one.kind == "state":
                raise ValueError(
                    f"`trainable`: `{one.name}` is an initial state, and when anything is learned "
                    "the beginning is over; find_gradients and train can find its gradient"
                )
        self._root = root_seed(rng, None)
        self._unrolled: OnlineUnrolled = rule.unroll(
            network,
            solver,
            solver.dt,
            record=tuple(record),
            trainable=self._trained.keys,
            trials=checked_count(trials, "trials"),
            driven=tuple(inputs),
            dtype=dtype,
            memory=memory,
        )
        self.optimiser = optimiser
        self.clip = checked_clip(clip)
        self._raw = dict(self._trained.initial)
        self._optimiser_state = optimiser.initial_state(self._raw)
        self.n_updates = 0
        self.reset(initial)

    # -- time ----------------------------------------------------------------------------------

    def reset(self, initial: Mapping[str, Any] | None = None) -> None:
        """Begin a trial anew: states as given, traces 0, time 0; what is learned stays.

        Parameters
        ----------
        initial : dict of str to array_like, optional
            Default: those of the network.
        """
        unrolled = self._unrolled
        self._resets = getattr(self, "_resets", -1) + 1
        root = np.random.SeedSequence(
            self._root.entropy, spawn_key=(*self._root.spawn_key, self._resets)
        )
        self._keys = np.array(
            [
                np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, trial))
                .generate_state(2)
                for trial in range(unrolled.n_trials)
            ],
            np.uint32,
        )  # fmt: skip
        state = initial_state(unrolled, initial, root)
        compiled = unrolled.compiled
        self._workspaces = compiled.workspaces(unrolled.n_trials, unrolled.solver.scratch)
        compiled.put(self._workspaces, state)
        unrolled.carrier.begin(unrolled.n_trials)
        unrolled.carrier.clear()
        self.n_steps = 0
        self.recorded: dict[str, np.ndarray] = {}

    @property
    def state(self) -> dict[str, np.ndarray]:
        compiled = self._unrolled.compiled
        return {
            name: compiled.take(self._workspaces, name).copy()
            for name in self._unrolled.network.state_names
        }

    def step(self, inputs: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Take one step of the solver.

        Parameters
        ----------
        inputs : dict of str to array_like, optional
            Values of the inputs over this step, a number, (unit,) or (trial, unit); 0 where not
            given.

        Returns
        -------
        dict of str to ndarray, (trial, unit)
            What is recorded, at the end of the step, inputs held.

        Raises
        ------
        FloatingPointError
            If a state is not finite.
        """
        unrolled = self._unrolled
        unknown = set(inputs or {}) - set(unrolled.compiled.driven_names)
        if unknown:
            raise ValueError(
                f"`inputs`: `{min(unknown)}` was not named when the learner was made; there are "
                f"{', '.join(unrolled.compiled.driven_names)}"
            )
        drives = unrolled.compiled.drives(inputs, unrolled.n_trials)
        with one_blas_thread():
            unrolled.carrier.advance(
                self._workspaces, drives, self._keys, self.n_steps, 1, NEVER, self._no_signals(), {}
            )
            self.n_steps += 1
            self._observe(drives)
        for name, values in self.state.items():
            if not np.isfinite(values).all():
                trial, unit = map(int, np.argwhere(~np.isfinite(values))[0])
                raise FloatingPointError(
                    f"`{name}` of unit {unit} in trial {trial} is {values[trial, unit]} after step "
                    f"{self.n_steps}. Try a smaller dt or learning rate, or `clip=`"
                )
        return {name: values[:, 0] for name, values in self.recorded.items()}

    def _no_signals(self) -> dict[int, np.ndarray]:
        compiled = self._unrolled.compiled
        members = zip(compiled.structure.populations, compiled.widths, strict=True)
        return {
            p: np.zeros((len(population.states), 1, self._unrolled.n_trials, width), compiled.dtype)
            for p, (population, width) in enumerate(members)
        }

    def _observe(self, drives) -> None:
        """Evaluate the network at the end of the step, as a run of no steps of its own."""
        unrolled, now = self._unrolled, self.n_steps
        unrolled.segments = [Segment(now, now, now - 1, True)]
        unrolled.every = now  # so that this is the first sample
        self.recorded = unrolled.forward(drives, self.state, self._keys)

    # -- learning ------------------------------------------------------------------------------

    def gradients(self, loss) -> tuple[float, dict[str, np.ndarray]]:
        """The loss of this moment, and what the rule finds for its gradients.

        Parameters
        ----------
        loss : callable, or dict of str to array_like
            ``loss(recorded) -> (value, cotangents)`` with arrays (trial, 1, unit), as those of
            `neurodyn.learning.losses`; or the cotangents themselves, (trial, unit), by name: then
            the value is NaN.

        Returns
        -------
        value : float
        gradients : dict of str to ndarray
            By the names of `trainable`, summed over trials.

        Raises
        ------
        FloatingPointError
            If the loss or a gradient is not finite.
        """
        if not self.recorded:
            raise RuntimeError("nothing has been recorded yet: call `step` first")
        unrolled = self._unrolled
        if callable(loss):
            value, cotangents = value_and_cotangents(loss, self.recorded)
            if not np.isfinite(value):
                raise FloatingPointError(f"the loss is {value} after step {self.n_steps}")
        else:
            value = float("nan")
            cotangents = {name: np.asarray(c)[:, None] for name, c in loss.items()}
        unrolled.n_updates = self.n_updates
        feedback = unrolled.feedback()
        with one_blas_thread():
            unrolled.backward_now(checked_cotangents(unrolled, cotangents), feedback)
            unrolled.carrier.clear()
            unrolled.carrier.contract(unrolled.signals, feedback)
        unrolled.carried = unrolled.carrier.gradients()
        found = unrolled.gradients()
        for name, gradient in found.items():
            if not np.isfinite(gradient).all():
                raise FloatingPointError(
                    f"the gradient of `{name}` is not finite after step {self.n_steps}: its "
                    "sensitivities grew. Call `reset` now and then, or use weights of less gain"
                )
        return float(value), found

    def update(self, gradients: Mapping[str, np.ndarray]) -> None:
        """Change what is trained, by the optimiser.

        Parameters
        ----------
        gradients : dict of str to array_like
            Of all that is trained, for example sums of those of several steps.
        """
        missing = set(self._trained.keys) - set(gradients)
        if missing:
            raise ValueError(f"`gradients`: there is none of `{min(missing)}`")
        start = self._trained.start
        fitted = {k: np.asarray(gradients[k], start[k].dtype) for k in self._trained.keys}
        raw = self._trained.pull_back(self._raw, fitted)
        if self.clip is not None:
            raw = self.clip(raw)
        self._raw, self._optimiser_state = self.optimiser.update(
            self._raw, raw, self._optimiser_state, self.optimiser.learning_rate
        )
        values = self.values
        wrong = self._trained.wrong(values)
        if wrong is not None:
            raise FloatingPointError(f"after step {self.n_steps} `{wrong[0]}` {wrong[1]}")
        self._unrolled.values.set(self._trained.settable(values))
        self.n_updates += 1

    def learn(self, loss) -> float:
        """`gradients`, then `update`; returns the value of the loss."""
        value, gradients = self.gradients(loss)
        self.update(gradients)
        return value

    @property
    def values(self) -> dict[str, np.ndarray]:
        return self._trained.values(self._raw)

    @property
    def network(self) -> Network:
        """The network with what has been learned."""
        return self._trained.network_with(self.values)
