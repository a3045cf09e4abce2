"""Long timescales from slow units or from connectivity."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn._blas import one_blas_thread
from neurodyn.circuits.timescales import CIRCUIT, claims, model, probes
from neurodyn.circuits.timescales.curriculum import (
    Course,
    Curriculum,
    Stage,
    _labels,
    _Learner,
    train,
)
from neurodyn.experiments import load_circuit, run_experiment

SMALL = {"units": 12, "batch": 8, "steps": 3, "tests": 1, "epochs": 1}


# ------------------------------------------------------------------- a twin in plain NumPy

def naive_run(v, bits, h, leak="inside"):
    """States (step + 1, trial, unit) and pre-activations, from bits (trial, step)."""
    kappa, states, slopes = 1 / np.maximum(v["tau"], 1), [h], []

    def phi(z):
        return np.where(z > 0, z, 0.01 * z)

    for x in bits.T:
        u = states[-1] @ v["W"].T + v["b"] + np.outer(x, v["w_in"]) + v["b_in"]
        z = (1 - kappa) * states[-1] + kappa * u
        states.append(phi(z) if leak == "inside" else (1 - kappa) * states[-1] + kappa * phi(u))
        slopes.append((u, np.where(z > 0, 1.0, 0.01)))
    return np.array(states), slopes


def naive_gradients(v, bits, h, labels):
    """Of the sum over heads of the mean cross-entropies, by backpropagation by hand."""
    states, slopes = naive_run(v, bits, h)
    kappa, n_trials = 1 / np.maximum(v["tau"], 1), len(bits)
    o = (states[-1] @ v["R"].T + v["c"]).reshape(n_trials, -1, 2)
    q = np.exp(o - o.max(axis=2, keepdims=True))
    q /= q.sum(axis=2, keepdims=True)
    loss = -np.log(np.take_along_axis(q, labels[:, :, None], 2)).mean(axis=0).sum()
    d = q.copy()
    np.put_along_axis(d, labels[:, :, None], np.take_along_axis(d, labels[:, :, None], 2) - 1, 2)
    d = d.reshape(n_trials, -1) / n_trials
    g = {name: np.zeros_like(a) for name, a in v.items()}
    g["R"], g["c"] = d.T @ states[-1], d.sum(axis=0)
    back = d @ v["R"]
    for k in reversed(range(bits.shape[1])):
        u, slope = slopes[k]
        a = back * slope
        by_u = a * kappa
        g["W"] += by_u.T @ states[k]
        g["b"] += by_u.sum(axis=0)
        g["b_in"] += by_u.sum(axis=0)
        g["w_in"] += bits[:, k] @ by_u
        g["tau"] -= kappa**2 * (a * (u - states[k])).sum(axis=0)
        back = a * (1 - kappa) + by_u @ v["W"]
    g["tau"][v["tau"] < 1] = 0
    np.fill_diagonal(g["W"], 0)
    return loss, g


@pytest.fixture(scope="module")
def values():
    """Eight units, three heads, one time constant below 1."""
    v = model.with_heads(model.initial_values(8, rng=3), 3)
    v["tau"][2] = 0.6
    return v


def learner(v, **settings):
    """A learner of N = 2, 3 and 4 that has these values."""
    found = _Learner(Curriculum("parity", "multi", **(SMALL | {"units": 8}), **settings), 1)
    found.begin(4)
    found.parameters = {key: v[name].copy() for name, key in found.trained.items()}
    return found


# -------------------------------------------------------------------------------- the network

def test_sizes_and_initial_values():
    net = model.network(40, 5, rng=0)
    assert {name: p.size for name, p in net.populations.items()} == {"rnn": 40, "heads": 10}
    v = model.initial_values(400, rng=1)
    assert_array_equal(np.diag(v["W"]), 0)
    for name, fan_in in (("W", 400), ("R", 400), ("w_in", 1), ("b_in", 1), ("b", 400)):
        n, limit = v[name].size, 1 / np.sqrt(fan_in)
        assert np.abs(v[name]).max() <= limit
        # uniform: variance limit^2/3, whose estimate has a relative error of sqrt(0.8/n)
        assert abs(3 * v[name].var() / limit**2 - 1) < 5 * np.sqrt(0.8 / n) + 1 / 400
    assert 1 <= v["tau"].min() <= v["tau"].max() <= 2
    # circular law: spectral radius sqrt(n) sd
    radius = np.abs(np.linalg.eigvals(v["W"])).max()
    assert radius == pytest.approx(np.sqrt(1 / 3), rel=0.05)
    assert_array_equal(model.with_heads(v, 2)["R"], v["R"][:4])


@pytest.mark.parametrize("leak", [  # the second is another kernel to compile
    "inside", pytest.param("outside", marks=pytest.mark.slow)])
def test_runs_as_the_equations_say(values, leak):
    bits = np.random.default_rng(0).integers(0, 2, (3, 9))
    net = model.build(values, leak)
    drive = nd.signals.ArraySignal(bits, axes=("trial", "time"))
    run = nd.simulate(net, nd.Euler(dt=1.0), 9.0, trials=3, record=["rnn.h", "heads.o"], rng=5,
                      inputs={"rnn.bits": drive})
    h = run["rnn.h"].values.swapaxes(0, 1)
    assert 0 <= h[0].min() <= h[0].max() <= 0.1
    expected, _ = naive_run(values, bits, h[0], leak)
    assert_allclose(h, expected[:-1], rtol=1e-12, atol=1e-14)
    assert_allclose(run["heads.o"].values.swapaxes(0, 1), expected[:-1] @ values["R"].T
                    + values["c"], rtol=1e-12, atol=1e-14)
    fast = values | {"tau": np.full(8, 0.7)}
    first, second = (naive_run(fast, bits, h[0], one)[0] for one in ("inside", "outside"))
    assert_allclose(first, second, rtol=1e-14)           # no leak, no difference


def test_gradients_by_hand_are_those_of_finite_differences(values):
    rng = np.random.default_rng(1)
    bits, h = rng.integers(0, 2, (4, 7)), 0.1 * rng.random((4, 8))
    labels = rng.integers(0, 2, (4, 3))
    _, g = naive_gradients(values, bits, h, labels)
    for name in model.NAMES:
        direction = rng.standard_normal(values[name].shape)
        if name == "W":
            np.fill_diagonal(direction, 0)
        step = 1e-6
        ends = [naive_gradients(values | {name: values[name] + s * step * direction}, bits, h,
                                labels)[0] for s in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(float((g[name] * direction).sum()),
                                                                 rel=1e-6)


def test_training_is_stochastic_gradient_descent(values):
    """Three steps, with Nesterov's momentum and clipping, beside a twin in float64."""
    learned, twin = learner(values, clip=0.5), {name: a.copy() for name, a in values.items()}
    trials, states = np.random.default_rng(7), np.random.default_rng(8)
    learned.trials, learned.states = np.random.default_rng(7), np.random.default_rng(8)
    velocity = {name: 0.0 for name in twin}
    with one_blas_thread():
        learned.epoch()
    for _ in range(SMALL["steps"]):
        batch = learned.task.batch(trials, SMALL["batch"])
        h = 0.1 * states.random((SMALL["batch"], 8), np.float32).astype(float)
        _, g = naive_gradients(twin, batch.inputs["bits"][:, :, 0], h, _labels(batch))
        norm = np.sqrt(sum((one**2).sum() for one in g.values()))
        assert norm > 0.5                                             # it is clipped
        for name, one in g.items():
            one = one * (0.5 / norm)
            velocity[name] = 0.1 * velocity[name] + one
            twin[name] = twin[name] - 0.05 * (one + 0.1 * velocity[name])
    found = learned.values()
    for name in twin:
        assert np.abs(twin[name] - values[name]).max() > 1e-4
        # float32: errors of 1e-7 in what is of order 1, over steps of 0.05
        assert_allclose(found[name], twin[name], atol=2e-6)
    assert_array_equal(np.diag(found["W"]), 0)
    assert found["tau"][2] == 0.6                    # below 1 a time constant has no gradient


