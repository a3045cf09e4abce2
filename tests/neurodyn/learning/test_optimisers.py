"""Optimisers against the update formulas that PyTorch documents, written out number by number;
schedules and clipping against closed forms."""

import math

import numpy as np
import pytest

from neurodyn.learning import SGD, Adam, AdamW, ClipNorm, ClipValue, RMSprop
from neurodyn.learning.clipping import global_norm
from neurodyn.learning.schedules import Constant, Cosine, Exponential, LinearWarmUp, StepDecay

# -- naive twins: one number, plain Python, as in the documentation of torch.optim --------------


def sgd(p, gradients, lr, weight_decay=0, momentum=0, dampening=0, nesterov=False):
    b = None
    for g in gradients:
        g = g + weight_decay * p
        if momentum != 0:
            b = g if b is None else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p = p - lr * g
    return p


def adam(p, gradients, lr, weight_decay=0, beta1=0.9, beta2=0.999, epsilon=1e-8, decoupled=False):
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        p = p - lr * m_hat / (math.sqrt(v_hat) + epsilon)
    return p


def rmsprop(p, gradients, lr, weight_decay=0, alpha=0.99, epsilon=1e-8, momentum=0, centered=False):
    v = b = mean = 0.0
    for g in gradients:
        g = g + weight_decay * p
        v = alpha * v + (1 - alpha) * g * g
        tilde = v
        if centered:
            mean = mean * alpha + (1 - alpha) * g
            tilde = v - mean**2
        if momentum > 0:
            b = momentum * b + g / (math.sqrt(tilde) + epsilon)
            p = p - lr * b
        else:
            p = p - lr * g / (math.sqrt(tilde) + epsilon)
    return p


TWINS = [
    (SGD, sgd, {}),
    (SGD, sgd, {"momentum": 0.9}),
    (SGD, sgd, {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
    (SGD, sgd, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    (Adam, adam, {}),
    (Adam, adam, {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.2}),
    (AdamW, lambda *a, **k: adam(*a, **{"weight_decay": 0.01, **k}, decoupled=True), {}),
    (AdamW, lambda *a, **k: adam(*a, **k, decoupled=True), {"weight_decay": 0.3}),
    (RMSprop, rmsprop, {}),
    (RMSprop, rmsprop, {"alpha": 0.9, "momentum": 0.7, "weight_decay": 0.1, "epsilon": 1e-4}),
    (RMSprop, rmsprop, {"alpha": 0.9, "centered": True, "momentum": 0.5}),
]


@pytest.mark.parametrize("kind, twin, options", TWINS)
def test_updates_are_those_of_the_documented_formulas(kind, twin, options):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(2, 3)), rng.normal(size=(7, 2, 3))
    optimiser = kind(0.05, **options)
    p = {"a": start, "b": start[0]}
    state = optimiser.initial_state(p)
    for g in gradients:
        p, state = optimiser.update(p, {"a": g, "b": g[0]}, state)
    wanted = [[twin(start[i, j], gradients[:, i, j], 0.05, **options) for j in range(3)]
              for i in range(2)]  # fmt: skip
    np.testing.assert_allclose(p["a"], wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(p["b"], p["a"][0])
    assert int(state["step"]) == 7


@pytest.mark.parametrize("kind, twin, options", TWINS)
def test_what_is_given_is_not_changed_and_the_state_is_all_there_is(kind, twin, options):
    rng = np.random.default_rng(1)
    optimiser = kind(0.05, **options)
    p = {"a": rng.normal(size=4).astype(np.float32)}
    state = optimiser.initial_state(p)
    p, state = optimiser.update(p, {"a": rng.normal(size=4).astype(np.float32)}, state)
    before = {n: a.copy() for n, a in {**p, **state}.items()}
    g = {"a": rng.normal(size=4).astype(np.float32)}
    once, again = (kind(0.05, **options).update(p, g, state) for _ in range(2))
    for first, second in zip(once, again):
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
    for name, array in {**p, **state}.items():
        np.testing.assert_array_equal(array, before[name])
    assert once[0]["a"].dtype == np.float32


def test_gradient_descent_on_a_quadratic_is_its_closed_form():
    # x_k = (1 - lr a)^k x_0 for the loss a x^2 / 2
    a = np.array([0.5, 1.0, 3.0])
    optimiser, p = SGD(0.1), {"x": np.ones(3)}
    state = optimiser.initial_state(p)
    for _ in range(20):
        p, state = optimiser.update(p, {"x": a * p["x"]}, state)
    np.testing.assert_allclose(p["x"], (1 - 0.1 * a) ** 20, rtol=1e-12)


def test_heavy_ball_on_a_quadratic_follows_its_companion_matrix():
    a, lr, mu = 2.0, 0.1, 0.9
    optimiser, p = SGD(lr, momentum=mu), {"x": np.ones(())}
    state = optimiser.initial_state(p)
    for _ in range(15):
        p, state = optimiser.update(p, {"x": a * p["x"]}, state)
    # (x, v) -> v' = mu v + a x, x' = x - lr v'
    step = np.array([[1 - lr * a, -lr * mu], [a, mu]])
    x, _ = np.linalg.matrix_power(step, 15) @ [1.0, 0.0]
    assert float(p["x"]) == pytest.approx(x, rel=1e-11)


@pytest.mark.parametrize(
    "optimiser",
    [SGD(0.02, momentum=0.9), SGD(0.02, momentum=0.9, nesterov=True), Adam(0.1), RMSprop(0.01)],
)
def test_all_come_to_the_minimum_of_a_quadratic(optimiser):
    rng = np.random.default_rng(2)
    Q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    A, x_star = Q @ np.diag([1, 2, 4, 8, 16.0]) @ Q.T, rng.normal(size=5)
    p = {"x": np.zeros(5)}
    state = optimiser.initial_state(p)
    for k in range(1500):
        rate = optimiser.learning_rate * Cosine(1500)(k)
        p, state = optimiser.update(p, {"x": A @ (p["x"] - x_star)}, state, rate)
    assert np.abs(p["x"] - x_star).max() < 1e-4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Adam(0.0), "`learning_rate` must be positive and finite; got 0.0"),
        (lambda: SGD(-1e-3), "`learning_rate` must be positive"),
        (lambda: SGD(float("nan")), "`learning_rate` must be positive"),
        (lambda: SGD("fast"), "`learning_rate` must be positive"),
        (lambda: SGD(0.1, momentum=1.0), "`momentum` must be at least 0 and below 1; got 1.0"),
        (lambda: SGD(0.1, nesterov=True), "`nesterov` needs `momentum`"),
        (lambda: Adam(0.1, beta2=1.0), "`beta2` must be at least 0 and below 1"),
        (lambda: RMSprop(0.1, weight_decay=-1), "`weight_decay` must be at least 0"),
        (lambda: ClipNorm(0), "`limit` must be positive"),
        (lambda: Cosine(0), "`steps` must be an integer of at least 1; got 0"),
        (lambda: Exponential(-0.5), "`factor` must be a finite number of at least 0; got -0.5"),
    ],
)
def test_values_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- schedules and clipping --------------------------------------------------------------------


