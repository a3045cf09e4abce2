"""`RTRL` against `bptt` and against differences of runs, for all that can be trained."""

import functools

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

import neurodyn as nd
from neurodyn._arrays import padded_size
from neurodyn.learning import RTRL, Unrolled, bptt, find_gradients
from neurodyn.learning.gradients import run_forward
from neurodyn.weights import Dense, Diagonal, LowRank, Sparse

N, N_IN, N_OUT, TRIALS, STEPS, DT = 6, 3, 2, 3, 9, 0.05


def sparse(rng, shape):
    return Sparse(random_array(shape, density=0.5, rng=rng, data_sampler=rng.normal))


@functools.lru_cache
def coupled():
    """Rate units coupled by weights of every kind, transposed ones too, with noise."""
    rng = np.random.default_rng(0)
    recurrent = (
        Dense(rng.normal(size=(N, N)) / np.sqrt(N))
        + sparse(rng, (N, N))
        + LowRank(rng.normal(size=(N, 2)), rng.normal(size=(N, 2)) / N)
        + Diagonal(rng.normal(size=N))
    )
    tied = (
        Dense(rng.normal(size=(N, N)) / np.sqrt(N)).T
        + sparse(rng, (N, N)).T
        + LowRank(rng.normal(size=(N, 2)), rng.normal(size=(N, 2)) / N).T
    )
    return nd.Network(
        {
            "in": nd.Population(N_IN, "r = u : 1"),
            "E": nd.Population(
                N,
                "dx/dt = (-x + g*tanh(I + K) + b + 0.1*sqrt(tau)*xi)/tau : 1\nr = tanh(x) : 1",
                tau=0.3, g=1.2, b=rng.normal(size=N), x=rng.normal(size=N),
            ),
            "out": nd.Population(N_OUT, "dy/dt = (tanh(J) - y)/tau : 1\nz = y + c : 1", tau=0.2,
                                 c=0.1),
        },
        [
            nd.Coupling("in.r", "E.I", rng.normal(size=(N, N_IN))),
            nd.Coupling("E.r", "E.I", recurrent),
            nd.Coupling("E.r", "E.K", tied),
            nd.Coupling("E.r", "out.J", rng.normal(size=(N_OUT, N))),
        ],
    )  # fmt: skip


@functools.lru_cache
def elementwise(everything=False):
    """Units each on its own, that a linear readout with a state follows.

    With `everything` they have a second state, and there are a readout without states and inputs
    through weights of further kinds.
    """
    rng = np.random.default_rng(1)
    low_rank = LowRank(rng.normal(size=(N, 2)), rng.normal(size=(N_IN, 2)))
    units = "dx/dt = (-x + g*tanh(I + K) + w*r)/tau : 1\nr = tanh(x) : 1"
    values = dict(tau=0.3, g=1.2, w=rng.normal(size=N), x=rng.normal(size=N))
    now, more = {}, []
    if everything:
        units = """
            dx/dt = (-x + g*tanh(I + K) - beta*a + b + w*r)/tau : 1
            da/dt = (r - a)/tau_a : 1
            r = tanh(x) : 1
            """
        values |= dict(tau_a=rng.uniform(0.2, 0.5, N), beta=0.7, b=rng.normal(size=N), a=0.1)
        now = {"now": nd.Population(N_OUT, "y = tanh(J) + c : 1", c=rng.normal(size=N_OUT))}
        more = [
            nd.Coupling("in.r", "E.K", low_rank + sparse(rng, (N, N_IN))),
            nd.Coupling("E.a", "now.J", sparse(rng, (N_OUT, N))),
        ]
    return nd.Network(
        {
            "in": nd.Population(N_IN, "r = u : 1"),
            "E": nd.Population(N, units, **values),
            "out": nd.Population(N_OUT, "dy/dt = (J + c - y)/tau : 1\nz = tanh(y) : 1", tau=0.2,
                                 c=0.1),
            **now,
        },
        [
            nd.Coupling("in.r", "E.I", rng.normal(size=(N, N_IN))),
            nd.Coupling("E.r", "E.K", Diagonal(rng.normal(size=N))),
            nd.Coupling("E.r", "out.J", rng.normal(size=(N_OUT, N))),
            *more,
        ],
    )  # fmt: skip


