"""Surrogate derivatives: what gradients use in place of the derivative of a spike.

``spike(x)`` in equations is 1 where x > 0, else 0. Its derivative is 0 wherever it has one, so no
gradient would pass a spike. `Network.tangent`, `Network.adjoint` and the gradients of parameters
use another function instead, which the population chooses (and so does `Network.jacobian`, which
is no Jacobian in the strict sense then)::

    nd.Population(100, '''
        dv/dt = (beta*v + I - v_th*z - v)/dt : 1
        z = spike(v - v_th) : 1
        ''', surrogate=nd.surrogates.FastSigmoid(slope=25), beta=0.9, v_th=1.0)

The solvers never use it: simulations do not depend on the surrogate. Where a spike shall not take
part in gradients, often in the reset, ``heaviside(x)`` has the same value and the derivative 0.

**Normalisation.** All surrogates are ``dampening * shape(slope * x)`` with ``shape(0) = 1``:
`dampening` is the derivative at the threshold, whatever the slope. This is how Zenke and Ganguli
(2018) and Bellec et al. (2018) write theirs, and snnTorch and Norse their fast sigmoid. It matters:
learning is robust to the shape of the surrogate, but not to its scale (Zenke and Vogels 2021). The
derivative of a function that rises from 0 to 1, whose area is 1, has ``dampening = slope / 2``,
``slope`` for the triangle and ``slope / 4`` for the sigmoid. Elsewhere, with the default there, and
here:

================================================  ========================================
snnTorch, ``fast_sigmoid(slope=k)``, k = 25       ``FastSigmoid(k)``
Norse, ``superspike`` with ``alpha=k``, k = 100   ``FastSigmoid(k)``
snnTorch, ``atan(alpha=a)``, a = 2                ``ArcTan(a, dampening=a/2)``
SpikingJelly, ``ATan(alpha=a)``, a = 2            ``ArcTan(a, dampening=a/2)``
SpikingJelly, ``Sigmoid(alpha=a)``, a = 4         ``Sigmoid(a, dampening=a/4)``
Norse, ``triangle`` with ``alpha=a, beta=b``      ``Triangle(a, dampening=b)``
SLAYER with theta = 1, ``tauRho, scaleRho``       ``Exponential(1/tauRho, scaleRho/tauRho)``
================================================  ========================================

(snnTorch's documentation of ``atan`` prints the factor 1/pi where its code has alpha/2.)

**Units.** Where x has a unit, the derivative has its inverse, and so have both `slope` and
`dampening`; plain numbers are in SI. ``spike(v - v_th)`` in volts with
``FastSigmoid(slope=1/nd.mV, dampening=1/nd.mV)`` is Zenke and Ganguli's surrogate with voltages in
mV. ``spike((v - v_th)/mV)`` with ``FastSigmoid(slope=1)`` is the same again, by the chain rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurodyn.units import (
    DIMENSIONLESS,
    Dimension,
    Quantity,
    UnitError,
    dimension_of,
    format_dimension,
    to_si,
)

__all__ = ["ArcTan", "Exponential", "FastSigmoid", "Sigmoid", "Surrogate", "Triangle"]

#: Before the names of a surrogate's numbers in compiled code, where they are scalars like any
#: parameter: another slope needs no other code. No variable's name begins with an underscore.
PREFIX = "_surrogate_"


@dataclass(frozen=True)
class Surrogate:
    """What all surrogate derivatives share; see the module for their normalisation and units.

    Parameters
    ----------
    slope : float or Quantity
        How fast the derivative falls off on both sides of the threshold; positive, in the inverse
        of the unit of x.
    dampening : float or Quantity
        The derivative at the threshold; positive, in the inverse of the unit of x.

    Raises
    ------
    ValueError
        If one of them is not a positive, finite number.
    """

    slope: float | Quantity
    dampening: float | Quantity = 1.0

    #: The derivative, in the grammar of equations.
    formula: ClassVar[str] = ""

    def __post_init__(self):
        if type(self) is Surrogate:
            raise TypeError(f"choose a surrogate: {_CHOICE}")
        for name in ("slope", "dampening"):
            object.__setattr__(self, name, _positive(name, getattr(self, name)))

    @property
    def numbers(self) -> dict[str, float]:
        """Slope and dampening in SI, by their names in compiled code."""
        return {f"{PREFIX}{n}": to_si(getattr(self, n)).value for n in ("slope", "dampening")}

    def derivative(self, x) -> np.ndarray:
        """The surrogate derivative at `x`, for a look at it.

        Parameters
        ----------
        x : array_like
            Argument of ``spike``; plain numbers are in SI.

        Returns
        -------
        ndarray, like `x`
            In SI.

        Examples
        --------
        >>> from neurodyn import surrogates
        >>> surrogates.Triangle(slope=2.0, dampening=0.3).derivative([-1.0, -0.25, 0.0])
        array([0.  , 0.15, 0.3 ])
        """
        names = {n.removeprefix(PREFIX): value for n, value in self.numbers.items()}
        functions = {"abs": np.abs, "exp": np.exp, "relu": lambda y: np.maximum(y, 0)}
        x = np.asarray(to_si(x, "x").value, dtype=float)
        return eval(self.formula, {"__builtins__": {}}, {**functions, **names, "x": x, "pi": np.pi})


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """``dampening / (1 + slope |x|)^2``, the derivative of ``x/(1 + |x|)``.

    The default, with the slope of snnTorch, for arguments without a unit.

    Source: Zenke and Ganguli (2018), Neural Computation 30, 1514, section 3.3.2, where the slope is
    called beta.
    """

    slope: float | Quantity = 25.0

    formula = "dampening/(1 + slope*abs(x))**2"


@dataclass(frozen=True)
class ArcTan(Surrogate):
    """``dampening / (1 + (pi slope x / 2)^2)``, the derivative of the arctangent.

    Source: Fang et al. (2021), ICCV, 2661, whose surrogate 1/(1 + (pi x)^2) is the default.
    """

    slope: float | Quantity = 2.0

    formula = "dampening/(1 + (pi*slope*x/2)**2)"


@dataclass(frozen=True)
class Triangle(Surrogate):
    """``dampening max(0, 1 - slope |x|)``: no gradient farther than 1/slope from the threshold.

    Source: Bellec et al. (2018), NeurIPS 31, with gamma = 0.3 for the dampening. Their x is the
    voltage in units of the threshold, ``spike((v - v_th)/v_th)``, with slope 1.
    """

    slope: float | Quantity = 1.0
    dampening: float | Quantity = 0.3

    formula = "dampening*relu(1 - slope*abs(x))"


@dataclass(frozen=True)
class Exponential(Surrogate):
    """``dampening exp(-slope |x|)``.

    Source: Shrestha and Orchard (2018), NeurIPS 31 (SLAYER), there
    ``1/alpha exp(-beta |u - theta|)``.
    """

    slope: float | Quantity = 1.0

    formula = "dampening*exp(-slope*abs(x))"


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """``4 dampening s (1 - s)`` with ``s = 1/(1 + exp(-slope x))``, that of the logistic function.

    The derivative of s itself has ``dampening = slope/4``, which is the default.

    Source: Fang et al. (2023), Science Advances 9, eadi1480 (SpikingJelly).
    """

    slope: float | Quantity = 4.0

    # of |x|, which is the same and does not overflow
    formula = "4*dampening*exp(-slope*abs(x))/(1 + exp(-slope*abs(x)))**2"


_CHOICE = ", ".join(f"nd.surrogates.{c.__name__}(...)" for c in Surrogate.__subclasses__())


def choose(
    surrogate: Surrogate | None, arguments: tuple[tuple[str, Dimension], ...]
) -> Surrogate | None:
    """The surrogate of a population, checked against what its equations call ``spike`` with.

    Parameters
    ----------
    surrogate : Surrogate or None
        What the user asked for.
    arguments : tuple of (str, Dimension)
        Text and dimension of each argument.

    Returns
    -------
    Surrogate or None
        None where nothing spikes.
    """
    if surrogate is not None and not isinstance(surrogate, Surrogate):
        got = surrogate.__name__ if isinstance(surrogate, type) else repr(surrogate)
        raise TypeError(f"`surrogate` must be one of {_CHOICE}; got {got}")
    if not arguments:
        if surrogate is None:
            return None
        raise ValueError(
            "`surrogate` is the derivative of spike(x), which the equations do not use; leave it "
            "out, or write, for example, `z = spike(v - v_th) : 1`"
        )
    (text, dim), *others = arguments
    for other, other_dim in others:
        if other_dim != dim:
            raise UnitError(
                f"`spike({text})` and `spike({other})` share one surrogate, but their arguments "
                f"are in {format_dimension(dim)} and {format_dimension(other_dim)}; divide them by "
                "values of their units"
            )
    if surrogate is None and dim != DIMENSIONLESS:
        raise UnitError(
            f"the argument of `spike({text})` is in {format_dimension(dim)}, and only for plain "
            "numbers is there a default surrogate; divide it by a value of its unit, or give "
            "Population(..., surrogate=nd.surrogates.FastSigmoid(slope=..., dampening=...)), both "
            f"in {format_dimension(_inverse(dim))}"
        )
    surrogate = FastSigmoid() if surrogate is None else surrogate
    _check_units(surrogate, text, dim)
    return surrogate


def _check_units(surrogate: Surrogate, text: str, dim: Dimension) -> None:
    wanted = _inverse(dim)
    dims = {name: dimension_of(getattr(surrogate, name)) for name in ("slope", "dampening")}
    for name, given in dims.items():
        if given not in (None, wanted):
            raise UnitError(
                f"`surrogate`: the {name} must be in {format_dimension(wanted)}, as the argument "
                f"of `spike({text})` is in {format_dimension(dim)}; got {format_dimension(given)}"
            )
    if dim != DIMENSIONLESS and (dims["slope"] is None) != (dims["dampening"] is None):
        # A slope in 1/mV beside the default dampening of 1 per *volt* would be no gradient at all.
        plain = next(name for name, given in dims.items() if given is None)
        raise UnitError(
            f"`surrogate`: the {plain} is a plain number, {getattr(surrogate, plain):g} "
            f"{format_dimension(wanted)}, beside a quantity; give slope and dampening both with "
            f"their unit, as the argument of `spike({text})` is in {format_dimension(dim)}"
        )


def _inverse(dim: Dimension) -> Dimension:
    return tuple(0.0 - exponent for exponent in dim)


def _positive(name: str, value) -> float | Quantity:
    number, dim = to_si(value, name)
    if not isinstance(number, float) or not 0 < number < math.inf:
        raise ValueError(f"`{name}` must be one positive, finite number; got {value!r}")
    return number if dim is None else Quantity(number, dim)
