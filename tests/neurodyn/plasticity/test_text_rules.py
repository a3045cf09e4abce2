"""The text of a rule is carried out as a slow twin does it, and runs of it are handled as others.

All tests but the slow ones share one compiled network, `text_network`.
"""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from tests.neurodyn.plasticity.text_network import (
    DT,
    INPUTS,
    LABELS,
    N_P,
    N_S,
    STEPS,
    network,
    twin,
    weights,
)

SOLVER = nd.ExponentialEuler(DT)
WEIGHTS = tuple(f"{label}.w" for label in LABELS)
FINAL = tuple(f"{name}.final" for name in WEIGHTS)
DELAYS = (2, 0, 1)


def simulate(net, steps=STEPS, **arguments):
    arguments = {"record": ["P.spike", "P.v", *WEIGHTS], "inputs": INPUTS, **arguments}
    return nd.simulate(net, arguments.pop("solver", SOLVER), steps * DT, **arguments)


@pytest.fixture(scope="module")
def run():
    return simulate(network(delays=DELAYS))


def spikes(ds, trial=0):
    """(step, unit) of the spikes of P, as a matrix."""
    here = ds["P.spike_trial"].values == trial
    found = np.zeros((STEPS, N_P), bool)
    step = np.rint(ds["P.spike_time"].values[here] / DT).astype(int)
    found[step, ds["P.spike_unit"].values[here]] = True
    return found


def assert_as_the_twin(ds, expected, rtol=1e-13):
    """Spikes agree exactly and weights to rounding, which the rules do not amplify."""
    assert_array_equal(spikes(ds), expected["spikes"]["P"])
    assert expected["spikes"]["P"].sum() > 50
    for name, w in zip(WEIGHTS, expected["weights"]):
        assert np.ptp(w, axis=0).max() > 0.1
        assert_allclose(ds[name].values[0], w, rtol=rtol, atol=rtol, err_msg=name)


# -- what the text means -----------------------------------------------------------------------


@pytest.mark.parametrize("delays", [(0, 0, 0), DELAYS, (0, 3, 0)])
def test_dense_sparse_and_diagonal_couplings_agree_with_the_twin(delays):
    expected = twin(delays=delays)
    assert_as_the_twin(simulate(network(delays=delays)), expected)
    w = expected["weights"][0]
    assert np.any(w == 0.05) and np.any(w == 0.4)  # both bounds are reached


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds, solver, dtype, rtol",
    [
        (("sparse", "diagonal", "dense"), SOLVER, "float64", 1e-13),
        (("dense", "dense", "sparse"), nd.Euler(DT), "float64", 1e-13),
        # 120 steps of a dozen roundings each, of 6e-8
        (("dense", "sparse", "diagonal"), SOLVER, "float32", 1e-4),
    ],
)
def test_other_kinds_of_weights_solvers_and_numbers_agree_with_the_twin(kinds, solver, dtype, rtol):
    if kinds[1] == "diagonal":
        kinds = (kinds[0], "sparse", kinds[2])
    expected = twin(kinds, DELAYS, exponential=not isinstance(solver, nd.Euler))
    ds = simulate(network(kinds, DELAYS), solver=solver, dtype=dtype)
    assert ds[WEIGHTS[0]].dtype == dtype
    assert_as_the_twin(ds, expected, rtol)


def test_names_of_traces_that_are_taken_get_numbers(run):
    # S has the traces of two rules; P has v, a trace that hides it, and a trace of each rule
    states = set(network().state_names)
    assert states == {"S.x_pre", "S.x_pre_2", "P.v", "P.g", "P.y_post", "P.a_post", "P.v_pre",
                      "P.y_post_2"}  # fmt: skip
    ds = simulate(network(delays=DELAYS), record=["S.x_pre", "S.x_pre_2"])
    assert ds["S.x_pre"].values[0, 0].tolist() == [0.25] * N_S  # its initial value
    assert ds["S.x_pre_2"].values[0, 0].tolist() == [0.0] * N_S


