"""Methods of integration, one small frozen class each.

A solver says how; `neurodyn.simulate` does it, with the loop that `neurodyn.compile.steppers` wrote
for the network. ``dt`` is given with every solver because time is counted in its multiples.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from neurodyn.units import DIMENSIONLESS, SECOND, UnitError, format_dimension, to_si


@dataclass(frozen=True)
class Solver:
    """What all methods share: the grid on which inputs are held and recordings are taken.

    Parameters
    ----------
    dt : float or Quantity
        Step, s; positive.

    Raises
    ------
    ValueError
        If dt is not a positive, finite time.
    """

    dt: float

    #: Name of the compiled loop, ``run_<method>``.
    method = ""
    #: Whether the method integrates white noise.
    takes_noise = False
    #: Slots of the workspace that the method needs for each state.
    scratch = 0
    #: Steps are the solver's own, one sequence a trial.
    adaptive = False

    def __post_init__(self):
        if type(self) is Solver:
            raise TypeError("choose a method: nd.Euler, nd.RK4, nd.ExponentialEuler, nd.Heun, ...")
        value, dim = to_si(self.dt, "dt")
        if dim not in (None, SECOND):
            raise UnitError(f"`dt` must be a time; got {format_dimension(dim)}")
        if not isinstance(value, float) or not 0 < value < float("inf"):
            raise ValueError(f"`dt` must be a positive time in seconds; got {self.dt!r}")
        object.__setattr__(self, "dt", value)

    def describe(self) -> dict[str, object]:
        """The method and its numbers, for provenance."""
        numbers = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"method": type(self).__name__, **numbers}


@dataclass(frozen=True)
class Euler(Solver):
    """Forward Euler, x' = x + dt f(x): order 1.

    With noise Euler-Maruyama, x' = x + dt f + g sqrt(dt) n with the noise coefficient at the
    beginning of the step, which is Ito's reading: strong order 1/2 (1 for additive noise), weak
    order 1 (Kloeden and Platen 1992, section 10.2).
    """

    method = "euler"
    takes_noise = True


@dataclass(frozen=True)
class RK4(Solver):
    """The classical Runge-Kutta method: order 4. Inputs are held over a step. No noise."""

    method = "rk4"
    scratch = 2


@dataclass(frozen=True)
class ExponentialEuler(Solver):
    """Exponential Euler, x' = x + dt phi(a dt) f(x), phi(z) = (e^z - 1)/z, a = df_i/dx_i.

    The slope a is that of each equation in its own state, through algebraic variables of the same
    unit, with couplings held: exact for a linear equation with constant input, order 1 otherwise,
    and stable where a is large and negative. Additive noise gets the exact variance of the linear
    equation, g^2 (e^{2 a dt} - 1)/(2 a).
    """

    method = "exponential_euler"
    takes_noise = True


@dataclass(frozen=True)
class Exact(Solver):
    """The exact solution of linear units over a step, x' = P x + Q b with P = exp(A dt). No noise.

    For populations whose equations are linear in their own states, such as leaky integrate-and-fire
    units with synaptic currents: exact to rounding where inputs are constant over the step, for any
    dt and any time constants, equal ones too (Rotter and Diesmann 1999). Other equations are
    refused. Rate couplings are held over a step, as by `ExponentialEuler`.
    """

    method = "exact"


@dataclass(frozen=True)
class Heun(Solver):
    """Heun's method, predictor and mean slope: order 2 without noise.

    With noise it converges to Stratonovich's solution, strong order 1 for additive, scalar or
    diagonal noise (Rümelin 1982; Kloeden and Platen 1992, section 15.5).
    """

    method = "heun"
    takes_noise = True
    scratch = 2


@dataclass(frozen=True)
class DormandPrince(Solver):
    """Adaptive Runge-Kutta of orders 5 and 4 (Dormand and Prince 1980). No noise.

    Steps are chosen by the error estimate, in each trial for itself, and end on every multiple of
    `dt`, where inputs change and recordings are taken; so `dt` is the resolution of the output, not
    the accuracy, and should be as long as those allow.

    Parameters
    ----------
    dt : float or Quantity
        Grid of inputs and recordings, s.
    rtol, atol : float
        Bound on the root mean square over all states of error / (atol + rtol |x|), a step.
    """

    rtol: float = 1e-6
    atol: float = 1e-9

    method = "dormand_prince"
    scratch = 8
    adaptive = True

    def __post_init__(self):
        super().__post_init__()
        for name in ("rtol", "atol"):
            value, dim = to_si(getattr(self, name), name)
            is_number = dim in (None, DIMENSIONLESS) and isinstance(value, float)
            if not is_number or not 0 < value < float("inf"):
                raise ValueError(f"`{name}` must be a positive number; got {getattr(self, name)!r}")
            object.__setattr__(self, name, value)


__all__ = ["RK4", "DormandPrince", "Euler", "Exact", "ExponentialEuler", "Heun", "Solver"]
