"""Vectorisable elementary functions, as source text for generated kernels.

numba's wheels carry no vector mathematics library, so ``math.tanh`` in a loop is one call of the C
library per element. The functions of `elementary_f64` and `elementary_f32` are straight-line scalar
code (range reduction, polynomial, selects instead of branches) that LLVM turns into SIMD code
inside ``for i in range(n)``. They are plain, undecorated Python: the code generator copies their
text into every module it writes (`source_of`), because numba's disk cache only notices changes in
the file it was made from. Called undecorated they work on NumPy scalars (``np.float64``,
``np.float32``), with the same promise and the same values up to the rounding of fused
multiply-adds; NumPy then warns where a kernel is silent (overflow).

One version per number type: a Python float in float32 code would promote it to float64, and an
uncast product of int32 would promote it to int64; either halves the speed.

Errors are below 2 units in the last place (ulp) of the exact result, in both number types and on
the whole range; the largest found in dense sweeps is 1.7, for softplus (1.0 exp, 0.9 log). The one
exception is tanh in float32, which trades accuracy for speed: 2.6 ulp. The
edges are those of IEEE 754: nan gives nan, overflow gives inf, underflow is gradual and monotone,
``log(0)`` is -inf, ``log(x < 0)`` is nan, subnormal arguments are exact, odd functions keep the
sign of zero. `sin` and `cos` hold for ``|x| <= 1e9`` (float64) and ``|x| <= 5e4`` (float32), also
near the multiples of pi/2; beyond, where the reduction runs out of digits, they return nan.

Rounding to an integer by a magic constant, logarithms of 2 in two parts and error terms of a sum
do not survive reassociation, and tests for nan do not survive ``nnan``. `ELEMENTARY` therefore
compiles the functions with ``contract`` alone, whatever the flags of the kernel that calls them.
Never use numba's ``inline='always'`` on them: it puts their instructions under the caller's flags.
LLVM's own inlining (``forceinline``) leaves each instruction its flags.

Polynomials are weighted minimax fits computed in 60 digits; coefficients were rounded one after
the other with the rest refitted. Reductions follow W. J. Cody and W. Waite, "Software Manual for
the Elementary Functions" (1980); the error terms are those of T. J. Dekker, Numer. Math. 18:224
(1971).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

#: Names of the functions, each with its version for a number type.
FUNCTIONS = {
    name: {"float64": f"{name}_f64", "float32": f"{name}_f32"}
    for name in (
        "exp", "log", "tanh", "sin", "cos", "sigmoid", "expm1", "log1p", "softplus", "exprel",
    )
}  # fmt: skip

#: Flags of every copied function: fused multiply-adds, and nothing else that changes a result.
ELEMENTARY = {
    "fastmath": {"contract"},
    "error_model": "numpy",
    "boundscheck": False,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def source_of(names: Iterable[str], dtype: str | np.dtype | type) -> str:
    """Source text of elementary functions in one number type, for a generated module.

    Parameters
    ----------
    names : iterable of str
        Names from `FUNCTIONS`, for example ``["tanh", "exp"]``.
    dtype : {"float64", "float32"} or NumPy dtype
        Number type of arguments and results.

    Returns
    -------
    str
        The constants and functions needed, each once, in the order of definition, every function
        decorated by ``@njit(**ELEMENTARY)``, and last the plain names: ``tanh = tanh_f64``. The
        text needs ``np`` and ``njit`` in the module it is put in.

    Raises
    ------
    ValueError
        If a name or the dtype is unknown.
    """
    from neurodyn.compile import source_text

    return source_text.of_functions(FUNCTIONS, names, dtype)
