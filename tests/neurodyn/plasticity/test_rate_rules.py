"""Rules for rates against the twin, linear algebra and fixed points; one compiled network for all.

X drives a population for each rule. All are linear; those of the anti-Hebbian rule, Z, are coupled
among themselves as well.
"""

import functools

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import plasticity
from tests.naive_plasticity import Synapses, Units, run

DT = 0.01
N_X, N_Y = 4, 3
LINEAR = "r = I : 1\nI : 1"
LATERAL = "dr/dt = (I + L - r)/tau : 1"
RULES = {
    "hebb": plasticity.hebb(eta=0.5, decay=0.2),
    "oja": plasticity.oja(eta=0.5),
    "subspace": plasticity.oja_subspace(eta=0.5),
    "bcm": plasticity.bcm(eta=0.5, tau_theta=0.5),
    "law_cooper": plasticity.bcm(eta=0.5, tau_theta=0.5, y_0=2.0, normalised=True),
    "scaling": plasticity.synaptic_scaling(goal=0.7, beta=0.8, gamma=0.05, tau_a=0.3, post="r"),
}
ANTI = plasticity.anti_hebb(eta=0.5, p=0.1, bounds=None)
COUPLINGS = (*(f"X.r->{name}.I" for name in RULES), "Z.r->Z.L")


def weights(seed=0, n_x=N_X, n_y=N_Y):
    """Of each rule, full and sparse in turn; the last of the lateral synapses, the one before fixed."""
    random = np.random.default_rng(seed)
    found = []
    for k in range(len(RULES)):
        W = random.uniform(0.1, 0.5, (n_y, n_x))
        keep = random.random(W.shape) < 0.7
        keep[0] = True  # one unit has all its synapses
        found.append(sp.csr_array(W * keep) if k % 2 else W)
    lateral = random.normal(0, 0.1, (n_y, n_y))
    np.fill_diagonal(lateral, 0)
    return [*found, random.normal(size=(n_y, n_x)), sp.csr_array(lateral)]


def network(matrices=None, **values):
    """The network; `values` of rules by the name of the population, ``oja={"eta": 0.1}``."""
    *plastic, fixed, lateral = matrices or weights()
    n_y, n_x = fixed.shape
    populations = {"X": nd.Population(n_x, "r = u : 1\nu : 1")}
    populations |= {name: nd.Population(n_y, LINEAR) for name in RULES}
    populations["Z"] = nd.Population(n_y, LATERAL, tau=0.02)
    couplings = [
        nd.Coupling("X.r", f"{name}.I", W, plasticity=rule.with_values(**values.get(name, {})))
        for (name, rule), W in zip(RULES.items(), plastic)
    ]
    anti = ANTI.with_values(**values.get("Z", {}))
    couplings += [nd.Coupling("X.r", "Z.I", fixed), nd.Coupling("Z.r", "Z.L", lateral, plasticity=anti)]
    return nd.Network(populations, couplings)


def simulate(net, u, repeat=1, hold=1, **arguments):
    """Run with inputs `u` (pattern, unit), each held for some steps, all of them again and again."""
    u = np.tile(np.repeat(u, hold, axis=0), (repeat, 1))
    if "initial" in arguments:  # inputs are counted from time 0
        before = np.zeros((arguments["initial"].attrs["run"]["next_step"], u.shape[1]))
        u = np.concatenate([before, u])
        steps = len(u) - len(before)
    else:
        steps = len(u)
    arguments.setdefault("record", [])
    return nd.simulate(net, nd.ExponentialEuler(DT), steps * DT, inputs={"X.u": u}, **arguments)


def learned(net, ds):
    """Final weights by the name of the population, as full matrices."""
    after = nd.with_final_weights(net, ds)
    named = dict(zip(net.coupling_labels, after.couplings))
    return {label.split("->")[1].split(".")[0]: named[label].weights.to_dense() for label in COUPLINGS}


def test_every_rule_agrees_with_the_twin():
    u = np.random.default_rng(1).normal(0.3, 1, (150, N_X))
    net = network()
    ds = simulate(net, u, record=[f"{label}.w" for label in COUPLINGS])
    *plastic, fixed, lateral = weights()
    populations = {"X": Units(N_X, "r = u : 1")}
    populations |= {name: Units(N_Y, "r = I : 1", I=0) for name in RULES}
    populations["Z"] = Units(N_Y, LATERAL, tau=0.02, I=0, L=0)
    synapses = [Synapses.of("X.r", f"{name}.I", W, rule)
                for (name, rule), W in zip(RULES.items(), plastic)]  # fmt: skip
    synapses += [Synapses.of("X.r", "Z.I", fixed), Synapses.of("Z.r", "Z.L", lateral, ANTI)]
    expected = run(populations, synapses, len(u), DT, inputs={"X.u": u})["weights"]
    del expected[-2]  # those that are fixed
    for label, w in zip(COUPLINGS, expected, strict=True):
        found = ds[f"{label}.w"].values[0]
        assert_allclose(found, w, rtol=1e-12, atol=1e-13, err_msg=label)
        assert np.ptp(w, axis=0).max() > 0.02


