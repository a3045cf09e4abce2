"""Names that a user may choose and that mean something in generated code."""

import ast
import builtins

import numpy as np

import neurodyn as nd
from neurodyn.compile.printer import local

#: Every function of the grammar, noise, time, both kinds of parameters, all kinds of weights.
ORDINARY = """
dxx/dt = (-xx + aa + bb + scalar1*sin(t/unit1) + noise1*xi)/unit1 + dt*Hz**2 : 1
rr = tanh(xx)*exp(xx) + log(xx) + cos(xx) + sigmoid(xx) + expm1(xx) + log1p(xx) + softplus(xx) : 1
ss = exprel(xx) + relu(xx) + leaky_relu(xx, aa) + clip(xx, 0, 1) + sign(xx) + heaviside(xx) : 1
zz = spike(xx) : 1
tt = tan(xx) + arctan(xx) + floor(xx) + ceil(xx) + abs(xx) + xx % aa + xx**scalar1 + sqrt(xx) : 1
"""
MINE = {"xx", "aa", "bb", "scalar1", "unit1", "noise1", "rr", "ss", "tt", "zz", "xi"}


def names_in(source):
    """Names of the generated functions' arguments and variables, and all that they call."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith(("add_", "fill_")):
            kernel = [d for d in node.decorator_list if "KERNEL" in ast.unparse(d)]
            if kernel or node.name == "evaluate":
                found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                found |= {a.arg for a in node.args.args}
    return found


def test_no_name_of_generated_code_can_be_taken_by_a_variable():
    unit = np.array([1.0, 2.0])
    W = np.eye(2)
    kinds = nd.weights.LowRank(W, W) + nd.weights.Diagonal([1.0, 2.0])
    for noise in ("noise1*xi", "0*noise1"):
        text = ORDINARY.replace("noise1*xi", noise)
        population = nd.Population(2, text, scalar1=1.0, unit1=unit, noise1=1.0)
        network = nd.Network(
            {"E": population},
            [nd.Coupling("E.rr", "E.aa", kinds + W), nd.Coupling("E.ss", "E.bb", W)],
        )
        for dtype in ("float64", "float32"):
            names = names_in(network.source(dtype))
            generated = {n for n in names - MINE - {"t", "dt"} if not n.startswith("_")}
            assert {"tanh", "record_rows", "step_", "every"} <= generated
            assert [n for n in sorted(generated) if local(n) == n] == []


def test_two_names_never_become_one():
    names = [*dir(builtins), "out", "out_", "e_", "e__", "h", "np", "real", "njit", "njit_"]
    names = [n for n in names if not n.startswith("_")]
    assert len({local(n) for n in names}) == len(names)
    assert all(local(n) == n or local(n).startswith("_") for n in names)


#: The state of a cell is h; all the others have a meaning in the time loops or the library.
WILD = """
dh/dt = (-h + size + relu(math*h) + e_*h_ + n*out)/every : 1
size = tanh(keys*h) : 1
h_ = sin(h) + np*real : 1
"""


def test_wild_names_of_variables_and_populations():
    values = {
        "every": np.array([0.2, 0.3]), "math": -0.3, "e_": np.array([0.4, -0.2]), "n": 0.7,
        "keys": 1.3, "np": 0.2, "real": 0.5,
    }  # fmt: skip
    names = ["c0", "c0_L"]  # a temporary, and the cotangents of the first
    h = np.array([0.3, -0.2, 0.6, 0.1])
    one = nd.weights.Diagonal([1.0, 1.0])
    network = nd.Network(
        {
            name: nd.Population(2, WILD, h=part, **values)
            for name, part in zip(names, (h[:2], h[2:]))
        },
        [nd.Coupling("c0.h_", "c0_L.out", one), nd.Coupling("c0_L.size", "c0.out", one)],
    )
    tau, leak = np.tile(values["every"], 2), np.tile(values["e_"], 2)

    def field(h):
        size, wave = np.tanh(1.3 * h), np.sin(h) + 0.2 * 0.5
        out = np.concatenate([size[2:], wave[:2]])
        return (-h + size + np.maximum(-0.3 * h, 0) + leak * wave + 0.7 * out) / tau

    np.testing.assert_allclose(network.field(h), field(h), rtol=1e-14)
    ds = nd.simulate(network, nd.Euler(0.1), 0.2)
    after = h + 0.1 * field(h)
    final = np.concatenate([ds[f"{name}.h.final"].values[0] for name in names])
    np.testing.assert_allclose(final, after + 0.1 * field(after), rtol=1e-14)


def test_time_in_the_equations():
    text = "dx/dt = (-x + sin(2*pi*f*t))/tau + dt*x*Hz**2 : 1"
    network = nd.Network({"x": nd.Population(2, text, tau=0.5, f=np.array([1.0, 2.0]))})
    x = np.array([0.3, -0.4])
    for t in (0.0, 0.3):
        wanted = (-x + np.sin(2 * np.pi * np.array([1.0, 2.0]) * t)) / 0.5 + 0.1 * x
        got = network.field(x, t=t, dt=0.1)
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
        np.testing.assert_array_equal(network.field(x, t=t * nd.second, dt=100 * nd.ms), got)
    gradient = network.adjoint(x, [1.0, 1.0], t=0.3, dt=0.1).parameters["x.f"]
    wanted = 2 * np.pi * 0.3 * np.cos(2 * np.pi * np.array([1.0, 2.0]) * 0.3) / 0.5
    np.testing.assert_allclose(gradient, wanted, rtol=1e-13)
