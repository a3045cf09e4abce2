"""Learning while time goes on, and training by rules: `OnlineLearner`, `train(gradient=...)`."""

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.learning import (
    BPTT,
    RFLO,
    RTRL,
    SGD,
    EProp,
    FeedbackAlignment,
    MeanSquaredError,
    OnlineLearner,
    Positive,
    TrialBatch,
    find_gradients,
    train,
)
from neurodyn.provenance import describe

N, N_IN, N_OUT, TRIALS, STEPS, DT = 5, 2, 2, 3, 12, 0.1
TRAINED = ["in.r->E.I", "E.x->E.I", "E.x->out.I", "E.tau"]


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    return nd.Network(
        {
            "in": nd.Population(N_IN, "r = u : 1"),
            "E": nd.Population(N, "dx/dt = (tanh(I) - x)/tau : 1", tau=0.5, x=0.3),
            "out": nd.Population(N_OUT, "y = I : 1"),
        },
        [
            nd.Coupling("in.r", "E.I", rng.normal(size=(N, N_IN))),
            nd.Coupling("E.x", "E.I", rng.normal(size=(N, N)) / np.sqrt(N)),
            nd.Coupling("E.x", "out.I", rng.normal(size=(N_OUT, N))),
        ],
    )


def learner(network, rule=None, **options):
    options = {"optimiser": SGD(0.1), "trials": TRIALS, **options}
    return OnlineLearner(
        network, nd.Euler(dt=DT), RTRL() if rule is None else rule, record=["out.y"],
        trainable=TRAINED, inputs=["in.u"], **options,
    )  # fmt: skip


def data(seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(TRIALS, STEPS, N_IN)), rng.normal(size=(TRIALS, STEPS, N_OUT))


@pytest.mark.parametrize("rule", [RTRL(), EProp(feedback="random", rng=1)])
def test_gradients_of_all_steps_together_are_those_of_the_run(network, rule):
    u, target = data()
    online, total = learner(network, rule), 0.0
    sums = dict.fromkeys(TRAINED, 0.0)
    outputs = []
    for k in range(STEPS):
        outputs.append(online.step({"in.u": u[:, k]})["out.y"])
        value, found = online.gradients(MeanSquaredError("out.y", target[:, k : k + 1]))
        total += value / STEPS
        sums = {name: sums[name] + found[name] / STEPS for name in TRAINED}
    whole = find_gradients(
        network, nd.Euler(dt=DT), STEPS * DT, MeanSquaredError("out.y", target), rule,
        trainable=TRAINED, inputs={"in.u": u},
    )  # fmt: skip
    np.testing.assert_array_equal(np.stack(outputs, axis=1), whole.recorded["out.y"])
    assert total == pytest.approx(whole.loss, rel=1e-13)
    for name, wanted in whole.gradients.items():
        np.testing.assert_allclose(sums[name], wanted, rtol=0, atol=1e-13 * np.abs(wanted).max())
    # and once more from the beginning
    online.reset()
    first = online.step({"in.u": u[:, 0]})["out.y"]
    np.testing.assert_array_equal(first, outputs[0])


def test_weights_that_change_meanwhile_are_those_of_williams_and_zipser(network):
    """Updates after every step, sensitivities kept; the same in NumPy."""
    u, target = data(2)
    online = learner(network)
    W_in, W, W_out = (c.weights.to_dense() for c in network.couplings)
    h = np.full((TRIALS, N), 0.3)
    p_in = np.zeros((TRIALS, N, N, N_IN))  # dh_i / dW_in[j, k]
    p = np.zeros((TRIALS, N, N, N))
    p_tau = np.zeros((TRIALS, N))
    tau = 0.5
    for k in range(STEPS):
        leak = DT / tau
        q = np.tanh(h @ W.T + u[:, k] @ W_in.T)
        slope = leak * (1 - q**2)
        J = (1 - leak) * np.eye(N) + slope[:, :, None] * W
        seed = np.einsum("bi,ij,bk->bijk", slope, np.eye(N), h)
        seed_in = np.einsum("bi,ij,bk->bijk", slope, np.eye(N), u[:, k])
        p_tau = np.einsum("bil,bl->bi", J, p_tau) - DT / tau**2 * (q - h)
        p = np.einsum("bil,bljk->bijk", J, p) + seed
        p_in = np.einsum("bil,bljk->bijk", J, p_in) + seed_in
        h = h + leak * (q - h)
        error = 2 / target[:, k].size * (h @ W_out.T - target[:, k])
        signal = error @ W_out
        online.step({"in.u": u[:, k]})
        online.learn(MeanSquaredError("out.y", target[:, k : k + 1]))
        W_in = W_in - 0.1 * np.einsum("bi,bijk->jk", signal, p_in)
        W = W - 0.1 * np.einsum("bi,bijk->jk", signal, p)
        W_out = W_out - 0.1 * error.T @ h
        tau = tau - 0.1 * (signal * p_tau).sum()
        for name, wanted in zip(TRAINED, (W_in, W, W_out, tau)):
            np.testing.assert_allclose(online.values[name], wanted, rtol=1e-11, atol=1e-13)
    assert online.n_updates == online.n_steps == STEPS
    np.testing.assert_allclose(online.state["E.x"], h, rtol=1e-11)
    np.testing.assert_array_equal(online.network.couplings[1].weights.W, online.values["E.x->E.I"])
    assert online.network.populations["E"].parameters["tau"] == online.values["E.tau"]


