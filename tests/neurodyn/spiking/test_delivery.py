"""Spikes reach their targets: against a twin that visits one synapse after the other."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.weights import delivery_groups
from neurodyn.weights.delivery import delivery_arrays, delivery_kind
from neurodyn.weights.delivery_groups import Member, group_arrays, group_kind
from neurodyn.weights.sparse import index_dtype
from tests.naive_spiking import Synapses, Units, run

DT = 1e-4
TAU, TAU_G, TAU_Y, REST = 0.01, 0.004, 0.02, 6
#: v is clamped while a unit rests, g is not; I holds what arrives for one step.
TEXT = """
dv/dt = (g + drive + 50*I - v)/tau : 1 (unless refractory)
dg/dt = -g/tau_g : 1
"""
N_E, N_I = 5, 4


def network(couplings):
    def population(size, drive):
        return nd.Population(
            size, TEXT, threshold="v > 1", reset="v = 0; g *= 0.5", refractory=REST * DT,
            tau=TAU, tau_g=TAU_G, drive=drive, v=np.linspace(0, 0.9, size),
        )  # fmt: skip

    return nd.Network(
        {"E": population(N_E, np.linspace(1.2, 3.0, N_E)),
         "I": population(N_I, np.linspace(1.1, 2.0, N_I))},
        couplings,
    )  # fmt: skip


def twin(size, drive):
    """The same units, by exponential Euler as it is written in textbooks."""
    def move(state, inputs, k):
        aim = state["g"] + drive + 50 * inputs["I"]
        return {"v": state["v"] + (aim - state["v"]) * -np.expm1(-DT / TAU),
                "g": state["g"] * np.exp(-DT / TAU_G)}  # fmt: skip

    def reset(state, i):
        state["v"][i] = 0.0
        state["g"][i] *= 0.5

    return Units(
        {"v": np.linspace(0, 0.9, size), "g": np.zeros(size)}, move,
        lambda state, k: state["v"] > 1, reset, np.full(size, REST), ("v",), {"I": np.zeros(size)},
    )  # fmt: skip


def twins():
    return {"E": twin(N_E, np.linspace(1.2, 3.0, N_E)), "I": twin(N_I, np.linspace(1.1, 2.0, N_I))}


def random_matrix(rng, shape, density=1.0):
    # multiples of 1/64: sums of them have no rounding, in whatever order
    W = rng.integers(-24, 40, shape) / 64
    return np.where(rng.random(shape) < density, W, 0.0)


def compare(ds, expected, n_steps, rtol=1e-12):
    fired, states = expected
    for name, size in (("E", N_E), ("I", N_I)):
        step = np.rint(ds[f"{name}.spike_time"].values / DT).astype(int)
        found = list(zip(step.tolist(), ds[f"{name}.spike_unit"].values.tolist(), strict=True))
        assert len(found) > size  # there is something to compare
        assert found == fired[name]
        for variable in "vg":
            values = np.array([s[variable] for s in states[name]])
            got = ds[f"{name}.{variable}"].values[0]
            assert got.shape == (n_steps, size)
            assert_allclose(got, values, rtol=rtol, atol=1e-12)


RECORD = ["E.spike", "I.spike", "E.v", "E.g", "I.v", "I.g"]


def test_every_kind_of_weights_onto_every_kind_of_target():
    """Dense, sparse, by source, diagonal, low-rank and sums; states, clamped ones and inputs."""
    rng, n = np.random.default_rng(0), 700
    dense, sparse = random_matrix(rng, (N_I, N_E)), random_matrix(rng, (N_E, N_E), 0.5)
    by_source = (rng.random((N_E, N_I)) < 0.6) * -(rng.integers(1, 9, N_I) / 16)
    m, w = rng.integers(-2, 3, (N_I, 2)) / 8.0, rng.integers(-2, 3, (N_I, 2)) / 4.0
    d = rng.integers(1, 9, N_E) / 32
    parts = [
        ("E", "I", "g", dense, dense, 15),
        ("E", "E", "g", sp.csr_array(sparse), sparse, 0),
        ("I", "E", "g", sp.csr_array(by_source), by_source, 1),
        ("I", "I", "v", nd.weights.LowRank(m, w), m @ w.T, 3),
        ("E", "E", "v", nd.weights.Diagonal(d), np.diag(d), 2),
        ("I", "E", "I", nd.weights.Sparse(sp.csr_array(by_source)) + by_source, 2 * by_source, 4),
        ("E", "I", "I", 0.25 * sp.csr_array(dense), 0.25 * dense, 0),
    ]
    net = network([
        nd.Coupling(f"{a}.spike", f"{b}.{x}", W, delay=k * DT) for a, b, x, W, _, k in parts
    ])  # fmt: skip
    kinds = [k.kinds for k in net.structure("float64").couplings]
    assert kinds == [("dense",), ("sparse",), ("sparse_by_source",), ("low_rank",), ("diagonal",),
                     ("sparse_by_source", "dense"), ("sparse",)]  # fmt: skip
    ds = nd.simulate(net, nd.ExponentialEuler(DT), n * DT, record=RECORD)
    synapses = [Synapses.of(a, b, x, full, k) for a, b, x, _, full, k in parts]
    compare(ds, run(twins(), synapses, n), n)


@pytest.fixture(params=["looked for by delay", "scheduled"])
def many_delays(request, monkeypatch):
    """Couplings with one delay a synapse, sparse, dense and with several synapses of one pair."""
    scheduled = request.param == "scheduled"
    monkeypatch.setattr(delivery_groups, "_SHORT_RUN", np.inf if scheduled else 0)
    rng = np.random.default_rng(1)
    sparse = sp.csr_array(random_matrix(rng, (N_E, N_I), 0.7))
    steps_sparse = rng.integers(0, 30, sparse.nnz)
    dense = random_matrix(rng, (N_I, N_E))
    steps_dense = rng.integers(0, 9, dense.shape)
    post, pre = rng.integers(0, N_E, 30), rng.integers(0, N_E, 30)
    order = np.lexsort((pre, post))
    weight, steps = rng.integers(-8, 16, 30) / 64, rng.integers(1, 20, 30)
    several = nd.weights.Sparse.from_synapses(post, pre, weight, (N_E, N_E))
    net = network([
        nd.Coupling("I.spike", "E.g", sparse, delay=steps_sparse * DT),
        nd.Coupling("E.spike", "I.g", dense, delay=steps_dense * DT),
        nd.Coupling("E.spike", "E.v", several, delay=steps[order] * DT),
    ])  # fmt: skip
    rows = np.repeat(np.arange(N_E), np.diff(sparse.indptr))
    synapses = [
        Synapses("I", "E", "g", sparse.indices, rows, sparse.data, steps_sparse),
        Synapses.of("E", "I", "g", dense, steps_dense),
        Synapses("E", "E", "v", pre, post, weight, steps),
    ]
    kinds = {kind for c in net.structure("float64").couplings for kind in c.kinds}
    assert kinds == {"scheduled" if scheduled else "together"}
    return net, synapses


def test_one_delay_a_synapse(many_delays):
    net, synapses = many_delays
    ds = nd.simulate(net, nd.ExponentialEuler(DT), 700 * DT, record=RECORD)
    compare(ds, run(twins(), synapses, 700), 700)


def test_trials_are_networks_of_their_own(many_delays):
    """Each trial runs as it would alone, in float32 too."""
    net, _ = many_delays
    start = np.random.default_rng(3).random((3, N_E))
    for dtype in ("float64", "float32"):
        together = nd.simulate(
            net, nd.ExponentialEuler(DT), 0.05, initial={"E.v": start}, dtype=dtype, rng=0
        )
        for k in range(3):
            alone = nd.simulate(
                net, nd.ExponentialEuler(DT), 0.05, initial={"E.v": start[k]}, dtype=dtype, rng=0
            )
            for name in "EI":
                mine = together[f"{name}.spike_trial"].values == k
                for what in ("time", "unit"):
                    values = together[f"{name}.spike_{what}"].values[mine]
                    assert_array_equal(values, alone[f"{name}.spike_{what}"].values)
            assert_array_equal(together["E.v.final"].values[k], alone["E.v.final"].values[0])


@pytest.fixture(scope="module")
def struck():
    """One unit with a clamped and a free state, both struck by the spikes of a source."""
    target = nd.Population(
        1, "dv/dt = 0/second : 1 (unless refractory)\ndg/dt = 0/second : 1",
        threshold="v > 1", reset="v -= 1", refractory=10 * DT,
    )  # fmt: skip
    return nd.Network(
        {"S": nd.spike_source(1, time=[0.0], unit=[0]), "P": target},
        [nd.Coupling("S.spike", "P.v", [[1.5]], delay=DT),
         nd.Coupling("S.spike", "P.g", [[1.0]], delay=DT)],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "spikes", "v", "g"),
    [
        ([0], [2], 0.5, 1),  # arrives in step 1, after the update: beyond threshold in step 2
        ([0, 1], [2], 0.5, 2),  # arrives in the step of the spike: the unit rests already
        ([0, 10], [2], 0.5, 2),  # arrives in step 11, the last of ten at rest
        ([0, 11], [2, 13], 1.0, 2),  # arrives in step 12, awake: v = 2, and 1 after the reset
    ],
)
def test_what_arrives_at_a_resting_unit_is_lost_to_a_clamped_state_only(struck, steps, spikes, v, g):
    net = struck.with_values(**{"S.time": np.array(steps) * DT, "S.unit": [0] * len(steps)})
    ds = nd.simulate(net, nd.Euler(DT), 20 * DT, record=["P.spike"])
    assert_allclose(ds["P.spike_time"].values / DT, spikes, atol=1e-9)
    assert ds["P.v.final"].values[0, 0] == v
    assert ds["P.g.final"].values[0, 0] == g


def test_delivery_by_source_is_found_and_kept_apart():
    pattern = sp.random_array((40, 30), density=0.2, rng=np.random.default_rng(0)).tocsr()
    same = nd.weights.Sparse(sp.csr_array((pattern != 0).astype(float) * np.arange(1.0, 31)))
    assert delivery_kind(same) == "sparse_by_source"
    assert delivery_kind(nd.weights.Sparse(pattern)) == "sparse"
    assert delivery_kind(same.T) == "sparse"
    assert delivery_kind((2.0 * same).T.T) == "sparse_by_source"
    runs, targets, w = delivery_arrays(same, np.float32)
    assert (targets.dtype, w.dtype, w.shape) == (np.uint16, np.float32, (30,))
    for j in range(30):
        assert_array_equal(targets[runs[j] : runs[j + 1]], np.flatnonzero(pattern.toarray()[:, j]))


def test_synapses_of_a_part():
    W = sp.random_array((200, 60), density=0.3, rng=np.random.default_rng(0)).tocsr()
    dense = W.toarray()
    for first, last in ((0, 200), (0, 64), (64, 128), (128, 200), (64, 64)):
        runs, targets, w = delivery_arrays(nd.weights.Sparse(W), np.float64, slice(first, last))
        for j in range(60):
            expected = np.flatnonzero(dense[first:last, j])
            assert_array_equal(targets[runs[j] : runs[j + 1]], expected)
            assert_array_equal(w[runs[j] : runs[j + 1]], dense[expected + first, j])


def test_widths_of_indices():
    """32 bits where they fit, 64 where they do not: without making 2^31 synapses."""
    assert index_dtype(2**31 - 1) == np.int32
    assert index_dtype(2**31) == np.int64


def test_transposed_sparse_weights_with_one_delay_a_synapse():
    """Delays are in the order of the matrix that is transposed."""
    rng = np.random.default_rng(5)
    given = sp.csr_array(random_matrix(rng, (N_E, N_I), 0.6))  # [pre, post]
    steps = rng.integers(0, 6, given.nnz)
    net = network([nd.Coupling("E.spike", "I.g", nd.weights.Sparse(given).T, delay=steps * DT)])
    ds = nd.simulate(net, nd.ExponentialEuler(DT), 300 * DT, record=RECORD)
    pre = np.repeat(np.arange(N_E), np.diff(given.indptr))
    synapses = [Synapses("E", "I", "g", pre, given.indices, given.data, steps)]
    compare(ds, run(twins(), synapses, 300), 300)


def many(n_post, n_pre, n_synapses, n_delays, rng=0, target="P.g"):
    """A coupling from 60 units with several delays."""
    rng = np.random.default_rng(rng)
    weights = nd.weights.sparse_random(
        (n_post, n_pre), n_synapses=n_synapses, weight=lambda rng, n: rng.random(n), rng=rng
    )
    steps = np.append(np.arange(n_delays), rng.integers(0, n_delays, n_synapses - n_delays))
    return nd.Coupling("S.spike", target, weights, delay=DT * rng.permutation(steps))


def test_few_synapses_of_each_delay_are_scheduled():
    """Below 6 for each source and delay; below 24 if what is pending fits into the cache."""
    for n_post, n_synapses, expected in (
        (200, 24 * 60 * 50 - 1, "scheduled"),
        (200, 24 * 60 * 50, "together"),
        (20_000, 6 * 60 * 50 - 1, "scheduled"),
        (20_000, 6 * 60 * 50, "together"),
    ):
        assert group_kind([many(n_post, 60, n_synapses, 50)]) == expected
    half = [many(10_000, 60, 3 * 60 * 50, 50, target=name) for name in ("P.g", "Q.g")]
    assert group_kind(half) == "together"
    assert group_kind(half[:1]) == "scheduled"


def test_a_group_has_the_synapses_of_all_its_members():
    """Three couplings, two of them onto the same units, one of a dense matrix; in two parts."""
    rng = np.random.default_rng(3)
    a, b = many(200, 60, 900, 4, 1), many(200, 60, 500, 3, 2)
    dense = nd.Coupling("S.spike", "Q.g", rng.random((30, 60)),
                        delay=DT * rng.integers(1, 4, (30, 60)))  # fmt: skip
    couplings = (a, b, dense)
    steps = np.arange(4)
    synapses = []  # (pre, delay, member, post, weight), as lists of them are sorted
    for k, c in enumerate(couplings):
        delay = np.rint(np.asarray(c.delay) / DT).astype(int)
        W = c.weights
        if k < 2:
            post, pre = np.repeat(np.arange(200), np.diff(W.indptr)), W.indices
            weight = W.data
        else:
            post, pre = (axis.ravel() for axis in np.indices(W.shape))
            weight = W.W.ravel()
        synapses += list(zip(pre.tolist(), delay.tolist(), [k] * pre.size, post.tolist(),
                             weight.tolist(), strict=True))  # fmt: skip
    for p, q in (((0, 200), (0, 30)), ((0, 64), (0, 30)), ((64, 200), (30, 30))):
        offsets = (0, 0, p[1] - p[0])
        members = [
            Member(c.weights, c.delay.index, np.rint(c.delay.values / DT).astype(np.uint8), *part,
                   offset)
            for c, part, offset in zip(couplings, (p, p, q), offsets, strict=True)
        ]  # fmt: skip
        width = p[1] - p[0] + q[1] - q[0]
        mine = [
            (j, d, k, offsets[k] + i - (p, p, q)[k][0], w)
            for j, d, k, i, w in synapses if (p, p, q)[k][0] <= i < (p, p, q)[k][1]
        ]  # fmt: skip
        runs, targets, w = group_arrays("together", members, 4, width, np.float64)
        assert (targets.dtype, runs.size) == (np.uint16, 60 * 4 + 1)
        expected = sorted(mine, key=lambda s: s[:4])
        assert_array_equal(targets, [s[3] for s in expected])
        counts = np.bincount([s[0] * 4 + s[1] for s in mine], minlength=240)
        assert_array_equal(np.diff(runs), counts)
        by_place = {}
        for place, weight in zip(targets.tolist(), w.tolist(), strict=True):
            by_place.setdefault(place, []).append(weight)
        for place, weights in by_place.items():
            assert sorted(weights) == sorted(s[4] for s in mine if s[3] == place)
        runs, targets, which, w = group_arrays("scheduled", members, 4, width, np.float32)
        assert (runs.size, which.dtype, w.dtype) == (61, np.uint8, np.float32)
        expected = sorted(mine, key=lambda s: (s[0], s[2], s[3]))
        assert_array_equal(targets, [s[3] for s in expected])
        found = sorted(zip(np.repeat(np.arange(60), np.diff(runs)).tolist(), steps[which].tolist(),
                           targets.tolist(), w.tolist(), strict=True))  # fmt: skip
        assert_allclose(found, sorted((s[0], s[1], s[3], s[4]) for s in mine), rtol=1e-6)


def test_layout_is_kept_for_the_next_run_but_not_for_other_cuts():
    weights = nd.weights.sparse_random(
        (200, 60), n_synapses=3000, weight=lambda rng, n: rng.random(n), rng=0
    )
    delay = np.random.default_rng(1).integers(0, 5, 3000)
    numbers = np.arange(5, dtype=np.uint8)

    def alone(dtype, first, last, delay=None):
        return delivery_arrays(weights, dtype, slice(first, last))

    def in_a_group(dtype, first, last, delay=delay):
        members = [Member(weights, delay, numbers, first, last, 0)]
        return group_arrays("together", members, 5, last - first, dtype)

    for layout in (alone, in_a_group):
        halves = [layout("float32", 0, 128), layout("float32", 128, 200)]
        again = [layout("float32", 0, 128), layout("float32", 128, 200)]
        assert all(a[1] is b[1] for a, b in zip(halves, again, strict=True))
        whole = layout("float32", 0, 200)
        assert layout("float32", 0, 200)[1] is whole[1]
        assert layout("float32", 0, 128)[1] is not halves[0][1]  # memory of two would be kept
        layout("float64", 0, 200)
        assert layout("float32", 0, 200)[1] is not whole[1]
    assert in_a_group("float32", 0, 200, delay[::-1].copy())[0][-1] == 3000


def test_a_weight_of_each_source_is_not_believed_too_early():
    """All synapses of a source have one weight, but for one of the last."""
    by_source = np.arange(1.0, 401)
    weights = nd.weights.sparse_random((400, 400), n_synapses=100_000, weight=by_source, rng=0)
    assert delivery_kind(weights) == "sparse_by_source"
    data = weights.data.copy()
    data[-1] += 1
    assert delivery_kind(weights.with_parameters(data=data)) == "sparse"


@pytest.mark.parametrize("kind", ["together", "scheduled"])
@pytest.mark.parametrize("trials", [1, 2])
def test_more_spikes_than_are_fetched_at_once(kind, trials, monkeypatch):
    """All of 900 sources spike in one step; their synapses have seven delays, and some have none."""
    monkeypatch.setattr(delivery_groups, "_SHORT_RUN", np.inf if kind == "scheduled" else 0)
    rng, n_pre, n_post, n_synapses = np.random.default_rng(0), 900, 50, 20_000
    weights = nd.weights.sparse_random(
        (n_post, n_pre), n_synapses=n_synapses, rng=rng,
        weight=lambda rng, n: rng.integers(-20, 40, n) / 64,
    )  # fmt: skip
    steps = rng.choice([0, 1, 2, 3, 7, 8, 21], n_synapses)
    net = nd.Network(
        {"S": nd.spike_source(n_pre, time=np.full(n_pre, 4 * DT), unit=np.arange(n_pre)),
         "P": nd.Population(n_post, "dg/dt = 0/second : 1")},
        [nd.Coupling("S.spike", "P.g", weights, delay=steps * DT)],
    )  # fmt: skip
    ds = nd.simulate(net, nd.Euler(DT), 30 * DT, record=["P.g"], trials=trials, rng=0)
    arrived = np.zeros((30, n_post))
    post = np.repeat(np.arange(n_post), np.diff(weights.indptr))
    np.add.at(arrived, (4 + steps, post), weights.data)
    expected = np.cumsum(arrived, axis=0)[:-1]  # what arrives in a step is recorded in the next
    for trial in range(trials):
        assert_array_equal(ds["P.g"].values[trial, 1:], expected)
