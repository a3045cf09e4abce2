"""E-prop, RFLO and feedback alignment against the equations of their papers, in NumPy."""

import functools

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.learning import (
    RFLO,
    RTRL,
    EProp,
    FeedbackAlignment,
    MeanSquaredError,
    bptt,
    find_gradients,
    gradient_angle,
)

N, N_IN, N_OUT, TRIALS, STEPS, DT = 7, 3, 2, 4, 20, 1e-3
#: Of the spiking units: leak, threshold, slope of the pseudo-derivative, adaptation; of readouts.
ALPHA, V_TH, GAMMA, RHO, BETA, KAPPA = 0.9, 1.0, 0.3, 0.95, 0.4, 0.8


@functools.lru_cache
def arrays():
    rng = np.random.default_rng(0)
    return {
        "W": 0.8 * rng.normal(size=(N, N)) / np.sqrt(N),
        "W_in": rng.normal(size=(N, N_IN)),
        "W_out": rng.normal(size=(N_OUT, N)),
        "u": np.abs(rng.normal(size=(TRIALS, STEPS, N_IN))),
        "target": rng.normal(size=(TRIALS, STEPS, N_OUT)),
        "B": rng.normal(size=(N, N_OUT)),
    }


LABELS = {"W": "E.z->E.I", "W_in": "in.r->E.I", "W_out": "E.z->out.I"}
WEIGHTS = tuple(LABELS.values())


def network(units, readout="dy/dt = (k*y + I + b - y)/dt : 1", recurrent=None, **parameters):
    a = arrays()
    return nd.Network(
        {"in": nd.Population(N_IN, "r = u : 1"), "E": nd.Population(N, units, **parameters),
         "out": nd.Population(N_OUT, readout, b=0.1, **({"k": KAPPA} if "k*" in readout else {}))},
        [
            nd.Coupling("in.r", "E.I", a["W_in"]),
            nd.Coupling("E.z", "E.I", a["W"] if recurrent is None else recurrent),
            nd.Coupling("E.z", "out.I", a["W_out"]),
        ],
    )  # fmt: skip


def spiking():
    """LIF units with an adaptive threshold, Bellec et al. 2020, Methods."""
    return network(
        """dv/dt = (alpha*v + I - heaviside(v - v_th - beta*a)*v_th - v)/dt : 1
        da/dt = (rho*a + z - a)/dt : 1
        z = spike(v - v_th - beta*a) : 1""",
        alpha=ALPHA, v_th=V_TH, rho=RHO, beta=np.where(np.arange(N) < 4, 0.0, BETA),
        surrogate=nd.surrogates.Triangle(slope=1.0, dampening=GAMMA),
    )  # fmt: skip


def rates(**changes):
    """Leaky rate units, Murray 2019."""
    return network("dx/dt = (tanh(I) - x)/tau : 1\nz = x : 1", tau=5 * DT, **changes)


def loss():
    return MeanSquaredError("out.y", arrays()["target"])


def found_by(rule, net, trainable=WEIGHTS, steps=STEPS, **options):
    target = arrays()["target"][:, :steps]
    return find_gradients(
        net, nd.Euler(dt=DT), steps * DT, MeanSquaredError("out.y", target), rule,
        trainable=list(trainable), inputs={"in.u": arrays()["u"][:, :steps]}, **options,
    )  # fmt: skip


def swept(net, trainable=WEIGHTS, steps=STEPS):
    target = arrays()["target"][:, :steps]
    return bptt(
        net, nd.Euler(dt=DT), steps * DT, MeanSquaredError("out.y", target),
        trainable=list(trainable), inputs={"in.u": arrays()["u"][:, :steps]},
    )  # fmt: skip


def close(got, wanted):
    assert np.abs(wanted).max() > 1e-6
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-13 * np.abs(wanted).max())


# -- e-prop ------------------------------------------------------------------------------------