class Follow:
    """The outputs are sums of the inputs that leak."""

    def batch(self, rng, trials):
        u = rng.normal(size=(trials, STEPS, N_IN))
        y = np.zeros((trials, STEPS, N_OUT))
        for k in range(STEPS):
            y[:, k] = 0.7 * y[:, k - 1] * (k > 0) + 0.3 * u[:, k]
        return TrialBatch({"in.u": u}, {"out.y": y}, dt=DT)


def trained(network, gradient, steps=3, **options):
    return train(
        network, Follow(), SGD(0.1), trainable=TRAINED, steps=steps, batch=TRIALS, rng=0,
        parametrise={"E.tau": Positive()}, gradient=gradient, **options,
    )  # fmt: skip


def test_training_by_the_exact_rule_is_training_by_backpropagation(network):
    swept = trained(network, None)
    assert repr(trained(network, BPTT()).history) == repr(swept.history)
    carried = trained(network, RTRL())
    for c, other in zip(carried.network.couplings, swept.network.couplings):
        np.testing.assert_allclose(c.weights.W, other.weights.W, rtol=1e-12)


@pytest.mark.parametrize(
    "rule", [EProp(), RFLO(rng=2), EProp(feedback="adaptive", rng=2), FeedbackAlignment(rng=2)]
)
def test_rules_that_are_not_the_gradient_train_too(network, rule):
    loss = trained(network, rule, steps=200).history["loss"].values
    assert loss[-20:].mean() < 0.5 * loss[:5].mean()


def test_a_training_by_a_rule_ends_with_the_same_bytes_after_a_stop(network, tmp_path):
    def rule():
        return EProp(feedback="adaptive", rng=2)

    whole = trained(network, rule(), steps=8)
    trained(network, rule(), steps=5, checkpoint=tmp_path / "a", checkpoint_every=5)
    resumed = trained(network, rule(), steps=8, checkpoint=tmp_path / "a")
    for c, other in zip(resumed.network.couplings, whole.network.couplings):
        np.testing.assert_array_equal(c.weights.W, other.weights.W)
    with pytest.raises(ValueError, match="another training, whose `gradient` differs"):
        trained(network, RFLO(rng=2), steps=9, checkpoint=tmp_path / "a")
    assert describe(EProp()) == describe(EProp())  # nothing is drawn where nothing is random
    assert describe(RFLO()) != describe(RFLO())


def test_what_a_learner_cannot_do_is_refused(network):
    with pytest.raises(TypeError, match="`rule` must be RTRL.*which go forward in time"):
        learner(network, BPTT())
    with pytest.raises(TypeError, match="`optimiser` must be"):
        learner(network, optimiser=0.1)
    with pytest.raises(ValueError, match="`E.x` is an initial state.*the beginning is over"):
        OnlineLearner(network, nd.Euler(dt=DT), RTRL(), record=["out.y"], trainable=["E.x"],
                      optimiser=SGD(0.1))  # fmt: skip
    with pytest.raises(TypeError, match="`gradient` must be a rule"):
        trained(network, "eprop")
    online = learner(network)
    with pytest.raises(RuntimeError, match="call `step` first"):
        online.learn(MeanSquaredError("out.y", 0.0))
    with pytest.raises(ValueError, match="`inputs`: `E.I` was not named"):
        online.step({"E.I": 1.0})
    online.step()
    with pytest.raises(ValueError, match="there is none of"):
        online.update({})
    with pytest.raises(ValueError, match="cotangent of `out.z`, which is not recorded"):
        online.gradients({"out.z": np.zeros((TRIALS, 2))})
    with pytest.raises(FloatingPointError, match="the loss is nan after step 1"):
        online.gradients(lambda recorded: (np.nan, {}))
    with pytest.raises(FloatingPointError, match="gradient of `.*` is not finite after step 1"):
        online.gradients({"out.y": np.full((TRIALS, N_OUT), np.nan)})
    with pytest.raises(FloatingPointError, match="`E.x` of unit 0 in trial 0 is nan after step 2"):
        online.step({"in.u": np.nan})
