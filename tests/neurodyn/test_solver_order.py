"""Order of convergence of every solver: the slope of log error over log dt, against exact answers.

Errors of stochastic solvers are taken against the exact solution for the very noise of the run,
which `simulate` records, so that only the error of the method is left; tolerances are 5 standard
errors, computed.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import RK45
from scipy.linalg import expm

import neurodyn as nd

# -- without noise -----------------------------------------------------------------------------

DURATION = 2.0
W = np.random.default_rng(3).normal(size=(4, 4)) / 2
X0 = np.array([1.0, -0.5, 0.3, 2.0])
I_EXT = np.array([0.5, -1.0, 0.0, 0.2])
Y0, Z0, OMEGA = 0.1, 1.5, 0.5

#: Order for a coupled linear system, an autonomous nonlinear equation, and one with time in it.
#: ExponentialEuler takes the full slope of `y` and is then of second order (Rosenbrock).
ORDERS = {
    nd.Euler: {"L.x": 1, "N.y": 1, "N.z": 1},
    nd.ExponentialEuler: {"L.x": 1, "N.y": 2, "N.z": 1},
    nd.Heun: {"L.x": 2, "N.y": 2, "N.z": 2},
    nd.RK4: {"L.x": 4, "N.y": 4, "N.z": 4},
    nd.DormandPrince: {"L.x": 5, "N.y": 5, "N.z": 5},
}


def ode(W=W):
    return nd.Network(
        {
            "L": nd.Population(4, "dx/dt = -x/tau + I_rec + I_ext : 1", tau=1.0, x=X0),
            "N": nd.Population(
                1,
                "dy/dt = y*(1 - y)/tau : 1\ndz/dt = -z*cos(omega*t)/tau : 1",
                tau=1.0, omega=OMEGA, y=Y0, z=Z0,
            ),
        },
        [nd.Coupling("L.x", "L.I_rec", W)],
    )  # fmt: skip


def exact(t, I_ext=0.0):
    """All states at time t."""
    A = W - np.eye(4)
    fixed = -np.linalg.solve(A, np.broadcast_to(I_ext, 4))
    return {
        "L.x": fixed + expm(A * t) @ (X0 - fixed),
        "N.y": 1 / (1 + (1 / Y0 - 1) * np.exp(-t)),
        "N.z": Z0 * np.exp(-np.sin(OMEGA * t) / OMEGA),
    }


def solver_with(method, dt):
    if method is nd.DormandPrince:  # no error is too large: every interval dt is one step
        return nd.DormandPrince(dt, rtol=1e9, atol=1e9)
    return method(dt)


@pytest.mark.parametrize("method", ORDERS, ids=lambda m: m.__name__)
def test_order(method):
    steps = np.array([40, 50, 65, 80] if method is nd.DormandPrince else [50, 70, 100, 140])
    errors = {name: [] for name in ORDERS[method]}
    for n in steps:
        solver = solver_with(method, DURATION / n)
        final = nd.simulate(ode(), solver, DURATION, inputs={"L.I_ext": nd.signals.Constant(I_EXT)},
                            record=[])  # fmt: skip
        for name, truth in exact(DURATION, I_EXT).items():
            errors[name].append(np.abs(final[f"{name}.final"].values[0] - truth).max())
    for name, order in ORDERS[method].items():
        slope = -np.polyfit(np.log(steps), np.log(errors[name]), 1)[0]
        assert abs(slope - order) < 0.1, (name, slope, errors[name])


def test_euler_and_rk4_against_the_powers_of_their_stability_functions():
    """x' = A x is multiplied by a polynomial of A dt in every step: the methods themselves."""
    dt, n = 0.05, 40
    z = (W - np.eye(4)) * dt
    polynomials = {
        nd.Euler: np.eye(4) + z,
        nd.Heun: np.eye(4) + z + z @ z / 2,
        nd.RK4: np.eye(4) + z + z @ z / 2 + z @ z @ z / 6 + z @ z @ z @ z / 24,
    }
    for method, polynomial in polynomials.items():
        final = nd.simulate(ode(), method(dt), n * dt, record=[])["L.x.final"].values[0]
        assert_allclose(final, np.linalg.matrix_power(polynomial, n) @ X0, rtol=1e-12)


