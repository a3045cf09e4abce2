"""Delays of synapses, packed: the same times come out as went in."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.delays import SynapseDelays
from neurodyn.weights import Sparse


@pytest.mark.parametrize(
    ("times", "index_dtype"),
    [
        (1e-4 * np.random.default_rng(0).integers(1, 60, 100_000), np.uint8),
        (0.3e-3 + 2e-4 * np.random.default_rng(1).integers(0, 60, 10_000), np.uint8),
        (1e-4 * np.random.default_rng(2).integers(0, 3000, 50_000), np.uint16),
        (np.random.default_rng(3).random(500), np.int64),  # on no grid
        (np.array([0.0, 1e-7, 1.0]), np.int64),  # on too wide a grid
        (np.array([3.0, 1.0, 1.0]), np.uint8),
        (np.full(7, 2.5), np.uint8),
        (np.zeros(0), np.int64),
    ],
)
def test_times_come_out_as_they_went_in(times, index_dtype):
    delays = SynapseDelays(times)
    assert_array_equal(np.asarray(delays), times)
    assert_array_equal(delays.values, np.unique(times))
    assert delays.index.dtype == index_dtype
    assert (delays.size, len(delays), delays.shape) == (times.size, times.size, times.shape)
    again = pickle.loads(pickle.dumps(delays))
    assert_array_equal(np.asarray(again), times)
    if times.size:
        assert (delays.min(), delays.max()) == (times.min(), times.max())
        assert_array_equal(delays[1:3], times[1:3])
        assert delays[-1] == times[-1]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40), st.sampled_from([1e-4, 0.1, 1 / 3]))
def test_any_multiples_of_a_step(steps, dt):
    times = dt * np.array(steps)
    assert_array_equal(np.asarray(SynapseDelays(times)), times)


def test_times_that_differ_by_rounding_are_one():
    times = np.array([0.1 * 3, 0.3, 0.2, 0.1 + 0.1])
    assert np.unique(times).size == 3
    delays = SynapseDelays(times)
    assert_allclose(delays.values, [0.2, 0.3], rtol=1e-15)
    assert_array_equal(delays.index, [1, 1, 0, 0])


def test_a_delay_that_is_seen_late_is_found():
    """The grid is guessed from a sample; one delay that is not in it, and not on it, counts too."""
    times = 1e-3 * np.ones(100_000)
    times[1::2] = 2e-3
    for late in (1.5e-3, 1.3e-3, 7e-3):
        times[77_777] = late
        delays = SynapseDelays(times)
        assert_array_equal(np.asarray(delays), times)
        assert delays.values.size == 3


@pytest.mark.parametrize(("longest", "index_dtype"), [(60, np.uint8), (3000, np.uint16)])
def test_delays_in_steps(longest, index_dtype):
    steps = np.random.default_rng(0).integers(1, longest, 50_000).astype(np.uint16)
    delays = SynapseDelays.of_steps(steps, 1e-4)
    assert_array_equal(np.asarray(delays), 1e-4 * steps)
    assert_array_equal(delays.values, 1e-4 * np.unique(steps))
    assert delays.index.dtype == index_dtype
    for wrong in ([1.0], [[1]], [-1]):
        with pytest.raises(ValueError, match="`steps` must be a list of whole numbers"):
            SynapseDelays.of_steps(wrong, 1e-4)


def test_needs_one_byte_a_synapse():
    times = 1e-4 * np.random.default_rng(0).integers(1, 60, 2_000_000)
    tracemalloc.start()
    delays = SynapseDelays(times)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert delays.index.itemsize == 1
    assert kept < 1.01 * times.size
    assert peak < 3 * times.size + 2**25  # 16-bit codes too, and a block of 2^18


def test_coupling_keeps_delays_packed_and_takes_those_of_another():
    rng = np.random.default_rng(0)
    weights = nd.weights.sparse_random(20, n_synapses=100, rng=rng)
    times = 1e-4 * rng.integers(1, 9, 100)
    coupling = nd.Coupling("E.spike", "E.I", weights, delay=times * nd.second)
    assert isinstance(coupling.delay, SynapseDelays)
    assert_array_equal(np.asarray(coupling.delay), times)
    assert (coupling.n_delays, coupling.max_delay) == (8, times.max())
    assert nd.Coupling("E.spike", "E.I", weights, delay=coupling.delay).delay is coupling.delay
    with pytest.raises(ValueError, match=r"one number or one a synapse, \(5,\); got shape \(100,\)"):
        nd.Coupling("E.spike", "E.I", Sparse.from_synapses([0] * 5, range(5), 1.0, (20, 20)),
                    delay=coupling.delay)  # fmt: skip
    same = nd.Coupling("E.spike", "E.I", weights, delay=np.full(100, 2e-3))
    assert (same.delay, same.n_delays, same.max_delay) == (2e-3, 1, 2e-3)
    none = Sparse.from_synapses(np.zeros(0, int), np.zeros(0, int), 1.0, (20, 20))
    assert nd.Coupling("E.spike", "E.I", none, delay=np.zeros(0)).delay == 0.0


def test_delays_of_a_transposed_matrix_are_post_by_pre():
    """As its weights are, whatever shape the matrix has that is transposed."""
    delay = np.array([[1, 2, 3], [4, 5, 6]]) * 1e-3
    weights = nd.weights.Transpose(np.arange(1.0, 7.0).reshape(3, 2))
    net = nd.Network(
        {"S": nd.spike_source(3, time=[0.0, 0.0, 0.0], unit=[0, 1, 2]),
         "P": nd.Population(2, "dx/dt = 0/second : 1")},
        [nd.Coupling("S.spike", "P.x", weights, delay=delay)],
    )  # fmt: skip
    x = nd.simulate(net, nd.Euler(1e-3), 9e-3, record=["P.x"])["P.x"].values[0]
    expected = np.zeros((8, 2))
    for post in range(2):
        expected[np.arange(3) + 3 * post + 1, post] = weights.to_dense()[post]
    np.testing.assert_array_equal(np.diff(x, axis=0), expected)
    with pytest.raises(ValueError, match=r"one a synapse, \(2, 3\); got shape \(3, 2\)"):
        nd.Coupling("S.spike", "P.x", weights, delay=delay.T)
