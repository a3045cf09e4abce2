"""Flat vectors and named states, `with_values`, and the shorthands."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import neurodyn as nd


@pytest.fixture(scope="module")
def net():
    return nd.Network(
        {
            "a": nd.Population(2, "dx/dt = -x/tau : 1\ndy/dt = -y/tau : 1", tau=0.1),
            "b": nd.Population(3, "dv/dt = (I - v)/tau : volt", tau=0.2),
        },
        [nd.Coupling("a.x", "b.I", 1e-3 * np.ones((3, 2)))],
    )


def test_pack_puts_states_in_the_order_of_state_names(net):
    state = {"b.v": [5e-3, 6e-3, 7e-3] * nd.volt, "a.y": 3.0, "a.x": [1.0, 2.0]}
    assert net.state_names == ("a.x", "a.y", "b.v")
    assert_array_equal(net.pack(state), [1, 2, 3, 3, 5e-3, 6e-3, 7e-3])


def test_pack_and_unpack_are_inverse_over_trials(net):
    x = np.random.default_rng(0).normal(size=(4, net.n_states))
    assert_array_equal(net.pack(net.unpack(x)), x)
    assert net.unpack(x)["b.v"].shape == (4, 3)


def test_final_state_of_a_run_packs(net):
    ds = nd.simulate(net, nd.Euler(dt=0.01), 0.05, trials=3, initial={"a.x": 1.0})
    x = net.pack(nd.final_state(ds))
    assert_array_equal(x[:, :2], np.full((3, 2), ds["a.x.final"].values[0, 0]))


def test_pack_names_what_is_missing(net):
    with pytest.raises(ValueError, match=r"must have exactly `a.x`, `a.y`, `b.v`; got \['a.x'\]"):
        net.pack({"a.x": 1.0})
    with pytest.raises(ValueError, match=r"n_states = 7; got shape \(6,\)"):
        net.unpack(np.zeros(6))


def test_equations_can_be_read_in_a_thread(tmp_path):
    """As a Dask worker does; Brian2 then meets its import outside the main thread."""
    code = (
        "import signal, sys, threading, neurodyn as nd\n"
        "make = lambda: print(nd.Population(1, 'dx/dt = -x/tau : 1', tau=1.0).size)\n"
        "before = signal.getsignal(signal.SIGINT), sys.excepthook\n"
        "thread = threading.Thread(target=make); thread.start(); thread.join()\n"
        "print('brian2' in sys.modules, before == (signal.getsignal(signal.SIGINT), sys.excepthook))"
    )
    environment = {**os.environ, "NEURODYN_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "True", "True"], done.stderr


def test_with_values_shares_the_compiled_module(net):
    other = net.with_values(**{"b.tau": 0.5, "a.x->b.I": np.zeros((3, 2))})
    assert other.populations["b"].parameters["tau"] == 0.5
    assert net.populations["b"].parameters["tau"] == 0.2
    assert other.compiled().module is net.compiled().module


@pytest.mark.parametrize("form", ["voltage", "activity"])
def test_rate_network_is_the_textbook_equation(form):
    net = nd.rate_network([[1.0]], tau=0.5, form=form)
    slope = net.field(np.array([1.0]))[0]
    expected = -1.0 + np.tanh(1.0)  # with one unit and W = 1 both forms agree at 1
    assert slope == pytest.approx(expected / 0.5, rel=1e-14)


def test_value_is_what_with_values_changes():
    rule = nd.plasticity.oja(eta=0.25)
    cell = nd.Population(2, "dr/dt = (I - r)/tau : 1", tau=np.array([0.1, 0.2]), r=0.5)
    net = nd.Network(
        {"A": cell, "B": nd.Population(2, "dr/dt = (I + J - r)/tau : 1", tau=0.1)},
        [nd.Coupling("A.r", "B.I", np.eye(2), plasticity=rule), nd.Coupling("B.r", "A.I", np.eye(2))],
    )
    assert_array_equal(net.value("A.tau"), [0.1, 0.2])
    assert net.value("A.r") == 0.5 and net.value("B.r") == 0.0 and net.value("B.tau") == 0.1
    assert net.value("A.r->B.I.eta") == 0.25
    assert_array_equal(net.value("A.r->B.I").to_dense(), np.eye(2))
    changed = net.with_values(**{"A.tau": 0.3, "B.r->A.I": 2 * np.eye(2), "A.r->B.I.eta": 0.5})
    assert changed.value("A.tau") == 0.3 and changed.value("A.r->B.I.eta") == 0.5
    assert_array_equal(changed.value("B.r->A.I").to_dense(), 2 * np.eye(2))
    for name, message in [
        ("A.r->B.J", "no coupling `A.r->B.J`; did you mean"),
        ("A.r->B.I.etta", "the rule of A.r->B.I has no value `etta`; did you mean `eta`"),
        ("B.J", "`B.J` has no value of its own: it is computed or an input"),
        ("A.taw", "population `A` has no `taw`; did you mean `tau`"),
    ]:
        with pytest.raises(ValueError, match=message):
            net.value(name)