def columns(dense):
    """Two columns of three units; the readout is none of theirs."""
    rng = np.random.default_rng(2)
    W = np.kron(np.eye(2), rng.normal(size=(3, 3)))
    return nd.Network(
        {
            "in": nd.Population(N_IN, "r = u : 1"),
            "E": nd.Population(
                N, "dx/dt = (-x + tanh(I) + b)/tau : 1\nr = tanh(x) : 1", tau=0.3, b=0.2, x=0.1
            ),
            "out": nd.Population(N_OUT, "z = J : 1"),
        },
        [
            nd.Coupling("in.r", "E.I", rng.normal(size=(N, N_IN))),
            nd.Coupling("E.r", "E.I", W if dense else Sparse(csr_array(W))),
            nd.Coupling("E.r", "out.J", rng.normal(size=(N_OUT, N))),
        ],
    )


def names(network):
    """All that can be trained but the input."""
    parameters = [f"{p}.{n}" for p, m in network.populations.items() for n in m.parameters]
    return [*network.coupling_labels, *parameters, *network.state_names]


def task(network, every=1):
    rng = np.random.default_rng(3)
    recorded = [f"{p}.{n}" for p, n in (("E", "r"), ("out", "z"), ("now", "y"), ("E", "I"))
                if p in network.populations]  # fmt: skip
    losses = []
    for name in recorded:
        size = network.populations[network.split(name)[0]].size
        target = rng.normal(size=(TRIALS, STEPS // every, size))
        losses.append(nd.learning.MeanSquaredError(name, target))
    return sum(losses[1:], losses[0]), {"in.u": rng.normal(size=(TRIALS, STEPS, N_IN))}


def both(network, rule, solver, every=1, **options):
    loss, inputs = task(network, every)
    arguments = dict(
        trainable=names(network), inputs=inputs, rng=4, every=every * DT, trials=TRIALS
    )
    swept = bptt(network, solver(dt=DT), STEPS * DT, loss, **arguments)
    found = find_gradients(network, solver(dt=DT), STEPS * DT, loss, rule, **arguments, **options)
    return found, swept


def assert_same(found, swept):
    assert found.loss == swept.loss
    assert found.gradients.keys() == swept.gradients.keys()
    for name, wanted in swept.gradients.items():
        got = found[name]
        assert got.shape == wanted.shape, name
        assert np.abs(wanted).max() > 1e-6, name  # nothing is right because it is nothing
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-14 * np.abs(wanted).max(),
                                   err_msg=name)  # fmt: skip


@pytest.mark.slow  # weights of every kind are many kernels
@pytest.mark.parametrize("solver", [nd.Euler, nd.ExponentialEuler, nd.Heun])
def test_full_sensitivities_give_the_gradient_of_the_sweep(solver):
    assert_same(*both(coupled(), RTRL(), solver))


@pytest.mark.slow
def test_full_sensitivities_of_a_method_of_four_stages():
    assert_same(*both(elementwise(everything=True), RTRL(), nd.RK4))


@pytest.mark.slow  # test_learner.py has full sensitivities among the fast ones
def test_blocks_of_trials_and_samples_now_and_then_change_nothing():
    network = columns(True)
    loss, inputs = task(network, 2)
    arguments = dict(trainable=names(network), inputs=inputs, rng=4, every=2 * DT)
    solver = nd.Euler(dt=DT)
    whole = find_gradients(network, solver, STEPS * DT, loss, RTRL("full"), **arguments)
    unrolled = RTRL("full").unroll(
        network, solver, STEPS * DT, record=loss.record, trainable=names(network), trials=TRIALS
    )
    size = unrolled.carrier.bytes_per_trial()
    alone = find_gradients(
        network, solver, STEPS * DT, loss, RTRL("full"), memory=size, **arguments
    )
    assert_same(alone, whole)
    assert_same(whole, bptt(network, solver, STEPS * DT, loss, **arguments))


def test_units_on_their_own_need_only_what_is_their_own():
    network = elementwise()
    assert_same(*both(network, RTRL("elementwise"), nd.Euler))
    loss, _ = task(network)
    unrolled = RTRL().unroll(
        network, nd.Euler(dt=DT), DT, record=loss.record, trainable=names(network)
    )
    carrier = unrolled.carrier
    assert carrier.kind == "local_traces"  # found by itself
    # a value a state for each of a unit's own numbers: weights, parameters and initial states;
    # and one for the readout that has a state, and keeps what it hears of the unit
    of_unit = padded_size(N_IN + 1 + 3 + 1, "float64")
    of_readout = padded_size(N + 2 + 1, "float64")
    assert carrier.bytes_per_trial() == 8 * ((1 + 1) * N * of_unit + N_OUT * of_readout)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [nd.Euler, nd.ExponentialEuler])
