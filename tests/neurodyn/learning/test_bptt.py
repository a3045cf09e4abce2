"""`bptt` against runs written down in NumPy, complex steps, differences of runs of `simulate`, and
sweeps backwards by hand."""

import functools

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.learning import MeanSquaredError, Unrolled, bptt, unrolled
from tests.naive import complex_step
from tests.networks import excitatory_inhibitory
from tests.neurodyn.compile.derivative_cases import CASES

SOLVERS = {"euler": nd.Euler, "heun": nd.Heun, "rk4": nd.RK4}
N_STEPS = 6


# -- runs in NumPy, differentiated by complex steps --------------------------------------------


def step(method, f, x, dt):
    if method == "euler":
        return x + dt * f(x)
    if method == "heun":
        k = f(x)
        return x + dt / 2 * (k + f(x + dt * k))
    k1 = f(x)
    k2 = f(x + dt / 2 * k1)
    k3 = f(x + dt / 2 * k2)
    return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + f(x + dt * k3))


@functools.lru_cache
def made(name):
    return CASES[name]()


@pytest.mark.parametrize(
    "name, method",
    [
        ("excitatory_inhibitory", "euler"),
        ("gru", "euler"),
        ("activity", "rk4"),
        *(pytest.param(n, "euler", marks=pytest.mark.slow)
          for n in ("voltage", "kuramoto", "nested", "lstm", "lem", "ltc")),
        *(pytest.param(n, "rk4", marks=pytest.mark.slow)
          for n in ("excitatory_inhibitory", "whitening", "kuramoto", "gru", "nested")),
        *(pytest.param(n, "heun", marks=pytest.mark.slow) for n in ("activity", "ltc")),
    ],
)  # fmt: skip
def test_gradients_are_those_of_the_run_written_in_numpy(name, method):
    case = made(name)
    network, dt = case.network, case.dt or 0.005
    rng = np.random.default_rng(0)
    n_trials, size = 2, network.n_states
    values = {**case.values, "state": 0.5 * rng.normal(size=(n_trials, size))}
    for k in case.inputs:  # vary over time
        n = network.populations[network.split(k)[0]].size
        values[k] = rng.normal(size=(N_STEPS, n))
    weights = rng.normal(size=(n_trials, N_STEPS, size))

    def loss_of_run(v):
        total = 0
        for trial in range(n_trials):
            x = v["state"][trial]
            for k in range(N_STEPS):
                now = {**v, **{n: v[n][k] for n in case.inputs}}
                x = step(method, lambda x, now=now: case.field({**now, "state": x}), x, dt)
                total = total + (weights[trial, k] * (x + x**2)).sum()
        return np.array([total])

    def loss(recorded):
        x = np.concatenate([recorded[n] for n in network.state_names], axis=2)
        cotangent = weights * (1 + 2 * x)
        sizes = [recorded[n].shape[2] for n in network.state_names]
        parts = np.split(cotangent, np.cumsum(sizes)[:-1], axis=2)
        return (weights * (x + x**2)).sum(), dict(zip(network.state_names, parts))

    parameters = [f"{p}.{n}" for p, m in network.populations.items() for n in m.parameters]
    found = bptt(
        network,
        SOLVERS[method](dt=dt),
        N_STEPS * dt,
        loss,
        record=network.state_names,
        trainable=[*network.state_names, *parameters, *case.inputs, *network.coupling_labels],
        inputs={n: values[n] for n in case.inputs},
        initial=network.unpack(values["state"]),
    )
    assert found.loss == pytest.approx(loss_of_run(values)[0], rel=1e-12)

    def truth(key):
        return complex_step(loss_of_run, values, key)[..., 0]

    def same(got, wanted):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-13 * max(np.abs(wanted).max(), 1))

    state = np.concatenate([found[n] for n in network.state_names], axis=1)
    same(state, truth("state"))
    for key in parameters:
        same(found[key], truth(key))
    for key in case.inputs:
        same(found[key].sum(axis=0), truth(key))
    for label, coupling in zip(network.coupling_labels, network.couplings):
        arrays = list(coupling.weights.parameters)
        for array in arrays:
            key = label if len(arrays) == 1 else f"{label}.{array}"
            same(found[key], truth(f"{label}:{array}"))


# -- runs of simulate, differentiated by differences -------------------------------------------


