"""Quantities: arithmetic of values and dimensions, arrays, Brian2's quantities, messages."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import neurodyn as nd
from neurodyn.units import (
    DIMENSIONLESS,
    UNITS,
    Quantity,
    UnitError,
    dimension_of,
    format_dimension,
    to_si,
)

#: Dimensions as (m, kg, s, A, K), from the SI brochure; then each unit with its value in SI.
TIME, RATE, LENGTH, KELVIN = (0, 0, 1, 0, 0), (0, 0, -1, 0, 0), (1, 0, 0, 0, 0), (0, 0, 0, 0, 1)
VOLT, AMPERE, OHM = (2, 1, -3, -1, 0), (0, 0, 0, 1, 0), (2, 1, -3, -2, 0)
SIEMENS, FARAD, COULOMB = (-2, -1, 3, 2, 0), (-2, -1, 4, 2, 0), (0, 0, 1, 1, 0)
TRUTH = {
    TIME: {"second": 1, "ms": 1e-3, "msecond": 1e-3, "us": 1e-6, "usecond": 1e-6, "minute": 60},
    RATE: {"hertz": 1, "Hz": 1, "kHz": 1e3},
    VOLT: {"volt": 1, "mV": 1e-3, "uV": 1e-6},
    AMPERE: {"ampere": 1, "amp": 1, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12},
    SIEMENS: {"siemens": 1, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9},
    OHM: {"ohm": 1, "kohm": 1e3, "Mohm": 1e6, "Gohm": 1e9},
    FARAD: {"farad": 1, "uF": 1e-6, "nF": 1e-9, "pF": 1e-12},
    COULOMB: {"coulomb": 1},
    LENGTH: {"metre": 1, "meter": 1, "cm": 1e-2, "mm": 1e-3, "um": 1e-6},
    KELVIN: {"kelvin": 1},
}


def test_every_unit_is_what_it_says():
    assert set(UNITS) == {name for units in TRUTH.values() for name in units}
    for dim, units in TRUTH.items():
        for name, scale in units.items():
            unit = getattr(nd, name)
            assert unit is UNITS[name]
            assert unit.value == scale and isinstance(unit.value, float)
            assert unit.dim == (*map(float, dim), 0.0, 0.0)


def test_units_agree_with_brian2():
    import brian2

    for name, unit in UNITS.items():
        theirs = getattr(brian2, name, None)
        if theirs is not None:
            assert to_si(theirs) == (unit.value, unit.dim), name


def test_ohms_law_and_friends():
    assert 10 * nd.mV / (2 * nd.nA) == 5 * nd.Mohm
    assert 200 * nd.pF / (10 * nd.nS) == 20 * nd.ms
    assert nd.amp * nd.second == nd.coulomb
    assert 1 / (2 * nd.ms) == 500 * nd.Hz
    assert nd.siemens * nd.ohm == 1.0
    assert (nd.Mohm**0.5).dim == tuple(e / 2 for e in nd.ohm.dim)
    assert (nd.mV**2 / nd.second) / nd.mV == nd.mV / nd.second


numbers = st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-6)


@given(numbers, numbers)
def test_values_follow_floats(a, b):
    """All arithmetic is that of floats in SI."""
    p, q = a * nd.mV, b * nd.mV
    u, v = a * 1e-3, b * 1e-3
    assert (p + q).value == u + v and (p - q).value == u - v
    assert (p * q).value == u * v and (p / q).value == u / v
    assert (-p).value == -u and (+p).value == u and abs(p).value == abs(u)
    assert (p**3).value == u**3
    assert (2 / p).value == 2 / u and (p / 2).value == u / 2
    assert (p < q, p <= q, p > q, p >= q, p == q) == (u < v, u <= v, u > v, u >= v, u == v)
    for result, dim in ((p + q, nd.mV.dim), (p / q, DIMENSIONLESS), (-p, nd.mV.dim)):
        assert result.dim == dim


def test_plain_numbers_join_in_only_without_a_dimension():
    ratio = nd.mV / nd.volt
    assert ratio + 1 == 1.001 == 1 + ratio
    assert 1 - ratio == 0.999 and ratio - 1 == -0.999
    assert ratio < 1 and ratio == 1e-3
    assert float(ratio) == 1e-3
    assert nd.ms != 1e-3 and nd.ms != "ms" and nd.ms != nd.mV


@pytest.mark.parametrize(
    "operate, message",
    [
        (lambda: nd.mV + nd.ms, "cannot add V and s"),
        (lambda: nd.mV + 1, "cannot add V and 1"),
        (lambda: 1 + nd.mV, "cannot add V and 1"),
        (lambda: nd.mV - nd.nA, "cannot subtract V and A"),
        (lambda: 1 - nd.mV, "cannot subtract V and 1"),
        (lambda: nd.mV < nd.ms, "cannot compare V and s"),
        (lambda: nd.mV >= 0, "cannot compare V and 1"),
        (lambda: np.array([1.0, 2.0]) + nd.mV, "cannot add V and 1"),
        (lambda: float(2 * nd.ms), "0.002 s is not a plain number; divide it by a unit first"),
    ],
)
def test_dimensions_that_do_not_fit(operate, message):
    with pytest.raises(UnitError) as caught:
        operate()
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)


# -- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[1, 2, 3], np.arange(1, 4), np.array([1.0, 2.0, 3.0])])
def test_arrays_from_either_side(values):
    for quantity in (values * nd.ms, nd.ms * values):
        assert isinstance(quantity, Quantity)
        assert quantity.dim == nd.ms.dim
        assert_array_equal(quantity.value, np.array([1.0, 2.0, 3.0]) * 1e-3)
    inverse = np.asarray(values) / nd.ms
    assert inverse.dim == nd.Hz.dim
    assert_array_equal(inverse.value, np.array([1.0, 2.0, 3.0]) / 1e-3)


def test_numpy_scalars_are_plain_numbers():
    assert np.float64(2) * nd.ms == 2 * nd.ms
    assert np.int64(2) * nd.ms == 2 * nd.ms
    assert isinstance((np.float32(2) * nd.ms).value, float)


def test_parts_of_an_array():
    taus = [10, 20, 30] * nd.ms
    assert len(taus) == 3
    assert taus[1] == 20 * nd.ms
    assert_array_equal(taus[1:].value, np.array([20, 30]) * 1e-3)
    assert list(taus) == [taus[0], taus[1], taus[2]]
    with pytest.raises(TypeError, match="not iterable"):
        list(10 * nd.ms)  # not an empty list
    with pytest.raises(TypeError):
        len(10 * nd.ms)


def test_truth():
    assert nd.ms and not 0 * nd.ms
    with pytest.raises(ValueError, match="ambiguous"):
        bool([1, 2] * nd.ms)


def test_quantities_are_immutable():
    with pytest.raises(AttributeError, match="a Quantity is immutable; `value` cannot be set"):
        nd.ms.value = 1.0
    assert nd.ms.value == 1e-3


def test_copies_and_pickles():
    for quantity in (2 * nd.mV, nd.mV / nd.volt):
        for made in (copy.copy(quantity), copy.deepcopy(quantity),
                     pickle.loads(pickle.dumps(quantity))):  # fmt: skip
            assert made == quantity
    array = pickle.loads(pickle.dumps([1, 2] * nd.mV))
    assert_array_equal(array.value, [1e-3, 2e-3])
    assert array.dim == nd.mV.dim


def test_equal_quantities_have_one_hash():
    assert len({nd.ms, 1e-3 * nd.second, nd.msecond, nd.us}) == 2


# -- Brian2's quantities -----------------------------------------------------------------------


def test_brian2_quantities_are_taken():
    import brian2

    assert to_si(-65 * brian2.mV) == (-0.065, nd.volt.dim)
    value, dim = to_si([10, 20] * brian2.ms)
    assert_array_equal(value, [0.01, 0.02])
    assert type(value) is np.ndarray and dim == nd.second.dim
    assert to_si(brian2.mV / brian2.volt)[1] in (None, DIMENSIONLESS)


def test_brian2_quantities_mix_with_ours():
    import brian2

    for product in (2 * nd.ms * brian2.mV, 2 * brian2.mV * nd.ms):
        assert isinstance(product, Quantity)
        assert product == 2e-6 * nd.volt * nd.second
    assert nd.mV + brian2.mV == 2 * nd.mV == brian2.mV + nd.mV
    assert nd.mV == brian2.mV and nd.mV < brian2.volt
    assert nd.volt / brian2.mV == 1000.0
    with pytest.raises(UnitError, match="cannot add V and s"):
        nd.mV + brian2.ms


def test_brian2_quantities_as_values():
    import brian2

    theirs = nd.Population(2, "dv/dt = -v/tau : volt", tau=[10, 20] * brian2.ms, v=-65 * brian2.mV)
    ours = nd.Population(2, "dv/dt = -v/tau : volt", tau=[10, 20] * nd.ms, v=-65 * nd.mV)
    assert_array_equal(theirs.parameters["tau"], ours.parameters["tau"])
    assert theirs.initial["v"] == ours.initial["v"] == -0.065
    assert nd.Euler(1 * brian2.ms) == nd.Euler(1 * nd.ms) == nd.Euler(1e-3)
    with pytest.raises(UnitError, match="`dt` must be a time; got V"):
        nd.Euler(1 * brian2.mV)


# -- to_si and its messages --------------------------------------------------------------------


def test_plain_values_have_no_dimension():
    assert to_si(3) == (3.0, None) and isinstance(to_si(3).value, float)
    assert to_si(np.float32(0.5)) == (0.5, None)
    value, dim = to_si([[1, 2], [3, 4]])
    assert value.dtype == float and dim is None
    assert_array_equal(value, [[1, 2], [3, 4]])
    assert to_si(np.array(2.0)).value == 2.0
    assert dimension_of(1.0) is None and dimension_of(nd.ms) == nd.second.dim


@pytest.mark.parametrize(
    "value, got",
    [
        ("10 ms", "str: '10 ms'"),
        (None, "NoneType: None"),
        (1j, "complex: 1j"),
        ([[1], [1, 2]], "list: [[1], [1, 2]]"),
        (np.array(["a"]), "ndarray: array(['a']"),
        (np.ma.masked_array([1.0, 2.0], [False, True]), "MaskedArray"),
        ({"tau": 1}, "dict"),
    ],
)
def test_what_is_no_number(value, got):
    with pytest.raises(TypeError) as caught:
        to_si(value, "tau")
    start = "`tau` must be a number, an array or a quantity such as 10*nd.ms; got " + got
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    "quantity, text",
    [
        (nd.mV, "V"), (nd.ms, "s"), (nd.kHz, "Hz"), (nd.nS, "S"), (nd.mV / nd.mV, "1"),
        (nd.mV / nd.ms, "V/s"), (nd.second**-0.5, "s**-0.5"), (nd.kelvin, "K"), (nd.pF, "F"),
        (nd.um**2, "m**2"), (nd.mV**2, "m**4*kg**2*s**-6*A**-2"), (nd.second**1.5, "s**(3/2)"),
        (nd.coulomb / nd.um, "m**-1*s*A"), (1 / nd.mV, "V**-1"), (1 / nd.second, "Hz"),
    ],
)  # fmt: skip
def test_format_of_dimensions(quantity, text):
    assert format_dimension(quantity.dim) == text


def test_repr():
    assert repr(10 * nd.ms) == "0.01 s"
    assert repr(nd.mV / nd.volt) == "0.001"
    assert repr(1 * nd.volt) == "1.0 V"
    assert repr([1, 10, 1] * nd.second) == "array([ 1., 10.,  1.]) s"
    assert repr(Quantity([1.0, 1.0])) == "array([1., 1.])"
