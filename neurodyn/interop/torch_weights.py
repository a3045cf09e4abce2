"""Recurrent cells with weights from elsewhere: PyTorch's RNN, GRU and LSTM, or plain matrices.

A cell x' = F(x, u) becomes the network ``dx/dt = (F(x, u) - x)/tau`` with ``tau`` = 1 s, so that a
step of `Euler` with dt = 1 s is the cell. PyTorch itself is not needed: a state dict is arrays by
name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodyn.coupling import Coupling
from neurodyn.interop.torch_state import CELLS, CellState, read_cell
from neurodyn.network import Network
from neurodyn.population import Population, listed
from neurodyn.units import second

#: Equations of a layer beside its drives; ``{r}`` stands for the drive of gate r.
_EQUATIONS = {
    "rnn_tanh": """
        output = tanh({h}) : 1
        dh/dt = (output - h)/tau : 1
        """,
    "rnn_relu": """
        output = relu({h}) : 1
        dh/dt = (output - h)/tau : 1
        """,
    "gru": """
        gate_r = sigmoid({r}) : 1
        gate_z = sigmoid({z}) : 1
        gate_n = tanh({x_n} + gate_r*({h_n})) : 1
        output = (1 - gate_z)*gate_n + gate_z*h : 1
        dh/dt = (output - h)/tau : 1
        """,
    "lstm": """
        gate_i = sigmoid({i}) : 1
        gate_f = sigmoid({f}) : 1
        gate_g = tanh({g}) : 1
        gate_o = sigmoid({o}) : 1
        c_new = gate_f*c + gate_i*gate_g : 1
        output = gate_o*tanh(c_new) : 1
        dh/dt = (output - h)/tau : 1
        dc/dt = (c_new - c)/tau : 1
        """,
}


def from_torch(
    source: Any, kind: str | None = None, *, prefix: str | None = None, readout: str | None = None
) -> Network:
    """A `Network` of a recurrent cell with the weights of PyTorch's, or of plain matrices.

    A step of ``nd.Euler(dt=1*nd.second)`` is a step of the cell, and the recorded ``l0.output`` is
    what the module returns at each step, ``l1.output`` and so on for further layers.

    Parameters
    ----------
    source : torch.nn.Module or mapping of str to array_like
        An ``RNN`` (tanh or relu), ``GRU`` or ``LSTM`` or its ``...Cell``, a module that holds one,
        or a state dict, for which PyTorch need not be there: of tensors, NumPy or JAX arrays.
        Names are PyTorch's, ``"weight_ih_l0"`` and so on, without ``_l0`` for a cell; plain
        matrices are ``"W_hh"`` (hidden, hidden), ``"W_ih"`` (hidden, input) and ``"b"`` (hidden,).
        Always ``[post, pre]``: transpose the kernels of Flax, Haiku and Keras.
    kind : {"rnn", "rnn_tanh", "rnn_relu", "gru", "lstm"}, optional
        Default: what the module says, else what the shapes say, and tanh. ``"rnn"`` is tanh.
    prefix : str, optional
        What the names of the cell begin with, ``"encoder.rnn."``; found where there is one cell.
    readout : str, optional
        Name of a linear layer that reads the last layer's output, with ``readout + ".weight"`` and
        maybe ``".bias"`` in the state dict: it becomes the population ``"readout"``.

    Returns
    -------
    Network
        Input ``input.x``; layers ``l0``, ``l1``, ... with the states ``h`` (and ``c``), the
        algebraic ``output``, and gates by PyTorch's letters, ``gate_r``; couplings such as
        ``input.value->l0.x_n``, ``l0.h->l0.h_n``; the readout ``readout.y``. States start at 0, as
        in PyTorch.

    Raises
    ------
    ValueError
        For missing or unknown names, wrong shapes, values that are not finite, and what has no
        such network: both directions at once, projections.

    Notes
    -----
    Equations are those in the documentation of torch.nn.RNN, GRU and LSTM: the reset gate of the
    GRU multiplies the recurrent drive after its bias, as in cuDNN and unlike Cho et al. (2014).
    Dropout between layers is left out, as in PyTorch's ``eval()``. ``batch_first`` says only how
    arrays are laid out: inputs here are (time, unit) or (trial, time, unit).

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> cell = nd.interop.from_torch({"W_ih": np.eye(2), "W_hh": np.zeros((2, 2))}, kind="rnn")
    >>> step = nd.Euler(dt=1*nd.second)
    >>> x = np.array([[0.0, 1.0], [0.5, 0.0], [0.0, 0.0]])
    >>> run = nd.simulate(cell, step, 3*nd.second, inputs={"input.x": x}, record=["l0.output"])
    >>> bool(np.allclose(run["l0.output"][0], np.tanh(x)))
    True
    """
    cell = read_cell(source, kind, prefix, readout)
    populations = {"input": Population(cell.n_inputs, "value = x : 1")}
    couplings: list[Coupling] = []
    before = "input.value"
    for number in range(cell.n_layers):
        name = f"l{number}"
        populations[name] = _layer(cell, number)
        for gate in CELLS[cell.kind]:
            couplings += [
                Coupling(before, f"{name}.x_{gate}", cell.weights("ih", number, gate)),
                Coupling(f"{name}.h", f"{name}.h_{gate}", cell.weights("hh", number, gate)),
            ]
        before = f"{name}.output"
    if cell.readout:
        W, b = cell.readout["weight"], cell.readout.get("bias")
        values = {} if b is None else {"b": b}
        text = f"y = drive{' + b' if values else ''} : 1"
        populations["readout"] = Population(len(W), text, **values)
        couplings.append(Coupling(before, "readout.drive", W))
    return Network(populations, couplings)


def _layer(cell: CellState, number: int) -> Population:
    """The units of a layer."""
    drives, values = {}, {}
    for gate in CELLS[cell.kind]:
        parts = {"x": f"x_{gate}", "h": f"h_{gate}"}
        for side, where in (("x", "ih"), ("h", "hh")):
            bias = cell.bias(where, number, gate)
            if bias is not None:
                values[f"b_{side}_{gate}"] = bias
                parts[side] += f" + b_{side}_{gate}"
        drives |= {gate: f"{parts['x']} + {parts['h']}"}
        drives |= {f"x_{gate}": parts["x"], f"h_{gate}": parts["h"]}
    text = _EQUATIONS[cell.kind].format(**drives)
    return Population(cell.n_hidden, text, tau=1 * second, **values)


def to_torch_state(
    network: Network, *, prefix: str = "", readout: str = "readout", dtype: str = "float32"
) -> dict[str, np.ndarray]:
    """The state dict of a network that `from_torch` made, for instance after training it here.

    Parameters
    ----------
    network : Network
        With any weights, but the populations and couplings of `from_torch`.
    prefix : str
        Put before the names of the cell.
    readout : str
        Name of the readout, if the network has one.
    dtype : str
        Of the arrays, default PyTorch's own, ``"float32"``.

    Returns
    -------
    dict of str to ndarray
        ``module.load_state_dict({k: torch.as_tensor(v) for k, v in state.items()})`` takes it.

    Raises
    ------
    ValueError
        For another network.
    """
    kind, n_layers = _kind_of(network)
    weights = dict(zip(network.coupling_labels, network.couplings, strict=True))
    state: dict[str, np.ndarray] = {}
    before = "input.value"
    for number in range(n_layers):
        name = f"l{number}"
        sources = {"x": before, "h": f"{name}.h"}
        values = network.populations[name].parameters
        size = network.populations[name].size
        for what in ("weight", "bias"):
            for side, where in (("x", "ih"), ("h", "hh")):
                ends = [f"{side}_{gate}" for gate in CELLS[kind]]
                if what == "weight":
                    labels = [f"{sources[side]}->{name}.{end}" for end in ends]
                    parts = [weights[label].weights.to_dense() for label in labels]
                elif f"b_{ends[0]}" in values:
                    parts = [np.broadcast_to(values[f"b_{end}"], (size,)) for end in ends]
                else:
                    continue
                state[f"{prefix}{what}_{where}_l{number}"] = np.concatenate(parts).astype(dtype)
        before = f"{name}.output"
    if "readout" in network.populations:
        W = weights[f"{before}->readout.drive"].weights.to_dense()
        state[f"{readout}.weight"] = W.astype(dtype)
        bias = network.populations["readout"].parameters.get("b")
        if bias is not None:
            state[f"{readout}.bias"] = np.broadcast_to(bias, (len(W),)).astype(dtype)
    return state


def _kind_of(network: Network) -> tuple[str, int]:
    """Kind and number of layers of a network that `from_torch` made."""
    if not isinstance(network, Network):
        raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
    layers = [name for name in network.populations if name not in ("input", "readout")]
    numbered = [f"l{number}" for number in range(len(layers))]
    labels = set(network.coupling_labels)
    for kind in CELLS:
        wanted = {
            f"{a}->{b}" for a, b in _ends(kind, len(layers), "readout" in network.populations)
        }
        same = layers == numbered and labels == wanted and "input" in network.populations
        if same and all(_is_of(network.populations[name], kind) for name in layers):
            return kind, len(layers)
    raise ValueError(
        "`network` must have the populations and couplings of from_torch: input, l0, l1, ...; it "
        f"has {listed(network.populations)}. Other networks have no cell in PyTorch; their weights "
        "are in network.couplings"
    )


def _ends(kind: str, n_layers: int, has_readout: bool) -> list[tuple[str, str]]:
    before, found = "input.value", []
    for number in range(n_layers):
        name = f"l{number}"
        for gate in CELLS[kind]:
            found += [(before, f"{name}.x_{gate}"), (f"{name}.h", f"{name}.h_{gate}")]
        before = f"{name}.output"
    return [*found, (before, "readout.drive")] if has_readout else found


def _is_of(population: Population, kind: str) -> bool:
    """Whether a layer's nonlinearity is that of `kind`, where gates alone do not say it."""
    if not kind.startswith("rnn"):
        return True
    return f"{kind[4:]}(" in population.equations.variables["output"].expression
