"""Learning while a network runs, by an error that is kept small: `FORCE`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count, real_numbers
from neurodyn.learning.local.least_squares_kernels import rls_gain, subtract_outer
from neurodyn.learning.local.readout_base import OnlineRule
from neurodyn.learning.local.samples import checked_positive, checked_share
from neurodyn.learning.local.stepped_run import SteppedRun, check_stepped

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

_ALGORITHMS = ("rls", "lms")


class FORCE(OnlineRule):
    r"""First-order reduced and controlled error: weights that change while the network runs.

    The output is the input z that the learned coupling ends at, ``z = W r`` for a readout, and e =
    z - f its error. By recursive least squares, at every `every`-th step,

    .. math::
        P \leftarrow P - \frac{P r r^T P}{1 + r^T P r}, \qquad W \leftarrow W - e\,(P r)^T

    with P = 1/alpha at first and the new P in the second equation; as e is that before the update,
    this is ``W - e k'`` with the gain ``k = P r/(1 + r'Pr)`` of the old P. Because the error is
    small from the first updates on, the output can be fed back to the network from the beginning.
    By ``"lms"``, the delta rule, ``W <- W - learning_rate e r'``.

    Parameters
    ----------
    network : Network
        Of rates, with the readout and its feedback as couplings.
    coupling : str
        What learns, with a full matrix: ``"E.r->out.I"``; ``"E.r->E.I_rec"`` learns to bring every
        unit its own target.
    solver : Solver
        `Euler` or `ExponentialEuler`.
    algorithm : {"rls", "lms"}
        Default ``"rls"``.
    alpha : float
        Ridge penalty of ``"rls"``, and the inverse of its first learning rate. Default 1.
    forgetting : float
        See `RecursiveLeastSquares`. Default 1.
    learning_rate : float
        Of ``"lms"``. Default 0.01.
    every : int
        Steps from one update to the next. Default 1.
    internal : dict of str to array_like (post, output), optional
        Further couplings with the same source that learn by the same errors: a unit of theirs gets
        the errors ``A e`` of a matrix A: ``{"E.r->E.I_rec": A}``. By full matrices that is the same
        as feedback through A of what the readout learns: they change by A times its change.
    rng : int, SeedSequence, Generator or None
        Of noise and random initial states.

    Attributes
    ----------
    network_ : Network
        With the learned weights.
    coef_ : ndarray, (post, pre)
        Those of `coupling`.
    inverse_correlation_ : ndarray, (pre, pre)
        P, of ``"rls"``.
    errors_ : ndarray, (update, output)
        Before each update of the last `fit` or `partial_fit`.
    state_ : dict of str to ndarray, (unit,)
        Of the network, where it has stopped.
    n_updates_ : int

    Notes
    -----
    Steps and updates are compiled, and alternate from Python, which takes about 10 microseconds an
    update. Output and activity are those at the beginning of a step, which the update follows, as
    in the authors' program.

    References
    ----------
    Sussillo & Abbott (2009), Neuron 63:544: the updates of w and P in "FORCE learning", and figure
    1C for internal weights.
    DePasquale, Cueva, Rajan, Escola & Abbott (2018), PLoS ONE 13:e0191527, for targets of all
    units.
    Widrow & Hoff (1960), IRE WESCON Convention Record 4:96, for the delta rule.

    Examples
    --------
    >>> import neurodyn as nd
    >>> rng = np.random.default_rng(8)
    >>> net = nd.Network(
    ...     {"E": nd.Population(300, "dx/dt = (-x + I_rec + I_fb + I_ext)/tau : 1\n"
    ...          "r = tanh(x) : 1\nI_ext : 1", tau=1.0, x=rng.normal(0, 0.5, 300)),
    ...      "out": nd.Population(1, "z = I : 1\nI : 1")},
    ...     [nd.Coupling("E.r", "E.I_rec", nd.weights.gaussian(300, gain=1.5, rng=0)),
    ...      nd.Coupling("E.r", "out.I", np.zeros((1, 300))),
    ...      nd.Coupling("out.z", "E.I_fb", rng.uniform(-1, 1, (300, 1)))])
    >>> t = 0.1 * np.arange(15_000)
    >>> target = np.sin(t / 10) + 0.5 * np.sin(t / 5)
    >>> rule = nd.learning.FORCE(net, "E.r->out.I", nd.Euler(dt=0.1), every=2)
    >>> rule.fit(None, target[:12_000]).score(None, target[12_000:]) > 0.9
    True
    """

    def __init__(
        self,
        network: Network,
        coupling: str,
        solver: Solver,
        *,
        algorithm: str = "rls",
        alpha: float = 1.0,
        forgetting: float = 1.0,
        learning_rate: float = 0.01,
        every: int = 1,
        internal: Mapping[str, Any] | None = None,
        rng: RNG = None,
    ):
        self.network = network
        self.coupling = coupling
        self.solver = solver
        self.algorithm = algorithm
        self.alpha = alpha
        self.forgetting = forgetting
        self.learning_rate = learning_rate
        self.every = every
        self.internal = internal
        self.rng = rng

    # -- learning ------------------------------------------------------------------------------

    def partial_fit(self, X: Mapping[str, Any] | None, y: Any) -> FORCE:
        """Go on from where network and weights are; inputs and time begin anew."""
        if not hasattr(self, "network_"):
            self._begin()
        every = checked_count(self.every, "every")
        y = self._checked_targets(y)
        if len(y) < every:
            raise ValueError(f"`y` has {len(y)} steps, fewer than `every` = {every}")
        run = SteppedRun(
            self.network_, self.solver, len(y), list(self._shares), inputs=X, initial=self.state_,
            rng=self._next_seed(),
        )  # fmt: skip
        self.errors_ = self._learn(run, y, every)
        self.network_ = self.network_.with_values(**run.learned_weights())
        self.coef_ = run.learned_weights()[self.coupling]
        self.state_ = {name: run.view(name).copy() for name in self.network.state_names}
        self.n_updates_ += len(self.errors_)
        return self

    def _begin(self) -> None:
        """Check what does not depend on data; forget all that was learned."""
        if self.algorithm not in _ALGORITHMS:
            raise ValueError(f"`algorithm` must be one of {_ALGORITHMS}; got {self.algorithm!r}")
        super()._begin()
        check_stepped(self.network, self.solver, [self.coupling, *(self.internal or {})])
        checked_positive(self.learning_rate, "learning_rate")
        checked_share(self.forgetting, "forgetting")
        self._source, self._output = self._ends(self.coupling)
        post, pre = self._weights(self.coupling).shape
        self._shares = {self.coupling: None, **self._checked_internal(post)}
        self.inverse_correlation_ = np.eye(pre) / checked_positive(self.alpha, "alpha")
        if self.algorithm == "lms":
            del self.inverse_correlation_
        self.n_updates_ = 0

    def _learn(self, run: SteppedRun, y: np.ndarray, every: int) -> np.ndarray:
        """Run all steps, and return the errors before the updates."""
        r, z = run.view(self._source), run.view(self._output)
        learned = [(run.weights[label], share) for label, share in self._shares.items()]
        gain, by_rls = np.empty(r.size), self.algorithm == "rls"
        errors = np.empty((len(y) // every, z.size))
        for k in range(len(errors)):
            run.advance(every)
            error = errors[k]
            np.subtract(z, y[run.position - 1], out=error)
            if by_rls:
                rls_gain(self.inverse_correlation_, r, self.forgetting, gain)
            else:
                np.multiply(r, self.learning_rate, out=gain)
            for WT, share in learned:
                subtract_outer(WT, gain, error if share is None else share @ error)
            if not k % 256:
                self._check_finite(run, error)
        run.advance(len(y) - run.position)
        self._check_finite(run, errors[-1])
        return errors

    def _check_finite(self, run: SteppedRun, error: np.ndarray) -> None:
        if not np.isfinite(error).all():
            remedy = "`alpha`" if self.algorithm == "rls" else "smaller `learning_rate`"
            raise FloatingPointError(
                f"the error of `{self._output}` is not finite at t = {run.time:.6g} s, before "
                f"which it grew; try another {remedy}, a smaller dt, or weaker feedback"
            )

    # -- small helpers -------------------------------------------------------------------------

    def _ends(self, label: str) -> tuple[str, str]:
        coupling = self._coupling(label)
        return coupling.source, coupling.target

    def _checked_internal(self, n_outputs: int) -> dict[str, np.ndarray]:
        found = {}
        for label, value in (self.internal or {}).items():
            name = f"internal[{label!r}]"
            if label == self.coupling or self._ends(label)[0] != self._source:
                raise ValueError(
                    f"`{name}` must be another coupling from `{self._source}`, whose activity "
                    "the updates are made of"
                )
            found[label] = real_numbers(value, name, "[post, output]").astype(float)
            shape = (self._weights(label).n_post, n_outputs)
            if found[label].shape != shape:
                raise ValueError(
                    f"`{name}` must be (post, output) = {shape}; got {found[label].shape}"
                )
        return found
