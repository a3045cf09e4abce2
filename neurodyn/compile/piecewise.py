"""Small piecewise functions whose text goes into generated modules.

``ONE`` and ``ZERO`` are the module's constants in its own number type. Each comparison is written
so that a NaN comes out as NaN: a diverged run must not look healthy.
"""

# ruff: noqa: F821  (ONE, ZERO and the elementary functions are defined by the generated module)

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"


def relu(x):
    return ZERO if x <= ZERO else x


def leaky_relu(x, slope):
    return slope * x if x <= ZERO else x


def clip(x, low, high):
    return low if x < low else (high if x > high else x)


def sign(x):
    return ONE if x > ZERO else (-ONE if x < ZERO else x)


def heaviside(x):
    return ONE if x > ZERO else (ZERO if x <= ZERO else x)


def modulo(a, b):
    # a/b may have been rounded up to an integer: the rest is then a little beyond 0
    rest = a - b * np.floor(a / b)
    return rest + b if rest * b < ZERO else rest


def power_log(x, y):
    return ZERO if x == ZERO and y > ZERO else real(x**y) * log(x)


def exprel_derivative(x):
    # (exp(x) - exprel(x))/x loses its digits near 0, where four terms of the series are exact.
    series = HALF + x * (THIRD + x * (EIGHTH + x * THIRTIETH))
    return series if abs(x) < SMALL else (exp(x) - exprel(x)) / x
