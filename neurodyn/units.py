"""SI quantities at the edge of the package: ``100*nd.ms``, ``-65*nd.mV``.

A quantity is a number (or array) in SI with a dimension. It exists so that values carry their unit
up to the first check, where it meets the dimension that the equations ask for; behind that check
everything is a plain float in SI.

Quantities of ``brian2.units`` are accepted wherever ours are (they are recognised by their ``dim``
attribute), but are not used here: importing them costs a second, which is the whole budget for the
first result of a script.
"""

from __future__ import annotations

import numbers
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "DIMENSIONLESS",
    "SECOND",
    "Quantity",
    "UnitError",
    "dimension_of",
    "format_dimension",
    "to_si",
]

#: Order of the seven SI base dimensions in a `Dimension`, the same as Brian2's.
_BASE_UNITS = ("m", "kg", "s", "A", "K", "mol", "cd")

Dimension = tuple[float, float, float, float, float, float, float]
DIMENSIONLESS: Dimension = (0.0,) * 7
#: The dimension of time.
SECOND: Dimension = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


class UnitError(ValueError):
    """A value's unit does not fit; the message names both."""


def _dimension(**exponents: float) -> Dimension:
    return tuple(float(exponents.get(unit, 0)) for unit in _BASE_UNITS)


class Quantity:
    """A number or array in SI units together with its physical dimension.

    Parameters
    ----------
    value : float or array_like
        The value in SI base units.
    dim : tuple of 7 floats
        Exponents of metre, kilogram, second, ampere, kelvin, mole and candela.

    Raises
    ------
    UnitError
        When quantities of different dimension are added or compared.
    """

    __slots__ = ("dim", "value")
    # NumPy arrays on the left must leave ``array * quantity`` to __rmul__.
    __array_ufunc__ = None

    def __init__(self, value: Any, dim: Dimension = DIMENSIONLESS):
        if isinstance(value, numbers.Real):
            value = float(value)
        else:
            value = np.asarray(value, dtype=float)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "dim", tuple(float(e) for e in dim))

    def __setattr__(self, name, value):
        raise AttributeError(f"a Quantity is immutable; `{name}` cannot be set")

    def __getstate__(self):
        return self.value, self.dim

    def __setstate__(self, state):
        object.__setattr__(self, "value", state[0])
        object.__setattr__(self, "dim", state[1])

    def __mul__(self, other):
        try:
            value, dim = to_si(other)
        except TypeError:  # weights and signals know how to take a unit
            return NotImplemented
        return Quantity(self.value * value, _combine(self.dim, dim or DIMENSIONLESS, 1))

    __rmul__ = __mul__

    def __truediv__(self, other):
        value, dim = to_si(other)
        return Quantity(self.value / value, _combine(self.dim, dim or DIMENSIONLESS, -1))

    def __rtruediv__(self, other):
        value, dim = to_si(other)
        return Quantity(value / self.value, _combine(dim or DIMENSIONLESS, self.dim, -1))

    def __pow__(self, exponent: float):
        return Quantity(self.value**exponent, tuple(e * exponent for e in self.dim))

    def __neg__(self):
        return Quantity(-self.value, self.dim)

    def __pos__(self):
        return self

    def __add__(self, other):
        return Quantity(self.value + self._same(other, "add"), self.dim)

    __radd__ = __add__

    def __sub__(self, other):
        return Quantity(self.value - self._same(other, "subtract"), self.dim)

    def __rsub__(self, other):
        return Quantity(self._same(other, "subtract") - self.value, self.dim)

    def __eq__(self, other):
        try:
            value, dim = to_si(other)
        except TypeError:
            return NotImplemented
        return (dim or DIMENSIONLESS) == self.dim and value == self.value

    def __hash__(self):
        return hash((self.value if isinstance(self.value, float) else id(self), self.dim))

    def __lt__(self, other):
        return self.value < self._same(other, "compare")

    def __le__(self, other):
        return self.value <= self._same(other, "compare")

    def __gt__(self, other):
        return self.value > self._same(other, "compare")

    def __ge__(self, other):
        return self.value >= self._same(other, "compare")

    def __float__(self):
        if self.dim != DIMENSIONLESS:
            raise UnitError(
                f"{self!r} is not a plain number; divide it by a unit first, "
                f"for example `x / nd.{'second' if self.dim == _dimension(s=1) else 'mV'}`"
            )
        return float(self.value)

    def __abs__(self):
        return Quantity(abs(self.value), self.dim)

    def __bool__(self):
        return bool(self.value)

    def __len__(self):
        return len(self.value)

    def __iter__(self):  # without it Python would take one number for an empty sequence
        return (Quantity(v, self.dim) for v in iter(self.value))

    def __getitem__(self, index):
        return Quantity(np.asarray(self.value)[index], self.dim)

    def __repr__(self):
        unit = "" if self.dim == DIMENSIONLESS else f" {format_dimension(self.dim)}"
        return f"{self.value!r}{unit}"

    def _same(self, other, verb: str):
        value, dim = to_si(other)
        if (dim or DIMENSIONLESS) != self.dim:
            raise UnitError(
                f"cannot {verb} {format_dimension(self.dim)} and "
                f"{format_dimension(dim or DIMENSIONLESS)}"
            )
        return value


