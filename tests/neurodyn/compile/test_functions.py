"""Every function of the equations as a compiled network calls it: value, derivative, edges.

Each expression is the slope of a state of its own, each point a unit: `field` gives the values and
two tangent vectors the partial derivatives. The truth is NumPy's and SciPy's, in double precision.
"""

import functools

import numpy as np
import pytest
import scipy.special as special

import neurodyn as nd

POINTS = [-20, -3.7, -1, -0.6, -1e-3, -1e-9, -0.0, 0.0, 1e-9, 1e-3, 0.3, 0.5, 1, 2, 2.5, 20, 300]
SECOND = [-1.5, 0.5, 2.0]
#: x and y by number type: x is below a multiple of y, but x/y is rounded to the integer.
WRAPPED = {"float64": (3.4999999999999996, 0.7), "float32": (13.299999, 0.7)}


def sigmoid_slope(x):
    return special.expit(x) * special.expit(-x)


def exprel_slope(x):
    # series at 0, else by the formula; both good to 1e-12 at |x| = 1e-2
    series = 1 / 2 + x / 3 + x**2 / 8 + x**3 / 30 + x**4 / 144 + x**5 / 840
    return np.where(abs(x) < 1e-2, series, (np.exp(x) - special.exprel(x)) / np.where(x == 0, 1, x))


#: Of x alone: value and derivative.
UNARY = {
    "tanh(x)": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "exp(x)": (np.exp, np.exp),
    "sigmoid(x)": (special.expit, sigmoid_slope),
    "relu(x)": (lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)),
    "leaky_relu(x, 0.1)": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: 0.1 + 0.9 * (x > 0)),
    "softplus(x)": (lambda x: np.logaddexp(0, x), special.expit),
    "clip(x, -0.6, 2)": (lambda x: np.clip(x, -0.6, 2), lambda x: 1.0 * ((x > -0.6) & (x < 2))),
    "clip(0.7, x, x + 1)": (
        lambda x: np.clip(0.7, x, x + 1),
        lambda x: 1.0 * ((0.7 <= x) | (0.7 >= x + 1)),
    ),
    "sin(x)": (np.sin, np.cos),
    "cos(x)": (np.cos, lambda x: -np.sin(x)),
    "tan(x)": (np.tan, lambda x: 1 / np.cos(x) ** 2),
    "arctan(x)": (np.arctan, lambda x: 1 / (1 + x**2)),
    "arcsin(x)": (np.arcsin, lambda x: 1 / np.sqrt(1 - x**2)),
    "arccos(x)": (np.arccos, lambda x: -1 / np.sqrt(1 - x**2)),
    "sinh(x)": (np.sinh, np.cosh),
    "cosh(x)": (np.cosh, np.sinh),
    "sqrt(x)": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "sqrt(x**2)": (np.abs, np.sign),
    "log(x)": (np.log, lambda x: 1 / x),
    "log10(x)": (np.log10, lambda x: 1 / (x * np.log(10))),
    "log1p(x)": (np.log1p, lambda x: 1 / (1 + x)),
    "expm1(x)": (np.expm1, np.exp),
    "exprel(x)": (special.exprel, exprel_slope),
    "abs(x)": (np.abs, np.sign),
    "sign(x)": (np.sign, np.zeros_like),
    "heaviside(x)": (lambda x: np.heaviside(x, 0), np.zeros_like),
    # the default surrogate: the others are in test_surrogates.py
    "spike(x)": (lambda x: np.heaviside(x, 0), lambda x: 1 / (1 + 25 * abs(x)) ** 2),
    "floor(x)": (np.floor, np.zeros_like),
    "ceil(x)": (np.ceil, np.zeros_like),
    "x//2": (lambda x: x // 2, np.zeros_like),
    "x % 0.75": (lambda x: np.mod(x, 0.75), np.ones_like),
    "x**2": (np.square, lambda x: 2 * x),
    "x**-3": (lambda x: x**-3.0, lambda x: -3 * x**-4.0),
    "x**9": (lambda x: x**9, lambda x: 9 * x**8),
    "x**2.5": (lambda x: x**2.5, lambda x: 2.5 * x**1.5),
    "x**-0.5": (lambda x: 1 / np.sqrt(x), lambda x: -0.5 * x**-1.5),
    "relu(x)**(5/4)": (
        lambda x: np.maximum(x, 0) ** 1.25,
        lambda x: 1.25 * np.maximum(x, 0) ** 0.25,
    ),
    "2**x": (np.exp2, lambda x: np.log(2) * np.exp2(x)),
}

