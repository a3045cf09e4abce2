"""Networks of many kinds, each with its vector field written down a second time, in NumPy.

The second writing uses no text of equations and only analytic functions, so that complex steps
differentiate it exactly. A case's `values` hold everything a network is differentiated by: the
states as ``"state"``, parameters and inputs by full name, and the arrays of weights as
``"label:name"``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

import neurodyn as nd
from tests.naive import sigmoid

STEP = 0.05


@dataclass(frozen=True)
class Case:
    """A network, the arrays that it depends on, and dx/dt as a function of those."""

    network: nd.Network
    values: dict[str, np.ndarray]
    field: Callable[[dict[str, np.ndarray]], np.ndarray]
    dt: float | None = None

    @property
    def state(self) -> np.ndarray:
        return self.values["state"]

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        return {n: v for n, v in self.values.items() if n in self.network.input_names}


def case(network, field, *, dt=None, seed=0, **inputs) -> Case:
    """A case at a random state, with values read from the network."""
    rng = np.random.default_rng(seed)
    values = {"state": rng.normal(size=network.n_states)}
    for name, population in network.populations.items():
        values |= {f"{name}.{n}": v for n, v in population.parameters.items()}
    for label, coupling in zip(network.coupling_labels, network.couplings, strict=True):
        values |= {f"{label}:{n}": v for n, v in coupling.weights.parameters.items()}
    values |= {n.replace("__", "."): np.asarray(v) for n, v in inputs.items()}
    return Case(network, values, field, dt)


def _normal(seed, *shape, scale=0.6):
    return scale * np.random.default_rng(seed).normal(size=shape)


# -- rate networks -----------------------------------------------------------------------------


def voltage() -> Case:
    network = nd.rate_network(_normal(1, 5, 5), tau=np.linspace(0.05, 0.2, 5))

    def field(v):
        x, W = v["state"], v["E.r->E.I_rec:W"]
        return (-x + W @ np.tanh(x) + v["E.I_ext"]) / v["E.tau"]

    return case(network, field, E__I_ext=_normal(2, 5))


def activity() -> Case:
    m, n = _normal(3, 5, 2), _normal(4, 5, 2)
    network = nd.rate_network(nd.weights.LowRank(m, n), form="activity", activation="sigmoid")

    def field(v):
        r, label = v["state"], "E.r->E.I_rec"
        drive = v[f"{label}:m"] @ (v[f"{label}:n"].T @ r) + v["E.I_ext"]
        return (-r + sigmoid(drive)) / v["E.tau"]

    return case(network, field, E__I_ext=0.3 * np.ones(5))


E_I = "dx/dt = (-x + rec + ext)/tau : 1\nr = gain*log1p(exp(beta*x))/beta : 1"


def excitatory_inhibitory() -> Case:
    """Two sizes, parameters of both kinds, dense + low-rank + diagonal, sparse, two onto one."""
    to_exc = nd.weights.Dense(abs(_normal(5, 6, 6))) + nd.weights.LowRank(
        _normal(6, 6), _normal(7, 6)
    )
    to_exc += nd.weights.Diagonal(_normal(8, 6))
    pattern = sp.random_array((3, 6), density=0.5, rng=np.random.default_rng(9))
    network = nd.Network(
        {
            "E": nd.Population(6, E_I, tau=np.linspace(0.1, 0.2, 6), beta=2.0, gain=1.5),
            "I": nd.Population(3, E_I, tau=0.05, beta=1.5, gain=np.array([1.0, 2.0, 0.5])),
        },
        [
            nd.Coupling("E.r", "E.rec", to_exc),
            nd.Coupling("I.r", "E.rec", -abs(_normal(10, 6, 3))),
            nd.Coupling("E.r", "I.rec", pattern),
            nd.Coupling("E.x", "I.rec", 0.1 * abs(_normal(11, 3, 6))),
        ],
    )
    rows, columns = network.couplings[2].weights.to_dense().nonzero()

    def field(v):
        x, y = v["state"][:6], v["state"][6:]
        r = v["E.gain"] * np.log1p(np.exp(v["E.beta"] * x)) / v["E.beta"]
        s = v["I.gain"] * np.log1p(np.exp(v["I.beta"] * y)) / v["I.beta"]
        label = "E.r->E.rec"
        to_exc = v[f"{label}:0.W"] @ r + v[f"{label}:2.d"] * r
        to_exc = to_exc + v[f"{label}:1.m"] @ (v[f"{label}:1.n"].T @ r) + v["I.r->E.rec:W"] @ s
        sparse = v["E.r->I.rec:data"]
        matrix = np.zeros((3, 6), dtype=sparse.dtype)
        matrix[rows, columns] = sparse
        to_inh = matrix @ r + v["E.x->I.rec:W"] @ x
        return np.concatenate(
            [(-x + to_exc + v["E.ext"]) / v["E.tau"], (-y + to_inh + v["I.ext"]) / v["I.tau"]]
        )

    return case(network, field, E__ext=_normal(12, 6), I__ext=_normal(13, 3))


def kuramoto() -> Case:
    text = """
    dtheta/dt = omega + k*(c*from_sin - s*from_cos) : 1
    s = sin(theta) : 1
    c = cos(theta) : 1
    """
    W = _normal(14, 5, 5)
    network = nd.Network(
        {"P": nd.Population(5, text, omega=_normal(15, 5) * nd.Hz, k=0.7 * nd.Hz)},
        [nd.Coupling("P.s", "P.from_sin", W), nd.Coupling("P.c", "P.from_cos", W)],
    )

    def field(v):
        theta = v["state"]
        s, c = np.sin(theta), np.cos(theta)
        A, B = v["P.s->P.from_sin:W"], v["P.c->P.from_cos:W"]
        return v["P.omega"] + v["P.k"] * (c * (A @ s) - s * (B @ c))

    return case(network, field)


def whitening() -> Case:
    """Adaptive whitening: responses y, and interneurons whose gains g adapt; W and its transpose."""
    W = nd.weights.Dense(_normal(16, 3, 6))
    network = nd.Network(
        {
            "Y": nd.Population(3, "dy/dt = (x - fb - leak*y)/tau : 1", tau=0.01, leak=1.0),
            "Z": nd.Population(6, "dg/dt = (z**2 - 1)/tau : 1\nout = g*z : 1", tau=1.0),
        },
        [
            nd.Coupling("Z.out", "Y.fb", W),
            nd.Coupling("Y.y", "Z.z", nd.weights.Transpose(W)),
        ],
    )

    def field(v):
        y, g = v["state"][:3], v["state"][3:]
        z = v["Y.y->Z.z:W"].T @ y
        fb = v["Z.out->Y.fb:W"] @ (g * z)
        dy = (v["Y.x"] - fb - v["Y.leak"] * y) / v["Y.tau"]
        return np.concatenate([dy, (z**2 - 1) / v["Z.tau"]])

    return case(network, field, Y__x=_normal(17, 3))


def nested() -> Case:
    """Two networks as members of a third, and a coupling between them and back."""
    text = "dx/dt = (-x + a + b)/tau : 1\nr = arctan(x) : 1"
    inner = [
        nd.Network(
            {"E": nd.Population(n, text, tau=tau)}, [nd.Coupling("E.r", "E.a", _normal(n, n, n))]
        )
        for n, tau in ((4, 0.1), (3, 0.2))
    ]
    network = nd.Network(
        {"A": inner[0], "B": inner[1], "out": nd.Population(2, "y = drive**3 : 1")},
        [
            nd.Coupling("A/E.r", "B/E.b", _normal(18, 3, 4)),
            nd.Coupling("B/E.r", "out.drive", _normal(19, 2, 3)),
            nd.Coupling("out.y", "A/E.b", _normal(20, 4, 2)),
        ],
    )

    def field(v):
        x, z = v["state"][:4], v["state"][4:]
        r, s = np.arctan(x), np.arctan(z)
        y = (v["B/E.r->out.drive:W"] @ s) ** 3
        dx = -x + v["A/E.r->A/E.a:W"] @ r + v["out.y->A/E.b:W"] @ y
        dz = -z + v["B/E.r->B/E.a:W"] @ s + v["A/E.r->B/E.b:W"] @ r
        return np.concatenate([dx / v["A/E.tau"], dz / v["B/E.tau"]])

    return case(network, field)


# -- cells: x' = F(x) is dx/dt = (F(x) - x)/dt -------------------------------------------------

INPUT = "u = s : 1"


def gru() -> Case:
    """Chung et al. (2014): the reset gate acts before the recurrent weights."""
    text = """
    z = sigmoid(to_z + b_z) : 1
    r = sigmoid(to_r + b_r) : 1
    rh = r*h : 1
    q = tanh(to_q + b_q) : 1
    dh/dt = ((1 - z)*h + z*q - h)/dt : 1
    """
    biases = {f"b_{k}": _normal(21 + j, 4) for j, k in enumerate("zrq")}
    network = nd.Network(
        {"X": nd.Population(3, INPUT), "H": nd.Population(4, text, **biases)},
        [
            nd.Coupling("H.h", "H.to_z", _normal(24, 4, 4)),
            nd.Coupling("H.h", "H.to_r", _normal(25, 4, 4)),
            nd.Coupling("H.rh", "H.to_q", _normal(26, 4, 4)),
            *(nd.Coupling("X.u", f"H.to_{k}", _normal(27 + j, 4, 3)) for j, k in enumerate("zrq")),
        ],
    )

    def field(v):
        h, u = v["state"], v["X.s"]
        inputs = {k: v[f"X.u->H.to_{k}:W"] @ u + v[f"H.b_{k}"] for k in "zrq"}
        z = sigmoid(v["H.h->H.to_z:W"] @ h + inputs["z"])
        r = sigmoid(v["H.h->H.to_r:W"] @ h + inputs["r"])
        q = np.tanh(v["H.rh->H.to_q:W"] @ (r * h) + inputs["q"])
        return ((1 - z) * h + z * q - h) / STEP

    return case(network, field, dt=STEP, X__s=_normal(30, 3))


def lstm() -> Case:
    """Greff et al. (2017): with peepholes, the output gate's from the new cell state."""
    text = """
    zc = tanh(to_z + b_z) : 1
    gate_in = sigmoid(to_i + p_i*c + b_i) : 1
    gate_f = sigmoid(to_f + p_f*c + b_f) : 1
    c_new = zc*gate_in + c*gate_f : 1
    gate_out = sigmoid(to_o + p_o*c_new + b_o) : 1
    y_new = tanh(c_new)*gate_out : 1
    dc/dt = (c_new - c)/dt : 1
    dy/dt = (y_new - y)/dt : 1
    """
    values = {f"b_{k}": _normal(31 + j, 3) for j, k in enumerate("zifo")}
    values |= {f"p_{k}": _normal(35 + j, 3) for j, k in enumerate("ifo")}
    values["b_f"] = 1.0
    network = nd.Network(
        {"C": nd.Population(3, text, **values)},
        [nd.Coupling("C.y", f"C.to_{k}", _normal(38 + j, 3, 3)) for j, k in enumerate("zifo")],
    )

    def field(v):
        c, y = v["state"][:3], v["state"][3:]
        to = {k: v[f"C.y->C.to_{k}:W"] @ y + v[f"C.b_{k}"] for k in "zifo"}
        c_new = np.tanh(to["z"]) * sigmoid(to["i"] + v["C.p_i"] * c)
        c_new = c_new + c * sigmoid(to["f"] + v["C.p_f"] * c)
        y_new = np.tanh(c_new) * sigmoid(to["o"] + v["C.p_o"] * c_new)
        return np.concatenate([c_new - c, y_new - y]) / STEP

    return case(network, field, dt=STEP)


