"""Networks that are saved and loaded: the same numbers, text and code, whatever is in them."""

import numpy as np
import pytest
from scipy.sparse import random_array

import neurodyn as nd
from tests.networks import excitatory_inhibitory

RNG = np.random.default_rng(0)
SPARSE = nd.weights.Sparse(random_array((5, 4), density=0.5, rng=RNG, format="csr"))
LOW = nd.weights.LowRank(RNG.normal(size=(5, 2)), RNG.normal(size=(4, 2)))
WEIGHTS = {
    "dense": nd.weights.Dense(RNG.normal(size=(5, 4))),
    "float32": nd.weights.Dense(RNG.normal(size=(5, 4)).astype(np.float32)),
    "sparse": SPARSE,
    "synapses of one pair": nd.weights.Sparse.from_synapses([1, 1, 3], [2, 2, 0], [1, 2, 3.0], (5, 4)),
    "low rank": LOW,
    "transpose": nd.weights.Transpose(RNG.normal(size=(4, 5))),
    "sum": LOW + SPARSE + nd.weights.Dense(RNG.normal(size=(5, 4))),
    "transposed sum": nd.weights.Transpose(nd.weights.Dense(np.ones((4, 5))) + LOW.T),
    "with a unit": nd.weights.Dense(RNG.normal(size=(5, 4))) * nd.mV,
}  # fmt: skip


def round_trip(network, path, **options):
    nd.save_network(network, path)
    return nd.load_network(path, **options)


def assert_same_values(first, second):
    assert repr(first) == repr(second)
    for name, population in first.members.items():
        other = second.members[name]
        assert type(population) is type(other)
        for one, two in ((population.parameters, other.parameters), (population.initial, other.initial)):
            assert list(one) == list(two)
            for key in one:
                np.testing.assert_array_equal(one[key], two[key])
        assert (population.text, population.threshold, population.reset) == (
            other.text, other.threshold, other.reset,
        )  # fmt: skip
        np.testing.assert_array_equal(population.refractory, other.refractory)
        assert population.surrogate == other.surrogate
    for one, two in zip(first.couplings, second.couplings, strict=True):
        assert_same_weights(one.weights, two.weights)
        np.testing.assert_array_equal(np.asarray(one.delay), np.asarray(two.delay))
    for dtype in ("float64", "float32"):
        assert first.source(dtype) == second.source(dtype)


def assert_same_weights(one, two):
    assert (type(one), one.kind, one.shape, one.dtype, one.dim) == (
        type(two), two.kind, two.shape, two.dtype, two.dim,
    )  # fmt: skip
    for (name, a), (other, b) in zip(one.parameters.items(), two.parameters.items(), strict=True):
        assert name == other and a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.to_dense(), two.to_dense())


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_of_every_kind_come_back(kind, tmp_path):
    unit = "volt" if kind == "with a unit" else "1"
    net = nd.Network(
        {
            "A": nd.Population(4, "dx/dt = -x/tau : 1", tau=10 * nd.ms),
            "B": nd.Population(5, f"dv/dt = (-v + I)/tau : {unit}", tau=np.arange(1, 6) * nd.ms),
        },
        [nd.Coupling("A.x", "B.I", WEIGHTS[kind])],
    )
    assert_same_values(net, round_trip(net, tmp_path / "net.npz"))


def test_a_square_diagonal_and_shared_weights_are_one_object_again(tmp_path):
    W, d = nd.weights.Dense(np.eye(3)), nd.weights.Diagonal([1.0, 2, 3])
    net = nd.Network(
        {"A": nd.Population(3, "dx/dt = (-x + I + J + K)/second : 1")},
        [nd.Coupling("A.x", "A.I", W), nd.Coupling("A.x", "A.J", W.T), nd.Coupling("A.x", "A.K", d),
         nd.Coupling("A.x", "A.K", W)],
    )  # fmt: skip
    again = round_trip(net, tmp_path / "net.npz")
    assert_same_values(net, again)
    one, transposed, _, repeated = (c.weights for c in again.couplings)
    assert one is repeated and transposed.other is one