def eprop_in_numpy(B):
    """Bellec et al. 2020, Methods: traces of adaptive units, filtered as the readout does."""
    a = arrays()
    beta = np.where(np.arange(N) < 4, 0.0, BETA)
    gradients = {k: np.zeros_like(a[k]) for k in LABELS}
    size = a["target"].size
    for u, target in zip(a["u"], a["target"]):
        v, adaptation, y = np.zeros(N), np.zeros(N), np.zeros(N_OUT)
        past = {k: {n: np.zeros(a[k].shape) for n in ("v", "a", "filtered")} for k in ("W", "W_in")}
        filtered_z = np.zeros(N)
        for k in range(STEPS):
            threshold = V_TH + beta * adaptation
            z = (v > threshold).astype(float)
            psi = GAMMA * np.maximum(0, 1 - np.abs(v - threshold))
            for name, source in (("W", z), ("W_in", u[k])):
                e = past[name]
                trace = psi[:, None] * (e["v"] - beta[:, None] * e["a"])  # e_ji of this moment
                e["filtered"] = KAPPA * e["filtered"] + trace
                e["a"] = psi[:, None] * e["v"] + (RHO - psi * beta)[:, None] * e["a"]
                e["v"] = ALPHA * e["v"] + source
            filtered_z = KAPPA * filtered_z + z
            y = KAPPA * y + a["W_out"] @ z + 0.1
            v = ALPHA * v + a["W"] @ z + a["W_in"] @ u[k] - z * V_TH
            adaptation = RHO * adaptation + z
            error = 2 / size * (y - target[k])
            for name in past:
                gradients[name] += (B @ error)[:, None] * past[name]["filtered"]
            gradients["W_out"] += np.outer(error, filtered_z)
    return gradients


@pytest.fixture(scope="module")
def spiking_network():
    return spiking()


def test_eprop_of_adaptive_spiking_units_is_that_of_the_paper(spiking_network):
    found = found_by(EProp(), spiking_network)
    assert found.recorded["out.y"].std() > 0.5  # there are spikes
    for name, wanted in eprop_in_numpy(arrays()["W_out"].T).items():
        close(found[LABELS[name]], wanted)


def test_random_feedback_is_used_in_the_place_of_the_readout(spiking_network):
    B = arrays()["B"]
    found = found_by(EProp(feedback={"E.z->out.I": B}), spiking_network)
    for name, wanted in eprop_in_numpy(B).items():
        close(found[LABELS[name]], wanted)
    rule = EProp(feedback="random", rng=3, scale=0.7)
    drawn = rule.unroll(
        spiking_network, nd.Euler(dt=DT), DT, record=["out.y"], trainable=list(LABELS.values())
    ).feedback()[2]
    found = found_by(rule, spiking_network)
    for name, wanted in eprop_in_numpy(drawn.to_dense().T).items():
        close(found[LABELS[name]], wanted)
    again = found_by(rule, spiking_network)
    np.testing.assert_array_equal(found["E.z->E.I"], again["E.z->E.I"])
    # 14 normal numbers: their mean square is 1 within 5 standard deviations of sqrt(2/14)
    assert abs((drawn.to_dense() ** 2).mean() / 0.7**2 - 1) < 5 * np.sqrt(2 / 14)


def test_adaptive_feedback_comes_closer_to_the_weights_with_every_update(spiking_network):
    start = spiking_network.couplings[2].weights
    unrolled = EProp(feedback="adaptive", rng=3, decay=0.1).unroll(
        spiking_network, nd.Euler(dt=DT), DT, record=["out.y"], trainable=list(LABELS.values())
    )
    drawn = unrolled.feedback()[2].to_dense()
    W, B = start.to_dense(), drawn.copy()
    rng = np.random.default_rng(1)
    for updates in range(1, 6):  # the same change of both, and both decay
        change = rng.normal(size=W.shape)
        B = B + change - 0.1 * B
        W = W + change - 0.1 * W
        unrolled.n_updates = updates
        unrolled.values.set({"E.z->out.I": W})
        close(unrolled.feedback()[2].to_dense(), B)


@pytest.mark.slow  # three modules for each of two networks
def test_eprop_is_the_gradient_where_units_are_alone_and_after_one_step():
    rng = np.random.default_rng(2)
    trained = [*LABELS.values(), "E.tau", "out.b", "out.k", "E.x", "out.y"]
    alone = rates(recurrent=nd.weights.Diagonal(rng.normal(size=N)))
    for name, wanted in swept(alone, trained).gradients.items():
        close(found_by(EProp(), alone, trained)[name], wanted)
    coupled = rates()
    found, wanted = found_by(EProp(), coupled, trained), swept(coupled, trained)
    angles = gradient_angle(found, wanted)
    close(found["E.z->out.I"], wanted["E.z->out.I"])  # nothing is left out of the readout's
    assert angles["E.z->out.I"] < 1e-5
    assert 0.1 < angles["E.z->E.I"] < 60  # and something of the others
    states = {"E.x": np.ones((TRIALS, N)), "out.y": 0.0}
    for steps in (1, 2):  # two: the first from the inputs to the units, the next to the readout
        one, other = (
            f(
                coupled, nd.Euler(dt=DT), steps * DT,
                MeanSquaredError("out.y", arrays()["target"][:, :steps]),
                trainable=trained, inputs={"in.u": arrays()["u"][:, :steps]}, initial=states,
            )
            for f in (functools.partial(_by, EProp()), bptt)
        )  # fmt: skip
        for name in ("E.z->out.I", "in.r->E.I", "E.z->E.I", "E.tau"):
            scale = max(np.abs(other[name]).max(), 1)
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-14 * scale)
    assert np.abs(other["E.z->E.I"]).max() > 1e-6