def lem() -> Case:
    """Rusch et al. (2022): the new z, an algebraic variable, feeds the candidate of y."""
    text = """
    d1 = step*sigmoid(to_1 + in_1) : 1
    d2 = step*sigmoid(to_2 + in_2) : 1
    z_new = (1 - d1)*z + d1*tanh(to_z) : 1
    y_new = (1 - d2)*y + d2*tanh(to_y) : 1
    dz/dt = (z_new - z)/dt : 1
    dy/dt = (y_new - y)/dt : 1
    """
    network = nd.Network(
        {"L": nd.Population(3, text, step=0.7)},
        [
            nd.Coupling("L.y", "L.to_1", _normal(42, 3, 3)),
            nd.Coupling("L.y", "L.to_2", _normal(43, 3, 3)),
            nd.Coupling("L.y", "L.to_z", _normal(44, 3, 3)),
            nd.Coupling("L.z_new", "L.to_y", _normal(45, 3, 3)),
        ],
    )

    def field(v):
        z, y = v["state"][:3], v["state"][3:]
        d1 = v["L.step"] * sigmoid(v["L.y->L.to_1:W"] @ y + v["L.in_1"])
        d2 = v["L.step"] * sigmoid(v["L.y->L.to_2:W"] @ y + v["L.in_2"])
        z_new = (1 - d1) * z + d1 * np.tanh(v["L.y->L.to_z:W"] @ y)
        y_new = (1 - d2) * y + d2 * np.tanh(v["L.z_new->L.to_y:W"] @ z_new)
        return np.concatenate([z_new - z, y_new - y]) / STEP

    return case(network, field, dt=STEP, L__in_1=_normal(46, 3), L__in_2=_normal(47, 3))