@pytest.mark.parametrize(
    "solver", [nd.ExponentialEuler, *(pytest.param(s, marks=pytest.mark.slow)
                                      for s in (nd.Euler, nd.Heun))]
)  # fmt: skip
def test_gradients_are_the_differences_of_runs_with_the_noise_held(solver):
    rng = np.random.default_rng(1)
    network = excitatory_inhibitory(**{"E.x": 0.1, "I.v": -0.2})
    solver, n, trials = solver(dt=1e-3), 12, 3
    drive = rng.normal(size=(trials, n, 5))
    target = rng.normal(size=(trials, n, 3))
    loss = MeanSquaredError("I.v", target) + 0.5 * MeanSquaredError("E.r", 0.2)

    def value(changed):
        over = {k: v for k, v in changed.items() if k not in ("E.x", "E.I_ext")}
        rows = changed.get("E.I_ext", drive)
        ds = nd.simulate(
            network.with_values(**over),
            solver,
            (n + 1) * solver.dt,
            trials=trials,
            inputs={"E.I_ext": np.concatenate([rows, rows[:, -1:]], axis=1)},
            initial={"E.x": changed["E.x"]} if "E.x" in changed else None,
            record=["E.r", "I.v"],
            rng=4,
        )
        return loss({k: ds[k].values[:, 1:] for k in ("E.r", "I.v")})[0]

    points = {
        "E.tau": network.populations["E"].parameters["tau"],
        "E.sigma": network.populations["E"].parameters["sigma"],
        "I.tau": network.populations["I"].parameters["tau"],
        "I.omega": network.populations["I"].parameters["omega"],
        "E.r->E.I_rec": network.couplings[0].weights.W,
        "I.v->E.I_rec": network.couplings[2].weights.W,
        "E.x": np.full((trials, 5), 0.1),
        "E.I_ext": drive,
    }
    found = bptt(
        network, solver, n * solver.dt, loss, trainable=list(points), trials=trials,
        inputs={"E.I_ext": drive}, rng=4,
    )  # fmt: skip
    assert found.loss == value({})  # the very numbers of simulate
    for name, point in points.items():
        direction = rng.normal(size=np.shape(point)) * np.abs(point).mean()
        h = 1e-4
        ends = [value({name: point + s * h * direction}) for s in (-2, -1, 1, 2)]
        slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * h)
        assert (found[name] * direction).sum() == pytest.approx(slope, rel=1e-6), name


def test_what_is_recorded_is_what_simulate_records():
    network = excitatory_inhibitory()
    arguments = dict(trials=2, inputs={"E.I_ext": 0.3}, rng=2)
    ds = nd.simulate(network, nd.Euler(dt=1e-3), 0.031, record=["E.r"], every=0.003, **arguments)
    found = bptt(
        network, nd.Euler(dt=1e-3), 0.030, MeanSquaredError("E.r", 0.0), trainable=["E.tau"],
        every=0.003, **arguments,
    )  # fmt: skip
    np.testing.assert_array_equal(found.recorded["E.r"], ds["E.r"].values[:, 1:])


# -- sweeps by hand ----------------------------------------------------------------------------


#: All that can be trained in the network below: one module of loops serves all tests.
TRAINED = ["E.x->E.I", "in.r->E.I", "E.x->out.I", "E.tau", "out.c", "E.x", "in.u"]


def tanh_network(n=6, n_in=2, n_out=3):
    rng = np.random.default_rng(3)
    W = {
        "E.x->E.I": rng.normal(size=(n, n)) / np.sqrt(n),
        "in.r->E.I": rng.normal(size=(n, n_in)),
        "E.x->out.I": rng.normal(size=(n_out, n)),
    }
    network = nd.Network(
        {
            "in": nd.Population(n_in, "r = u : 1"),
            "E": nd.Population(n, "dx/dt = (tanh(I) - x)/tau : 1", tau=0.5),
            "out": nd.Population(n_out, "y = I + c : 1", c=0.1),
        },
        [nd.Coupling(*label.split("->"), w) for label, w in W.items()],
    )
    return network, W


