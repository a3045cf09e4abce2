"""Gains that adapt a recurrent network with fixed weights to its stimuli."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.circuits.gain_control import CIRCUIT, gains, measures, model
from neurodyn.circuits.gain_control import presentations as shows
from neurodyn.experiments import load_circuit, run_experiment

RING = model.ring()
UNIFORM, BIASED = model.uniform_ensemble(), model.biased_ensemble()


@pytest.fixture(scope="module")
def small():
    """Eight neurons, with a decoder that is not the inverse."""
    return model.ring(8, 20, rho=0.8, decoder="ridge", ridge=0.1)


@pytest.fixture(scope="module")
def adaptation(tmp_path_factory):
    return run_experiment(CIRCUIT, "adaptation", out=tmp_path_factory.mktemp("adaptation"))


# --------------------------------------------------------------------- network and ensembles


def test_weights_and_drive_are_the_obvious_loops():
    found = model.ring(6, 20, kf=2.0, kw=3.0, rho=0.7, inh=0.4)
    theta, s = np.arange(-90, 90, 30), np.arange(-90, 90, 9)
    assert_array_equal(found.preferred, theta)
    assert_array_equal(found.stimulus, s)
    for i in range(6):
        row = [np.exp(3 * (np.cos(2 * np.pi * (theta[i] - t) / 180) - 1)) for t in theta]
        for j in range(6):
            assert found.weights[i, j] == pytest.approx(0.7 * (row[j] / sum(row) - 0.4 / 6))
        for k in range(20):
            f = np.exp(2 * (np.cos(2 * np.pi * (theta[i] - s[k]) / 180) - 1))
            assert found.drive[i, k] == pytest.approx(f, rel=1e-12)
    assert_allclose(found.decoder, np.eye(6) - found.weights, atol=1e-15)


def test_mean_mode_of_the_weights():
    """Rows of the excitation sum to 1: W takes ones to rho (1 - inh) times ones."""
    assert_allclose(RING.weights @ np.ones(60), 0.95 * 0.5, rtol=1e-13)
    # all modes of a circulant matrix are in the Fourier transform of one row
    spectrum = np.fft.fft(RING.weights[0]).real
    assert RING.spectral_radius == pytest.approx(np.abs(spectrum).max(), rel=1e-12)


def test_ridge_decoder_is_the_regression_it_says(small):
    """Stacked least squares: [R; sqrt(ridge)] against [F; 0]."""
    R = small.responses(1.0)
    penalty = 0.1 * np.mean(np.sum(R**2, axis=0)) / 8
    stacked = np.vstack([R.T / np.sqrt(20), np.sqrt(penalty) * np.eye(8)])
    wanted = np.vstack([small.drive.T / np.sqrt(20), np.zeros((8, 8))])
    assert_allclose(small.decoder, np.linalg.lstsq(stacked, wanted, rcond=None)[0].T, rtol=1e-9)


@pytest.mark.parametrize("S", [20, 60, 180])
def test_biased_ensemble_bin_by_bin(S):
    p = model.biased_ensemble(S, adapter_probability=0.3)
    by_bin = {}
    for orientation, probability in zip(-90 + 180 / S * np.arange(S), p):
        k = int(np.floor(orientation / 9 + 0.5))
        by_bin.setdefault(10 if k == -10 else k, []).append(probability)
    assert len(by_bin) == 20
    for k, members in by_bin.items():
        assert len(members) == S // 20
        weight = {0: 0.15, 1: 0.075, -1: 0.075}.get(k, 0.7 / 17)
        assert_allclose(members, weight / len(members), rtol=1e-12)
    moved = model.biased_ensemble(S, adapter_probability=0.3, adapter=-45)
    assert_array_equal(moved, np.roll(p, -S // 4))


# ---------------------------------------------------------------------------- optimal gains


def naive_objective(ring, g, p, alpha, gamma):
    total = gamma * sum((x - 1) ** 2 for x in g)
    for k, probability in enumerate(p):
        f = ring.drive[:, k]
        r = np.linalg.solve(np.eye(len(g)) - ring.weights, g * f)
        error = f - ring.decoder @ r
        total += probability * (error @ error + alpha * r @ r)
    return total


def test_objective_gradient_and_quadratic_form(small):
    rng = np.random.default_rng(0)
    g, p = rng.uniform(0.2, 1.5, 8), rng.dirichlet(np.ones(20))
    alpha, gamma = 0.7, 0.3
    settings = {"alpha": alpha, "gamma": gamma}
    value = naive_objective(small, g, p, alpha, gamma)
    assert gains.objective(small, g, p, **settings) == pytest.approx(value, rel=1e-12)
    Q, b = gains.quadratic_form(small, p, **settings)
    constant = naive_objective(small, np.zeros(8), p, alpha, gamma)
    assert g @ Q @ g - 2 * b @ g + constant == pytest.approx(value, rel=1e-12)
    assert_allclose(Q, Q.T, rtol=1e-13)
    # the objective is quadratic: central differences have no error but rounding
    by_difference = [
        (
            naive_objective(small, g + h, p, alpha, gamma)
            - naive_objective(small, g - h, p, alpha, gamma)
        )
        / 0.2
        for h in 0.1 * np.eye(8)
    ]
    assert_allclose(gains.gradient(small, g, p, **settings), by_difference, rtol=1e-10, atol=1e-12)
    assert_allclose(2 * (Q @ g - b), by_difference, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("decoder", ["inverse", "ridge"])
def test_closed_form_minimiser_and_descent_agree(decoder):
    ring = model.ring(12, 60, decoder=decoder)
    p = model.biased_ensemble(60, adapter_probability=0.5)
    best = gains.optimal_gains(ring, p)
    slope = np.abs(gains.gradient(ring, best, p)).max()
    assert slope < 1e-8 * np.abs(gains.gradient(ring, np.ones(12), p)).max()
    assert_allclose(gains.minimise(ring, p), best, atol=1e-5)
    assert_allclose(gains.descend(ring, p, steps=2000)[-1], best, atol=1e-12)


def test_one_step_of_descent_is_the_gradient(small):
    p = np.full(20, 0.05)
    first, second = gains.descend(small, p, 0.4, eta=0.01, steps=1)
    assert_allclose(second, first - 0.01 * gains.gradient(small, first, p), rtol=1e-12)


def test_uniform_ensemble_gives_equal_gains_of_known_size():
    """(c0 + gamma)/(c0 + alpha a + gamma), a = sum_j [(B^T B) o C]_0j, c0 = C_00."""
    C = RING.drive @ RING.drive.T / 180
    a = np.sum((RING.propagator.T @ RING.propagator * C)[0])
    for alpha, gamma in ((1, 1), (0.5, 2), (3, 0.01)):
        expected = (C[0, 0] + gamma) / (C[0, 0] + alpha * a + gamma)
        found = gains.optimal_gains(RING, UNIFORM, alpha=alpha, gamma=gamma)
        assert_allclose(found, expected, rtol=1e-12)


def test_invariants_of_the_optimum():
    best = gains.optimal_gains(RING, BIASED)
    mirrored = np.roll(best[::-1], 1)  # -90 is its own mirror image
    assert_allclose(best, mirrored, atol=1e-13)
    # turning the ensemble by five neurons turns the gains
    turned = gains.optimal_gains(RING, model.biased_ensemble(adapter=15))
    assert_allclose(turned, np.roll(best, 5), rtol=1e-12)
    # no penalty, no adaptation; a huge one silences, a strong anchor holds
    assert_allclose(gains.optimal_gains(RING, BIASED, alpha=0), 1, atol=1e-12)
    assert np.abs(gains.optimal_gains(RING, BIASED, alpha=1e9)).max() < 1e-6
    assert_allclose(gains.optimal_gains(RING, BIASED, gamma=1e9), 1, atol=1e-6)
    # contrast: the drive times c and the anchor times c^2
    louder = model.Ring(RING.preferred, RING.stimulus, 3 * RING.drive, RING.weights, RING.decoder)
    assert_allclose(gains.optimal_gains(louder, BIASED, gamma=9.0), best, rtol=1e-12)
    # each set of gains is best in its own ensemble
    control = gains.optimal_gains(RING, UNIFORM)
    for own, other, p in ((best, control, BIASED), (control, best, UNIFORM)):
        assert gains.objective(RING, own, p) < gains.objective(RING, other, p)


def test_reconstruction_error_with_the_inverse_decoder():
    """sum_k p_k |(1 - g) o F_k|^2."""
    g = np.random.default_rng(1).uniform(0, 1, 60)
    expected = np.sum(BIASED * ((1 - g)[:, None] * RING.drive) ** 2)
    found = gains.objective(RING, g, BIASED, alpha=0, gamma=0)
    assert found == pytest.approx(expected, rel=1e-12)


def test_without_recurrence_correlations_cannot_change():
    ring = model.ring(rho=0.0)
    before, after = (ring.responses(gains.optimal_gains(ring, p)) for p in (UNIFORM, BIASED))
    assert_array_equal(measures.peaks(after), measures.peaks(before))
    correlation = [measures.correlation(measures.covariance(R, BIASED)) for R in (before, after)]
    assert_allclose(*correlation, atol=1e-13)


# ------------------------------------------------------------------ what gains cannot do


def test_gains_that_set_a_covariance():
    rng = np.random.default_rng(2)
    ring, A = model.ring(4, 20), rng.standard_normal((4, 4))
    C, g = A @ A.T + np.eye(4), rng.uniform(0.5, 2, 4)
    M = ring.propagator * g
    assert_allclose(gains.covariance_gains(ring, C, M @ C @ M.T), g, rtol=1e-10)
    # inputs that lateral inhibition makes white already with gains of 1
    undone = np.eye(4) - ring.weights
    assert_allclose(gains.covariance_gains(ring, undone @ undone.T), 1, rtol=1e-12)
    assert_allclose(gains.closest_gains(ring, C, M @ C @ M.T, 1.1 * g), g, rtol=1e-5)


def test_exact_whitening_is_refused():
    ring, rng = model.ring(4, 20), np.random.default_rng(3)
    A = rng.standard_normal((4, 4))
    with pytest.raises(ValueError, match="no 4 gains give that covariance exactly.*4 of the 10"):
        gains.covariance_gains(ring, A @ A.T + np.eye(4))
    with pytest.raises(ValueError, match="`C` must be positive definite"):
        gains.covariance_gains(ring, np.ones((4, 4)))
    with pytest.raises(ValueError, match="`target` must be symmetric"):
        gains.covariance_gains(ring, np.eye(4), np.eye(4) + np.eye(4, k=1))
    with pytest.raises(ValueError, match=r"`target` must be \(4, 4\).*got shape \(3, 3\)"):
        gains.covariance_gains(ring, np.eye(4), np.eye(3))


# --------------------------------------------------------------------------------- measures


def test_peaks_of_cosines_are_exact_to_the_grid():
    rng = np.random.default_rng(4)
    peak, s = rng.uniform(-90, 90, 50), RING.stimulus
    R = 2 + np.cos(2 * np.deg2rad(s - peak[:, None]))
    assert np.abs(model.wrapped(measures.peaks(R) - peak)).max() <= 0.0125 + 1e-9
    shifted = 2 + np.cos(2 * np.deg2rad(s - peak[:, None] - 3 * np.sign(peak)[:, None]))
    assert_allclose(measures.repulsion(peak, R, shifted), 3, atol=0.025 + 1e-9)


def test_wrapping():
    assert_array_equal(
        model.wrapped(np.array([-90, 90, 91, -91, 180, 270])), [90, 90, -89, 89, 0, 90]
    )


def test_covariance_is_that_of_numpy():
    rng = np.random.default_rng(5)
    R, counts = rng.standard_normal((4, 7)), rng.integers(1, 9, 7)
    expected = np.cov(R, fweights=counts, bias=True)
    found = measures.covariance(R, counts / counts.sum())
    assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    repeated = np.repeat(R, counts, axis=1)
    assert_allclose(measures.correlation(found), np.corrcoef(repeated), rtol=1e-12, atol=1e-14)
    assert measures.distance(3 * expected, expected) == pytest.approx(2)
    assert measures.coefficient_of_variation(np.array([1.0, 3.0])) == pytest.approx(0.5)
    near = measures.mean_near(expected, np.array([-90, 80, 0, 5]), adapter=85, within=10)
    assert near == pytest.approx(expected[0, 1])


# --------------------------------------------------------------------------------- dynamics


def test_network_settles_at_the_steady_responses(adaptation):
    """The experiment simulates 500 time constants; slowest mode: exp(-0.18 x 500)."""
    assert adaptation.dataset.simulation_error.max() < 1e-12


def test_network_with_fixed_gains_is_what_it_says():
    net = model.network(g=0.5)
    assert net.populations["cortex"].size == 60
    rng = np.random.default_rng(6)
    r, f = rng.standard_normal((2, 60))
    expected = (-r + 0.5 * f + RING.weights @ r) / model.tau
    assert_allclose(net.field(r, inputs={"cortex.f": f}), expected, rtol=1e-12)


def simulated(ring, stimuli, held, tau_g, **settings):
    """Gains of the adapting network (trial, presentation, N), held in units of tau, dt tau/2."""
    held *= model.tau
    signal = nd.signals.ArraySignal(ring.drive.T[stimuli], dt=held)
    return nd.simulate(
        model.adapting_network(ring, tau_g=tau_g, **settings), nd.Euler(dt=0.5 * model.tau),
        stimuli.shape[1] * held, trials=len(stimuli), inputs={"cortex.f": signal, "error.f": signal},
        record=["cortex.g"], every=held, progress=False)  # fmt: skip


def test_adapting_network_is_the_obvious_loop(small):
    stimuli = np.array([[3, 11, 0, 19, 7]])
    ds = simulated(small, stimuli, held=20, tau_g=1.0, g=0.8, alpha=0.7, gamma=0.3)
    W, D, h = small.weights, small.decoder, 0.5
    r, b, g = np.zeros(8), np.zeros(8), np.full(8, 0.8)
    for s in stimuli[0]:
        f = small.drive[:, s]
        for _ in range(40):
            dr = -r + g * f + W @ r
            db = -b + W.T @ b + D.T @ (D @ r - f) + 0.7 * r
            dg = -(f * b + 0.3 * (g - 1)) * model.tau / 1.0
            r, b, g = r + h * dr, b + h * db, g + h * dg
    assert_allclose(ds["cortex.g.final"].values[0], g, rtol=1e-12)


def test_a_long_presentation_is_a_step_of_gradient_descent(small):
    """Late by the time that responses take to settle: a few of 2000 time constants."""
    held, tau_g = 2000, 1e6
    ds = simulated(small, np.array([[3]]), held, tau_g, g=0.8, alpha=0.7, gamma=0.3)
    slope = gains.gradient(small, np.full(8, 0.8), np.eye(20)[3], alpha=0.7, gamma=0.3)
    moved = ds["cortex.g.final"].values[0] - 0.8
    error = np.abs(moved + held * model.tau / (2 * tau_g) * slope)
    assert error.max() < 0.01 * np.abs(moved).max()


def test_mean_over_all_sequences_of_stimuli_is_exact(small):
    """Every sequence of two stimuli, each weighted by its probability: no sampling at all."""
    rng = np.random.default_rng(7)
    ensembles = [rng.dirichlet(np.ones(20)) for _ in range(2)]
    pairs = np.array([(i, j) for i in range(20) for j in range(20)])
    ds = simulated(small, pairs, held=6, tau_g=0.5, g=0.6, alpha=0.7, gamma=0.3)
    maps = shows.mean_presentations(
        small, ensembles, steps=12, dt=0.5, rate=model.tau / 0.5, alpha=0.7, gamma=0.3)  # fmt: skip
    course = shows.expected_course(maps, 1, np.full(8, 0.6))
    weight = ensembles[0][pairs[:, 0]] * ensembles[1][pairs[:, 1]]
    assert_allclose(course[0], 0.6)
    assert_allclose(course[1], weight @ ds["cortex.g"].values[:, 1], rtol=1e-11)
    matrix, offset = maps[1]
    states = [
        weight @ ds[f"{name}.final"].values for name in ("cortex.r", "feedback.b", "cortex.g")
    ]
    settled = np.concatenate([np.zeros(16), np.full(8, 0.6)])
    for one in maps:
        settled = one.matrix @ settled + one.offset
    assert_allclose(settled, np.concatenate(states), rtol=1e-11)
    assert matrix.shape == (24, 24) and offset.shape == (24,)


def test_slow_gains_and_long_presentations_rest_at_the_closed_form(small):
    """The distance falls as 1/held and as the learning rate, to nothing."""
    p = np.full(20, 0.05)
    best = gains.optimal_gains(small, p)

    def miss(held, eta):
        (found,) = shows.mean_presentations(small, [p], steps=2 * held, dt=0.5, rate=2 * eta / held)
        return np.abs(found.fixed_gains - best).max()

    assert miss(400, 1e-6) / miss(800, 1e-6) == pytest.approx(2, rel=0.05)
    assert miss(100_000, 1e-6) < 1e-4


def test_stimuli_of_a_trial_do_not_depend_on_how_many_there_are():
    phases = [UNIFORM, BIASED]
    few, many = (shows.draw(phases, 50, trials, rng=1) for trials in (2, 4))
    assert_array_equal(few, many[:2])
    assert (many[0] != many[1]).any()
    counts = np.bincount(shows.draw([BIASED], 20_000, 1, rng=2)[0], minlength=180)
    expected = 20_000 * BIASED
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


# ------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("settings, message", [
    ({"N": 7}, "`N` must be an even number, 4 at least; got 7"),
    ({"S": 40}, "`S` must be an odd multiple of 20.*got 40"),
    ({"kf": -1.0}, "`kf` must be finite and not negative; got -1.0"),
    ({"rho": np.nan}, "`rho` must be finite"),
    ({"rho": 1.2}, "no steady state: the spectral radius of W is 1.036"),
    ({"decoder": "best"}, '`decoder` must be "inverse" or "ridge"; got \'best\''),
    ({"N": 60, "S": 20, "decoder": "ridge", "ridge": 0.0}, "choose a larger one"),
])  # fmt: skip
def test_rings_out_of_domain_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        model.ring(**settings)


@pytest.mark.parametrize("settings, message", [
    ({"adapter_probability": 1.2}, "`adapter_probability` must be from 0 to 1; got 1.2"),
    ({"adapter_probability": np.nan}, "`adapter_probability` must be from 0 to 1"),
    ({"adapter": 0.5}, "`adapter` must be one of the stimuli, multiples of 1 deg; got 0.5"),
    ({"S": 0}, "`S` must be an odd multiple of 20"),
])  # fmt: skip
def test_ensembles_out_of_domain_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        model.biased_ensemble(**settings)


@pytest.mark.parametrize("p, message", [
    (np.full(20, 0.05), r"`p` must be a probability for each of the 180 stimuli; got shape \(20,\)"),
    (2 * UNIFORM, "`p` must hold probabilities.*the sum is 2"),
    (UNIFORM - 0.1 * np.eye(180)[0] + 0.1 * np.eye(180)[1], "none negative"),
    (np.full(180, np.nan), "`p` must hold probabilities"),
])  # fmt: skip
def test_what_are_no_probabilities_is_refused(p, message):
    with pytest.raises(ValueError, match=message):
        gains.optimal_gains(RING, p)


def test_values_out_of_domain_are_refused(small):
    p = np.full(20, 0.05)
    with pytest.raises(ValueError, match="`alpha` must be finite and not negative; got -1"):
        gains.optimal_gains(small, p, alpha=-1)
    with pytest.raises(ValueError, match="`gamma` must be finite and not negative"):
        model.adapting_network(small, gamma=-0.1)
    with pytest.raises(ValueError, match="`tau_g` must be positive; got 0"):
        model.adapting_network(small, tau_g=0)
    with pytest.raises(ValueError, match=r"one gain for each of the 8 neurons; got shape \(3,\)"):
        small.responses(np.ones(3))
    with pytest.raises(ValueError, match="`g` holds NaN or infinity"):
        model.network(small, g=np.nan)
    with pytest.raises(ValueError, match="`eta` must be between 0 and 1/.*the gains run away"):
        gains.descend(small, p, eta=10.0)
    with pytest.raises(ValueError, match="`steps` must be 1 at least; got 0"):
        gains.descend(small, p, steps=0)
    with pytest.raises(ValueError, match="unstable with `dt` = 3.0 tau"):
        shows.mean_presentations(small, [p], steps=10_000, dt=3.0, rate=0.01)
    # without an anchor a neuron that is never driven has no best gain
    silent = model.Ring(small.preferred, small.stimulus,
                        small.drive * (np.arange(8) > 0)[:, None], small.weights, small.decoder)  # fmt: skip
    with pytest.raises(ValueError, match="the optimal gains are not unique.*Choose `gamma` > 0"):
        gains.optimal_gains(silent, p, gamma=0)
    assert gains.optimal_gains(silent, p, gamma=1e-3)[0] == pytest.approx(1)


@pytest.mark.parametrize("experiment, settings, message", [
    ("adaptation", {"adapter_probability": "2"}, "`adapter_probability` must be from 0 to 1"),
    ("adaptation", {"N": "61"}, "`N` must be an even number"),
    ("gain_learning", {"trials": "1"}, "`trials` must be 2 at least; got 1"),
    ("gain_learning", {"presentations": "0"}, "`presentations` must be 10 at least; got 0"),
    ("gain_learning", {"eta": "0"}, "`eta` must be positive; got 0"),
    ("dependence", {"alpha": "1"}, "the settings are: rng"),
])  # fmt: skip
def test_settings_out_of_domain_are_refused(experiment, settings, message):
    with pytest.raises(ValueError, match=message):
        run_experiment(CIRCUIT, experiment, settings=settings)


# ------------------------------------------------------------------------------ experiments


def test_claims_of_adaptation(adaptation):
    assert [outcome.claim.text for outcome in adaptation.outcomes if not outcome.passed] == []
    assert adaptation.figure.stat().st_size > 10_000
    assert load_circuit("gain_control") is CIRCUIT


def test_short_learning_is_complete_and_drawn(tmp_path):
    run = run_experiment(
        CIRCUIT, "gain_learning", out=tmp_path / "run", progress=False,
        settings={"presentations": 40, "trials": 2, "held": 10})  # fmt: skip
    assert run.figure.stat().st_size > 10_000
    assert np.isfinite(run.dataset.late_gain).all()
    failed = {outcome.claim.text for outcome in run.outcomes if not outcome.passed}
    assert all(text.startswith("Network") for text in failed)


@pytest.mark.parametrize("experiment", ["dependence", "recording_sessions"])
def test_claims_of_closed_forms(experiment):
    run = run_experiment(CIRCUIT, experiment)
    assert [outcome.claim.text for outcome in run.outcomes if not outcome.passed] == []


@pytest.mark.slow
@pytest.mark.parametrize("size", ["fast", "full"])
@pytest.mark.parametrize("experiment", list(CIRCUIT.experiments))
def test_claims(experiment, size):
    run = run_experiment(CIRCUIT, experiment, size, progress=False)
    assert [outcome.claim.text for outcome in run.outcomes if not outcome.passed] == []
