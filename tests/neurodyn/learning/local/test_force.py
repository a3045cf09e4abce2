"""FORCE and recursive least squares against ridge regression and a plain loop; one compiled network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import Ridge

import neurodyn as nd
from neurodyn.learning import FORCE, RecursiveLeastSquares

DT, TAU = 0.1, 1.0


def reservoir(n=20, *, feedback=1.0, outputs=2, seed=0):
    """A chaotic network with a readout and its feedback."""
    random = np.random.default_rng(seed)
    W = random.normal(0, 1.5 / np.sqrt(n), (n, n))
    back = feedback * random.uniform(-1, 1, (n, outputs))
    x = random.normal(0, 0.5, n)
    equations = "dx/dt = (-x + I_rec + I_fb + I_ext)/tau : 1\nr = tanh(x) : 1\nI_ext : 1"
    network = nd.Network(
        {
            "E": nd.Population(n, equations, tau=TAU, x=x),
            "out": nd.Population(outputs, "z = I : 1\nI : 1"),
        },
        [
            nd.Coupling("E.r", "E.I_rec", W),
            nd.Coupling("E.r", "out.I", np.zeros((outputs, n))),
            nd.Coupling("out.z", "E.I_fb", back),
        ],
    )
    return network, W, back, x


def targets(n_steps, outputs=2):
    t = np.arange(n_steps) * DT
    return np.stack([np.sin(t / (k + 2)) + 0.5 * np.cos(t) for k in range(outputs)], axis=1)


def twin(W, back, x, y, *, every, alpha=1.0, rate=None, share=None, drive=None, forgetting=1.0):
    """The authors' loop in NumPy: the outer weights, the inner ones, the errors, the final state."""
    x, W = x.copy(), W.copy()
    n, n_out = len(x), y.shape[1]
    w, P, errors = np.zeros((n_out, n)), np.eye(n) / alpha, []
    for k, wanted in enumerate(y):
        r = np.tanh(x)
        z = w @ r
        u = 0 if drive is None else drive[k]
        x = x + DT / TAU * (-x + W @ r + back @ z + u)
        if (k + 1) % every:
            continue
        e = z - wanted
        errors.append(e)
        if rate is None:
            k_ = P @ r / (forgetting + r @ P @ r)
            P = (P - np.outer(k_, P @ r)) / forgetting
        else:
            k_ = rate * r
        w = w - np.outer(e, k_)
        if share is not None:
            W = W - np.outer(share @ e, k_)
    return w, W, np.array(errors), x


# -- recursive least squares -------------------------------------------------------------------


def test_rls_is_ridge_regression_after_any_number_of_samples():
    random = np.random.default_rng(1)
    X, y = random.normal(size=(80, 6)), random.normal(size=(80, 3))
    fit = RecursiveLeastSquares(alpha=0.3)
    for start, n in ((0, 5), (5, 30), (30, 80)):
        fit.partial_fit(X[start:n], y[start:n])
        ridge = Ridge(alpha=0.3, fit_intercept=False, solver="svd").fit(X[:n], y[:n])
        assert_allclose(fit.coef_, ridge.coef_, rtol=1e-11, atol=1e-13)
        P = np.linalg.inv(X[:n].T @ X[:n] + 0.3 * np.eye(6))
        assert_allclose(fit.inverse_correlation_, P, rtol=1e-11, atol=1e-14)
    assert np.array_equal(fit.inverse_correlation_, fit.inverse_correlation_.T)
    assert_allclose(fit.predict(X), ridge.predict(X), rtol=1e-10, atol=1e-12)


def test_with_forgetting_it_is_ridge_regression_with_weights():
    random = np.random.default_rng(2)
    X, y = random.normal(size=(40, 4)), random.normal(size=40)
    fit = RecursiveLeastSquares(alpha=0.5, forgetting=0.9).fit(X, y)
    weight = 0.9 ** np.arange(39, -1, -1)
    C = (X.T * weight) @ X + 0.5 * 0.9**40 * np.eye(4)  # the penalty is forgotten, too
    assert_allclose(fit.coef_, np.linalg.solve(C, (X.T * weight) @ y), rtol=1e-10)
    with pytest.raises(ValueError, match=r"`forgetting` must be in \(0, 1\]; got 1.5"):
        RecursiveLeastSquares(forgetting=1.5).fit(X, y)


# -- FORCE -------------------------------------------------------------------------------------


