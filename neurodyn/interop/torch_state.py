"""State dicts of recurrent cells, read and checked: `read_cell`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodyn.population import listed, suggestion

#: Gates of each kind, in the order in which PyTorch stacks them.
CELLS = {"rnn_tanh": "h", "rnn_relu": "h", "gru": "rzn", "lstm": "ifgo"}
#: Names of plain matrices, and PyTorch's.
_PLAIN = {"W_ih": "weight_ih_l0", "W_hh": "weight_hh_l0", "b": "bias_ih_l0"}
_FIRST = ("weight_hh_l0", "weight_hh", "W_hh")
_MODES = {"RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu", "GRU": "gru", "LSTM": "lstm"}
_KNOWN = re.compile(r"(weight|bias)_(ih|hh)_l\d+$")


@dataclass(frozen=True)
class CellState:
    """Weights of a recurrent cell by PyTorch's names, in float64, their shapes checked."""

    kind: str
    n_layers: int
    n_inputs: int
    n_hidden: int
    arrays: Mapping[str, np.ndarray]
    readout: Mapping[str, np.ndarray]

    def weights(self, where: str, layer: int, gate: str) -> np.ndarray:
        """``"ih"`` or ``"hh"`` weights of one gate, (hidden, pre)."""
        return self._part(self.arrays[f"weight_{where}_l{layer}"], gate)

    def bias(self, where: str, layer: int, gate: str) -> np.ndarray | None:
        """Bias of one gate, (hidden,), if there is one."""
        found = self.arrays.get(f"bias_{where}_l{layer}")
        return None if found is None else self._part(found, gate)

    def _part(self, stacked: np.ndarray, gate: str) -> np.ndarray:
        k = CELLS[self.kind].index(gate)
        return stacked[k * self.n_hidden : (k + 1) * self.n_hidden]


def read_cell(source: Any, kind: str | None, prefix: str | None, readout: str | None) -> CellState:
    """What `from_torch` is given, checked."""
    kinds = ["rnn", *CELLS]
    if kind is not None and kind not in kinds:
        hint = suggestion(str(kind).lower(), kinds) or "."
        raise ValueError(f"`kind` must be one of {listed(kinds)}; got {kind!r}{hint}")
    state = _state_dict(source)
    prefix = _prefix(state, prefix)
    kind, source_kind = ("rnn_tanh" if kind == "rnn" else kind), _module_kind(source, prefix)
    if kind and source_kind and kind != source_kind:
        raise ValueError(f"`kind` is {kind!r}, but the module is a {source_kind!r}; leave it out")
    read = _readout(state, readout)
    arrays = _named(state, prefix, [f"{readout}.weight", f"{readout}.bias"])
    return _checked(kind or source_kind, arrays, prefix, read)


def _state_dict(source: Any) -> dict[str, Any]:
    if callable(getattr(source, "state_dict", None)):
        source = source.state_dict()
    if not isinstance(source, Mapping) or not all(isinstance(key, str) for key in source):
        raise TypeError(
            "`source` must be a torch.nn module or a state dict (arrays by name); got "
            f"{type(source).__name__}. A file of torch.save: torch.load(path, weights_only=True)"
        )
    return dict(source)