def test_exponential_euler_is_exact_for_decoupled_linear_equations():
    dt = 0.5  # half a time constant
    ds = nd.simulate(ode(W=np.zeros((4, 4))), nd.ExponentialEuler(dt), 10.0,
                     inputs={"L.I_ext": nd.signals.Constant(I_EXT)})  # fmt: skip
    t = ds.time.values[:, None]
    truth = X0 * np.exp(-t) + I_EXT * (1 - np.exp(-t))
    assert_allclose(ds["L.x"].values[0], truth, rtol=1e-13, atol=1e-15)


def test_exponential_euler_is_stable_where_euler_is_not():
    dt = 5.0
    run = nd.simulate(ode(W=np.zeros((4, 4))), nd.ExponentialEuler(dt), 500.0, record=[])
    assert_allclose(run["L.x.final"].values, 0, atol=1e-13)
    with pytest.raises(nd.SimulationDiverged):  # |1 - 5| > 1
        nd.simulate(ode(W=np.zeros((4, 4))), nd.Euler(dt), 5000.0, record=[])


# -- the adaptive method -----------------------------------------------------------------------


def test_dormand_prince_makes_scipys_step():
    """One step of the same pair by SciPy, whose coefficients were typed in by somebody else."""
    h = 0.3

    def field(t, s):
        x, y, z = s[:4], s[4], s[5]
        return np.concatenate([-x + W @ x, [y * (1 - y), -z * np.cos(OMEGA * t)]])

    scipy = RK45(field, 0.0, np.array([*X0, Y0, Z0]), 10.0, first_step=h, rtol=1e3, atol=1e3)
    scipy.step()
    ds = nd.simulate(ode(), nd.DormandPrince(h, rtol=1e3, atol=1e3), h, record=[])
    ours = np.concatenate([ds[f"{n}.final"].values[0] for n in ("L.x", "N.y", "N.z")])
    assert ds.attrs["run"]["accepted_steps"] == [1]
    assert_allclose(ours, scipy.y, rtol=1e-13)


def test_dormand_prince_error_follows_rtol():
    tolerances = 10.0 ** -np.arange(4, 11)
    errors, steps = [], []
    for rtol in tolerances:
        solver = nd.DormandPrince(DURATION, rtol=rtol, atol=rtol * 1e-3)
        ds = nd.simulate(ode(), solver, DURATION, record=[])
        errors.append(
            max(np.abs(ds[f"{n}.final"].values[0] - v).max() for n, v in exact(DURATION).items())
        )
        steps.append(ds.attrs["run"]["accepted_steps"][0])
    errors = np.array(errors)
    assert np.all(errors < 10 * tolerances)
    assert np.all(errors > tolerances / 1000)  # not bought by steps far too short
    # The error per step is proportional to h**5: error ~ rtol, steps ~ rtol**(-1/5).
    assert abs(np.polyfit(np.log(tolerances), np.log(errors), 1)[0] - 1) < 0.2
    assert abs(np.polyfit(np.log(tolerances), np.log(steps), 1)[0] + 0.2) < 0.03


def test_dormand_prince_chooses_steps_for_each_trial_by_itself():
    """A trial that needs other steps does not change the steps, or the bits, of the first."""
    network, solver = ode(), nd.DormandPrince(0.5)
    alone = nd.simulate(network, solver, DURATION)
    both = nd.simulate(network, solver, DURATION, initial={
        "L.x": np.stack([X0, 1e-9 * X0]), "N.y": [[Y0], [0.0]], "N.z": [[Z0], [0.0]],
    })  # fmt: skip
    assert both["L.x"].values[0].tobytes() == alone["L.x"].values[0].tobytes()
    assert both.attrs["run"]["accepted_steps"][0] == alone.attrs["run"]["accepted_steps"][0]
    assert both.attrs["run"]["accepted_steps"][1] != alone.attrs["run"]["accepted_steps"][0]