def test_fixed_leaks_stay_and_heads_come_one_by_one():
    course = train(Curriculum("parity", "multi", **SMALL, tau=2.0), 0)
    assert_array_equal(course.values["tau"], 2.0)
    assert course.values["R"].shape == (2, 12)
    plan = Curriculum("delayed match", "multi")
    assert plan.active(2) == (2,)
    assert plan.active(6) == (2, 3, 4, 5, 6)
    assert Curriculum("delayed match", "single").active(6) == (6,)
    more = _Learner(Curriculum("parity", "multi", **SMALL), 0)
    for n in (2, 3, 4):
        more.begin(n)
        assert more.values()["c"].size == 2 * (n - 1)
        assert more.state[f"velocity {model.NAMES['c']}"].size == 2 * (n - 1)
    assert_array_equal(more.values()["R"], more.drawn["R"][:6])


def test_a_course_is_promoted_and_repeats():
    plan = Curriculum("delayed match", "multi", units=32, batch=32, steps=150, tests=4, epochs=12,
                      last=3)
    course = train(plan, 4)
    assert course.reached == 3, course.accuracy
    assert list(course.stages) == [2, 3]
    assert course.stages[3].values["R"].shape == (4, 32)
    assert course.n == sorted(course.n)
    assert course.n.count(2) == course.stages[2].epoch
    assert all(stage.accuracy > 0.98 for stage in course.stages.values())
    # learned means learned: on streams with p = 1/2, both heads
    assert probes.stream_accuracy(course.values, plan, (2, 3), 0).min() > 0.95
    again = train(plan, 4)
    for name, array in course.values.items():
        assert_array_equal(again.values[name], array)


