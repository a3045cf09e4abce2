"""`train` against the same training written out with `bptt`; resumption after a kill, divergence,
Ctrl-C, and what is refused."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.learning import (
    SGD,
    Adam,
    EarlyStopping,
    MeanSquaredError,
    Orthogonal,
    TrainingDiverged,
    TrialBatch,
    VanishingGradient,
    bptt,
    train,
)
from tests.neurodyn.learning.training_cases import NAMES, OPTIONS, Integrator, network, run


def weights(net, label="E.r->E.I_rec"):
    return net.couplings[net.coupling_labels.index(label)].weights.to_dense()


def values_of(net):
    return {
        "E.r->E.I_rec": weights(net),
        "E.r->out.I": weights(net, "E.r->out.I"),
        "E.tau": net.populations["E"].parameters["tau"],
        "E.b": net.populations["E"].parameters["b"],
        "E.x": np.broadcast_to(net.populations["E"].initial["x"], (6,)),
    }


def assert_same(first, second):
    one, other = values_of(first), values_of(second)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# -- what a step does --------------------------------------------------------------------------


def test_a_training_is_what_bptt_and_the_formulas_of_adam_give():
    """Positive time constant by exp, L2, activity, clipping at 0.5, warm-up: all by hand."""
    net, task, seen = network(), Integrator(), []

    class Seen(Integrator):
        def batch(self, rng, trials):
            seen.append(task.batch(rng, trials))
            return seen[-1]

    steps, lr = 4, 0.01
    fit = train(net, Seen(), Adam(lr), steps=steps, **{**OPTIONS, "evaluate_every": None})

    p = {n: np.array(v, float) for n, v in values_of(net).items()}
    p["E.tau"] = np.log(p["E.tau"])
    m = {n: np.zeros_like(v) for n, v in p.items()}
    v = {n: np.zeros_like(v) for n, v in p.items()}
    for k in range(steps):
        now = {**p, "E.tau": np.exp(p["E.tau"])}
        target = seen[k].targets["out.y"]

        def loss(recorded, target=target):
            y, r = recorded["out.y"][:, 3:], recorded["E.r"]
            error = y - target[:, 3:]
            cotangent = np.zeros_like(recorded["out.y"])
            cotangent[:, 3:] = 2 * error / error.size
            value = (error**2).mean() + 0.01 * (r**2).mean()
            return value, {"out.y": cotangent, "E.r": 0.02 * r / r.size}

        found = bptt(
            net.with_values(**now), nd.Euler(dt=0.01), 0.12, loss,
            record=["out.y", "E.r"], trainable=NAMES, inputs=seen[k].inputs, trials=4,
        )  # fmt: skip
        assert fit.history["loss"].values[k] == pytest.approx(found.loss, rel=1e-10)
        g = dict(found.gradients)
        g["E.x"] = g["E.x"].sum(axis=0)
        g["E.r->E.I_rec"] = g["E.r->E.I_rec"] + 2e-3 * now["E.r->E.I_rec"]
        g["E.tau"] = g["E.tau"] * now["E.tau"]
        norm = np.sqrt(sum((a**2).sum() for a in g.values()))
        assert fit.history["gradient_norm"].values[k] == pytest.approx(norm, rel=1e-10)
        rate = lr * (k + 1) / 5
        for n in p:
            a = g[n] * min(1, 0.5 / norm)
            m[n] = 0.9 * m[n] + 0.1 * a
            v[n] = 0.999 * v[n] + 0.001 * a**2
            m_hat, v_hat = m[n] / (1 - 0.9 ** (k + 1)), v[n] / (1 - 0.999 ** (k + 1))
            p[n] = p[n] - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    p["E.tau"] = np.exp(p["E.tau"])
    for n, value in values_of(fit.network).items():
        np.testing.assert_allclose(value, p[n], rtol=1e-8, atol=1e-11, err_msg=n)


def test_training_learns_the_task_and_measures_it_on_other_trials():
    fit = run(150, batch=16, regularise=(), record=["E.r"])
    history = fit.history
    assert fit.stop_reason == "steps" and fit.n_steps == 150
    assert history["loss"][-10:].mean() < 0.2 * history["loss"][:10].mean()
    assert list(history["evaluated_at"].values) == list(range(0, 151, 10))
    assert history["correlation"][-1] > 0.9 > history["correlation"][0]
    assert fit.network.populations["E"].parameters["tau"] > 0
    # the network is an ordinary one of the same structure: it runs to the loss of the evaluation
    assert fit.network.source() == network().source()
    assert repr(fit).startswith("<Trained for 150 steps, loss ")


def test_the_trained_network_has_the_evaluated_loss():
    fit = run(10, regularise=(), record=["E.r"])

    class Once(Integrator):
        def batch(self, rng, trials):
            self.made = super().batch(rng, trials)
            return self.made

    task = Once()
    again = train(fit.network, task, SGD(1e-9), trainable=NAMES, steps=1, rng=5, batch=4,
                  evaluate_every=1, record=["E.r"])  # fmt: skip
    wanted = fit.history["evaluation_loss"].values[-1]
    assert again.history["evaluation_loss"].values[0] == pytest.approx(wanted, rel=1e-12)


def test_names_of_the_task_are_connected_to_those_of_the_network():
    named = run(12)
    other = train(
        network(), Integrator(("stimulus", "sum")), Adam(0.01), steps=12,
        connect={"stimulus": "stim.s", "sum": "out.y"}, **OPTIONS,
    )  # fmt: skip
    assert_same(named.network, other.network)
    np.testing.assert_array_equal(named.history["correlation"], other.history["correlation"])


@pytest.mark.parametrize(
    "kind", ["sum", *(pytest.param(k, marks=pytest.mark.slow)
                      for k in ("low_rank", "sparse", "diagonal"))]
)  # fmt: skip
def test_weights_of_every_kind_can_be_trained(kind):
    from scipy.sparse import random_array

    rng, n = np.random.default_rng(1), 6
    low = nd.weights.LowRank(rng.normal(size=(n, 2)) / n, rng.normal(size=(n, 2)))
    sparse = random_array((n, n), density=0.4, rng=rng, format="csr")
    W = {
        "low_rank": low, "sparse": nd.weights.Sparse(sparse), "sum": low + sparse,
        "diagonal": nd.weights.Diagonal(np.ones(n) / 2),
    }[kind]  # fmt: skip
    net = network().with_values(**{"E.r->E.I_rec": W})
    fit = train(net, Integrator(), Adam(0.02), trainable=["E.r->E.I_rec"], steps=60, batch=8, rng=0)
    trained = fit.network.couplings[0].weights
    assert trained.kind == W.kind
    for name, array in trained.parameters.items():
        assert array.shape == W.parameters[name].shape and not np.array_equal(
            array, W.parameters[name]
        )
    losses = fit.history["loss"].values
    assert losses[-10:].mean() < losses[:10].mean()


def test_constraints_hold_at_every_step():
    net = network().with_values(**{"E.r->E.I_rec": nd.weights.orthogonal(6, rng=0)})
    errors = []

    def look(report):
        W = report.values["E.r->E.I_rec"]
        errors.append(np.abs(W @ W.T - np.eye(6)).max())

    train(net, Integrator(), Adam(0.05), trainable=NAMES, steps=20, rng=0, record=["E.r"],
          parametrise={"E.r->E.I_rec": Orthogonal()}, callbacks=[look])  # fmt: skip
    assert len(errors) == 20 and max(errors) < 1e-13


@pytest.mark.slow
def test_noise_and_random_states_are_streams_of_their_own_whatever_the_threads():
    net = network(noise=True).with_values(**{"E.x": lambda rng, size: rng.normal(size=size)})

    def once(threads, rng):
        return train(net, Integrator(), Adam(0.01), trainable=["E.r->E.I_rec"], steps=3, batch=40,
                     rng=rng, threads=threads, dtype="float32")  # fmt: skip

    first, second, other = once(1, 3), once(2, 3), once(1, 4)
    np.testing.assert_array_equal(weights(first.network), weights(second.network))
    assert not np.array_equal(weights(first.network), weights(other.network))


@pytest.mark.slow
def test_pascanus_term_sees_the_derivatives_by_the_states():
    net, seen = network(), []

    class Seen(Integrator):
        def batch(self, rng, trials):
            seen.append(super().batch(rng, trials))
            return seen[-1]

    term = VanishingGradient("E.r->E.I_rec", 0.3, leak=0.2)
    fit = train(net, Seen(), SGD(0.1), trainable=["E.r->E.I_rec"], steps=1, batch=4, rng=0,
                regularise=[term])  # fmt: skip
    loss = seen[0].loss()
    # d by the state after step k: by its change at the beginning of a run over the other steps
    plain = bptt(net, nd.Euler(dt=0.01), 0.12, loss, record=["out.y", "E.r"],
                 trainable=["E.r->E.I_rec"], inputs=seen[0].inputs)  # fmt: skip
    x, d = np.arctanh(plain.recorded["E.r"]), []
    for k in range(1, 12):
        part = MeanSquaredError("out.y", seen[0].targets["out.y"][:, k:], (np.arange(k, 12) >= 3))
        scale = (np.arange(k, 12) >= 3).sum() / 9
        rest = bptt(
            net, nd.Euler(dt=0.01), (12 - k) * 0.01, part, trainable=["E.x"],
            inputs={"stim.s": seen[0].inputs["stim.s"][:, k:]}, initial={"E.x": x[:, k - 1]},
        )  # fmt: skip
        d.append(rest["E.x"] * scale)
    # d[k - 1] is by the state before step k, from the losses at its end and later; the term needs
    # that by the state after step k, in which the loss at the end of step k counts as well
    W, r = weights(net), plain.recorded["E.r"]
    W_out, y = weights(net, "E.r->out.I"), plain.recorded["out.y"]
    after = np.zeros((4, 12, 6))
    for k in range(12):
        own = 2 * (y[:, k] - seen[0].targets["out.y"][:, k]) / (9 * 4) * (k >= 3)
        after[:, k] = (own @ W_out) * (1 - r[:, k] ** 2) + (d[k] if k < 11 else 0)
    value, gradient = term.of_run(W, r, after)
    assert fit.history["penalty"].values[0] == pytest.approx(value, rel=1e-9)
    step = W - weights(fit.network)
    np.testing.assert_allclose(
        step, 0.1 * (plain["E.r->E.I_rec"] + gradient), rtol=1e-8, atol=1e-13
    )


# -- stopping and going on ---------------------------------------------------------------------


def test_a_resumed_training_is_an_unbroken_one_to_the_last_bit(tmp_path):
    path = tmp_path / "training.npz"
    whole = run(40)
    run(17, checkpoint=path)
    resumed = run(40, checkpoint=path)
    assert_same(whole.network, resumed.network)
    assert whole.history.identical(resumed.history)
    assert os.listdir(tmp_path) == ["training.npz"]


def test_a_training_that_is_killed_goes_on_and_ends_with_the_same_bytes(tmp_path):
    path = tmp_path / "training.npz"
    command = [sys.executable, "-m", "tests.neurodyn.learning.training_cases", str(path), "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "running\n"
        time.sleep(0.05)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    from neurodyn._archives import read_archive

    done = read_archive(path, "training")[0]["step"]
    assert done >= 21
    steps = done + 9
    resumed = run(steps, checkpoint=path)
    whole = run(steps)
    assert resumed.n_steps == steps
    assert_same(whole.network, resumed.network)
    assert whole.history.identical(resumed.history)


def test_best_values_survive_a_resumption(tmp_path):
    stop = EarlyStopping(patience=50)
    whole = run(40, early_stopping=stop)
    run(17, checkpoint=tmp_path / "t.npz", early_stopping=stop)
    resumed = run(40, checkpoint=tmp_path / "t.npz", early_stopping=stop)
    assert_same(whole.best_network, resumed.best_network)


def test_an_unseeded_training_goes_on_with_its_own_numbers(tmp_path):
    path = tmp_path / "t.npz"
    first = run(8, checkpoint=path, rng=None)
    second = run(12, checkpoint=path, rng=None)
    assert second.n_steps == 12
    np.testing.assert_array_equal(second.history["loss"][:8], first.history["loss"])


@pytest.mark.parametrize(
    "change, name",
    [({"rng": 6}, "rng"), ({"clip": None}, "clip"), ({"batch": 5}, "batch"),
     ({"trainable": NAMES[:-1]}, "trainable")],
)  # fmt: skip
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change, name):
    run(2, checkpoint=tmp_path / "t.npz")
    with pytest.raises(ValueError, match=f"`checkpoint` is of another training, whose `{name}`"):
        run(4, checkpoint=tmp_path / "t.npz", **change)


def test_a_checkpoint_of_another_task_is_refused(tmp_path):
    class Other(Integrator):
        pass

    run(2, checkpoint=tmp_path / "t.npz")
    named = Integrator(("stimulus", "sum"))
    connect = {"stimulus": "stim.s", "sum": "out.y"}
    for task, names, what in ((Other(), None, "task"), (named, connect, "connect")):
        with pytest.raises(ValueError, match=f"of another training, whose `{what}` differs"):
            train(network(), task, Adam(0.01), steps=2, connect=names,
                  checkpoint=tmp_path / "t.npz", **OPTIONS)  # fmt: skip


def test_a_damaged_checkpoint_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "t.npz"
    run(2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(OSError, match="damaged or of another format: .*t.npz"):
        run(4, checkpoint=path)


def test_ctrl_c_returns_what_is_there():
    # a shell's background job ignores the signal, and so would its children
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(report):
        if report.step == 4:
            signal.raise_signal(signal.SIGINT)

    try:
        fit = run(50, callbacks=[interrupt])
    finally:
        signal.signal(signal.SIGINT, before)
    assert (fit.stop_reason, fit.n_steps) == ("interrupted", 5)
    assert_same(fit.network, run(5).network)


def test_a_callback_or_an_evaluation_can_stop_it():
    fit = run(50, callbacks=[lambda report: report.step == 3])
    assert (fit.stop_reason, fit.n_steps) == ("callback", 4)
    fit = run(50, early_stopping=EarlyStopping("correlation", target=-2, maximise=True))
    assert fit.n_steps == 0 and fit.stop_reason.startswith("early stopping: correlation is ")
    stopping = EarlyStopping(patience=2, min_change=1e3)  # nothing is so much better
    fit = run(50, early_stopping=stopping)
    assert fit.n_steps == 20
    assert fit.stop_reason == "early stopping: no better evaluation_loss in 2 evaluations"
    np.testing.assert_array_equal(weights(fit.best_network), weights(network()))


# -- what goes wrong ---------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_with_the_last_good_values():
    class Spoilt(Integrator):
        def batch(self, rng, trials):
            made = super().batch(rng, trials)
            self.count = getattr(self, "count", -1) + 1
            return made

        def loss(self, batch):
            own = batch.loss()

            def loss(recorded):
                value, cotangents = own(recorded)
                return (np.nan if self.count == 3 else value), cotangents

            loss.record = own.record
            return loss

    options = {"trainable": NAMES, "batch": 4, "rng": 5, "record": ["E.r"]}
    with pytest.raises(TrainingDiverged, match="stopped at step 3: the loss is nan") as caught:
        train(network(), Spoilt(), Adam(0.01), steps=9, **options)
    error = caught.value
    good = train(network(), Integrator(), Adam(0.01), steps=2, **options)
    assert error.step == 3 and error.parameter == "E.b"  # from zeros to something
    assert_same(error.network, good.network)
    assert error.history.sizes["step"] == 3
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.slow
def test_a_rate_far_too_large_is_told_with_its_step_and_parameter():
    linear = nd.Network(
        {"E": nd.Population(2, "dx/dt = (-x + I + I_ext)/tau : 1", tau=0.05)},
        [nd.Coupling("E.x", "E.I", np.eye(2))],
    )

    class Task:
        def batch(self, rng, trials):
            u = rng.normal(size=(trials, 200, 2))
            return TrialBatch({"E.I_ext": u}, {"E.x": u}, dt=0.01)

    with pytest.raises(TrainingDiverged, match="smaller learning rate|smaller gain") as caught:
        train(linear, Task(), SGD(1e3), trainable=["E.x->E.I"], steps=20, rng=0, batch=2)
    assert caught.value.parameter == "E.x->E.I"
    assert np.isfinite(caught.value.network.couplings[0].weights.to_dense()).all()


def test_a_time_constant_that_comes_to_be_negative_stops_with_the_remedy():
    def down(values):
        return 0.0, {"E.tau": np.array(1e3)}

    message = r"stopped at step 1: `E.tau` is a time constant and came to -.*Positive\(\)"
    with pytest.raises(TrainingDiverged, match=message) as caught:
        train(network(), Integrator(), SGD(0.03), trainable=NAMES, steps=9, rng=0,
              record=["E.r"], regularise=[down])  # fmt: skip
    assert caught.value.parameter == "E.tau"
    assert caught.value.network.populations["E"].parameters["tau"] == 0.05