def test_the_numbers_of_units_do_not_matter():
    """Several spikes of one step come in the order of their units, and nothing depends on it."""
    order = np.random.default_rng(5).permutation(N_S)
    before = network(delays=DELAYS)
    source, (first, second, third) = before.populations["S"], before.couplings
    c = first.plasticity.values["c"][:, order]
    W, S, _ = weights(("dense", "sparse", "diagonal"))
    after = nd.Network(
        {"S": nd.spike_source(N_S, source.spike_time, np.argsort(order)[source.spike_unit]),
         "P": before.members["P"]},
        [replace(first, weights=W[:, order], plasticity=first.plasticity.with_values(c=c)),
         replace(second, weights=S[:, order]), third],
    )  # fmt: skip
    runs = simulate(before), simulate(after)
    assert_array_equal(spikes(runs[0]), spikes(runs[1]))
    learned = [nd.with_final_weights(net, ds) for net, ds in zip((before, after), runs)]
    for here, there in zip(*(net.couplings[:2] for net in learned)):
        W = here.weights.to_dense()
        assert_allclose(there.weights.to_dense(), W[:, order], rtol=1e-13, atol=1e-15)


# -- runs --------------------------------------------------------------------------------------


def test_every_trial_has_weights_of_its_own():
    drive = np.stack([INPUTS["P.drive"], INPUTS["P.drive"][::-1], 0 * INPUTS["P.drive"]])
    net = network(delays=DELAYS)
    ds = simulate(net, trials=3, inputs={**INPUTS, "P.drive": drive})
    for trial in range(3):
        alone = simulate(net, inputs={**INPUTS, "P.drive": drive[trial]})
        assert_array_equal(spikes(ds, trial), spikes(alone))
        for name in (*WEIGHTS, *FINAL):
            assert_array_equal(ds[name].values[trial], alone[name].values[0])
    assert np.ptp(ds[FINAL[2]].values, axis=0).max() > 0.1


def test_threads_do_not_change_a_bit():
    drive = np.random.default_rng(3).uniform(0, 1.5, (40, STEPS, N_P))
    one, two = (
        simulate(network(), trials=40, inputs={**INPUTS, "P.drive": drive}, threads=n,
                 record=["P.spike"])
        for n in (1, 2)
    )  # fmt: skip
    for name in FINAL:
        assert_array_equal(one[name], two[name])
    assert_array_equal(one["P.spike_time"], two["P.spike_time"])


def test_a_run_in_pieces_equals_the_whole(run, tmp_path):
    net = network(delays=DELAYS)
    pieces = [simulate(net, 37)]
    for suffix in (".nc", ".zarr"):  # spikes are on their way, and on disk in between
        path = nd.save(pieces[-1], tmp_path / f"piece{suffix}")
        pieces.append(simulate(net, 30, initial=nd.load(path)))
    pieces.append(simulate(net, STEPS - 97, initial=pieces[-1]))
    whole = nd.concatenate(pieces)
    for name in (*WEIGHTS, *FINAL, "P.v", "P.v.final", "S.x_pre.final", "P.y_post_2.final"):
        assert_array_equal(whole[name], run[name], err_msg=name)
    assert_array_equal(spikes(whole), spikes(run))


def test_one_trial_goes_on_as_many():
    start = simulate(network(), 60)
    many = simulate(network(), STEPS - 60, initial=start, trials=3)
    one = simulate(network(), STEPS - 60, initial=start)
    for name in FINAL:
        assert_array_equal(many[name], np.repeat(one[name].values, 3, axis=0))


