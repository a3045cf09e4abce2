"""Bad input is refused before anything runs, by a message that names it and says what to do.

Each case is one line of a table: what is called, the type of the error, and what its message says.
"""


import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.signals import Constant, Step

DT = 1e-3
TEXT = """
dx/dt = (-x + I_rec + I_ext)/tau : 1
r = tanh(x) : 1
"""
E = nd.Population(3, TEXT, tau=0.01)
I = nd.Population(2, "dv/dt = (-v + drive)/tau : volt", tau=0.02)
W = np.ones((2, 3))
NETWORK = nd.Network({"E": E, "I": I}, [nd.Coupling("E.r", "I.drive", W)])
NOISY = nd.Network({"P": nd.Population(1, "dx/dt = -x/tau + xi/sqrt(tau) : 1", tau=1.0)})
VOLTS = nd.UnitError


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """No test in here may get as far as generating or loading code."""
    from neurodyn.compile import module

    def load(structure):
        raise AssertionError("the input was taken for good")

    monkeypatch.setattr(module, "load", load)


def cases(table):
    """Parametrise over (call, error, text); `text` must stand in the message as it is."""
    return pytest.mark.parametrize(
        "call, error, text", table, ids=[re.sub(r"\W+", "_", case[2])[:50] for case in table]
    )