# -- closed forms ------------------------------------------------------------------------------


def test_hebbian_weights_grow_by_a_factor_a_step_along_a_constant_input():
    x, steps, eta, decay = np.array([0.5, -0.2, 0.1, 0.3]), 200, 0.5, 0.2
    start = weights()
    w = learned(net := network(), simulate(net, x[None], steps))["hebb"]
    # over a step y is held, and w relaxes to eta x y/decay
    E = np.exp(-decay * DT)
    y = start[0] @ x
    factor = E + eta * (x @ x) * (1 - E) / decay
    assert_allclose(w @ x, y * factor**steps, rtol=1e-11)
    across = np.array([0.2, 0.5, 0.3, -0.1])  # orthogonal to x: these weights decay
    assert abs(across @ x) < 1e-15
    assert_allclose(w @ across, start[0] @ across * E**steps, rtol=1e-11)


def test_scaling_reaches_the_goal_and_keeps_the_ratios_of_weights():
    net = network(scaling={"gamma": 1.0, "beta": 5.0})
    x = np.array([0.5, 1.0, 0.2, 0.3])
    ds = simulate(net, x[None], 20_000, record=["scaling.r"], every=DT * 1000)
    start = weights()[list(RULES).index("scaling")].toarray()
    w = learned(net, ds)["scaling"]
    assert_allclose(ds["scaling.r"].values[0, -1], 0.7, rtol=1e-6)
    for row, before in zip(w, start):
        ratio = row[before > 0] / before[before > 0]
        assert_allclose(ratio, ratio[0], rtol=1e-9)


# -- what the rules find -----------------------------------------------------------------------


@functools.cache
def correlated():
    """Inputs (pattern, unit) whose correlation matrix has the eigenvalues 2, 1, 0.4 and 0.1."""
    random = np.random.default_rng(4)
    values = np.array([2.0, 1.0, 0.4, 0.1])
    vectors = np.linalg.qr(random.normal(size=(N_X, N_X)))[0]
    half = np.sqrt(N_X * values)[:, None] * vectors.T
    return np.concatenate([half, -half])


@pytest.fixture(scope="module")
def principal():
    """Weights of Oja's rules after learning ever more slowly, and the eigenvectors."""
    u = correlated()
    matrices = weights(2)
    ds, net = None, None
    for eta in (1.0, 0.1, 0.01):
        values = {"eta": eta}
        rest = {n: {"eta": 0.0} for n in ("hebb", "bcm", "law_cooper", "Z")}
        still = {"scaling": {"beta": 0.0, "gamma": 0.0}}
        net = network(matrices, oja=values, subspace=values, **rest, **still)
        ds = simulate(net, u, int(150 / eta), **({} if ds is None else {"initial": ds}))
    C = u.T @ u / len(u)
    eigenvalues, vectors = np.linalg.eigh(C)
    assert_allclose(eigenvalues, [0.1, 0.4, 1.0, 2.0], rtol=1e-12)
    return learned(net, ds), vectors[:, ::-1]


def test_ojas_rule_finds_the_principal_eigenvector(principal):
    w, vectors = principal
    (first, *_) = w["oja"]
    # learning by single patterns, at eta dt = 1e-4, moves weights to and fro by that order
    assert_allclose(np.linalg.norm(first), 1, atol=2e-3)
    assert abs(first @ vectors[:, 0]) > (1 - 1e-5) * np.linalg.norm(first)


def test_a_unit_with_some_of_the_synapses_learns_the_principal_eigenvector_of_its_inputs(principal):
    w, _ = principal
    u = correlated()
    C = u.T @ u / len(u)
    partial = [(row, before > 0) for row, before in zip(w["oja"], weights(2)[1].toarray())
               if not np.all(before)]  # fmt: skip
    assert partial
    for row, has in partial:
        _, vectors = np.linalg.eigh(C[np.ix_(has, has)])
        assert abs(row[has] @ vectors[:, -1]) > 1 - 1e-4
        assert np.all(row[~has] == 0)


def test_the_subspace_rule_finds_the_principal_subspace(principal):
    from scipy.linalg import subspace_angles

    w, vectors = principal
    W = w["subspace"]
    assert W.shape == (N_Y, N_X)
    assert np.max(subspace_angles(W.T, vectors[:, :N_Y])) < 5e-3
    assert_allclose(W @ W.T, np.eye(N_Y), atol=5e-3)