def _combine(a: Dimension, b: Dimension, sign: int) -> Dimension:
    return tuple(x + sign * y for x, y in zip(a, b, strict=True))


class SIValue(NamedTuple):
    """A value in SI and its dimension; ``dim`` is None for a plain number, which fits anywhere."""

    value: Any
    dim: Dimension | None


def to_si(value: Any, name: str = "value") -> SIValue:
    """Split a number, array, `Quantity` or Brian2 quantity into its SI value and dimension.

    Parameters
    ----------
    value : float, array_like, Quantity or brian2.Quantity
        Plain numbers and arrays are taken to be in SI already.
    name : str
        The argument's name, for the error message.

    Returns
    -------
    SIValue
        ``(value, dim)``: a float or float array, and the dimension, or None for plain numbers.

    Raises
    ------
    TypeError
        If `value` is not numeric.
    """
    if isinstance(value, Quantity):
        return SIValue(value.value, value.dim)
    dim = getattr(value, "dim", None)
    if dim is not None and hasattr(dim, "_dims"):  # a Brian2 quantity; its array data are in SI
        array = np.asarray(value, dtype=float)
        return SIValue(float(array) if array.ndim == 0 else array, tuple(map(float, dim._dims)))
    if isinstance(value, numbers.Real):
        return SIValue(float(value), None)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or np.ma.is_masked(value):
            raise TypeError
        array = array.astype(float) if array.dtype.kind in "iub" else array
    except (TypeError, ValueError):
        raise TypeError(
            f"`{name}` must be a number, an array or a quantity such as 10*nd.ms; "
            f"got {type(value).__name__}: {value!r:.60}"
        ) from None
    return SIValue(array.item() if array.ndim == 0 else array, None)


def dimension_of(value: Any) -> Dimension | None:
    """The dimension of `value`, or None for a plain number."""
    return to_si(value).dim


#: Names for printing dimensions, tried in this order before falling back on base units.
_NAMED: dict[str, Dimension] = {
    "1": DIMENSIONLESS,
    "s": _dimension(s=1),
    "Hz": _dimension(s=-1),
    "V": _dimension(m=2, kg=1, s=-3, A=-1),
    "A": _dimension(A=1),
    "S": _dimension(m=-2, kg=-1, s=3, A=2),
    "ohm": _dimension(m=2, kg=1, s=-3, A=-2),
    "F": _dimension(m=-2, kg=-1, s=4, A=2),
    "C": _dimension(A=1, s=1),
    "m": _dimension(m=1),
    "kg": _dimension(kg=1),
    "K": _dimension(K=1),
    "mol": _dimension(mol=1),
    "V/s": _dimension(m=2, kg=1, s=-4, A=-1),
    "A/s": _dimension(A=1, s=-1),
    "S/s": _dimension(m=-2, kg=-1, s=2, A=2),
    "s**-0.5": _dimension(s=-0.5),
}


def format_dimension(dim: Dimension) -> str:
    """Text of a dimension in SI units, for example ``V``, ``1`` or ``m*s**-2``."""
    for name, known in _NAMED.items():
        if tuple(dim) == known:
            return name
    inverse = tuple(-exponent for exponent in dim)
    for name, known in _NAMED.items():
        if inverse == known and name.isalpha():
            return f"{name}**-1"
    parts = []
    for unit, exponent in zip(_BASE_UNITS, dim, strict=True):
        if exponent:
            power = str(Fraction(exponent).limit_denominator(12))
            power = f"({power})" if "/" in power else power
            parts.append(unit if power == "1" else f"{unit}**{power}")
    return "*".join(parts)


def _unit(scale: float, name: str) -> Quantity:
    return Quantity(scale, _NAMED[name])


second = _unit(1.0, "s")
ms = msecond = _unit(1e-3, "s")
us = usecond = _unit(1e-6, "s")
minute = _unit(60.0, "s")
hertz = Hz = _unit(1.0, "Hz")
kHz = _unit(1e3, "Hz")
volt = _unit(1.0, "V")
mV = _unit(1e-3, "V")
uV = _unit(1e-6, "V")
ampere = amp = _unit(1.0, "A")
mA = _unit(1e-3, "A")
uA = _unit(1e-6, "A")
nA = _unit(1e-9, "A")
pA = _unit(1e-12, "A")
siemens = _unit(1.0, "S")
mS = _unit(1e-3, "S")
uS = _unit(1e-6, "S")
nS = _unit(1e-9, "S")
ohm = _unit(1.0, "ohm")
kohm = _unit(1e3, "ohm")
Mohm = _unit(1e6, "ohm")
Gohm = _unit(1e9, "ohm")
farad = _unit(1.0, "F")
uF = _unit(1e-6, "F")
nF = _unit(1e-9, "F")
pF = _unit(1e-12, "F")
coulomb = _unit(1.0, "C")
metre = meter = _unit(1.0, "m")
cm = _unit(1e-2, "m")
mm = _unit(1e-3, "m")
um = _unit(1e-6, "m")
kelvin = _unit(1.0, "K")

#: Every unit by name, as `import neurodyn as nd; nd.ms` finds them.
UNITS: dict[str, Quantity] = {
    name: value
    for name, value in list(globals().items())
    if isinstance(value, Quantity) and not name.startswith("_")
}
