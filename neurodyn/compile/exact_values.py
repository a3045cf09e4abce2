"""The propagator of linear units, from the numbers: needs no SymPy.

P = exp(A dt) and Q, the integral of exp(A s) from 0 to dt, are computed together as the exponential
of one matrix that holds A and the identity (Van Loan 1978). So equal time constants, which make the
textbook formula 0/0, are a case like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodyn._evaluate import evaluate

#: Behind the name of a matrix: while refractory units hold some states still.
HELD = "*"


@dataclass(frozen=True)
class LinearSystem:
    """The equations of one population as x' = A x + b, and what of the propagator is needed.

    Attributes
    ----------
    slopes : dict of (int, int) to str
        Expressions of the entries of A that are not 0.
    held : tuple of int
        States that refractory units hold still.
    entries : tuple of (str, int, int)
        What the kernel is given, in order: entries of ``P``, of ``D = P - 1`` and of ``Q``; with
        `HELD` behind the name the same while the states `held` stand still.
    per_unit : bool
        Whether the entries differ from unit to unit.
    n_states : int
    """

    slopes: dict[tuple[int, int], str]
    held: tuple[int, ...]
    entries: tuple[tuple[str, int, int], ...]
    per_unit: bool
    n_states: int


def propagators(system: LinearSystem, values, size: int, dt: float) -> np.ndarray:
    """Entries of the propagator of one population, (entry, 1) or (entry, unit).

    Parameters
    ----------
    system : LinearSystem
    values : mapping of str to float or ndarray (unit,)
        Parameters.
    size : int
        Number of units.
    dt : float, s
    """
    n_rows = size if system.per_unit else 1
    if not system.entries:  # units without states, such as sources of spikes
        return np.empty((0, n_rows))
    A = np.zeros((n_rows, system.n_states, system.n_states))
    for (i, j), text in system.slopes.items():
        A[:, i, j] = evaluate(text, values)
    matrices = _matrices(A, dt)
    if any(name.endswith(HELD) for name, _, _ in system.entries):
        A[:, list(system.held)] = 0
        held = _matrices(A, dt)
        held["Q"][..., list(system.held)] = 0  # nothing drives what stands still
        matrices |= {name + HELD: matrix for name, matrix in held.items()}
    found = [matrices[matrix][:, i, j] for matrix, i, j in system.entries]
    return np.array(found).reshape(len(found), n_rows)


def _matrices(A: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """P = exp(A dt), Q, the integral of exp(A s) from 0 to dt, and D = P - 1 = A Q."""
    from scipy.linalg import expm

    n = A.shape[-1]
    both = np.zeros((A.shape[0], 2 * n, 2 * n))
    both[:, :n, :n] = A * dt
    both[:, :n, n:] = np.eye(n) * dt
    unique, index = np.unique(both.reshape(len(both), -1), axis=0, return_inverse=True)
    result = expm(unique.reshape(-1, 2 * n, 2 * n))[index.reshape(-1)]
    Q = result[:, :n, n:]
    return {"P": result[:, :n, :n], "D": A @ Q, "Q": Q.copy()}