# ---------------------------------------------------------------------------------- questions

def test_slow_networks_get_as_many_epochs_again():
    plan = {**SMALL, "batch": 32, "epochs": 2, "start": 9}
    assert len(train(Curriculum("parity", "multi", **plan), 0).n) == 2
    course = train(Curriculum("parity", "multi", **plan, assured=9), 0)
    assert (len(course.n), course.reached) == (4, 1)                 # it learned nothing
    stages = {n: Stage(n, epoch, 1.0, {}) for n, epoch in ((2, 1), (3, 4), (4, 9))}
    course = Course(stages)
    assert [course.reached_by(epoch) for epoch in (0, 1, 8, 9)] == [1, 2, 3, 4]
    assert course.reached == 4


@pytest.fixture(scope="module")
def comparison():
    """Three units that compare the last two bits: bit, its rise, its fall. No leak."""
    W = np.zeros((3, 3))
    W[1, 0], W[2, 0] = -1, 1
    zeros = np.zeros(3)
    # the second class of N-parity is "odd", that the two differ; one of 0.99 or more is a change
    R = np.array([[0, 0, 0], [0, 1, 1]])
    return {"W": W, "b": zeros, "w_in": np.array([1.0, 1, -1]), "b_in": zeros, "tau": np.ones(3),
            "R": R.astype(float), "c": np.array([0.5, 0])}


def test_streams_are_classified_at_the_right_step(comparison):
    plan = Curriculum("parity", "single")
    assert probes.stream_accuracy(comparison, plan, (2,), 0) == 1
    other = comparison | {"R": comparison["R"][::-1], "c": comparison["c"][::-1]}
    assert probes.stream_accuracy(other, Curriculum("delayed match", "single"), (2,), 0) == 1
    # 10 000 labels of another N, each wrong with probability 1/2
    assert abs(probes.stream_accuracy(comparison, plan, (3,), 0)[0] - 0.5) < 5 * 0.5 / 100


def test_ablations_cost_what_they_must(comparison):
    """Without the rise a quarter of the pairs is missed; without the bit nothing is known."""
    plan, error = Curriculum("parity", "single"), 5 * 0.5 / 100
    for unit, accuracy in ((0, 0.5), (1, 0.75), (2, 0.75)):
        found = probes.stream_accuracy(model.ablated(comparison, unit), plan, (2,), 1)
        assert abs(found[0] - accuracy) < error
    slow = comparison | {"tau": np.array([1.0, 1.0, 1.0 + 1e-9])}
    intact, fastest, slowest = probes.ablations(Stage(2, 1, 1.0, slow), plan, 2)
    assert intact == 1
    assert abs(fastest - 0.5) < error
    assert abs(slowest - 0.75) < error


def test_perturbations_are_as_large_as_they_say(values, comparison):
    moved = model.perturbed_leaks(values, 0.3, 0)["tau"] - values["tau"]
    assert moved.min() > 0
    assert np.linalg.norm(moved) == pytest.approx(0.3 * np.linalg.norm(values["tau"]))
    W = model.initial_values(300, rng=0)
    change = model.perturbed_weights(W, 0.3, 0)["W"] - W["W"]
    assert_array_equal(np.diag(change), 0)                # which takes 1/300 of the square
    assert np.linalg.norm(change) == pytest.approx(0.3 * np.linalg.norm(W["W"]), rel=0.01)
    stage = Stage(2, 1, 1.0, comparison)
    found = probes.perturbations(stage, Curriculum("parity", "single"), 0)
    assert found.shape == (2, len(probes.STRENGTHS))
    assert_array_equal(found[:, 0], 1)                    # 5 % flips no answer of this network
    assert found[0, -1] < 0.9


def test_untrained_networks_are_at_chance():
    v = model.with_heads(model.initial_values(32, rng=5), 1)
    # of so large N that the little memory of the network does not help; 10 000 labels
    found = probes.stream_accuracy(v, Curriculum("parity", "single"), (15,), 3)
    assert abs(found[0] - 0.5) < 5 * 0.5 / 100


