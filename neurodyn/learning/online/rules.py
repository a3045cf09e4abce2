"""Rules that find gradients, or something like them, as time goes on: RTRL, e-prop, RFLO; and BPTT.

A rule is an argument of `find_gradients`, `train` and `OnlineLearner`. All find, with the same
arguments, what `bptt` finds; they differ in cost, in memory, in what a synapse needs to know, and
in whether the result is the gradient.

====================  ======================  ============================  ====================
rule                  past                    error comes back by           result
====================  ======================  ============================  ====================
`BPTT`                swept back over         transposed weights            the gradient
`FeedbackAlignment`   swept back over         random weights at readouts    not the gradient
`RTRL`                carried by all states   transposed weights            the gradient
`EProp`               carried by each unit    transposed or random weights  it, if units are alone
`RFLO`                carried by each unit    random weights                not the gradient
====================  ======================  ============================  ====================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from neurodyn.compile.local_traces import LOCAL_METHODS
from neurodyn.learning.online.carriers import Carrier
from neurodyn.learning.online.dependence import Dependence
from neurodyn.learning.online.feedback import Feedback
from neurodyn.learning.online.full_sensitivities import FullSensitivities
from neurodyn.learning.online.unit_traces import LocalTraces
from neurodyn.learning.unrolled import Unrolled
from neurodyn.population import listed

if TYPE_CHECKING:
    from neurodyn.learning.trainable import Values
    from neurodyn.solvers import Solver

STRUCTURES = ("auto", "full", "columnar", "elementwise")


class GradientRule(ABC):
    """A way to find gradients; subclasses say how a network is unrolled for it."""

    feedback_weights: Feedback

    @abstractmethod
    def unroll(self, network, solver, duration, **options) -> Unrolled:
        """A network made ready, with the methods and the arguments of `Unrolled`."""


@dataclass(frozen=True)
class BPTT(GradientRule):
    """Backpropagation through time, the default of `train`: see `neurodyn.learning.bptt`."""

    def unroll(self, network, solver, duration, **options) -> Unrolled:
        return Unrolled(network, solver, duration, **options)


@dataclass(frozen=True)
class _WithFeedback(GradientRule):
    """What rules share that have a choice of feedback."""

    _: KW_ONLY
    feedback: str | Mapping[str, Any] = "symmetric"
    rng: Any = None
    scale: float | None = None
    decay: float = 0.01
    feedback_weights: Feedback = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        made = Feedback(self.feedback, self.rng, self.scale, self.decay)
        object.__setattr__(self, "rng", made.rng)
        object.__setattr__(self, "feedback_weights", made)


@dataclass(frozen=True)
class FeedbackAlignment(_WithFeedback):
    """Backpropagation through time with random weights where errors leave the readout.

    The sweep is that of `BPTT`, but through couplings that are not part of a loop, those between
    layers and to readouts, errors pass fixed random weights instead of transposed ones; the
    couplings of a loop keep theirs. For a network of layers without recurrence this is the rule of
    Lillicrap, Cownden, Tweed & Akerman (2016), Nature Communications 7:13276.

    Parameters
    ----------
    feedback : {"random", "adaptive", "symmetric"} or dict of str to array_like, optional
        See `EProp`. ``"symmetric"`` is `BPTT`.
    rng, scale, decay
        See `EProp`.
    """

    feedback: str | Mapping[str, Any] = "random"

    def unroll(self, network, solver, duration, **options) -> Unrolled:
        from neurodyn.learning.online.unrolled_online import FeedbackUnrolled

        return FeedbackUnrolled(network, solver, duration, rule=self, **options)


@dataclass(frozen=True)
class OnlineRule(_WithFeedback):
    """A rule that carries the past forward."""

    def unroll(self, network, solver, duration, **options) -> Unrolled:
        from neurodyn.learning.online.unrolled_online import OnlineUnrolled

        return OnlineUnrolled(network, solver, duration, rule=self, **options)

    @abstractmethod
    def carrier(self, dependence: Dependence, solver: Solver, values: Values) -> Carrier:
        """What carries the past, of a network that the rule can be used on."""

    def cut(self, dependence: Dependence) -> tuple[int, ...]:
        """Couplings that errors do not pass within a moment."""
        return ()


@dataclass(frozen=True)
class RTRL(OnlineRule):
    """Real-time recurrent learning: the exact gradient, carried forward.

    The derivative of every state by every trained number moves with the tangent of the solver's
    step (Williams & Zipser 1989, Neural Computation 1:270, there for one kind of network). Where
    all units act on each other, n states and P numbers take n P values and n^2 P operations a step.
    Where they do not, it costs less, and the result is the same:

    - *elementwise*: each unit depends on its own past only (recurrence in its own equations, or
      `nd.weights.Diagonal`): one value a state of the unit for each of its own numbers. Linear
      readouts may follow, in one set of equations for all.
    - *columnar*: units act on each other in groups (Javed et al. 2023, arXiv:2302.05326). Weights
      that are trained must keep to their columns: sparse ones, or masked ones with
      ``structure="columnar"``.

    Parameters
    ----------
    structure : {"auto", "full", "columnar", "elementwise"}
        ``"auto"`` finds it; anything else is checked, and refused where it is false.
    feedback, rng, scale, decay
        See `EProp`; ``"symmetric"``, the default, gives the gradient.
    """

    structure: str = "auto"

    def __post_init__(self):
        super().__post_init__()
        if self.structure not in STRUCTURES:
            raise ValueError(
                "`structure` must be 'auto', 'full', 'columnar' or 'elementwise'; got "
                f"{self.structure!r}"
            )

    def carrier(self, dependence: Dependence, solver: Solver, values: Values) -> Carrier:
        reason = _not_elementwise(dependence, solver)
        if self.structure == "elementwise" and reason:
            raise ValueError(f"`structure`: the network is not elementwise: {reason}")
        if self.structure == "elementwise" or (self.structure == "auto" and not reason):
            return LocalTraces(dependence, solver, values)
        if self.structure == "full":
            return FullSensitivities(dependence, solver, values, by_columns=False)
        # full matrices that are trained are of one column, whatever zeros they begin with
        dense = self.structure == "auto"
        n_columns = dependence.n_columns(values.weights, dense)
        if self.structure == "columnar" and n_columns == 1:
            raise ValueError(
                "`structure`: the network has no columns: all units act on each other, through "
                f"{listed(map(dependence.label, dependence.carrying))}"
            )
        return FullSensitivities(dependence, solver, values, by_columns=n_columns > 1)


def _not_elementwise(dependence: Dependence, solver: Solver) -> str:
    """Why a network's units are not each on their own; empty if they are."""
    if solver.method not in LOCAL_METHODS:
        return f"{type(solver).__name__} takes several stages; use nd.Euler or nd.ExponentialEuler"
    readouts = dependence.readouts(solver.method)
    for c in dependence.carrying:
        if not dependence.is_internal(c) and c not in readouts:
            return (
                f"`{dependence.label(c)}` lets units act on others, and ends at no linear readout; "
                "weights that take each unit to itself are nd.weights.Diagonal"
            )
    return dependence.not_local()