def _array(value: Any, name: str) -> np.ndarray:
    """Any array as float64; tensors by way of the CPU, also those of types that NumPy lacks."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be an array of numbers; got {value!r:.60}") from None
    if not np.all(np.isfinite(array)):
        raise ValueError(f"`{name}` has values that are not finite: the training has diverged")
    return array


def _prefix(state: Mapping[str, Any], prefix: str | None) -> str:
    """What the names of the cell begin with."""
    if prefix is not None:
        return prefix
    ends = [(key, first) for key in state for first in _FIRST if key.endswith(first)]
    found = dict.fromkeys(key[: -len(first)] for key, first in ends)
    found = [p for p in found if p == "" or p.endswith(".")]
    if len(found) > 1:
        raise ValueError(
            f"the state dict has {len(found)} recurrent cells; say which: "
            + " or ".join(f"prefix={p!r}" for p in found)
        )
    return found[0] if found else ""


def _module_kind(source: Any, prefix: str) -> str | None:
    """What a module says of itself: state dicts do not tell tanh from relu."""
    if not callable(getattr(source, "named_modules", None)):
        return None
    cell = dict(source.named_modules()).get(prefix.rstrip("."))
    mode = getattr(cell, "mode", type(cell).__name__.removesuffix("Cell").upper())
    if mode == "RNN":  # an RNNCell
        mode = f"RNN_{cell.nonlinearity.upper()}"
    if mode not in _MODES:
        raise ValueError(
            f"`source` must be, or hold, an RNN, GRU or LSTM; got a {type(cell).__name__}. "
            "A cell of your own: write its equations, see nd.Population"
        )
    return _MODES[mode]


def _readout(state: Mapping[str, Any], readout: str | None) -> dict[str, np.ndarray]:
    if readout is None:
        return {}
    name = f"{readout}.weight"
    if name not in state:
        raise ValueError(
            f"`readout`: the state dict has no `{name}`{suggestion(name, state) or '.'} "
            f"It has {listed(state)}."
        )
    keys = [key for key in ("weight", "bias") if f"{readout}.{key}" in state]
    return {key: _array(state[f"{readout}.{key}"], f"{readout}.{key}") for key in keys}


def _named(state: Mapping[str, Any], prefix: str, others: list[str]) -> dict[str, np.ndarray]:
    """The cell's arrays by PyTorch's names."""
    arrays: dict[str, np.ndarray] = {}
    for key, value in state.items():
        if not key.startswith(prefix) or key in others:
            continue
        own = key[len(prefix) :]
        own = f"{own}_l0" if own in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") else own
        own = _PLAIN.get(own, own)
        if own.endswith("_reverse"):
            raise ValueError(
                f"`{key}`: a bidirectional module runs from the end of its input too, and is no "
                "dynamical system. For its forward half, leave out the names with `_reverse` "
                "(one layer only: further layers read both halves)"
            )
        if own.startswith("weight_hr"):
            raise ValueError(
                f"`{key}`: projections (proj_size) are not supported; train with proj_size=0"
            )
        if not _KNOWN.fullmatch(own):
            raise ValueError(_unknown(key, own, prefix))
        arrays[own] = _array(value, key)
    if "bias_ih_l0" in arrays and "bias_hh_l0" not in arrays and f"{prefix}b" in state:
        arrays["bias_hh_l0"] = np.zeros_like(arrays["bias_ih_l0"])
    return arrays


def _unknown(key: str, own: str, prefix: str) -> str:
    if "parametrizations" in own or own.endswith(("_raw", "_orig", "_g", "_v")):
        return (
            f"`{key}`: the weights are parametrised; make them plain first: "
            "torch.nn.utils.parametrize.remove_parametrizations(module, name)"
        )
    if own.endswith((".weight", ".bias")):
        layer = own.rpartition(".")[0]
        return (
            f"`{key}` does not belong to a recurrent cell; a linear readout of it: "
            f"readout={layer!r}; otherwise leave it out of the state dict"
        )
    return (
        f"`{key}` is no name of a recurrent cell{suggestion(own, _example_names()) or '.'} Names "
        f"are {prefix}weight_ih_l0, {prefix}weight_hh_l0, {prefix}bias_ih_l0, {prefix}bias_hh_l0, "
        "..., or W_ih, W_hh, b"
    )


def _example_names() -> list[str]:
    return [f"{a}_{b}_l{k}" for k in (0, 1) for a in ("weight", "bias") for b in ("ih", "hh")]


def _checked(
    kind: str | None, arrays: dict[str, np.ndarray], prefix: str, readout: dict[str, np.ndarray]
) -> CellState:
    n_layers = 1 + max((int(key.rpartition("_l")[2]) for key in arrays), default=0)
    has_bias = any(key.startswith("bias") for key in arrays)
    for layer in range(n_layers):
        for what in ("weight", "bias") if has_bias else ("weight",):
            for where in ("ih", "hh"):
                name = f"{what}_{where}_l{layer}"
                if name not in arrays:
                    raise ValueError(_missing(name, arrays, prefix))
    hh = arrays["weight_hh_l0"].shape
    if len(hh) != 2 or not hh[1] or hh[0] % hh[1]:
        raise ValueError(
            f"`{prefix}weight_hh_l0` must be (gates*hidden, hidden), [post, pre]; got shape {hh}"
        )
    kind = kind or {1: "rnn_tanh", 3: "gru", 4: "lstm"}.get(hh[0] // hh[1])
    if kind is None:
        raise ValueError(
            f"`{prefix}weight_hh_l0` of shape {hh} is of no known cell: rows are 1 (rnn), 3 (gru) "
            "or 4 (lstm) times the columns"
        )
    n_hidden, n_inputs = hh[1], arrays["weight_ih_l0"].shape[-1]
    _check_shapes(kind, arrays, n_layers, n_inputs, n_hidden, prefix)
    W, b = readout.get("weight"), readout.get("bias")
    if W is not None and (W.ndim != 2 or W.shape[1] != n_hidden):
        raise ValueError(
            f"`readout`: its weight must be (n_outputs, hidden = {n_hidden}); got shape {W.shape}"
        )
    if b is not None and b.shape != W.shape[:1]:
        raise ValueError(f"`readout`: its bias must be {W.shape[:1]}; got shape {b.shape}")
    return CellState(kind, n_layers, n_inputs, n_hidden, arrays, readout)


def _missing(name: str, arrays: Mapping[str, np.ndarray], prefix: str) -> str:
    has = listed([prefix + key for key in arrays]) if arrays else "none that fit"
    hint = ""
    if name.startswith("bias"):
        hint = " A layer has both biases; zeros will do for the one that is not used."
    elif not prefix:
        hint = ' A cell inside a model: prefix="rnn.", with the name that the model gives it.'
    return f"the state dict has no `{prefix}{name}`. It has {has}.{hint}"


def _check_shapes(
    kind: str, arrays: Mapping[str, np.ndarray], n_layers: int, n_in: int, n: int, prefix: str
) -> None:
    rows = len(CELLS[kind]) * n
    for layer in range(n_layers):
        pre = {"ih": n_in if layer == 0 else n, "hh": n}
        for where in ("ih", "hh"):
            for what, shape in (("weight", (rows, pre[where])), ("bias", (rows,))):
                array = arrays.get(f"{what}_{where}_l{layer}")
                if array is None or array.shape == shape:
                    continue
                hint = ""
                if array.ndim == 2 and array.shape[1] == rows != array.shape[0]:
                    hint = "; it looks transposed: weights are [post, pre]"
                raise ValueError(
                    f"`{prefix}{what}_{where}_l{layer}` must be {shape} in a {kind} of {n} hidden "
                    f"units; got shape {array.shape}{hint}"
                )