def test_timescales_of_units_without_a_network():
    """A leaky unit driven by white input: (1 - 1/tau)^k, so 4.48 steps for tau = 5.

    With positive input it is always in the linear part of its nonlinearity.
    """
    v = {name: np.zeros(3) for name in ("b", "b_in")}
    v |= {"W": np.zeros((3, 3)), "w_in": np.ones(3), "tau": np.array([5.0, 5.0, 1.0]),
          "R": np.zeros((2, 3)), "c": np.zeros(2)}
    plan = Curriculum("parity", "single")
    found = probes.timescales(v, plan, 0, steps=5000)
    assert found["network"] == pytest.approx(-1 / np.log(0.8), rel=0.05)
    assert found["units"] == pytest.approx(2 / 3)
    # sums of 0.8^k up to where it is below 0.05, and of nothing
    of_slow = 0.5 + sum(0.8**k for k in range(1, 14))
    assert found["integrated"] == pytest.approx((2 * of_slow + 0.5) / 3, rel=0.05)
    assert found["dimension"] == 2
    h = probes.activity(v, plan, 0, steps=300, p=1.0)     # 1 - exp(-t/tau) is long over
    assert_allclose(h[..., :2], 1)


# ------------------------------------------------------------------------------- experiments

@pytest.mark.parametrize("experiment, settings, message", [
    ("parity", {"units": "1"}, "`units` must be"),
    ("parity", {"epochs": "0"}, "`epochs` must be"),
    ("parity", {"seeds": "0"}, "`seeds` must be"),
    ("parity", {"compare_at": "2"}, "`compare_at` must be"),
    ("parity", {"leak": "both"}, "`leak` of"),
    ("parity", {"last": "1"}, "`last` must be"),
    ("delayed_match", {"last": "102"}, "`last` must be below 102"),
    ("delayed_match", {"steps": "0"}, "`steps` must be"),
    ("fixed_leaks", {"taus": "0.5"}, "`tau` must be"),
    ("no_curriculum", {"n": "1"}, "`start` must be"),
])
def test_settings_out_of_domain_are_refused(experiment, settings, message):
    with pytest.raises(ValueError, match=message):
        run_experiment(CIRCUIT, experiment, settings=settings)


def test_values_out_of_domain_are_refused(values):
    with pytest.raises(ValueError, match="`task` must be parity or delayed match; got 'copying'"):
        Curriculum("copying", "single")
    with pytest.raises(ValueError, match="`heads` must be single or multi"):
        Curriculum("parity", "three")
    with pytest.raises(ValueError, match='`leak` must be "inside" or "outside"'):
        model.build(values, "nowhere")
    with pytest.raises(ValueError, match="`heads` must be from 1 to 100"):
        model.network(8, 101)


def test_runs_that_learn_nothing_say_so(tmp_path):
    given = {"seeds": 1, **SMALL}
    settings = {"parity": given | {"compare_at": 3, "probe_steps": 200},
                "fixed_leaks": given | {"taus": (1.0, 3.0)}, "no_curriculum": given | {"n": (2,)}}
    for name, one in settings.items():
        run = run_experiment(CIRCUIT, name, settings=one, out=tmp_path / name, progress=False)
        assert run.figure.stat().st_size > 10_000
        assert run.outcomes
        if name == "parity":
            assert np.isnan(run.dataset["memory"]).all()
            for outcome in run.outcomes:
                assert not outcome.passed
                assert "1 of 1" in outcome.error
                assert "did not learn N = " in outcome.error
    assert load_circuit("timescales") is CIRCUIT


def test_claims_take_means_and_standard_errors():
    def of(ds):
        return np.array([1.0, 2.0, 3.0])

    assert claims.surely(of)(None) == pytest.approx(2 - 2 / np.sqrt(3))
    assert (claims.smallest(of)(None), claims.largest(of)(None), claims.mean(of)(None)) == (1, 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", list(CIRCUIT.experiments))
@pytest.mark.parametrize("size", ["fast", "full"])
def test_claims(experiment, size):
    run = run_experiment(CIRCUIT, experiment, size=size, progress=False)
    failed = {outcome.claim.text for outcome in run.outcomes if not outcome.passed}
    assert failed == FAILING.get((experiment, size), set())


#: Claims that fail, as their notes say.
_SLOWEST = ("Single-head: cost in accuracy of the slowest units over that of the fastest, less two "
            "standard errors")
FAILING = {
    ("parity", "full"): {_SLOWEST},
    ("delayed_match", "full"): {_SLOWEST, "Single-head: mean time constant at the last N less its "
                                          "minimum, smallest over networks"},
}
