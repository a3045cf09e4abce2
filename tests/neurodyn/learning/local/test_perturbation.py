"""Node perturbation against exact gradients, and Miconi's rule against a loop; one network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

import neurodyn as nd
from neurodyn.learning import DelayedRewardHebb, NodePerturbation
from neurodyn.learning.local.perturbation import fluctuations
from tests.neurodyn.learning.local.repeated_trial import (
    DT,
    TRAINED,
    Kept,
    Repeated,
    T,
    exact,
    mean_and_error,
    network,
)

# -- node perturbation -------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [1.0, 0.3])
def test_the_mean_of_node_perturbation_is_the_gradient(probability):
    kept = Kept(1.0)
    rule = NodePerturbation(
        network(), kept, TRAINED, steps=60, sigma=0.02, probability=probability, batch=200, rng=1
    ).fit(Repeated())
    wanted = exact(TRAINED)
    for key in TRAINED:
        mean, error = mean_and_error(kept, key)
        size = np.abs(wanted[key]).max()
        assert error.max() < 0.2 * size
        # 15 entries, and a bias of order sigma**2
        assert np.all(np.abs(mean - wanted[key]) < 3.5 * error + 0.02**2 * 10 * size)
    assert np.array_equal(rule.network_.couplings[0].weights.to_dense(),
                          network().couplings[0].weights.to_dense())  # fmt: skip


def test_one_update_is_the_losses_of_trials_times_their_eligibilities(monkeypatch):
    """Three trials in a loop of NumPy, with the noise that the rule has drawn."""
    drawn = {}
    original = NodePerturbation._run_type._noise

    def noise(self, target, batch, generator):
        drawn[target] = original(self, target, batch, generator)
        return drawn[target]

    monkeypatch.setattr(NodePerturbation._run_type, "_noise", noise)
    kept = Kept(1.0)
    net = network()
    NodePerturbation(net, kept, TRAINED, steps=1, sigma=0.5, batch=3, rng=2).fit(Repeated())
    W, B = (c.weights.to_dense() for c in net.couplings)
    batch = Repeated().batch(None, 3)
    losses, eligible = np.zeros(3), {"W": np.zeros((3, 3, 3)), "B": np.zeros((3, 2, 3))}
    for k in range(3):
        x, out = np.array([0.5, -0.3, 0.2]), []
        for t in range(T + 1):
            r, xi, zeta = np.tanh(x), drawn["E.I_rec"][k, t], drawn["out.I"][k, t]
            out.append(B @ r + zeta)
            eligible["W"][k] += np.outer(xi, r) / 0.25
            eligible["B"][k] += np.outer(zeta, r) / 0.25
            if t < T:
                x = x + DT / 0.1 * (-x + W @ r + xi + batch.inputs["E.I_ext"][k, t])
        losses[k] = np.mean((np.array(out[1:]) - batch.targets["out.y"][k]) ** 2)
    others = (losses.sum() - losses) / 2
    for key, name in zip(TRAINED, "WB"):
        wanted = np.einsum("k,kij->ij", losses - others, eligible[name]) / 3
        assert_allclose(kept.seen[0][key], wanted, rtol=1e-10, atol=1e-12)


def test_node_perturbation_learns():
    rule = NodePerturbation(
        network(), nd.learning.Adam(0.03), TRAINED, steps=150, sigma=0.1, batch=20, rng=3
    )
    before = -rule.fit(Repeated()).history_["loss"].values[0]
    assert rule.score(Repeated(), trials=1) > 0.3 * before
    assert rule.n_steps_ == 150
    again = clone(rule).set_params(steps=75).fit(Repeated()).partial_fit(Repeated(), steps=75)
    assert_allclose(again.history_["loss"].values, rule.history_["loss"].values, rtol=1e-12)


def test_what_node_perturbation_cannot_train_is_refused():
    adam = nd.learning.Adam(0.1)
    with pytest.raises(ValueError, match="`E.tau` is no weights"):
        NodePerturbation(network(), adam, ["E.tau"]).fit(Repeated())
    with pytest.raises(ValueError, match="`batch` must be an integer of at least 2"):
        NodePerturbation(network(), adam, TRAINED, batch=1).fit(Repeated())
    with pytest.raises(TypeError, match="`optimiser` must be one such as"):
        NodePerturbation(network(), 0.1, TRAINED).fit(Repeated())
    with pytest.raises(TypeError, match="`task` must have a method"):
        NodePerturbation(network(), adam, TRAINED).fit(np.ones(3))
    with pytest.raises(ValueError, match="`power` must be odd"):
        DelayedRewardHebb(network(), adam, TRAINED[:1], activity={"E": "x"}, power=2).fit(
            Repeated()
        )
    with pytest.raises(ValueError, match="`activity` has no variable of the population `out`"):
        DelayedRewardHebb(network(), adam, TRAINED, activity={"E": "x"}).fit(Repeated())


# -- Miconi's rule -----------------------------------------------------------------------------


def test_fluctuations_are_from_the_mean_before():
    x = np.random.default_rng(6).normal(size=(2, 9, 3))
    mean, wanted = x[:, 0], []
    for t in range(9):
        wanted.append(x[:, t] - mean)
        mean = 0.6 * mean + 0.4 * x[:, t]
    assert_allclose(fluctuations(x, 0.6), np.stack(wanted, axis=1), rtol=1e-13, atol=1e-15)


def test_one_update_of_miconis_rule_is_that_of_a_loop(monkeypatch):
    drawn = {}
    original = NodePerturbation._run_type._noise

    def noise(self, target, batch, generator):
        drawn[target] = original(self, target, batch, generator)
        return drawn[target]

    monkeypatch.setattr(NodePerturbation._run_type, "_noise", noise)
    kept, net = Kept(1.0), network()
    DelayedRewardHebb(net, kept, TRAINED, activity={"E": "r", "out": "y"}, memory=0.3, sigma=2.0,
                      probability=0.4, steps=1, batch=2, rng=2).fit(Repeated())  # fmt: skip
    W, B = (c.weights.to_dense() for c in net.couplings)
    batch = Repeated().batch(None, 2)
    losses, e = np.zeros(2), np.zeros((2, 3, 3))
    for k in range(2):
        x, out, mean = np.array([0.5, -0.3, 0.2]), [], None
        for t in range(T):
            r, xi = np.tanh(x), drawn["E.I_rec"][k, t]
            x = x + DT / 0.1 * (-x + W @ r + xi + batch.inputs["E.I_ext"][k, t])
            after = np.tanh(x)
            mean = after if mean is None else mean
            e[k] += np.outer(after - mean, r) ** 3
            mean = 0.3 * mean + 0.7 * after
            out.append(B @ after + drawn["out.I"][k, t + 1])
        losses[k] = np.mean((np.array(out) - batch.targets["out.y"][k]) ** 2)
    wanted = ((losses[0] - losses[1]) * e[0] + (losses[1] - losses[0]) * e[1]) / 2
    assert (drawn["E.I_rec"] == 0).mean() > 0.3
    assert_allclose(kept.seen[0]["E.r->E.I_rec"], wanted, rtol=1e-10, atol=1e-13)


@pytest.mark.slow
def test_miconis_rule_learns_to_hold_a_sign():
    """Rewards come when the trial is over; the error of answering 0 is 1."""

    class Sign:
        def batch(self, rng, trials):
            sign = rng.choice([-1.0, 1.0], trials)[:, None, None]
            pulse = sign * (np.arange(30) < 5)[:, None]
            mask = (np.arange(30) >= 25).astype(float)
            return nd.learning.TrialBatch(
                {"S.u": pulse},
                {"out.y": np.broadcast_to(sign, (trials, 30, 1))},
                dt=0.01,
                mask=mask,
            )

    random = np.random.default_rng(0)
    net = nd.Network(
        {
            "S": nd.Population(1, "r = u : 1\nu : 1"),
            "E": nd.Population(
                20, "dx/dt = (-x + I_rec + I_in)/tau : 1\nr = tanh(x) : 1", tau=0.03
            ),
            "out": nd.Population(1, "y = I : 1\nI : 1"),
        },
        [
            nd.Coupling("S.r", "E.I_in", 0.3 * random.normal(size=(20, 1))),
            nd.Coupling("E.r", "E.I_rec", random.normal(0, 1 / np.sqrt(20), (20, 20))),
            nd.Coupling("E.r", "out.I", random.normal(0, 1 / np.sqrt(20), (1, 20))),
        ],
    )
    rule = DelayedRewardHebb(
        net, nd.learning.SGD(0.03), ["E.r->E.I_rec"], activity={"E": "x"}, sigma=3.0,
        probability=0.05, steps=400, rng=0,
    )  # fmt: skip
    assert rule.fit(Sign()).score(Sign()) > -0.25
    too_fast = clone(rule).set_params(optimiser=nd.learning.SGD(1e6))
    with pytest.raises(nd.learning.TrainingDiverged, match="Try a smaller learning rate"):
        too_fast.fit(Sign())