@dataclass(frozen=True)
class EProp(OnlineRule):
    r"""E-prop: eligibility traces times learning signals.

    Of the derivative of a unit's states by its own weights that part is kept which goes through the
    unit itself, the eligibility trace; what returns through other units is left out (Bellec et al.
    2020, Nature Communications 11:3625). For any model whose step is Euler's: of
    leaky rate units, of spiking units with the surrogate of their population, with adaptation or
    without. A reset written with ``heaviside`` has no derivative, as in that paper. A linear
    readout with dynamics filters the traces (their :math:`\bar e`); one without does not. Without
    couplings among units, with `nd.weights.Diagonal`, or after one step it is the gradient.

    Parameters
    ----------
    feedback : {"symmetric", "random", "adaptive"} or dict of str to array_like
        What brings errors back from readouts: the weights' transposes; fixed random numbers; random
        numbers that move as the weights do; or given numbers, ``{"E.z->out.I": B}``, `B` (pre,
        post) for a matrix, with the transposes for all others.
    rng : int, SeedSequence, Generator or None
        Of random feedback, drawn when the rule is made.
    scale : float, optional
        Standard deviation of random feedback, default ``1/sqrt(n_post)``.
    decay : float
        By how much adaptive feedback comes closer to the weights in an update, 0 to 1.
    """

    def carrier(self, dependence: Dependence, solver: Solver, values: Values) -> Carrier:
        reason = self.reason_against(dependence, solver)
        if reason:
            raise ValueError(f"{type(self).__name__} cannot be used: {reason}")
        return LocalTraces(dependence, solver, values)

    def reason_against(self, dependence: Dependence, solver: Solver) -> str:
        """Why the rule cannot be used on a network; empty if it can."""
        if solver.method not in LOCAL_METHODS:
            return (
                f"its traces are of methods with one stage, and {type(solver).__name__} has "
                "several; use nd.Euler or nd.ExponentialEuler"
            )
        readouts = dependence.readouts(solver.method)
        for c in dependence.carrying:
            if not dependence.is_recurrent(c) and c not in readouts:
                return (
                    f"`{dependence.label(c)}` is part of no loop, and its target is no linear "
                    "readout with the same coefficients in all units: errors would have to come "
                    "back through the past of other units. RTRL() does that"
                )
        return dependence.not_local()

    def cut(self, dependence: Dependence) -> tuple[int, ...]:
        return tuple(
            c
            for c in dependence.structure.rate_couplings
            if dependence.is_recurrent(c) and not dependence.is_internal(c)
        )


@dataclass(frozen=True)
class RFLO(EProp):
    """Random-feedback local online learning, of rate networks.

    Murray (2019), eLife 8:e43299: a synapse keeps a leaky trace of its input times the
    slope of its target's nonlinearity, and errors come back by fixed random weights. These are the
    traces of `EProp`, with ``feedback="random"`` as the default; the equations may be those of any
    unit that does not spike.

    Parameters
    ----------
    feedback, rng, scale, decay
        See `EProp`; default ``"random"``.
    """

    feedback: str | Mapping[str, Any] = "random"

    def reason_against(self, dependence: Dependence, solver: Solver) -> str:
        for p, name in sorted(dependence.influenced):
            population = dependence.structure.populations[p]
            variable = population.equations.variables.get(name)
            if variable is not None and "spike(" in variable.expression.replace(" ", ""):
                return f"`{population.name}.{name}` spikes, and this is of rate units; use EProp()"
        return super().reason_against(dependence, solver)