def swept_by_hand(W, u, target, a, window):
    """Gradients of the mean squared error of y by the three matrices, windows apart."""
    n_trials, n_steps, _ = u.shape
    x = [np.zeros((n_trials, 6))]
    for k in range(n_steps):
        x.append(
            x[-1] + a * (np.tanh(x[-1] @ W["E.x->E.I"].T + u[:, k] @ W["in.r->E.I"].T) - x[-1])
        )
    gradients = {name: np.zeros_like(w) for name, w in W.items()}
    for start in range(0, n_steps, window):
        cotangent = np.zeros((n_trials, 6))
        for k in reversed(range(start, min(start + window, n_steps))):
            error = 2 / target.size * (x[k + 1] @ W["E.x->out.I"].T + 0.1 - target[:, k])
            gradients["E.x->out.I"] += error.T @ x[k + 1]
            cotangent = cotangent + error @ W["E.x->out.I"]
            q = np.tanh(x[k] @ W["E.x->E.I"].T + u[:, k] @ W["in.r->E.I"].T)
            delta = a * cotangent * (1 - q**2)
            gradients["E.x->E.I"] += delta.T @ x[k]
            gradients["in.r->E.I"] += delta.T @ u[:, k]
            cotangent = (1 - a) * cotangent + delta @ W["E.x->E.I"]
    return gradients


@pytest.mark.parametrize("truncate", [None, 1, 4, 7])
def test_truncated_gradients_go_back_to_the_beginning_of_their_window(truncate):
    network, W = tanh_network()
    rng = np.random.default_rng(5)
    u, target = rng.normal(size=(4, 14, 2)), rng.normal(size=(4, 14, 3))
    found = bptt(
        network, nd.Euler(dt=0.1), 1.4, MeanSquaredError("out.y", target), trainable=TRAINED,
        inputs={"in.u": u}, truncate=truncate,
    )  # fmt: skip
    for name, gradient in swept_by_hand(W, u, target, 0.2, truncate or 14).items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-12, atol=1e-14)


def test_spikes_pass_their_surrogate():
    """A recurrent network of LIF units, reset by subtraction, swept back by hand."""
    n, n_in, beta, slope, steps = 8, 3, 0.9, 25.0, 15
    rng = np.random.default_rng(6)
    W, W_in = 0.8 * rng.normal(size=(n, n)) / np.sqrt(n), 0.6 * rng.normal(size=(n, n_in))
    u = np.abs(rng.normal(size=(5, steps, n_in)))
    network = nd.Network(
        {
            "in": nd.Population(n_in, "r = u : 1"),
            "L": nd.Population(
                n,
                "z = spike(v - 1) : 1\ndv/dt = (beta*v + I - heaviside(v - 1) - v)/dt : 1",
                beta=beta,
                surrogate=nd.surrogates.FastSigmoid(slope=slope),
            ),
        },
        [nd.Coupling("in.r", "L.I", W_in), nd.Coupling("L.z", "L.I", W)],
    )
    weights = rng.normal(size=(5, steps, n))

    def loss(recorded):
        return (weights * recorded["L.z"]).sum(), {"L.z": weights}

    found = bptt(
        network, nd.Euler(dt=1e-3), steps * 1e-3, loss, record=["L.z"], inputs={"in.u": u},
        trainable=["L.z->L.I", "in.r->L.I", "L.beta", "L.v"],
    )  # fmt: skip
    v, z = [np.zeros((5, n))], [np.zeros((5, n))]
    for k in range(steps):
        v.append(beta * v[-1] + u[:, k] @ W_in.T + z[-1] @ W.T - z[-1])
        z.append((v[-1] > 1).astype(float))
    assert 20 < sum(map(np.sum, z)) and found.loss == pytest.approx(
        (weights * np.stack(z[1:], axis=1)).sum()
    )
    dW, dW_in, d_beta, at_v, at_z = 0, 0, 0, 0, 0
    for k in reversed(range(steps)):
        at_z = at_z + weights[:, k]
        at_v = at_v + at_z / (1 + slope * np.abs(v[k + 1] - 1)) ** 2
        dW, dW_in = dW + at_v.T @ z[k], dW_in + at_v.T @ u[:, k]
        d_beta += (at_v * v[k]).sum()
        at_v, at_z = beta * at_v, at_v @ W
    at_v = at_v + at_z / (1 + slope * np.abs(v[0] - 1)) ** 2
    np.testing.assert_allclose(found["L.z->L.I"], dW, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found["in.r->L.I"], dW_in, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found["L.beta"], d_beta, rtol=1e-12)
    np.testing.assert_allclose(found["L.v"], at_v, rtol=1e-12, atol=1e-13)