def _by(rule, net, solver, duration, loss, **options):
    return find_gradients(net, solver, duration, loss, rule, **options)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [EProp(), RTRL("full")])
def test_a_readout_without_states_is_learned_alone(rule):
    net = rates(readout="y = I + b : 1")
    trained = ["E.z->out.I", "out.b"]
    for name, wanted in swept(net, trained).gradients.items():
        close(found_by(rule, net, trained)[name], wanted)


# -- RFLO --------------------------------------------------------------------------------------


def rflo_in_numpy(B, readout_now):
    """Murray 2019: traces of leaky units, random feedback, and the delta rule of the readout."""
    a, leak = arrays(), 1 / 5
    gradients = {k: np.zeros_like(a[k]) for k in LABELS}
    for u, target in zip(a["u"], a["target"]):
        h = np.zeros(N)
        p = {k: np.zeros(a[k].shape) for k in ("W", "W_in")}
        for k in range(STEPS):
            current = a["W"] @ h + a["W_in"] @ u[k]
            slope = 1 - np.tanh(current) ** 2
            for name, source in (("W", h), ("W_in", u[k])):
                p[name] = (1 - leak) * p[name] + leak * np.outer(slope, source)
            h = h + leak * (np.tanh(current) - h)
            error = 2 / a["target"].size * (a["W_out"] @ h + 0.1 - target[k])
            for name in p:
                gradients[name] += (B @ error)[:, None] * p[name]
            gradients["W_out"] += np.outer(error, h)
    return gradients


def test_rflo_is_that_of_the_paper():
    B, net = arrays()["B"], rates(readout="y = I + b : 1")
    found = found_by(RFLO(feedback={"E.z->out.I": B}), net)
    for name, wanted in rflo_in_numpy(B, True).items():
        close(found[LABELS[name]], wanted)
    assert RFLO(rng=0).feedback == "random"


# -- feedback alignment ------------------------------------------------------------------------


def test_feedback_alignment_of_layers_is_that_of_the_paper():
    """Lillicrap et al. 2016: the delta of a layer is B times that of the one after."""
    rng = np.random.default_rng(4)
    W = [rng.normal(size=s) for s in ((5, 3), (4, 5), (2, 4))]
    B = [None, rng.normal(size=(5, 4)), rng.normal(size=(4, 2))]
    names = ["in.r->a.I", "a.h->b.I", "b.h->out.I"]
    net = nd.Network(
        {
            "in": nd.Population(3, "r = u : 1"),
            "a": nd.Population(5, "h = tanh(I) : 1"),
            "b": nd.Population(4, "h = tanh(I) : 1"),
            "out": nd.Population(2, "y = I : 1\ndclock/dt = 0*y/second : 1"),
        },
        [nd.Coupling(*n.split("->"), w) for n, w in zip(names, W)],
    )
    u, target = rng.normal(size=(6, 1, 3)), rng.normal(size=(6, 1, 2))
    rule = FeedbackAlignment(feedback={names[1]: B[1], names[2]: B[2]})
    found = find_gradients(
        net, nd.Euler(dt=DT), DT, MeanSquaredError("out.y", target), rule, trainable=names,
        inputs={"in.u": u},
    )  # fmt: skip
    h = [u[:, 0]]
    for w in W[:2]:
        h.append(np.tanh(h[-1] @ w.T))
    delta = 2 / target.size * (h[2] @ W[2].T - target[:, 0])
    for layer in (2, 1, 0):
        close(found[names[layer]], delta.T @ h[layer])
        if layer:
            delta = delta @ B[layer].T * (1 - h[layer] ** 2)