def ltc() -> Case:
    """Hasani et al. (2021), one population of neurons and one of all their synapses."""
    n = 3
    neurons = "dv/dt = (g*(v_leak - v) + current - v*conductance)/c : 1"
    synapses = "w = w_max*sigmoid(slope*(v_pre - mu)) : 1\nw_rev = w*reversal : 1"
    post, pre = np.divmod(np.arange(n * n), n)
    ones, synapse = np.ones(n * n), np.arange(n * n)
    values = {
        "w_max": 0.5 + abs(_normal(48, 9)), "slope": 3 + abs(_normal(49, 9)),
        "mu": 0.5 + _normal(50, 9), "reversal": np.sign(_normal(51, 9)),
    }  # fmt: skip
    network = nd.Network(
        {
            "V": nd.Population(n, neurons, g=1.0, c=0.5 * nd.second, v_leak=_normal(52, n)),
            "S": nd.Population(n * n, synapses, **values),
        },
        [
            nd.Coupling("V.v", "S.v_pre", sp.csr_array((ones, (synapse, pre)))),
            nd.Coupling("S.w", "V.conductance", sp.csr_array((ones, (post, synapse)))),
            nd.Coupling("S.w_rev", "V.current", sp.csr_array((ones, (post, synapse)))),
        ],
    )

    def field(v):
        x = v["state"]
        spread = v["V.v->S.v_pre:data"] * x[pre]
        w = v["S.w_max"] * sigmoid(v["S.slope"] * (spread - v["S.mu"]))
        total = (v["S.w->V.conductance:data"] * w).reshape(n, n).sum(1)
        current = (v["S.w_rev->V.current:data"] * w * v["S.reversal"]).reshape(n, n).sum(1)
        return (v["V.g"] * (v["V.v_leak"] - x) + current - x * total) / v["V.c"]

    return case(network, field)