def test_final_weights_are_in_the_order_of_the_weights_and_go_back_into_the_network(run):
    net = network(delays=DELAYS)
    learned = nd.with_final_weights(net, run)
    for coupling, before, name in zip(learned.couplings, net.couplings, FINAL):
        (values,) = coupling.weights.parameters.values()
        assert_array_equal(values, run[name].values[0])
        assert coupling.weights.kind == before.weights.kind
    dims = [run[name].dims[1:] for name in FINAL]
    assert dims == [("S.spike->P.g.post", "S.spike->P.g.pre"), ("S.spike->P.v.synapse",),
                    ("P.spike->P.g.synapse",)]  # fmt: skip
    W, expected = weights(("dense", "sparse", "diagonal")), twin(delays=DELAYS)["weights"]
    assert_array_equal(run[WEIGHTS[0]].values[0, 0], W[0].ravel())
    assert_array_equal(run[WEIGHTS[1]].values[0, 0], W[1].data)
    again = simulate(learned, 3)
    for name, final in zip(WEIGHTS, FINAL):
        assert_array_equal(again[name].values[0, 0], run[final].values[0].ravel())
    assert_allclose(run[FINAL[1]].values[0], expected[1][-1], atol=0.05)  # a step later


def test_what_is_kept_a_synapse_can_be_recorded_in_part(run):
    z, count = "S.spike->P.g.z", "S.spike->P.g.count"
    every = simulate(network(delays=DELAYS), record=[z, count])
    chosen = [7, 0, 23]
    some = simulate(network(delays=DELAYS), every=5 * DT,
                    record={WEIGHTS[0]: chosen, z: slice(4, 6), WEIGHTS[1]: [2]})  # fmt: skip
    assert_array_equal(some[WEIGHTS[0]].values, run[WEIGHTS[0]].values[:, ::5, chosen])
    assert_array_equal(some[z].values, every[z].values[:, ::5, 4:6])
    assert_array_equal(some[WEIGHTS[1]].values, run[WEIGHTS[1]].values[:, ::5, [2]])
    assert some[f"{WEIGHTS[0]}.recorded"].values.tolist() == chosen
    assert every[z].values[0, 0].tolist() == [0.1] * (N_P * N_S)
    # a synapse counts the spikes that have arrived over it
    step = np.rint(network().populations["S"].spike_time / DT - 0.5).astype(int)
    arrived = np.zeros(N_S)
    np.add.at(arrived, network().populations["S"].spike_unit[step < STEPS - DELAYS[0]], 1)
    assert_array_equal(every[f"{count}.final"].values[0], np.tile(arrived, (N_P, 1)))


def test_streaming_to_disk_gives_the_same_dataset(run, tmp_path):
    ds = simulate(network(delays=DELAYS), store=tmp_path / "run.zarr").load()
    for name in run.data_vars:
        assert_array_equal(ds[name], run[name], err_msg=name)
        assert ds[name].dims == run[name].dims
    assert set(ds.data_vars) == set(run.data_vars)


def test_the_dataset_survives_saving(run, tmp_path):
    for suffix in (".nc", ".zarr"):
        back = nd.load(nd.save(run, tmp_path / f"run{suffix}"))
        assert back.identical(run)


def test_the_dataset_says_by_which_values_the_weights_changed(run):
    parameters = run.attrs["parameters"]
    assert parameters["S.spike->P.g.A"] == 0.05
    assert parameters["S.spike->P.g.w_max"] == 0.4
    assert parameters["S.spike->P.v.w_min"] == -0.2
    assert "S.spike->P.v.w_max" not in parameters
    assert parameters["S.spike->P.g.c"]["shape"] == [N_P, N_S]


def test_values_of_a_rule_change_with_the_network():
    net = network(delays=DELAYS)
    still = net.with_values(**{"S.spike->P.g.A": 0.0, "S.spike->P.g.B": 0.0, "S.spike->P.g.z": 0.0,
                               "S.spike->P.g.beta": 0.0})  # fmt: skip
    ds = simulate(still)
    assert_array_equal(ds[FINAL[0]].values[0], weights(["dense"])[0])
    assert still.couplings[0].plasticity.values["A"] == 0.0
    wide = net.with_values(**{"S.spike->P.g.w_max": 0.41, "S.spike->P.g.w_min": 0.04})
    assert wide.couplings[0].plasticity.bounds == (0.04, 0.41)
    w = simulate(wide)[WEIGHTS[0]].values
    assert w.max() == 0.41 and w.min() == 0.04