def test_units_on_their_own_with_weights_of_every_kind(solver):
    assert_same(*both(elementwise(everything=True), RTRL("elementwise"), solver))


@pytest.mark.parametrize("dense", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_columns_are_kept_apart(dense):
    network = columns(dense)
    rule = RTRL("columnar") if dense else RTRL()
    loss, _ = task(network)
    unrolled = rule.unroll(
        network, nd.Euler(dt=DT), DT, record=loss.record, trainable=names(network)
    )
    assert unrolled.carrier.n_columns == 2
    assert_same(*both(network, rule, nd.Euler))


@pytest.mark.parametrize(
    "structure", [pytest.param("full", marks=pytest.mark.slow), "columnar", "elementwise"]
)
def test_the_gradient_is_the_difference_of_runs(structure):
    network = elementwise() if structure == "elementwise" else columns(True)
    loss, inputs = task(network)
    solver, found = nd.Euler(dt=DT), both(network, RTRL(structure), nd.Euler)[0]
    unrolled = Unrolled(
        network, solver, STEPS * DT, record=loss.record, trainable=names(network), trials=TRIALS,
        driven=("in.u",),
    )  # fmt: skip
    rng = np.random.default_rng(5)
    one = {k: np.broadcast_to(v, (TRIALS, v.shape[1]))
           for k, v in network.initial_state([np.random.SeedSequence(0)]).items()}  # fmt: skip
    for trained in unrolled.trainables:
        is_state = trained.kind == "state"
        point = one[trained.key] if is_state else unrolled.values.get(trained)
        direction = rng.normal(size=np.shape(point))

        def value(h, key=trained.key, point=point, direction=direction, is_state=is_state):
            moved = {key: point + h * direction}
            if not is_state:
                unrolled.values.set(moved)
            run = run_forward(unrolled, inputs, moved if is_state else None, 4)
            if not is_state:
                unrolled.values.set({key: point})
            return loss(run)[0]

        point = np.array(point)
        h = 3e-4  # the error of the differences falls with its fourth power
        ends = [value(s * h, point=point) for s in (-2, -1, 1, 2)]
        slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * h)
        assert (found[trained.key] * direction).sum() == pytest.approx(slope, rel=1e-8, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_spikes_pass_their_surrogate(dtype):
    rng = np.random.default_rng(6)
    network = nd.Network(
        {
            "in": nd.Population(N_IN, "r = u : 1"),
            "E": nd.Population(
                N, "dv/dt = (beta*v + I - heaviside(v - 1) - v)/dt : 1\nz = spike(v - 1) : 1",
                beta=0.9, surrogate=nd.surrogates.FastSigmoid(slope=5.0),
            ),
        },
        [
            nd.Coupling("in.r", "E.I", rng.normal(size=(N, N_IN))),
            nd.Coupling("E.z", "E.I", rng.normal(size=(N, N)) / np.sqrt(N)),
        ],
    )  # fmt: skip
    loss = nd.learning.MeanSquaredError("E.z", rng.normal(size=(TRIALS, STEPS, N)))
    arguments = dict(
        trainable=[*network.coupling_labels, "E.beta", "E.v"], dtype=dtype,
        inputs={"in.u": 2 * rng.normal(size=(TRIALS, STEPS, N_IN))},
    )  # fmt: skip
    run = network, nd.Euler(dt=DT), STEPS * DT, loss
    found, wanted = find_gradients(*run, RTRL(), **arguments), bptt(*run, **arguments)
    assert 0.05 < found.recorded["E.z"].mean() < 0.95
    digits = 1e-13 if dtype == "float64" else 1e-5
    for name, gradient in wanted.gradients.items():
        assert found[name].dtype == gradient.dtype == dtype
        assert np.abs(found[name] - gradient).max() < digits * np.abs(gradient).max(), name


# -- refusals ----------------------------------------------------------------------------------


def unroll(network, rule, trainable=("E.tau",), solver=nd.Euler, **options):
    return rule.unroll(
        network, solver(dt=DT), DT, record=("E.r",), trainable=list(trainable), **options
    )


@pytest.mark.parametrize(
    "rule, solver, message",
    [
        (RTRL("elementwise"), nd.Euler, "not elementwise: `E.r->E.I` lets units act on others"),
        (RTRL("elementwise"), nd.RK4, "RK4 takes several stages"),
        (RTRL("columnar"), nd.Euler, "all units act on each other"),
    ],
)
def test_a_structure_that_is_not_there_is_refused(rule, solver, message):
    network = coupled() if solver is nd.Euler else columns(True)
    with pytest.raises(ValueError, match=message):
        unroll(network, rule, solver=solver)


def test_what_cannot_be_is_refused_by_name():
    with pytest.raises(ValueError, match="`structure` must be 'auto', .*got 'diagonal'"):
        RTRL("diagonal")
    with pytest.raises(ValueError, match="no coupling `E.r->E.X`"):
        unroll(coupled(), RTRL(), ["E.r->E.X"])
    with pytest.raises(ValueError, match="`in.u` is an input.*use bptt"):
        unroll(columns(True), RTRL(), ["in.u"])
    with pytest.raises(ValueError, match="needs .* GiB for the sensitivities.*`memory`"):
        unroll(columns(True), RTRL(), memory=100)
    with pytest.raises(ValueError, match="`truncate` is of backpropagation"):
        unroll(columns(True), RTRL(), truncate=3)


def test_weights_that_grow_across_columns_are_refused():
    network = columns(True)
    loss, inputs = task(network)
    unrolled = RTRL("columnar").unroll(
        network, nd.Euler(dt=DT), STEPS * DT, record=loss.record, trainable=names(network),
        trials=TRIALS, driven=["in.u"],
    )  # fmt: skip
    unrolled.values.set({"E.r->E.I": np.ones((N, N))})
    with pytest.raises(ValueError, match="`E.r->E.I` couple units of different columns now"):
        nd.learning.gradients.gradients_of(unrolled, loss, inputs, None, 0)


def test_what_is_not_finite_is_said():
    network = columns(True)
    loss, inputs = task(network)
    far = loss + nd.learning.MeanSquaredError("E.r", 1e200)
    with pytest.raises(FloatingPointError, match="the loss is inf"):
        find_gradients(
            network, nd.Euler(dt=DT), STEPS * DT, far, RTRL("columnar"), trainable=names(network),
            inputs=inputs,
        )  # fmt: skip