def test_schedules_are_their_closed_forms():
    assert [StepDecay(3, 0.5)(k) for k in (0, 2, 3, 7)] == [1, 1, 0.5, 0.25]
    assert Exponential(0.9)(4) == pytest.approx(0.9**4)
    assert [LinearWarmUp(4)(k) for k in (0, 1, 3, 9)] == [0.25, 0.5, 1, 1]
    cosine = Cosine(10, final=0.2)
    assert [cosine(0), cosine(5), cosine(10), cosine(99)] == pytest.approx([1, 0.6, 0.2, 0.2])


def test_schedules_multiply_and_follow_one_another():
    both = 2 * LinearWarmUp(4) * Exponential(0.5)
    assert [both(k) for k in range(4)] == pytest.approx([0.5, 0.5, 0.375, 0.25])
    later = Constant().then(Exponential(0.5), at=3)
    assert [later(k) for k in (0, 2, 3, 4, 5)] == [1, 1, 1, 0.5, 0.25]
    assert [Exponential(0.5).then(0.125, at=2)(k) for k in range(4)] == [1, 0.5, 0.125, 0.125]


def test_clipping_by_norm_scales_all_and_by_value_cuts_each():
    g = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert global_norm(g) == 5.0
    clipped = ClipNorm(1.0)(g)
    np.testing.assert_allclose(clipped["a"], [0.6, 0])
    np.testing.assert_allclose(clipped["b"], [[0.8]])
    np.testing.assert_array_equal(ClipNorm(6.0)(g)["a"], g["a"])
    np.testing.assert_array_equal(ClipValue(3.5)(g)["b"], [[3.5]])


def test_the_norm_of_large_float32_gradients_does_not_overflow():
    g = {"a": np.array([3e30, 4e30], np.float32)}
    assert global_norm(g) == pytest.approx(5e30, rel=1e-6)
    assert global_norm({"a": np.array([np.nan])}) != global_norm({"a": np.array([np.nan])})