# -- how a run is cut --------------------------------------------------------------------------


def small_pieces(monkeypatch, n_trials):
    """Let the sweep of `tanh_network` stop every three steps, with two trials a block."""
    monkeypatch.setattr(unrolled, "_PIECE_BYTES", 3 * 6 * 8 * n_trials)
    monkeypatch.setattr(unrolled, "block_size", lambda *_: 2)


@pytest.mark.parametrize("options", [{"checkpoint_every": 5}, {"checkpoint_every": 1},
                                     {"memory": 1}, {"threads": 3}])  # fmt: skip
@pytest.mark.parametrize("truncate", [None, 8])
def test_checkpoints_and_threads_change_no_bit(monkeypatch, options, truncate):
    small_pieces(monkeypatch, 7)
    network, W = tanh_network()
    rng = np.random.default_rng(7)
    arguments = dict(
        trainable=TRAINED,
        inputs={"in.u": rng.normal(size=(7, 20, 2))},
        truncate=truncate,
    )
    loss = MeanSquaredError("out.y", rng.normal(size=(7, 20, 3)))
    solver = nd.Euler(dt=0.1)
    whole = bptt(network, solver, 2.0, loss, **arguments)
    found = bptt(network, solver, 2.0, loss, **arguments, **options)
    assert whole.n_segments == (1 if truncate is None else 3)
    if "threads" not in options:
        assert found.n_segments > whole.n_segments and found.n_recomputed > 0
    assert found.loss == whole.loss
    for name, gradient in whole.gradients.items():
        assert found[name].tobytes() == gradient.tobytes(), name
    for name, state in whole.final_state.items():
        assert found.final_state[name].tobytes() == state.tobytes()


def test_pieces_and_blocks_change_roundings_only(monkeypatch):
    network, W = tanh_network()
    rng = np.random.default_rng(8)
    loss = MeanSquaredError("out.y", rng.normal(size=(7, 20, 3)))
    inputs = {"in.u": rng.normal(size=(7, 20, 2))}
    arguments = dict(trainable=TRAINED, inputs=inputs)
    whole = bptt(network, nd.Euler(dt=0.1), 2.0, loss, **arguments)
    small_pieces(monkeypatch, 7)
    found = bptt(network, nd.Euler(dt=0.1), 2.0, loss, **arguments)
    for name, gradient in whole.gradients.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-12, atol=1e-16)


def test_names_in_another_order_are_not_compiled_anew():
    network = excitatory_inhibitory()
    parameters = [f"{p}.{n}" for p, m in network.populations.items() for n in m.parameters]
    records = list(network.state_names)
    assert len(parameters) > 1 and len(records) > 1

    def module(records, trainable):
        return Unrolled(
            network, nd.Euler(dt=1e-3), 1e-3, record=records, trainable=trainable
        ).module

    assert module(records, parameters) is module(records[::-1], parameters[::-1])


def test_an_unrolled_network_takes_other_values():
    network, W = tanh_network()
    rng = np.random.default_rng(9)
    u, target = rng.normal(size=(4, 10, 2)), rng.normal(size=(4, 10, 3))
    loss = MeanSquaredError("out.y", target)
    ready = Unrolled(
        network, nd.Euler(dt=0.1), 1.0, record=["out.y"], trainable=TRAINED, trials=4,
        driven=["in.u"],
    )  # fmt: skip
    from neurodyn.learning.gradients import gradients_of

    new = {name: 1.1 * w for name, w in W.items()}
    ready.values.set({**new, "E.tau": 0.4})
    found = gradients_of(ready, loss, {"in.u": u}, None, 0)
    wanted = bptt(
        network.with_values(**new, **{"E.tau": 0.4}), nd.Euler(dt=0.1), 1.0, loss,
        trainable=TRAINED, inputs={"in.u": u},
    )  # fmt: skip
    for name in wanted.gradients:
        assert found[name].tobytes() == wanted[name].tobytes()