def test_a_network_with_noise_and_nesting_runs_to_the_same_bytes(tmp_path):
    inner = excitatory_inhibitory(noise=True)
    net = nd.Network(
        {"left": inner, "right": inner, "out": nd.Population(2, "y = I : 1")},
        [nd.Coupling("left/E.r", "out.I", RNG.normal(size=(2, inner.populations["E"].size)))],
    )
    again = round_trip(net, tmp_path / "net.npz")
    assert_same_values(net, again)
    runs = [nd.simulate(n, nd.Euler(dt=1e-3), 0.02, record=["out.y"], rng=3) for n in (net, again)]
    np.testing.assert_array_equal(runs[0]["out.y"], runs[1]["out.y"])


def spiking():
    text = """
        dv/dt = (g - v)/tau : 1 (unless refractory)
        dg/dt = -g/tau_g : 1
        """
    common = {"threshold": "v > v_th", "reset": "v = 0", "tau": 20 * nd.ms, "tau_g": 5 * nd.ms, "v_th": 1.0}
    E = nd.Population(8, text, refractory=np.arange(8) * nd.ms, v=np.linspace(0, 1, 8), **common)
    S = nd.spike_source(4, [1, 3, 5] * nd.ms, [0, 2, 3])
    W = nd.weights.Sparse(random_array((8, 8), density=0.5, rng=1, format="csr") * 3)
    stdp = nd.plasticity.pair_stdp(
        tau_plus=20 * nd.ms, tau_minus=20 * nd.ms, A_plus=0.01, A_minus=0.012, w_max=2.0
    )
    return nd.Network(
        {"E": E, "S": S, "P": nd.poisson_source(3, 200 * nd.Hz)},
        [
            nd.Coupling("E.spike", "E.g", W, delay=RNG.integers(1, 20, W.nnz) * 0.1 * nd.ms),
            nd.Coupling("S.spike", "E.g", np.full((8, 4), 2.0), delay=1 * nd.ms, plasticity=stdp),
            nd.Coupling("P.spike", "E.v", np.full((8, 3), 0.1)),
            nd.PoissonInput("E.g", rate=np.arange(8) * 100 * nd.Hz, weight=0.3, n_sources=10),
        ],
    )


def test_spikes_delays_and_plasticity_run_to_the_same_bytes(tmp_path):
    net = spiking()
    again = round_trip(net, tmp_path / "net.npz")
    assert_same_values(net, again)
    first, second = (nd.simulate(n, nd.Euler(dt=0.1 * nd.ms), 0.05, rng=2) for n in (net, again))
    assert first.sizes and set(first.variables) == set(second.variables)
    for name in first.variables:
        np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=name)


def test_a_surrogate_with_units_comes_back(tmp_path):
    surrogate = nd.surrogates.Triangle(slope=1 / nd.mV, dampening=0.3 / nd.mV)
    net = nd.Network({"E": nd.Population(2, "dv/dt = -v/tau : volt\nz = spike(v - v_th) : 1",
                                         tau=1.0, v_th=1 * nd.mV, surrogate=surrogate)})  # fmt: skip
    assert round_trip(net, tmp_path / "net.npz").populations["E"].surrogate == surrogate


def test_a_function_must_be_given_again(tmp_path):
    def normal(rng, size):
        return rng.normal(size=size)

    net = nd.rate_network(np.eye(2), x=normal)
    path = nd.save_network(net, tmp_path / "net.npz")
    with pytest.raises(ValueError, match=r"`E.x` began with values drawn by a function.*initial="):
        nd.load_network(path)
    assert nd.load_network(path, initial={"E.x": normal}).populations["E"].initial["x"] is normal


def test_what_is_no_network_is_refused(tmp_path):
    net = nd.rate_network(np.eye(2))
    with pytest.raises(TypeError, match="`network` must be a Network; got str"):
        nd.save_network("net", tmp_path / "net.npz")
    with pytest.raises(ValueError, match="`path` must end in .npz"):
        nd.save_network(net, tmp_path / "net.pkl")
    with pytest.raises(FileNotFoundError, match="folder that does not exist"):
        nd.save_network(net, tmp_path / "no" / "net.npz")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        nd.load_network(tmp_path / "net.npz")
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    with pytest.raises(OSError, match="damaged or of another format"):
        nd.load_network(tmp_path / "other.npz")
    path = nd.save_network(net, tmp_path / "net.npz")
    whole = path.read_bytes()
    for k in (len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 255]) + whole[k + 1 :])
        with pytest.raises(OSError, match="damaged"):
            nd.load_network(path)
