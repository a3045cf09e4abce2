"""Dynamical systems given as a Python function: `Flow`, dx/dt = f(x), and `Map`, x' = f(x).

For systems that are no network, so that every analysis takes them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neurodyn.population import listed, suggestion

#: Step of central differences, relative to max(1, |x|): the cube root of the rounding error.
_RELATIVE_STEP = float(np.cbrt(np.finfo(float).eps))


class _System:
    """What `Flow` and `Map` share: a function, its parameters, and derivatives."""

    def __init__(
        self,
        function: Callable[..., Any],
        n_states: int,
        *,
        jacobian: Callable[..., Any] | None = None,
        parameters: dict[str, float] | None = None,
        state_names: Sequence[str] | None = None,
    ):
        if not callable(function):
            raise TypeError(f"`function` must be a function of x; got {function!r}")
        if jacobian is not None and not callable(jacobian):
            raise TypeError(f"`jacobian` must be a function of x or None; got {jacobian!r}")
        if int(n_states) != n_states or n_states < 1:
            raise ValueError(f"`n_states` must be a positive integer; got {n_states!r}")
        self.function, self.n_states = function, int(n_states)
        self.jacobian_function = jacobian
        self.parameters = {name: float(v) for name, v in (parameters or {}).items()}
        names = [f"x{k}" for k in range(self.n_states)] if state_names is None else state_names
        if len(names) != self.n_states:
            raise ValueError(
                f"`state_names` must have {self.n_states} names; got {len(names)}: {names!r}"
            )
        self.state_names = tuple(names)
        self._differentiates_complex: bool | None = None
        self._check()

    def _check(self) -> None:
        """Call the function once, on a batch."""
        x = np.zeros((2, self.n_states))
        with np.errstate(all="ignore"):
            found = np.shape(self.function(x, **self.parameters))
        if found != x.shape:
            raise ValueError(
                f"`function` must return the shape that it is given, (..., n_states): for an x of "
                f"shape {x.shape} it returned {found}. Write x[..., 0] rather than x[0]."
            )

    def with_values(self, **values: float):
        """The same system with other parameters."""
        for name in values:
            if name not in self.parameters:
                hint = suggestion(name, self.parameters) or "."
                known = listed(self.parameters)
                raise ValueError(f"no parameter `{name}`{hint} There are {known}.")
        return type(self)(
            self.function, self.n_states, jacobian=self.jacobian_function,
            parameters={**self.parameters, **values}, state_names=self.state_names,
        )  # fmt: skip

    def field(self, x) -> np.ndarray:
        """The function at states ``(..., n_states)``."""
        return np.asarray(self.function(self._states(x), **self.parameters), float)

    def jacobian(self, x) -> np.ndarray:
        """Jacobian of `field`, ``(..., n_states, n_states)``, entry ``[i, j] = df_i/dx_j``.

        The one given; else by a complex step, which is exact to rounding, where the function takes
        complex numbers and is analytic; else by central differences.
        """
        x = self._states(x)
        if self.jacobian_function is not None:
            found = np.asarray(self.jacobian_function(x, **self.parameters), float)
            if found.shape != (*x.shape, self.n_states):
                raise ValueError(
                    f"`jacobian` must return (..., n_states, n_states) = "
                    f"{(*x.shape, self.n_states)}; got {found.shape}"
                )
            return found
        if self._takes_complex(x):
            return self._complex_step(x)
        return self._differences(x)

    def tangent(self, x, v) -> np.ndarray:
        """Jacobian at `x` ``(..., n_states)`` times vectors `v` ``(..., vector, n_states)``."""
        return np.asarray(v, float) @ np.swapaxes(self.jacobian(x), -1, -2)

    @property
    def derivative(self) -> str:
        """How `jacobian` is found: "given", "complex step" or "central differences"."""
        if self.jacobian_function is not None:
            return "given"
        x = np.full((1, self.n_states), 0.3)
        return "complex step" if self._takes_complex(x) else "central differences"

    def _states(self, x) -> np.ndarray:
        x = np.asarray(x, float)
        if x.ndim == 0 or x.shape[-1] != self.n_states:
            raise ValueError(f"`x` must be (..., {self.n_states}); got shape {x.shape}")
        return x

    def _takes_complex(self, x: np.ndarray) -> bool:
        """Whether a complex step agrees with central differences: |x| and max(x, 0) do not."""
        if self._differentiates_complex is None:
            probe = np.concatenate([np.atleast_2d(x.reshape(-1, self.n_states)[0]),
                                    np.linspace(-0.7, 1.1, self.n_states)[None]])  # fmt: skip
            try:
                with np.errstate(all="ignore"):
                    a, b = self._complex_step(probe), self._differences(probe)
                self._differentiates_complex = bool(np.allclose(a, b, rtol=1e-4, atol=1e-6))
            except (TypeError, ValueError):
                self._differentiates_complex = False
        return self._differentiates_complex

    def _moved(self, x: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """States moved along each axis, ``(..., axis, n_states)``."""
        return x[..., None, :] + steps[..., None] * np.eye(self.n_states)

    def _complex_step(self, x: np.ndarray) -> np.ndarray:
        moved = self._moved(x, np.full(x.shape, 1e-30j))
        return np.swapaxes(np.imag(self.function(moved, **self.parameters)) / 1e-30, -1, -2)

    def _differences(self, x: np.ndarray) -> np.ndarray:
        h = _RELATIVE_STEP * np.maximum(1.0, np.abs(x))
        above = self.function(self._moved(x, h), **self.parameters)
        below = self.function(self._moved(x, -h), **self.parameters)
        return np.swapaxes((above - below) / (2 * h[..., None]), -1, -2)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items())
        return f"<{type(self).__name__} of {self.n_states} states{': ' if given else ''}{given}>"


class Flow(_System):
    """An autonomous vector field, dx/dt = f(x; parameters), as a NumPy function.

    Parameters
    ----------
    function : callable
        ``function(x, **parameters)`` from states ``(..., n_states)`` to dx/dt of the same shape.
    n_states : int
    jacobian : callable, optional
        ``jacobian(x, **parameters)``, ``(..., n_states, n_states)``; found from `function` without.
    parameters : dict of str to float, optional
        Those that `with_values`, and so a continuation, may change.
    state_names : sequence of str, optional
        Default x0, x1, ...

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> def lorenz(x, sigma, rho, beta):
    ...     a, b, c = x[..., 0], x[..., 1], x[..., 2]
    ...     return np.stack([sigma*(b - a), a*(rho - c) - b, a*b - beta*c], axis=-1)
    >>> flow = nd.Flow(lorenz, 3, parameters={"sigma": 10, "rho": 28, "beta": 8/3})
    >>> flow.jacobian([0.0, 0.0, 0.0])[0]
    array([-10.,  10.,   0.])
    """

    is_map = False


class Map(_System):
    """A discrete-time system, x' = f(x; parameters), as a NumPy function; one step is time 1.

    Parameters
    ----------
    function, n_states, jacobian, parameters, state_names
        As for `Flow`; `function` returns the next state.

    Examples
    --------
    >>> import neurodyn as nd
    >>> logistic = nd.Map(lambda x, r: r*x*(1 - x), 1, parameters={"r": 4.0})
    >>> logistic.field([0.3])
    array([0.84])
    """

    is_map = True