def test_single_precision():
    network, W = tanh_network()
    rng = np.random.default_rng(10)
    loss = MeanSquaredError("out.y", rng.normal(size=(4, 30, 3)))
    arguments = dict(trainable=TRAINED, inputs={"in.u": rng.normal(size=(4, 30, 2))})
    double = bptt(network, nd.Euler(dt=0.1), 3.0, loss, **arguments)
    single = bptt(network, nd.Euler(dt=0.1), 3.0, loss, dtype="float32", **arguments)
    for name, gradient in double.gradients.items():
        assert single[name].dtype == np.float32
        np.testing.assert_allclose(single[name], gradient, atol=2e-5 * np.abs(gradient).max())


# -- errors ------------------------------------------------------------------------------------


LOSS = MeanSquaredError("E.x", 0.0)


def asked(network=None, solver=nd.Euler(dt=0.1), duration=0.3, loss=LOSS, **options):  # noqa: B008
    network = nd.rate_network([[0.5]], tau=1.0) if network is None else network
    return bptt(network, solver, duration, loss, **{"trainable": ["E.tau"], **options})


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"trainable": []}, ValueError, "`trainable` must be a list of names"),
        ({"trainable": ["E.tua"]}, ValueError, "did you mean `tau`"),
        ({"trainable": ["E.r"]}, ValueError, "`E.r` follows from other variables"),
        ({"trainable": ["E.r->E.I"]}, ValueError, "no coupling `E.r->E.I`; did you mean"),
        ({"trainable": ["E.r->E.I_rec.m"]}, ValueError, "have no array `m`. They have `W`"),
        ({"trainable": ["E.tau", "E.tau"]}, ValueError, "`E.tau` twice"),
        ({"solver": nd.DormandPrince(dt=0.1)}, ValueError, "DormandPrince cannot be gone back"),
        ({"solver": nd.Exact(dt=0.1)}, ValueError, "Exact cannot be gone back"),
        ({"loss": lambda recorded: (0.0, {})}, ValueError, "`loss` must be a function"),
        ({"loss": lambda recorded: (0.0, {"E.r": 0}), "record": ["E.x"]}, ValueError,
         "a cotangent of `E.r`, which is not recorded"),
        ({"loss": lambda recorded: (0.0, {"E.x": np.ones(2)}), "record": ["E.x"]}, ValueError,
         r"of shape \(2,\); it must have that of what was recorded, \(1, 3, 1\)"),
        ({"record": ["E.tau"]}, ValueError, "`E.tau` is a parameter"),
        ({"truncate": 0}, ValueError, "`truncate` must be a positive number of steps; got 0"),
        ({"memory": -1}, ValueError, "`memory` must be a positive number of bytes"),
        ({"every": 0.4}, ValueError, r"`every` \(4 steps\) is longer than the run \(3 steps\)"),
        ({"initial": {"E.r": 1.0}}, ValueError, "`E.r` is not a state"),
        ({"loss": lambda recorded: (np.nan, {}), "record": ["E.x"]}, FloatingPointError,
         "the loss is nan, though all states are finite"),
    ],
)  # fmt: skip
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        asked(**options)


def test_states_that_explode_are_named():
    network = nd.Network({"E": nd.Population(2, "dx/dt = x**3/tau : 1", tau=0.001, x=[0.0, 5.0])})
    with pytest.raises(FloatingPointError, match="`E.x` of unit 1 in trial 0 is .*smaller dt"):
        asked(network, duration=3.0)


def test_threshold_units_and_plastic_weights_are_refused():
    units = nd.Population(2, "dv/dt = -v/tau : 1", tau=0.1, threshold="v > 1", reset="v = 0")
    with pytest.raises(ValueError, match=r"`E` spikes by threshold and reset.*z = spike\(v - v_th"):
        asked(nd.Network({"E": units}), loss=MeanSquaredError("E.v", 0.0))
    population = nd.Population(2, "dx/dt = (-x + I)/tau : 1", tau=1.0)
    coupling = nd.Coupling(
        "E.x", "E.I", np.ones((2, 2)), plasticity=nd.plasticity.hebb(eta=0.1, pre="x", post="x")
    )
    with pytest.raises(ValueError, match="`E.x->E.I` change by a plasticity rule"):
        asked(nd.Network({"E": population}, [coupling]))
    noisy = nd.rate_network([[0.5]], sigma=0.1)
    with pytest.raises(ValueError, match="RK4 does not integrate noise"):
        asked(noisy, nd.RK4(dt=0.01))