#: Of x and y: value and both derivatives.
BINARY = {
    "leaky_relu(x, y)": (
        lambda x, y: np.where(x > 0, x, y * x),
        lambda x, y: np.where(x > 0, 1, y),
        lambda x, y: np.where(x > 0, 0, x),
    ),
    "clip(x, y, 3)": (
        lambda x, y: np.clip(x, y, 3),
        lambda x, y: 1.0 * ((x > y) & (x < 3)),
        lambda x, y: 1.0 * (x <= y),
    ),
    "x % y": (np.mod, lambda x, y: np.ones_like(x), lambda x, y: -np.floor(x / y)),
    "int(x > y)": (np.greater, lambda x, y: 0 * x, lambda x, y: 0 * x),
    "int(x == y)": (np.equal, lambda x, y: 0 * x, lambda x, y: 0 * x),
    "x*int(not (x < y) and (y != 2 or x > 5))": (
        lambda x, y: x * ((x >= y) & ((y != 2) | (x > 5))),
        lambda x, y: 1.0 * ((x >= y) & ((y != 2) | (x > 5))),
        lambda x, y: 0 * x,
    ),
    "(x + y)**1.5": (
        lambda x, y: (x + y) ** 1.5,
        lambda x, y: 1.5 * (x + y) ** 0.5,
        lambda x, y: 1.5 * (x + y) ** 0.5,
    ),
    "relu(x)**(y + 2.5)": (
        lambda x, y: np.maximum(x, 0) ** (y + 2.5),
        lambda x, y: np.where(x > 0, (y + 2.5) * np.maximum(x, 0) ** (y + 1.5), 0),
        lambda x, y: special.xlogy(np.maximum(x, 0) ** (y + 2.5), np.maximum(x, 0)),
    ),
}
TABLE = {**UNARY, **BINARY}


def truth(text, x, y):
    """Value and derivatives."""
    with np.errstate(all="ignore"):
        found = [f(x, y) if text in BINARY else f(x) for f in TABLE[text]]
    return [np.asarray(f, dtype=float) for f in found]


@functools.lru_cache
def evaluated(dtype):
    """Points, values and partial derivatives by expression; the last two are not from the grid."""
    x, y = (a.ravel() for a in np.meshgrid(POINTS, SECOND))
    x, y = np.append(x, [np.nan, WRAPPED[dtype][0]]), np.append(y, [1.0, WRAPPED[dtype][1]])
    x, y = (a.astype(dtype).astype(float) for a in (x, y))
    lines = ["dx/dt = 0*Hz : 1", "dy/dt = 0*Hz : 1"]
    lines += [f"ds{k}/dt = ({e})/second : 1" for k, e in enumerate(TABLE)]
    network = nd.Network({"E": nd.Population(x.size, "\n".join(lines))})
    compiled = network.compiled(dtype)
    rest = np.zeros(len(TABLE) * x.size)
    ones, none = np.ones(x.size), np.zeros(x.size)
    state = np.concatenate([x, y, rest])
    vectors = [np.concatenate([ones, none, rest]), np.concatenate([none, ones, rest])]
    values = compiled.field(state).reshape(-1, x.size)[2:]
    slopes = compiled.tangent(state, vectors).reshape(2, -1, x.size)[:, 2:]
    return x, y, dict(zip(TABLE, zip(values, *slopes, strict=True), strict=True))


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    return request.param


def agree(got, wanted, dtype, *, digits, scale=0.0):
    """Equal to `digits` units in the last place of the result, or of `scale` where that is more."""
    with np.errstate(over="ignore"):
        wanted = wanted.astype(dtype).astype(float)
    got, finite = got.astype(float), np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite])
    error = np.abs(got[finite] - wanted[finite])
    bound = digits * np.finfo(dtype).eps * np.maximum(np.abs(wanted[finite]), scale)
    bad = error > bound + np.finfo(dtype).tiny
    assert not bad.any(), np.column_stack([got[finite], wanted[finite]])[bad]


@pytest.mark.parametrize("text", TABLE)
def test_value(text, dtype):
    x, y, found = evaluated(dtype)
    agree(found[text][0][:-2], truth(text, x, y)[0][:-2], dtype, digits=6)


@pytest.mark.parametrize("text", TABLE)
def test_derivative(text, dtype):
    x, y, found = evaluated(dtype)
    for got, wanted in zip(found[text][1:], truth(text, x, y)[1:], strict=False):
        # 1 - tanh(x)**2 and the like lose digits against 1
        agree(got[:-2], wanted[:-2], dtype, digits=24, scale=1.0)


@pytest.mark.parametrize("text", TABLE)
def test_nan_stays_nan(text, dtype):
    value = evaluated(dtype)[2][text][0]
    if "int(x" in text:  # a comparison with NaN is false, as in NumPy
        assert value[-2] == 0
    elif text != "clip(0.7, x, x + 1)":  # a bound that is NaN does not bound
        assert np.isnan(value[-2])


def test_the_remainder_has_the_sign_of_the_divisor(dtype):
    x, y, found = evaluated(dtype)
    quotient = x[-1].astype(dtype) / y[-1].astype(dtype)
    assert quotient == np.round(quotient) and x[-1] < quotient * y[-1]
    got = found["x % y"][0]
    assert 0 <= got[-1] <= y[-1]
    grid = slice(0, -2)
    assert np.all((got[grid] == 0) | (np.sign(got[grid]) == np.sign(y[grid])))


def test_the_table_has_every_function():
    from neurodyn.unit_check import functions

    used = "".join(TABLE)
    assert [name for name in functions() if f"{name}(" not in used] == []