# -- spikes ------------------------------------------------------------------------------------


def spike(x, derivative):
    """1 where x > 0, else 0; a complex step passes it by the derivative that it is given."""
    value = 1.0 * (x.real > 0)
    return value + 1j * derivative(x.real) * x.imag if np.iscomplexobj(x) else value


def spiking() -> Case:
    """Spikes of adaptive units, of units driven by them, and of relays without a state."""
    adaptive = """
    dv/dt = (-v + rec + ext - v_th*z)/tau : 1
    da/dt = (-a + z)/tau_a : 1
    z = spike(v - v_th - b*a) : 1
    out = gain*z*(1 + tanh(a)) : 1
    """
    driven = "dv/dt = (-v + 2*exc*spike(v + exc))/tau : 1\nz = spike(v - v_th)*spike(bias - v) : 1"
    surrogates = nd.surrogates
    network = nd.Network(
        {
            "A": nd.Population(5, adaptive, tau=0.1, tau_a=np.linspace(0.2, 0.6, 5), b=0.7,
                               gain=1.5, v_th=_normal(53, 5),
                               surrogate=surrogates.FastSigmoid(slope=3.0)),
            "D": nd.Population(3, driven, tau=0.05, v_th=-0.6, bias=1 + _normal(54, 3),
                               surrogate=surrogates.ArcTan(slope=1.5, dampening=0.75)),
            "R": nd.Population(4, "y = spike(drive + shift) : 1", shift=0.1,
                               surrogate=surrogates.Triangle(slope=0.4)),
            "S": nd.Population(2, "y = spike(drive) : 1",
                               surrogate=surrogates.Exponential(slope=2.0, dampening=0.5)),
        },
        [
            nd.Coupling("A.out", "D.exc", _normal(55, 3, 5)),
            nd.Coupling("D.z", "A.rec", _normal(56, 5, 3)),
            nd.Coupling("A.out", "R.drive", _normal(57, 4, 5)),
            nd.Coupling("R.y", "S.drive", nd.weights.LowRank(_normal(58, 2, 1), _normal(59, 4, 1))),
            nd.Coupling("S.y", "A.rec", _normal(60, 5, 2)),
        ],
    )  # fmt: skip

    def field(v):
        x, a, y = v["state"][:5], v["state"][5:10], v["state"][10:]
        z = spike(x - v["A.v_th"] - v["A.b"] * a, lambda x: 1 / (1 + 3 * abs(x)) ** 2)
        out = v["A.gain"] * z * (1 + np.tanh(a))
        arctan = lambda x: 0.75 / (1 + (0.75 * np.pi * x) ** 2)  # noqa: E731
        exc = v["A.out->D.exc:W"] @ out
        dy = (-y + 2 * exc * spike(y + exc, arctan)) / v["D.tau"]
        zd = spike(y - v["D.v_th"], arctan) * spike(v["D.bias"] - y, arctan)
        drive = v["A.out->R.drive:W"] @ out
        r = spike(drive + v["R.shift"], lambda x: 0.3 * np.maximum(0, 1 - 0.4 * abs(x)))
        label = "R.y->S.drive"
        s = v[f"{label}:m"] @ (v[f"{label}:n"].T @ r)
        s = spike(s, lambda x: 0.5 * np.exp(-2 * abs(x)))
        rec = v["D.z->A.rec:W"] @ zd + v["S.y->A.rec:W"] @ s
        dx = (-x + rec + v["A.ext"] - v["A.v_th"] * z) / v["A.tau"]
        return np.concatenate([dx, (-a + z) / v["A.tau_a"], dy])

    return case(network, field, A__ext=_normal(61, 5))


CASES = {
    make.__name__: make
    for make in (
        voltage, activity, excitatory_inhibitory, kuramoto, whitening, nested, gru, lstm, lem, ltc,
        spiking,
    )
}  # fmt: skip
