"""Which solver does what Brian2's methods do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurodyn import solvers
from neurodyn.interop.export_groups import EULER_MARUYAMA, HEUN

if TYPE_CHECKING:
    from neurodyn.interop.import_groups import GroupReader
    from neurodyn.interop.obstacles import Obstacles

#: Solvers in the order in which they are preferred.
_PREFERRED = (
    solvers.Exact, solvers.ExponentialEuler, solvers.Euler, solvers.RK4, solvers.Heun,
)  # fmt: skip
_OURS = {HEUN: "our heun", EULER_MARUYAMA: "our euler"}


def method_name(method, equations, variables) -> str:
    """The method that Brian2 would take for equations, by name.

    Parameters
    ----------
    method : str, sequence of str, or callable
        As the group was made.
    equations : brian2.Equations
    variables : dict
        Everything that the equations name.
    """
    from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException

    if isinstance(method, str):
        return method.lower()
    if callable(method):
        known = {id(m): name for name, m in StateUpdateMethod.stateupdaters.items()}
        description = getattr(method, "_description", "")
        return known.get(id(method)) or _OURS.get(description, "a method of one's own")
    for name in method:
        try:
            StateUpdateMethod.apply_stateupdater(equations, variables, name)
        except UnsupportedEquationsException:
            continue
        return name
    return "none that fits"


def fitting_solvers(reader: GroupReader, variables) -> tuple[str, tuple[type, ...]]:
    """Name of a group's method, and the solvers that do the same."""
    equations = reader.group.equations
    name = method_name(reader.group.method_choice, equations, variables)
    has_noise = bool(equations.stochastic_variables)
    is_multiplicative = has_noise and equations.stochastic_type == "multiplicative"
    if name in ("exact", "linear", "independent"):
        found = [solvers.Exact]
        if _is_diagonal(equations, variables):
            found.append(solvers.ExponentialEuler)
        return name, tuple(found)
    if name in ("heun", "milstein"):  # Brian2's have the drift of Euler's method
        return name, (solvers.Heun,) if is_multiplicative else (solvers.Euler,)
    fitting = {
        "euler": (solvers.Euler,),
        "our euler": (solvers.Euler,),
        "exponential_euler": (solvers.ExponentialEuler,),
        "rk4": (solvers.RK4,),
        "our heun": (solvers.Heun,),
    }
    return name, fitting.get(name, ())


def _is_diagonal(equations, variables) -> bool:
    """Whether no variable acts on another: then each is exact by exponential Euler."""
    from brian2.stateupdaters.base import UnsupportedEquationsException
    from brian2.stateupdaters.exact import get_linear_system

    try:
        names, matrix, _ = get_linear_system(equations, variables)
    except UnsupportedEquationsException:
        return False
    size = len(names)
    return all(matrix[i, j] == 0 for i in range(size) for j in range(size) if i != j)


def choose_solver(
    fitting: dict[str, tuple[str, tuple[type, ...]]], obstacles: Obstacles
) -> tuple[type, ...]:
    """Solvers that serve all groups, the best first.

    Parameters
    ----------
    fitting : dict of str to (str, tuple of type)
        For each group with something to integrate its method, and the solvers that do it.
    obstacles : Obstacles
    """
    for name, (method, found) in fitting.items():
        if not found:
            obstacles.add(name, f"its method is {method}, which no solver does; give `solver`")
    common = [s for s in _PREFERRED if all(s in found for _, found in fitting.values() if found)]
    if not common:
        methods = ", ".join(f"`{name}` {method}" for name, (method, _) in fitting.items())
        obstacles.add(
            "the method of integration",
            f"there is one for a whole network here, and the groups have different ones ({methods})"
            "; give `solver`",
        )
    return tuple(common)


def solver_for(network, candidates: tuple[Any, ...], dt: float, driven, obstacles: Obstacles):
    """The first of the candidates that our network takes."""
    for kind in candidates:
        if kind is solvers.Exact:
            compiled = network.compiled(driven=tuple(driven), plastic=bool(network.rules))
            reason = compiled.module.NOT_LINEAR
            if reason:
                continue
        return kind(dt)
    if candidates:
        obstacles.add(
            "the method of integration",
            f"Brian2 solves the equations exactly, and here {reason}; give `solver`",
        )
    return None