# -- with noise --------------------------------------------------------------------------------

MU, SIGMA = 0.4, 0.6
N = 20_000  # independent units
T = 1.0


def sde():
    """G: geometric Brownian motion. A: additive noise, exact y = (y0 + s B)/sqrt(1 + t)."""
    return nd.Network(
        {
            "G": nd.Population(
                N, "dx/dt = mu*x + sigma*x*xi : 1", mu=MU * nd.Hz, sigma=SIGMA * nd.Hz**0.5, x=1.0
            ),
            "A": nd.Population(
                N,
                "dy/dt = -y/(2*(t_0 + t)) + s*xi/sqrt(1 + t/t_0) : 1",
                t_0=1.0 * nd.second, s=1.0, y=1.0,
            ),
            "O": nd.Population(N, "dx/dt = -x/tau + sigma*xi : 1", tau=0.1, sigma=1.0),
        }
    )  # fmt: skip


def sampled_errors(method, dt, rng):
    """Result minus exact result at T, (unit,), of G (Ito for Euler, else Stratonovich) and of A."""
    ds = nd.simulate(sde(), method(dt), T, record=["G.xi", "A.xi"], rng=rng)
    path = {p: ds[f"{p}.xi"].values[0].sum(axis=0) * dt for p in "GA"}  # B_T = sum of xi dt
    ito = 0.0 if method is nd.Heun else SIGMA**2 / 2
    exact_G = np.exp((MU - ito) * T + SIGMA * path["G"])
    exact_A = (1 + path["A"]) / np.sqrt(1 + T)
    return ds["G.x.final"].values[0] - exact_G, ds["A.y.final"].values[0] - exact_A, exact_G


def fitted_slope(dts, errors, standard_errors):
    """Weighted least squares of log error on log dt: slope and its standard error."""
    x, y = np.log(dts), np.log(errors)
    weight = (np.array(errors) / np.array(standard_errors)) ** 2
    x = x - np.average(x, weights=weight)
    return np.sum(weight * x * y) / np.sum(weight * x**2), 1 / np.sqrt(np.sum(weight * x**2))


#: Strong order for multiplicative and for additive noise. For an exact solution that knows nothing
#: of the Brownian path but its values at the steps, Heun's mean slope is a trapezoid rule: order 2.
STRONG = {nd.Euler: (0.5, 1), nd.Heun: (1, 2), nd.ExponentialEuler: (0.5, 1)}
#: What terms of the next order do to a slope over these dt, at most.
CURVATURE = 0.04


@pytest.mark.parametrize("method", STRONG, ids=lambda m: m.__name__)
def test_strong_order(method):
    dts = T / 2.0 ** np.arange(4, 9)
    errors = [sampled_errors(method, dt, rng=k)[:2] for k, dt in enumerate(dts)]
    for kind, order in enumerate(STRONG[method]):
        sizes = [np.abs(e[kind]) for e in errors]
        mean = [s.mean() for s in sizes]
        error = [s.std() / np.sqrt(N) for s in sizes]
        slope, standard_error = fitted_slope(dts, mean, error)
        assert abs(slope - order) < 5 * standard_error + CURVATURE, (kind, slope, standard_error)