def test_without_feedback_the_readout_is_that_of_ridge_regression():
    network, *_ = reservoir(feedback=0.0)
    y = targets(120)
    fit = FORCE(network, "E.r->out.I", nd.Euler(DT), alpha=0.2).fit(None, y)
    r = nd.simulate(network, nd.Euler(DT), len(y) * DT, record=["E.r"])["E.r"].values[0]
    ridge = np.linalg.solve(r.T @ r + 0.2 * np.eye(r.shape[1]), r.T @ y).T
    assert_allclose(fit.coef_, ridge, rtol=1e-9, atol=1e-11)
    again = RecursiveLeastSquares(alpha=0.2).fit(r, y)
    assert_allclose(fit.coef_, again.coef_, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(
    "options", [{}, {"forgetting": 0.98}, {"algorithm": "lms"}, {"internal": 1}]
)
def test_with_feedback_it_goes_as_the_plain_loop(every, options):
    network, W, back, x = reservoir()
    y, drive = targets(61), np.random.default_rng(3).normal(0, 0.1, (61, 20))
    share = np.random.default_rng(4).normal(0, 0.1, (20, 2)) if "internal" in options else None
    given = {**options} | ({"internal": {"E.r->E.I_rec": share}} if share is not None else {})
    fit = FORCE(network, "E.r->out.I", nd.Euler(DT), every=every, learning_rate=0.02, **given)
    fit.fit({"E.I_ext": drive}, y)
    w, inner, errors, state = twin(
        W, back, x, y, every=every, drive=drive, share=share,
        rate=0.02 if options.get("algorithm") == "lms" else None,
        forgetting=options.get("forgetting", 1.0),
    )  # fmt: skip
    assert np.abs(w).max() > 0.05
    assert_allclose(fit.coef_, w, rtol=1e-8, atol=1e-10)
    assert_allclose(fit.errors_, errors, rtol=1e-8, atol=1e-9)
    assert_allclose(fit.state_["E.x"], state, rtol=1e-8, atol=1e-9)
    learned = dict(zip(network.coupling_labels, fit.network_.couplings))
    assert_allclose(learned["E.r->E.I_rec"].weights.to_dense(), inner, rtol=1e-8, atol=1e-9)
    assert_allclose(learned["E.r->out.I"].weights.to_dense(), fit.coef_, rtol=0)
    if share is None:
        assert np.array_equal(inner, W)
    else:  # as feedback of what the readout learns
        assert_allclose(inner - W, share @ w, rtol=1e-8, atol=1e-10)


def test_learning_goes_on_where_it_stopped():
    network, *_ = reservoir()
    y = targets(80)
    whole = FORCE(network, "E.r->out.I", nd.Euler(DT)).fit(None, y)
    parts = clone(whole).partial_fit(None, y[:33]).partial_fit(None, y[33:])
    assert np.array_equal(whole.coef_, parts.coef_)
    assert np.array_equal(whole.state_["E.x"], parts.state_["E.x"])
    assert parts.n_updates_ == 80
    assert network.couplings[1].weights.to_dense().max() == 0  # what was given is not changed


def test_every_unit_can_have_a_target_of_its_own():
    """Full FORCE: recurrent weights that bring each unit what another network would get there.

    Driven by what the other network is driven by, and asked for its inputs, the weights become its.
    """
    network, _, _, x = reservoir(feedback=0.0)
    other = np.random.default_rng(5).normal(0, 1 / np.sqrt(20), (20, 20))
    drive = 2 * np.random.default_rng(6).normal(size=(600, 20))
    teacher = network.with_values(**{"E.r->E.I_rec": other})
    inputs, record = {"E.I_ext": drive}, ["E.I_rec"]
    y = nd.simulate(teacher, nd.Euler(DT), 600 * DT, inputs=inputs, record=record)["E.I_rec"].values
    fit = FORCE(network, "E.r->E.I_rec", nd.Euler(DT), alpha=1e-3).fit(inputs, y[0])
    before = network.couplings[0].weights.to_dense()
    assert np.abs(fit.coef_ - other).max() < 0.02 * np.abs(before - other).max()


def test_after_learning_the_network_makes_the_target_by_itself():
    """Sussillo & Abbott's task: a sum of sines goes on for ten of its periods after learning."""
    network, *_ = reservoir(300, outputs=1, seed=8)
    period = 60.0

    def wanted(t):
        return sum(
            a * np.sin(2 * np.pi * k * t / period) for k, a in ((1, 0.9), (2, 0.4), (4, 0.3))
        )

    n = int(24 * period / DT)
    fit = FORCE(network, "E.r->out.I", nd.Euler(DT), every=2).fit(None, wanted(np.arange(n) * DT))
    later = wanted((n + np.arange(int(10 * period / DT))) * DT)
    before = FORCE(network, "E.r->out.I", nd.Euler(DT), every=2).fit(None, later[:2])
    assert fit.score(None, later) > 0.95
    assert before.score(None, later) < 0.1
    assert np.abs(fit.errors_[-500:]).mean() < 0.05 * np.abs(later).mean()


def test_what_cannot_be_learned_is_refused_by_name():
    network, *_ = reservoir()
    euler = nd.Euler(DT)
    cases = [
        (dict(coupling="E.r->out.J"), ValueError, "no coupling `E.r->out.J`"),
        (dict(solver=nd.RK4(DT)), ValueError, "`solver` must be nd.Euler or nd.ExponentialEuler"),
        (dict(algorithm="kalman"), ValueError, "`algorithm` must be one of"),
        (dict(alpha=0.0), ValueError, "`alpha` must be a positive number"),
        (dict(every=0), ValueError, "`every` must be an integer"),
        (
            dict(internal={"out.z->E.I_fb": np.ones((20, 2))}),
            ValueError,
            "another coupling from `E.r`",
        ),
        (
            dict(internal={"E.r->E.I_rec": np.ones((2, 20))}),
            ValueError,
            r"\(post, output\) = \(20, 2\)",
        ),
        (dict(network="net"), TypeError, "`network` must be a Network"),
    ]
    for changed, error, message in cases:
        given = {"network": network, "coupling": "E.r->out.I", "solver": euler} | changed
        with pytest.raises(error, match=message):
            FORCE(**given).fit(None, targets(10))
    fit = FORCE(network, "E.r->out.I", euler)
    with pytest.raises(ValueError, match="`y` must be .step, output. with 2 outputs"):
        fit.fit(None, np.ones((10, 3)))
    sparse = network.with_values(**{"E.r->E.I_rec": nd.weights.sparse_random(20, p=0.5, rng=0)})
    with pytest.raises(ValueError, match="has sparse weights.*to_dense"):
        FORCE(sparse, "E.r->E.I_rec", euler).fit(None, np.ones((10, 20)))
    lms = FORCE(network, "E.r->out.I", euler, algorithm="lms", learning_rate=1e3)
    with pytest.raises(FloatingPointError, match="`out.I` is not finite.*smaller `learning_rate`"):
        lms.fit(None, targets(2000))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sparse", "low_rank", "noisy", "exponential"])
def test_any_rate_network_will_do(kind):
    """Whatever the network is, without feedback the readout is ridge regression on its activity."""
    n = 20
    solver = nd.ExponentialEuler(DT) if kind == "exponential" else nd.Euler(DT)
    weights = {
        "sparse": nd.weights.sparse_random(n, p=0.3, weight=0.5, rng=1),
        "low_rank": nd.weights.low_rank_plus_random(n, rank=2, gain=0.8, rng=1)
        if kind == "low_rank" else None,
    }.get(kind, nd.weights.gaussian(n, gain=1.5, rng=1))  # fmt: skip
    noise = " + sigma*sqrt(2*tau)*xi" if kind == "noisy" else ""
    units = nd.Population(
        n, f"dx/dt = (-x + I_rec + I_ext{noise})/tau : 1\nr = tanh(x) : 1", tau=TAU,
        x=lambda rng, size: rng.normal(size=size), **({"sigma": 0.3} if noise else {}),
    )  # fmt: skip
    network = nd.Network(
        {"E": units, "out": nd.Population(2, "z = I : 1\nI : 1")},
        [nd.Coupling("E.r", "E.I_rec", weights), nd.Coupling("E.r", "out.I", np.zeros((2, n)))],
    )
    y = targets(90)
    fit = FORCE(network, "E.r->out.I", solver, alpha=0.2, rng=5).fit(None, y)
    root = np.random.SeedSequence(5)
    first, second = root.spawn(2)
    initial = {k: v[0] for k, v in network.initial_state([first]).items()}
    ds = nd.simulate(network, solver, 9.0, record=["E.r"], initial=initial, rng=second)
    r = ds["E.r"].values[0]
    ridge = np.linalg.solve(r.T @ r + 0.2 * np.eye(n), r.T @ y).T
    assert_allclose(fit.coef_, ridge, rtol=1e-8, atol=1e-10)