def check(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert caught.type is error
    assert text in str(caught.value)


# -- populations -------------------------------------------------------------------------------


def population(text=TEXT, size=3, **values):
    return lambda: nd.Population(size, text, **values)


@cases([
    (population(size=0), ValueError, "`size` must be a positive number of units; got 0"),
    (population(size=2.0), ValueError, "`size` must be a positive number of units; got 2.0"),
    (population(["dx/dt"]), TypeError, "`equations` must be text; got list"),
    # values
    (population(tau=0), ValueError, "`tau` is a time constant and must be positive; got 0"),
    (population(tau=-1 * nd.ms), ValueError, "`tau` is a time constant and must be positive; got -0.001"),
    (population(tau=[1, -2, 3]), ValueError, "`tau` is a time constant and must be positive; got -2"),
    (population(tau=np.nan), ValueError, "`tau` must be finite; got nan"),
    (population(tau=[1, np.inf, 3]), ValueError, "`tau` must be finite; `tau[1]` is inf"),
    (population(tau=[1, 2]), ValueError, "`tau` must be one number or one a unit, shape (3,); got shape (2,)"),
    (population(tau=np.ones((3, 1))), ValueError, "shape (3,); got shape (3, 1)"),
    (population(tau="10 ms"), TypeError, "`tau` must be a number, an array or a quantity such as 10*nd.ms; got str: '10 ms'"),
    (population(tau=None), TypeError, "`tau` must be a number, an array or a quantity such as 10*nd.ms; got NoneType"),
    (population(tau=lambda rng, size: 1.0), TypeError, "`tau` is a parameter and must be a number or an array, not code"),
    (population(), ValueError, "the equations divide by `tau`, which has no value; give it one: Population(..., tau=...)"),
    (population(tua=1.0), ValueError, "`tua` is given a value, but the equations do not use it; did you mean `tau`? They use `tau`, `I_ext`, `I_rec`."),
    (population(tau=1.0, gain=2.0), ValueError, "`gain` is given a value, but the equations do not use it. They use"),
    (population(tau=1.0, r=2.0), nd.EquationError, "`r` is an algebraic variable, `r = tanh(x)`; it takes no value"),
    # units
    (population(tau=1 * nd.mV), VOLTS, "Here `tau` in V"),
    (population("dx/dt = -x/tau : 1\ntau : second", tau=1 * nd.mV), VOLTS, "`tau` is declared in s, but its value has the unit V"),
    (population("dx/dt = -x : 1"), VOLTS, "the units of `dx/dt = -x` do not fit: it must have the unit Hz but has 1"),
    (population("dv/dt = (-v + I)/tau : volt\nI : amp", tau=1.0), VOLTS, "`I` in A"),
    # initial states
    (population(tau=1.0, x=[1, 2]), ValueError, "`x` must be one number or one a unit, shape (3,); got shape (2,)"),
    (population(tau=1.0, x=np.inf), ValueError, "`x` must be finite; got inf"),
    (population(tau=1.0, x=1 * nd.mV), VOLTS, "the initial value of `x` must be in 1; got V"),
    # equations
    (population(""), nd.EquationError, "the equations define no variable"),
    (population("dx/dt = -x/tau", tau=1.0), nd.EquationError, "Write one `dx/dt = ... : unit`, `r = ... : unit` or `I : unit` a line."),
    (population("dx/dt = -tanhh(x)/tau : 1", tau=1.0), nd.EquationError, "unknown function `tanhh`; did you mean `tanh`?"),
    (population("dx/dt = -rand()/tau : 1", tau=1.0), nd.EquationError, "`rand()` cannot stand in equations: write noise as `xi`"),
    (population("a = b : 1\nb = a : 1"), nd.EquationError, "algebraic loop: a -> b -> a. Make one of them a state (`dx/dt = ...`)."),
    (population("dx/dt = -x/tau + xi**2 : 1", tau=1.0), nd.EquationError, "noise must enter `dx/dt` linearly"),
    (population("dx/dt = -x/tau : 1 (event-driven)", tau=1.0), nd.EquationError, "the flags are (constant) and (shared)"),
    (population("dx/dt = -x/tau : 1\ntau : second (shared)", tau=[1, 2, 3]), ValueError, "`tau` is (shared): it takes one value, got shape (3,)"),
])  # fmt: skip
def test_population(call, error, text):
    check(call, error, text)


# -- couplings and networks --------------------------------------------------------------------


def coupled(source, target, weights):
    return lambda: nd.Network({"E": E, "I": I}, [nd.Coupling(source, target, weights)])


def bad_weights(weights):
    return lambda: nd.Coupling("E.r", "I.drive", weights)


def loop(*couplings):
    member = nd.Population(3, "r = tanh(I) : 1")
    names = {n.split(".")[0] for c in couplings for n in c}
    return lambda: nd.Network(
        dict.fromkeys(sorted(names), member), [nd.Coupling(*c, np.eye(3)) for c in couplings]
    )


@cases([
    # shapes and numbers
    (coupled("E.r", "I.drive", np.ones((3, 3))), ValueError, "`weights` of E.r->I.drive must have shape (post, pre) = (2, 3); got (3, 3)"),
    (coupled("E.r", "I.drive", np.ones((3, 2))), ValueError, "got (3, 2). It looks transposed: weights are [post, pre]."),
    (bad_weights([[1.0, np.nan, 0.0], [0, 0, 0]]), ValueError, "`weights` of E.r->I.drive must be finite; got nan at [post, pre] = [0, 1]"),
    (bad_weights([[0, 0, 0], [0, 0, np.inf]]), ValueError, "must be finite; got inf at [post, pre] = [1, 2]"),
    (bad_weights([1.0, 2.0]), ValueError, "must have two axes (post, pre); got shape (2,)"),
    (bad_weights(0.5), ValueError, "must have two axes (post, pre); got the scalar 0.5"),
    (bad_weights("W"), TypeError, "`weights` of E.r->I.drive must be real numbers; got 'W'"),
    (bad_weights(1j * W), TypeError, "must be real numbers; got dtype complex128"),
    # names
    (lambda: nd.Coupling("E", "I.drive", W), ValueError, '`source` must be "population.variable"; got \'E\''),
    (lambda: nd.Coupling("E.r", 3, W), ValueError, '`target` must be "population.variable"; got 3'),
    (coupled("X.r", "I.drive", W), ValueError, "`X.r`: the network has no population `X`; did you mean `E.r`? It has `E`, `I`."),
    (coupled("E.rr", "I.drive", W), ValueError, "`E.rr`: population `E` has no `rr`; did you mean `r`? It has `x`, `r`, `tau`, `I_ext`, `I_rec`."),
    (coupled("E.r", "I.driv", W), ValueError, "`I.driv`: population `I` has no `driv`; did you mean `drive`?"),
    # what may be coupled to what
    (coupled("E.r", "I.v", W), ValueError, "`I.v` is a state, at which only spikes can arrive; a coupling ends at an input"),
    (coupled("E.r", "I.tau", W), ValueError, "`I.tau` is a parameter with a value; a coupling ends at an input"),
    (coupled("E.tau", "I.drive", W), ValueError, "`E.tau` is a parameter; a coupling starts at a state, an algebraic variable or an input"),
    (lambda: nd.Network(NOISY.populations, [nd.Coupling("P.x", "P.xi", [[1.0]])]), ValueError, "`P.xi` is not an input"),
    (lambda: nd.Network({"A": NOISY.populations["P"], "I": I}, [nd.Coupling("A.xi", "I.drive", np.ones((2, 1)))]), ValueError, "`A.xi` is white noise; a coupling starts at"),
    (coupled("E.r", "I.drive", W * nd.nA), VOLTS, "`E.r->I.drive`: weights in A times `E.r` give A, but `I.drive` is in V"),
    (loop(("E.r", "E.I")), nd.EquationError, "E.I -> E.r"),
    (loop(("A.r", "B.I"), ("B.r", "C.I"), ("C.r", "A.I")), nd.EquationError, "C.r -> A.I"),
    (loop(("A.r", "B.I"), ("B.r", "A.I")), nd.EquationError, "A loop must pass through a state; give one of these variables an equation `d.../dt = ...`."),
    # the network itself
    (lambda: nd.Network({}), ValueError, "`populations` is empty: a network needs at least one population"),
    (lambda: nd.Network([E]), TypeError, "`populations` must be a dict of names, {\"E\": Population(...)}; got list"),
    (lambda: nd.Network({"E": TEXT}), TypeError, "`populations['E']` must be a Population or a Network; got str"),
    (lambda: nd.Network({"E.1": E}), ValueError, "a population's name must be a Python identifier, without `.` or `/`; got 'E.1'"),
    (lambda: nd.Network({"E": E}, nd.Coupling("E.r", "E.I_rec", np.eye(3))), TypeError, "`couplings` must be a list of Couplings; got one Coupling"),
    (lambda: nd.Network({"E": E}, [("E.r", "E.I_rec", np.eye(3))]), TypeError, "`couplings` must hold Couplings; got tuple"),
    # other values
    (lambda: NETWORK.with_values(**{"E.tua": 1.0}), ValueError, "`E.tua`: population `E` has no `tua`; did you mean `tau`?"),
    (lambda: NETWORK.with_values(**{"E.tau": 0.0}), ValueError, "`tau` is a time constant and must be positive; got 0"),
    (lambda: NETWORK.with_values(**{"E.tau": 1 * nd.mV}), VOLTS, "Here `tau` in V"),
    (lambda: NETWORK.with_values(**{"E.r->I.driv": W}), ValueError, "no coupling `E.r->I.driv`; did you mean `E.r->I.drive`? There are `E.r->I.drive`."),
    (lambda: NETWORK.with_values(**{"E.r->I.drive": W.T}), ValueError, "It looks transposed"),
    (lambda: E.with_values(tua=1.0), ValueError, "no value `tua` to change; did you mean `tau`?"),
    # nothing can be changed behind its back
    (lambda: setattr(E, "size", 4), AttributeError, "a Population is immutable, `size` cannot be set; `with_values(...)` gives a new one"),
    (lambda: setattr(NETWORK, "couplings", ()), AttributeError, "a Network is immutable, `couplings` cannot be set"),
    # shorthand
    (lambda: nd.rate_network(W), ValueError, "`W` must be square, (post, pre); got shape (2, 3). Input weights belong in a Coupling"),
    (lambda: nd.rate_network(np.eye(2), form="rate"), ValueError, '`form` must be "voltage" or "activity"; got \'rate\''),
    (lambda: nd.rate_network(np.eye(2), activation="thanh"), nd.EquationError, "unknown function `thanh`; did you mean `tanh`?"),
    (lambda: nd.rate_network(np.eye(2), taw=1.0), ValueError, "`taw` is given a value, but the equations do not use it; did you mean `tau`?"),
])  # fmt: skip
def test_network(call, error, text):
    check(call, error, text)


def test_values_cannot_be_changed_in_place():
    network = NETWORK.with_values(**{"E.tau": [0.01, 0.02, 0.03]})
    with pytest.raises(TypeError, match="does not support item assignment"):
        network.populations["E"].parameters["tau"] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        network.populations["E"].parameters["tau"][0] = 1.0
    tau = np.array([0.01, 0.02, 0.03])
    made = nd.Population(3, TEXT, tau=tau)
    tau[0] = -1.0
    assert made.parameters["tau"][0] == 0.01


# -- solvers -----------------------------------------------------------------------------------


@cases([
    (lambda: nd.Euler(0), ValueError, "`dt` must be a positive time in seconds; got 0"),
    (lambda: nd.RK4(-1 * nd.ms), ValueError, "`dt` must be a positive time in seconds; got -0.001 s"),
    (lambda: nd.Heun(np.nan), ValueError, "`dt` must be a positive time in seconds; got nan"),
    (lambda: nd.Euler([1.0, 2.0]), ValueError, "`dt` must be a positive time in seconds; got [1.0, 2.0]"),
    (lambda: nd.Euler(1 * nd.mV), VOLTS, "`dt` must be a time; got V"),
    (lambda: nd.Euler("1 ms"), TypeError, "`dt` must be a number, an array or a quantity such as 10*nd.ms; got str"),
    (lambda: nd.DormandPrince(DT, rtol=0), ValueError, "`rtol` must be a positive number; got 0"),
    (lambda: nd.DormandPrince(DT, rtol=np.inf), ValueError, "`rtol` must be a positive number; got inf"),
    (lambda: nd.DormandPrince(DT, atol=-1.0), ValueError, "`atol` must be a positive number; got -1.0"),
    (lambda: nd.DormandPrince(DT, atol=1 * nd.mV), ValueError, "`atol` must be a positive number; got 0.001 V"),
    (lambda: nd.Solver(DT), TypeError, "choose a method: nd.Euler, nd.RK4"),
    (lambda: setattr(nd.Euler(DT), "dt", 1.0), FrozenInstanceError, "cannot assign to field 'dt'"),
])  # fmt: skip
def test_solver(call, error, text):
    check(call, error, text)


# -- simulate ----------------------------------------------------------------------------------


def simulate(network=NETWORK, solver=None, duration=0.01, **options):
    return lambda: nd.simulate(network, solver or nd.Euler(DT), duration, **options)


def drive(value):
    return simulate(inputs={"E.I_ext": value})


def begin(name, value, **options):
    return simulate(initial={name: value}, **options)


@cases([
    (simulate(network=E), TypeError, "`network` must be a Network; got Population"),
    (simulate(solver=nd.Euler), TypeError, "`solver` must be a solver such as nd.Euler(dt=...); got <class"),
    (simulate(solver="Euler"), TypeError, "`solver` must be a solver such as nd.Euler(dt=...); got 'Euler'"),
    (simulate(NOISY, nd.RK4(DT)), ValueError, "RK4 does not integrate noise, and the network has `P.xi`; use nd.Euler (Ito), nd.Heun (Stratonovich) or nd.ExponentialEuler"),
    (simulate(NOISY, nd.DormandPrince(DT)), ValueError, "DormandPrince does not integrate noise"),
    # time
    (simulate(duration=0), ValueError, "`duration` must be a positive time in seconds; got 0"),
    (simulate(duration=-1.0), ValueError, "`duration` must be a positive time in seconds; got -1.0"),
    (simulate(duration=np.nan), ValueError, "`duration` must be a positive time in seconds; got nan"),
    (simulate(duration=0.0104), ValueError, "`duration` = 0.0104 s is not a multiple of dt = 0.001 s; the nearest is 0.01 s (10 steps)"),
    (simulate(duration=0.0004), ValueError, "the nearest is 0.001 s (1 steps)"),
    (simulate(duration=1 * nd.mV), VOLTS, "`duration` must be a time; got V"),
    (simulate(duration="1 s"), TypeError, "`duration` must be a number, an array or a quantity such as 10*nd.ms; got str"),
    (simulate(duration=1e300, solver=nd.Euler(1e-300)), ValueError, "`duration` = 1e+300 s has too many steps of dt = 1e-300 s"),
    (simulate(every=0.0015), ValueError, "`every` = 0.0015 s is not a multiple of dt = 0.001 s; the nearest is 0.002 s (2 steps)"),
    (simulate(every=0.0), ValueError, "`every` must be a positive time in seconds; got 0.0"),
    (simulate(every=1 * nd.nA), VOLTS, "`every` must be a time; got A"),
    # trials, threads, seed, number type
    (simulate(trials=0), ValueError, "`trials` must be a positive integer; got 0"),
    (simulate(trials=1.5), ValueError, "`trials` must be a positive integer; got 1.5"),
    (simulate(trials=True), ValueError, "`trials` must be a positive integer; got True"),
    (simulate(threads=0), ValueError, "`threads` must be a positive integer; got 0"),
    (simulate(threads=2.0), ValueError, "`threads` must be a positive integer; got 2.0"),
    (simulate(threads="all"), ValueError, "`threads` must be a positive integer; got 'all'"),
    (simulate(rng=-1), ValueError, "`rng` must be a non-negative integer, a SeedSequence, a Generator or None; got -1"),
    (simulate(rng="seed"), ValueError, "`rng` must be a non-negative integer, a SeedSequence, a Generator or None; got 'seed'"),
    (simulate(rng=1.0), ValueError, "or None; got 1.0"),
    (simulate(rng=np.random.RandomState(0)), ValueError, "or None; got RandomState"),
    (simulate(dtype="float16"), ValueError, '`dtype` must be "float64" or "float32"; got \'float16\''),
    (simulate(dtype=int), ValueError, '`dtype` must be "float64" or "float32"; got \'int64\''),
    (simulate(dtype="doubel"), ValueError, '`dtype` must be "float64" or "float32"; got \'doubel\''),
    # what to record
    (simulate(record=["E.y"]), ValueError, "`E.y`: population `E` has no `y`. It has `x`, `r`, `tau`, `I_ext`, `I_rec`."),
    (simulate(record=["E.I_extt"]), ValueError, "did you mean `I_ext`?"),
    (simulate(record=["e.x"]), ValueError, "the network has no population `e`; did you mean `E.x`?"),
    (simulate(record=["x"]), ValueError, "a variable is named \"population.variable\"; got 'x'"),
    (simulate(record=["E.tau"]), ValueError, "`record`: `E.tau` is a parameter and does not change"),
    (simulate(record={"E.x": [0, 3]}), ValueError, "`record`: units of `E.x` must be a slice or indices below 3; got [0, 3]"),
    (simulate(record={"E.x": "all"}), ValueError, "`record`: units of `E.x` must be a slice or indices below 3; got 'all'"),
    (simulate(record={"E.x": [0.5]}), ValueError, "must be a slice or indices below 3; got [0.5]"),
    (simulate(record=5), TypeError, '`record` must be a list such as ["E.r"] or a dict of units; got 5'),
    # inputs
    (simulate(inputs={"E.I_extt": 1.0}), ValueError, "`E.I_extt`: population `E` has no `I_extt`; did you mean `I_ext`?"),
    (simulate(inputs={"E.x": 1.0}), ValueError, "`inputs`: `E.x` is not an input; inputs: E.I_ext, E.I_rec, I.drive"),
    (simulate(inputs={"E.tau": 1.0}), ValueError, "`inputs`: `E.tau` is not an input"),
    (simulate(NOISY, inputs={"P.xi": 1.0}), ValueError, "`inputs`: `P.xi` is not an input"),
    (simulate(inputs=[1.0]), TypeError, '`inputs` must be a dict such as {"E.I_ext": 1.0}; got list'),
    (drive(np.nan), ValueError, "`E.I_ext` must be finite; got nan"),
    (drive(np.full((10, 3), np.inf)), ValueError, "`E.I_ext` must be finite; got inf at index = [0, 0]"),
    (drive(1 * nd.mV), VOLTS, "`inputs`: `E.I_ext` must be in 1; got V"),
    (simulate(inputs={"I.drive": 1 * nd.nA}), VOLTS, "`inputs`: `I.drive` must be in V; got A"),
    (drive("loud"), TypeError, "`E.I_ext` must be real numbers; got 'loud'"),
    (drive(np.ones((10, 2))), ValueError, "`values` of E.I_ext must have shape (..., time, unit) with 3 units; got (10, 2)"),
    (drive(np.ones((9, 3))), ValueError, "`values` of E.I_ext hold 9 samples of 0.001 s, which last 0.009 s; a run until 0.01 s needs more"),
    (drive(np.ones(3)), ValueError, "One value per unit for the whole run is `Constant(values)`."),
    (drive(np.ones((2, 10, 3))), ValueError, "`values` of E.I_ext are for 2 trials; the run has 1"),
    (drive(Constant([1.0, 2.0])), ValueError, "`value` of E.I_ext must be a number or have one value per unit, (3,); got shape (2,)"),
    (drive(Step(at=0.0015, value=1.0)), ValueError, "`at` = 0.0015 s of E.I_ext is not a multiple of dt = 0.001 s"),
    # initial states
    (begin("E.y", 1.0), ValueError, "`E.y`: population `E` has no `y`. It has"),
    (begin("E.r", 1.0), ValueError, "`initial`: `E.r` is not a state; states: E.x, I.v"),
    (begin("E.x", np.nan), ValueError, "`initial`: `E.x` must be finite"),
    (begin("E.x", [1.0, 2.0]), ValueError, "`initial`: `E.x` must be a number, (3,) or (1, 3); got shape (2,)"),
    (begin("E.x", np.ones((2, 2))), ValueError, "`initial`: `E.x` must be a number, (3,) or (2, 3); got shape (2, 2)"),
    (begin("E.x", np.ones((2, 3)), trials=5), ValueError, "`trials` is 5, but `initial` has 2"),
    (begin("E.x", 1 * nd.mV), VOLTS, "`initial`: `E.x` must be in 1; got V"),
    (begin("I.v", 1 * nd.ms), VOLTS, "`initial`: `I.v` must be in V; got s"),
    (begin("E.x", "rest"), TypeError, "`E.x` must be a number, an array or a quantity"),
    (simulate(initial=[0.0, 1.0]), TypeError, "`initial` must be the Dataset of an earlier run or a dict of states; got list"),
    # memory
    (simulate(duration=1e6, trials=1000), MemoryError, "GiB (1000 trials x 1000000000 samples x 5 values of 8 bytes)"),
    (simulate(duration=1e6, trials=1000, dtype="float32"), MemoryError, "5 values of 4 bytes"),
    (simulate(duration=1e6, trials=1000), MemoryError, "Record less often (`every=`), fewer variables or units (`record=`), in single precision (`dtype=\"float32\"`), or stream to disk (`store=\"run.zarr\"`)."),
    # where to
    (simulate(store=3), TypeError, "`store` must be the path of a folder; got 3"),
    (simulate(store="run.nc"), ValueError, "`store` must end in .zarr; got 'run.nc'"),
])  # fmt: skip
def test_simulate(call, error, text):
    check(call, error, text)


def test_the_estimate_of_memory_is_right():
    """2 trials, 4e7 samples of 5 values of 8 bytes: 3.0 GiB, refused if only 1 GiB is free."""
    import psutil

    with pytest.MonkeyPatch.context() as patch:
        free = psutil.virtual_memory()._replace(available=2**30)
        patch.setattr(psutil, "virtual_memory", lambda: free)
        check(simulate(duration=4e4, trials=2), MemoryError, "the recording needs 3.0 GiB")
        check(simulate(duration=4e4, trials=2), MemoryError, "1.0 GiB are free")


# -- what is refused only when it is met -------------------------------------------------------


def test_initial_states_that_are_drawn_wrong():
    for drawn, text in (
        (lambda rng, size: np.ones(size + 1), "`x` must be one number or one a unit, shape (3,); got shape (4,)"),
        (lambda rng, size: np.nan, "`x` must be finite"),
    ):  # fmt: skip
        network = nd.Network({"E": nd.Population(3, TEXT, tau=1.0, x=drawn)})
        check(simulate(network), ValueError, text)
