"""What linear analyses look at: a Jacobian, of a system at a state or given as a matrix."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.analyses._systems import System, as_system
from neurodyn.flow import Flow, Map
from neurodyn.network import Network
from neurodyn.solvers import Euler
from neurodyn.units import DIMENSIONLESS

#: A point is fixed if its distance from one is expected to be below this, in sizes of the states.
_OFFSET = 1e-6


@dataclass(frozen=True, eq=False)
class Local:
    """A system near a state: ``dx/dt = J x``, or ``x' = J x`` for a map.

    Attributes
    ----------
    jacobian : ndarray, (n, n)
        Of dx/dt, or of a step of the map.
    is_map : bool
    dt : float
        Time of a step, s for Euler's method, 1 for a map; 1 for a flow, where it means nothing.
    x : ndarray, (n,)
        NaN for a matrix.
    residual : float
        Largest ``|F|``, F = dx/dt, or f(x) - x for a map; 0 for a matrix.
    offset : float
        ``|F|`` over the norm of its Jacobian: no fixed point is nearer, to first order.
    is_fixed_point : bool
    state_names : tuple of str
    system : System or None
        None for a matrix.
    """

    jacobian: np.ndarray
    is_map: bool
    dt: float
    x: np.ndarray
    residual: float
    offset: float
    is_fixed_point: bool
    state_names: tuple[str, ...]
    system: System | None

    @property
    def n(self) -> int:
        return len(self.jacobian)


def local_system(
    source: Any, x: Any, inputs: Mapping[str, Any] | None, solver: Any, is_map: bool | None
) -> Local:
    """A `Local` of a network, flow or map at `x`, or of a square matrix.

    Warns if `x` is no fixed point. Without `x` it is the origin, or the point where one Newton step
    from there ends (the fixed point of a linear system), if that is a fixed point.
    """
    if not isinstance(source, (Network, Flow, Map, System)):
        return _of_matrix(source, x, inputs, solver, is_map)
    system = as_system(source, inputs)
    if is_map is not None:
        raise ValueError(
            "`is_map` says what a matrix is; a system knows. For the map that a solver makes of a "
            "network: solver=nd.Euler(dt=...)"
        )
    check_linearisable(system)
    field = _Field(system, _step(system, solver))
    if x is None:
        return _at_rest(field)
    state = system.state(x, "x")
    if state.ndim != 1:
        raise ValueError(
            f"`x` must be one state, ({system.n_states},); got shape {state.shape}. Take a row, "
            "such as x[0]"
        )
    found = field.local(state)
    if not found.is_fixed_point:
        what = "a step moves it" if found.is_map else "dx/dt is"
        warnings.warn(
            f"`x` is not a fixed point: {what} up to {found.residual:.3g}, and a fixed point is at "
            f"least {found.offset:.3g} away. The linear system holds near a moving point, for short"
            " times only. analyses.fixed_points(...) finds fixed points",
            stacklevel=3,
        )
    return found


def check_linearisable(system: System) -> None:
    """Refuse systems whose Jacobian does not say what they do."""
    system.check_field_tells_all(
        "the Jacobian",
        ". Linearise a rate network (`nd.rate_network`) whose rates and gains come from "
        "`analyses.siegert_rate`",
        "",
    )


def square_matrix(value: Any, name: str = "A") -> np.ndarray:
    """A square float64 matrix of an array, a sparse matrix, a weights object, or the like."""
    for method in ("toarray", "dense", "to_dense"):
        if callable(getattr(value, method, None)):
            value = getattr(value, method)()
            break
    found = np.array(real_numbers(value, name, "[post, pre]"), float)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise ValueError(f"`{name}` must be a square matrix, (n, n); got shape {found.shape}")
    return found


def _of_matrix(source, x, inputs, solver, is_map) -> Local:
    if isinstance(source, (str, bytes)) or source is None or callable(source):
        raise TypeError(
            "`system` must be a Network, a Flow, a Map or a square matrix; "
            f"got {type(source).__name__}"
        )
    for name, given in (("x", x), ("inputs", inputs), ("solver", solver)):
        if given is not None:
            raise ValueError(f"`{name}` belongs to a Network, a Flow or a Map, not to a matrix")
    matrix = square_matrix(source, "system")
    n = len(matrix)
    names = tuple(f"x{k}" for k in range(n))
    return Local(matrix, bool(is_map), 1.0, np.full(n, np.nan), 0.0, 0.0, True, names, None)


def _step(system: System, solver: Any) -> float | None:
    if solver is None:
        return None
    if not isinstance(solver, Euler):
        raise TypeError(
            f"`solver` must be nd.Euler(dt=...), whose step is x + dt F(x); got {solver!r}"
        )
    if not system.is_network:
        raise ValueError("`solver` makes a map of a Network; write the step of a Flow as a Map")
    return float(solver.dt)


@dataclass(frozen=True)
class _Field:
    """A system and the step of Euler's method, if that is what is to be linearised."""

    system: System
    dt: float | None

    @property
    def is_map(self) -> bool:
        return self.system.is_map or self.dt is not None

    @property
    def _arguments(self) -> dict[str, Any]:
        step = {} if self.dt is None else {"dt": self.dt}
        return {**({"inputs": self.system.inputs} if self.system.inputs else {}), **step}

    def moved(self, x: np.ndarray) -> np.ndarray:
        """F, 0 at fixed points: dx/dt, or what a step adds."""
        f = self.system.source.field(x, **self._arguments)
        return f - x if self.system.is_map else f

    def derivative(self, x: np.ndarray) -> np.ndarray:
        """Jacobian of `moved`."""
        found = self.system.source.jacobian(x, **self._arguments)
        return found - np.eye(x.size) if self.system.is_map else found

    def local(self, x: np.ndarray) -> Local:
        f, of_f = self.moved(x), self.derivative(x)
        if not (np.isfinite(f).all() and np.isfinite(of_f).all()):
            raise ValueError(f"`x`: the field or its Jacobian is not finite at {x!r:.80}")
        norm, size = np.linalg.norm(of_f, 2), self._size(x)
        offset = float(np.linalg.norm(f) / norm) if norm else (0.0 if not f.any() else np.inf)
        step = 1.0 if self.dt is None else self.dt
        jacobian = np.eye(x.size) + step * of_f if self.is_map else of_f
        return Local(
            jacobian, self.is_map, step, x, float(np.abs(step * f).max()), offset,
            offset <= _OFFSET * size, self.system.state_names, self.system,
        )  # fmt: skip

    def _size(self, x: np.ndarray) -> float:
        """What is 1 for a state; without a unit that is 1 at least."""
        system = self.system
        plain = not system.is_network or all(
            system.source.dimension(name) == DIMENSIONLESS for name in system.source.state_names
        )
        return max(float(np.abs(x).max()), float(plain))


def _at_rest(field: _Field) -> Local:
    """At the origin, or one Newton step away from it, whichever is a fixed point."""
    origin = np.zeros(field.system.n_states)
    f, of_f = field.moved(origin), field.derivative(origin)
    if np.isfinite(f).all() and np.isfinite(of_f).all():
        if not f.any():
            return field.local(origin)
        try:
            x = -np.linalg.solve(of_f, f)
        except np.linalg.LinAlgError:
            x = origin
        if np.isfinite(field.moved(x)).all():
            found = field.local(x)
            if found.is_fixed_point:
                return found
    raise ValueError(
        "`x` is needed: the origin is no fixed point, and the system is not linear. "
        "analyses.fixed_points(system).x[0] is one, and there may be several"
    )
