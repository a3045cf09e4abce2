r"""How a system near a stable fixed point answers weak inputs: `linear_response`.

An input that turns with the frequency f, ``u exp(i omega t)``, gets an answer that turns with it,
``H(f) u exp(i omega t)``, with

.. math:: H(f) = C (i\omega - J)^{-1} B + D, \qquad \omega = 2\pi f

where ``B = dF/du`` says how the input drives the states, and ``C = dy/dx`` and ``D = dy/du`` what
is read out. Those of a network are exact derivatives of its equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.analyses.linear._linearised import Local, local_system
from neurodyn.analyses.linear.linearisation import Linearisation
from neurodyn.analyses.linear.noise import checked_axis, resolvent, stable_modes
from neurodyn.coupling import Coupling
from neurodyn.network import Network
from neurodyn.population import Population, listed, suggestion
from neurodyn.weights import Diagonal

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.solvers import Solver


@dataclass(frozen=True, eq=False)
class LinearResponse:
    """Transfer functions of a linear system.

    Attributes
    ----------
    frequencies : ndarray, (frequency,)
        Hz; cycles per step for a Map.
    response : ndarray of complex, (frequency, output, source)
        Amplitude and phase of each output for an input of amplitude 1.
    steady : ndarray, (output, source)
        The answer to a constant input of 1.
    input_matrix : ndarray, (state, source)
        B; of a map that of a step.
    output_matrix : ndarray, (output, state)
        C.
    feedthrough : ndarray, (output, source)
        D.
    source_names, output_names : tuple of str
    linearisation : Linearisation
    """

    frequencies: np.ndarray
    response: np.ndarray
    steady: np.ndarray
    input_matrix: np.ndarray
    output_matrix: np.ndarray
    feedthrough: np.ndarray
    source_names: tuple[str, ...]
    output_names: tuple[str, ...]
    linearisation: Linearisation

    @property
    def gain(self) -> np.ndarray:
        """``|H|``, ``(frequency, output, source)``."""
        return np.abs(self.response)

    @property
    def phase(self) -> np.ndarray:
        """Phase of the output against the input, rad, without jumps; negative if it lags."""
        return np.unwrap(np.angle(self.response), axis=0)

    @property
    def largest_gain(self) -> np.ndarray:
        """Gain of the best pattern of inputs at each frequency, ``(frequency,)``."""
        return np.linalg.norm(self.response, 2, axis=(1, 2))


def linear_response(
    system: Network | Flow | Map | Any,
    frequencies: Any,
    x: Any = None,
    *,
    source: str | Sequence[str] | Any = None,
    output: str | Sequence[str] | Any = None,
    inputs: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
    is_map: bool | None = None,
) -> LinearResponse:
    """Transfer function from inputs to states or variables, near a stable fixed point.

    Parameters
    ----------
    system : Network, Flow, Map or array_like (n, n)
    frequencies : array_like (frequency,)
        Hz; cycles per step for a Map. 0 is a constant input.
    x : array_like (n,) or dict, optional
        The fixed point, see `linearise`.
    source : str or sequence of str, or array_like (n, m), optional
        Inputs of the network, every unit one column; default those that no coupling fills. Or the
        matrix B itself, default 1 into each state where the system is no network.
    output : str or sequence of str, or array_like (p, n), optional
        Variables of the network, states, algebraic ones or inputs (``"E.r"``), every unit one row;
        states of single units too (``"E.x[3]"``). Default all states. Or the matrix C itself.
    inputs : dict of str to array_like, optional
        Constant part of the inputs of a network.
    solver, is_map
        As for `linearise`.

    Returns
    -------
    LinearResponse

    Raises
    ------
    ValueError
        If the fixed point is not stable: the answer would grow without end. For unknown names.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> net = nd.rate_network([[0.5]], tau=0.1)  # a leak of (1 - 0.5)/tau: tau is 0.2 s in effect
    >>> found = analyses.linear_response(net, [0.0, 1/(2*np.pi*0.2)])
    >>> found.gain[:, 0, 0]
    array([2.        , 1.41421356])
    """
    local = local_system(system, x, inputs, solver, is_map)
    modes = stable_modes(local)
    B, source_names = _sources(local, source)
    C, D, output_names = _outputs(local, output, source_names, B.shape[1])
    f = checked_axis(frequencies, "frequencies")
    response = C @ resolvent(local, f, B) + D
    at_rest = (np.eye(local.n) if local.is_map else 0.0) - local.jacobian
    steady = C @ np.linalg.solve(at_rest, B) + D
    return LinearResponse(f, response, steady, B, C, D, source_names, output_names, modes)


# --------------------------------------------------------------------------- the two matrices


def _is_names(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], str)
    )


def _sources(local: Local, source: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """B of one step or of dx/dt, and the names of its columns."""
    network = local.system.source if local.system is not None else None
    if source is not None and not _is_names(source):
        B = _matrix(source, "source", local.n, 0)
        return B * (local.dt if local.is_map else 1.0), _numbered("u", B.shape[1])
    if not isinstance(network, Network):
        if source is not None:
            raise ValueError(f"`source`: only a Network has inputs by name; got {source!r}")
        return np.eye(local.n), local.state_names
    if source is None:
        filled = {c.target for c in (*network.couplings, *network.poisson_inputs)}
        names = tuple(name for name in network.input_names if name not in filled)
        if not names:
            raise ValueError(
                "`source` is needed: couplings fill all inputs of the network, which are "
                f"{listed(network.input_names)}"
            )
    else:
        names = (source,) if isinstance(source, str) else tuple(source)
    for name in names:
        if name not in network.input_names:
            raise ValueError(
                f"`source`: `{name}` is not an input{suggestion(name, network.input_names) or '.'} "
                f"Inputs are {listed(network.input_names)}."
            )
    pulled = _input_derivatives(network, local, np.eye(local.n))
    B = np.concatenate([pulled[name] for name in names], axis=1)
    columns = [label for name in names for label in _units(network, name)]
    return B * (local.dt if local.is_map else 1.0), tuple(columns)


def _outputs(
    local: Local, output: Any, source_names: tuple[str, ...], n_sources: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """C, D and the names of their rows."""
    none = np.zeros((local.n, n_sources))
    if output is None:
        return np.eye(local.n), none, local.state_names
    if not _is_names(output):
        C = _matrix(output, "output", local.n, 1)
        return C, none[:1].repeat(len(C), 0), _numbered("y", len(C))
    names = (output,) if isinstance(output, str) else tuple(output)
    if local.system is None:
        raise ValueError(f"`output` of a matrix is an array (p, n); got {output!r}")
    network = local.system.source
    own = local.system.source.state_names
    if not isinstance(network, Network) or all(n.partition("[")[0] in own for n in names):
        rows = np.concatenate([local.system.state_indices(name, "output") for name in names])
        return np.eye(local.n)[rows], none[rows], tuple(local.state_names[k] for k in rows)
    return _probed(network, local, names, source_names, n_sources)


def _probed(
    network: Network, local: Local, names: tuple[str, ...], source_names, n_sources: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """C and D of any variables: units that follow them, ``dy/dt = variable - y``, have them."""
    probes, couplings = {}, []
    for k, name in enumerate(names):
        population, _ = network.split(name)
        size = network.populations[population].size
        probes[f"probe{k}"] = Population(size, "dy/dt = (u - y)/second : 1")
        couplings.append(Coupling(f"net/{name}", f"probe{k}.u", Diagonal(np.ones(size))))
    whole = Network({"net": network, **probes}, couplings)
    n = local.n
    x = np.concatenate([local.x, np.zeros(whole.n_states - n)])
    inputs = {f"net/{name}": value for name, value in local.system.inputs.items()}
    arguments = {"inputs": inputs or None, "dt": local.dt if local.is_map else None}
    C = whole.jacobian(x, **arguments)[n:, :n]
    D = np.zeros((len(C), n_sources))
    pulled = _input_derivatives(whole, None, np.eye(whole.n_states)[n:], x, arguments)
    columns = {
        label: column
        for name in network.input_names
        for label, column in zip(_units(network, name), pulled[f"net/{name}"].T, strict=True)
    }
    for k, label in enumerate(source_names):
        if label in columns:  # a matrix as `source` drives the states only
            D[:, k] = columns[label]
    return C, D, tuple(label for name in names for label in _units(network, name))


def _input_derivatives(
    network: Network, local: Local | None, rows: np.ndarray, x=None, arguments=None
) -> dict[str, np.ndarray]:
    """``rows @ dF/du`` for each input u, ``(row, unit)``."""
    if local is not None:
        x = local.x
        arguments = {
            "inputs": local.system.inputs or None, "dt": local.dt if local.is_map else None,
        }  # fmt: skip
    batch = np.repeat(x[None], len(rows), axis=0)
    return network.adjoint(batch, rows, **arguments).inputs


def _units(network: Network, name: str) -> list[str]:
    size = network.populations[name.rpartition(".")[0]].size
    return [name] if size == 1 else [f"{name}[{k}]" for k in range(size)]


def _numbered(letter: str, n: int) -> tuple[str, ...]:
    return tuple(f"{letter}{k}" for k in range(n))


def _matrix(value: Any, name: str, n: int, axis: int) -> np.ndarray:
    found = real_numbers(value, name).astype(float)
    if found.ndim == 1:
        found = found[:, None] if axis == 0 else found[None]
    if found.ndim != 2 or found.shape[axis] != n:
        wanted = f"({n}, m)" if axis == 0 else f"(p, {n})"
        raise ValueError(f"`{name}` must be {wanted} for {n} states; got shape {np.shape(value)}")
    return found