def test_averaged_changes_of_the_subspace_rule_by_hand():
    """With units that are frozen by a learning rate of 0; in steps of Euler, by hand."""
    random = np.random.default_rng(7)
    u, W = random.normal(size=(30, N_X)), np.linalg.qr(random.normal(size=(N_X, N_Y)))[0].T
    eta = np.repeat([0.0, 0.1, 0.1], N_X).reshape(N_Y, N_X)
    rule = plasticity.oja_subspace(eta=eta, tau_average=10.0, largest=0.5)
    net = nd.Network(
        {"X": nd.Population(N_X, "r = u : 1\nu : 1"), "Y": nd.Population(N_Y, LINEAR)},
        [nd.Coupling("X.r", "Y.I", W, plasticity=rule)],
    )
    ds = nd.simulate(net, nd.Euler(1.0), 30.0, inputs={"X.u": u})
    P, was_cut = np.zeros_like(W), False
    for x in u:
        y = W @ x
        change = np.outer(y, x - W.T @ y)
        was_cut |= np.abs(change).max() > 0.5
        W = W + eta * P
        P = P + (np.clip(change, -0.5, 0.5) - P) / 10
    assert_allclose(ds["X.r->Y.I.w.final"].values[0], W, rtol=1e-12, atol=1e-14)
    assert_allclose(ds["X.r->Y.I.p.final"].values[0], P, rtol=1e-12, atol=1e-14)
    assert was_cut


@pytest.mark.parametrize("name, eta", [("bcm", 0.2), ("law_cooper", 0.4)])
def test_bcm_units_become_selective_for_one_pattern(name, eta):
    """Of n patterns that come in turn, one a step, a unit answers to one by y = theta.

    With a long time constant of the threshold that is n y_0, the inverse of the pattern's frequency
    (Intrator & Cooper 1992). Here theta decays by E a step, and is lowest when the pattern comes.
    """
    patterns = np.eye(N_X) + 0.3 * np.roll(np.eye(N_X), 1, axis=0)
    matrices = [np.full((N_Y, N_X), 0.2) + 0.05 * np.random.default_rng(k).random((N_Y, N_X))
                for k in range(len(RULES))]  # fmt: skip
    matrices[1::2] = [sp.csr_array(W) for W in matrices[1::2]]
    rest = {n: {"eta": 0.0} for n in ("hebb", "oja", "subspace", "bcm", "law_cooper", "Z")}
    still = {"scaling": {"beta": 0.0, "gamma": 0.0}}
    net = network([*matrices, *weights()[-2:]],
                  **{**rest, name: {"eta": eta, "tau_theta": 0.5}}, **still)  # fmt: skip
    ds = simulate(net, patterns, 20_000)
    answers = learned(net, ds)[name] @ patterns.T
    y_0, E = {"bcm": 1.0, "law_cooper": 2.0}[name], np.exp(-DT / 0.5)
    y = y_0 * (1 - E**N_X) / ((1 - E) * E ** (N_X - 1))
    assert abs(y / (N_X * y_0) - 1) < 0.05
    chosen = np.argmax(answers, axis=1)
    for row, k, theta in zip(answers, chosen, ds[f"{name}.theta_post.final"].values[0]):
        assert_allclose(row[k], y, rtol=1e-6)
        assert_allclose(np.delete(row, k), 0, atol=1e-6)
        # after the pattern the threshold is y E + (1 - E) y**2/y_0, and then decays
        assert_allclose(theta, (y * E + (1 - E) * y**2 / y_0) * E ** (N_X - 1 - k), rtol=1e-6)


def test_the_anti_hebbian_rule_takes_correlations_away():
    u = np.random.default_rng(8).normal(size=(12, N_X))
    rest = {n: {"eta": 0.0} for n in ("hebb", "oja", "subspace", "bcm", "law_cooper")}
    still = {"scaling": {"beta": 0.0, "gamma": 0.0}}
    means, ds = [], None
    for p, eta in ((0.0, 1.0), (0.0, 0.1), (0.1, 0.1)):
        net = network(Z={"eta": eta, "p": p}, **rest, **still)
        arguments = {} if ds is None else {"initial": ds}
        ds = simulate(net, u, 250, hold=20, **arguments)
        last = simulate(net, u, 1, hold=20, initial=ds, record=["Z.r"])["Z.r"].values[0]
        means.append(last.T @ last / len(last))
    has = weights()[-1].toarray() != 0
    assert has.sum() == N_Y * (N_Y - 1)
    variance = np.diagonal(means[1]).min()
    assert_allclose(means[1][has], 0, atol=2e-3 * variance)
    assert_allclose(means[2][has], 0.1**2, atol=2e-3 * variance)
    fixed = weights()[-2]
    before = fixed @ (u.T @ u / len(u)) @ fixed.T
    assert np.abs(before[has]).max() > 0.1 * variance  # there was something to take away