@pytest.mark.parametrize("method", [nd.Euler, nd.Heun], ids=lambda m: m.__name__)
def test_weak_order(method):
    """Error of the mean of geometric Brownian motion, by the paired differences: order 1."""
    dts = T / 2.0 ** np.arange(1, 5)
    means, standard_errors = [], []
    for k, dt in enumerate(dts):
        difference = sampled_errors(method, dt, rng=10 + k)[0]
        means.append(-difference.mean())
        standard_errors.append(difference.std() / np.sqrt(N))
    # The exact expectation of the schemes, whose logarithmic slope is the weak order.
    d = dts
    factor = 1 + MU * d
    growth = MU
    if method is nd.Heun:
        factor += (SIGMA**2 * d + MU**2 * d**2) / 2
        growth += SIGMA**2 / 2
    truth = np.exp(growth * T) - factor ** (T / d)
    assert np.all(np.abs(means - truth) < 5 * np.array(standard_errors))
    slope, standard_error = fitted_slope(dts, means, standard_errors)
    bias = np.polyfit(np.log(dts), np.log(truth), 1)[0] - 1
    assert abs(slope - 1) < 5 * standard_error + abs(bias)


@pytest.mark.parametrize("method", STRONG, ids=lambda m: m.__name__)
def test_moments_of_the_schemes(method):
    """Mean and mean square of geometric Brownian motion after n steps, as each scheme has them."""
    n = 5
    dt = T / n
    difference, _, exact_G = sampled_errors(method, dt, rng=4)
    x = exact_G + difference
    # One step multiplies x by a + b N, Heun's by 1 + D + D**2/2, D = mu dt + sigma sqrt(dt) N.
    m, s = MU * dt, SIGMA * np.sqrt(dt)
    if method is nd.Euler:
        first, second = 1 + m, (1 + m) ** 2 + s**2
    elif method is nd.ExponentialEuler:  # drift exact; noise as if additive over the step
        spread = s**2 * np.expm1(2 * m) / (2 * m)
        first, second = np.exp(m), np.exp(2 * m) + spread
    else:
        nodes, weights = np.polynomial.hermite_e.hermegauss(8)
        factor = 1 + (m + s * nodes) + (m + s * nodes) ** 2 / 2
        weights = weights / weights.sum()
        first, second = weights @ factor, weights @ factor**2
    for power, moment in ((1, first), (2, second)):
        sample = x**power
        assert abs(sample.mean() - moment**n) < 5 * sample.std() / np.sqrt(N)


def test_ito_and_stratonovich_grow_at_their_own_rates():
    """Mean of x: exp(mu T) in Ito's sense, exp((mu + sigma**2/2) T) in Stratonovich's."""
    dt = T / 256
    for method, rate in ((nd.Euler, MU), (nd.Heun, MU + SIGMA**2 / 2)):
        x = nd.simulate(sde(), method(dt), T, record=[], rng=8)["G.x.final"].values[0]
        bias = np.exp(rate * T) * dt * rate**2 * T  # of the first weak order
        assert abs(x.mean() - np.exp(rate * T)) < 5 * x.std() / np.sqrt(N) + bias


@pytest.mark.parametrize("method", [nd.Euler, nd.ExponentialEuler], ids=lambda m: m.__name__)
def test_variance_of_the_ornstein_uhlenbeck_process(method):
    """dt/tau = 0.1, where Euler's own variance, sigma**2 dt/(1 - a**2), is 5% above the exact."""
    tau, dt = 0.1, 0.01
    network = sde().with_values(**{"O.tau": tau, "O.sigma": 2.0})
    # Samples 50 steps apart are independent: 0.9**50 = 0.005, and 0.005**2 in the variance.
    ds = nd.simulate(network, method(dt), 6.0, record=["O.x"], every=50 * dt, rng=5)
    x = ds["O.x"].values[0][2:]
    a = 1 - dt / tau
    truth = 4 * dt / (1 - a**2) if method is nd.Euler else 4 * tau / 2
    tolerance = 5 * truth * np.sqrt(2 / x.size)
    assert tolerance < 0.02 * truth  # it can tell the two apart
    assert abs(np.mean(x**2) - truth) < tolerance