@pytest.mark.slow
def test_feedback_alignment_of_a_recurrent_network_changes_the_readout_alone():
    a, leak = arrays(), 1 / 5
    B, net = a["B"], rates(readout="y = I + b : 1")
    found = found_by(FeedbackAlignment(feedback={"E.z->out.I": B}), net)
    gradients = {k: np.zeros_like(a[k]) for k in LABELS}
    for u, target in zip(a["u"], a["target"]):
        h, q = [np.zeros(N)], []
        for k in range(STEPS):
            q.append(np.tanh(a["W"] @ h[-1] + a["W_in"] @ u[k]))
            h.append(h[-1] + leak * (q[-1] - h[-1]))
        back = np.zeros(N)
        for k in reversed(range(STEPS)):
            error = 2 / a["target"].size * (a["W_out"] @ h[k + 1] + 0.1 - target[k])
            gradients["W_out"] += np.outer(error, h[k + 1])
            back = back + B @ error
            delta = leak * back * (1 - q[k] ** 2)
            gradients["W"] += np.outer(delta, h[k])
            gradients["W_in"] += np.outer(delta, u[k])
            back = (1 - leak) * back + a["W"].T @ delta
    for name, wanted in gradients.items():
        close(found[LABELS[name]], wanted)
    # the transposes for feedback, and it is the gradient
    exact = found_by(FeedbackAlignment(feedback="symmetric"), net)
    np.testing.assert_array_equal(exact["E.z->E.I"], swept(net)["E.z->E.I"])


# -- angles, and refusals ----------------------------------------------------------------------


def test_angles_are_those_of_vectors():
    a = {"E.b": np.array([3.0, 4.0]), "E.W": np.zeros((2, 2))}
    b = {"E.b": np.array([-4.0, 3.0]), "E.W": np.ones((2, 2))}
    angles = gradient_angle(a, b)
    assert angles["E.b"] == pytest.approx(90)
    assert np.isnan(angles["E.W"])
    # 0 by the product: -12 + 12 = 0
    assert angles["all"] == pytest.approx(90)
    assert gradient_angle(a, {k: -v for k, v in a.items()})["E.b"] == pytest.approx(180)
    small = {"E.b": a["E.b"] + 1e-9 * np.array([-4.0, 3.0])}
    found = gradient_angle({"E.b": a["E.b"]}, small)["E.b"]
    assert found == pytest.approx(np.degrees(1e-9), rel=1e-6)
    with pytest.raises(ValueError, match="`found` has gradients of E.b, E.W"):
        gradient_angle(a, {"E.b": a["E.b"]})
    with pytest.raises(ValueError, match=r"`found\['E.b'\]` has shape"):
        gradient_angle({"E.b": [1.0]}, {"E.b": [1.0, 2.0]})
    with pytest.raises(ValueError, match="is not finite"):
        gradient_angle({"E.b": [np.nan]}, {"E.b": [1.0]})


def made(rule, net, trainable=("E.z->E.I",), solver=nd.Euler):
    return rule.unroll(net, solver(dt=DT), DT, record=["out.y"], trainable=list(trainable))


@pytest.mark.parametrize(
    "rule, build, solver, message",
    [
        (RFLO(rng=0), spiking, nd.Euler, "`E.z` spikes, and this is of rate units; use EProp"),
        (EProp(), rates, nd.RK4, "EProp cannot be used: its traces.*RK4 has several"),
        (EProp(), lambda: rates(readout="dy/dt = (tanh(y) + I + b - y)/dt : 1"), nd.Euler,
         "`E.z->out.I` is part of no loop, and its target is no linear readout"),
        (EProp(feedback={"E.z->E.I": 0.0}), rates, nd.Euler,
         "`E.z->E.I` is no coupling that an error comes back through.*There are `E.z->out.I`"),
        (EProp(feedback={"E.z->out.I": np.ones((N_OUT, N))}), rates, nd.Euler, None),
    ],
)  # fmt: skip
def test_networks_that_a_rule_is_not_for_are_refused(rule, build, solver, message):
    if message is None:
        with pytest.raises(ValueError, match=r"must have the shape \(pre, post\) = \(7, 2\)"):
            made(rule, build(), solver=solver).feedback()
        return
    with pytest.raises(ValueError, match=message):
        made(rule, build(), solver=solver)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`feedback` must be .*'symmetric'.*got 'transposed'"):
        EProp(feedback="transposed")
    with pytest.raises(ValueError, match="`decay` must be from 0 to 1; got 2"):
        EProp(decay=2)
    with pytest.raises(ValueError, match="`scale` must be positive"):
        RFLO(scale=0.0)
    with pytest.raises(TypeError, match="`rule` must be one such as"):
        found_by("eprop", rates())
    with pytest.raises(ValueError, match="`E` has no.*gamma|`gamma`"):
        found_by(RTRL(), rates(), ["E.gamma"])
