"""Every bad argument about spikes is named, shown and answered with a remedy, before anything runs."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import neurodyn as nd

DT = 1e-4
LIF = "dv/dt = (I - v)/tau : 1 (unless refractory)"


def units(size=3, text=LIF, threshold="v > theta", reset="v = v_reset", **values):
    defaults = {"tau": 0.01, "theta": 1.0, "v_reset": 0.0}
    used = {n: v for n, v in defaults.items() if re.search(rf"\b{n}\b", f"{text} {threshold} {reset}")}
    return nd.Population(size, text, threshold=threshold, reset=reset, **{**used, **values})


def coupled(weights=None, delay=0.0, source="P.spike", target="P.v"):
    return nd.Network({"P": units()}, [
        nd.Coupling(source, target, np.eye(3) if weights is None else weights, delay=delay)
    ])  # fmt: skip


def simulate(network, solver=None, duration=0.01, **more):
    return lambda: nd.simulate(network() if callable(network) else network,
                               solver or nd.Exact(DT), duration, **more)  # fmt: skip


W_UNIT = np.ones((3, 3)) * nd.mV


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        # populations
        (lambda: units(threshold="v"), nd.EquationError, "`v` stands for a condition, but is a number"),
        (lambda: units(threshold="v > "), nd.EquationError, "`threshold` cannot be read: `v >`"),
        (lambda: units(threshold=1.0), TypeError, '`threshold` must be text such as "v > v_th"; got 1.0'),
        (lambda: units(threshold="v > xi"), nd.EquationError, "`xi` cannot stand in `threshold` or `reset`"),
        (lambda: units(threshold="rand() < rand()"), nd.EquationError, "`rand()` can stand once, in `threshold`"),
        (lambda: units(reset="v == 0"), nd.EquationError, "`reset` has the statement `v == 0`; a statement is `name = expression`"),
        (lambda: units(reset="w = 0"), nd.EquationError, "`reset` changes `w`, which is not a state"),
        (lambda: units(reset="v = 0*volt"), nd.UnitError, "the units of `reset 0 = 0 * volt` do not fit"),
        (lambda: units(threshold="v > 1*volt"), nd.UnitError, "the units of `threshold = int(v > 1 * volt)` do not fit"),
        (lambda: units(v_reset=2.0), ValueError, "`reset` leaves unit 0 beyond its threshold: `v > theta` holds at v = 2"),
        (lambda: units(v_reset=np.array([0.0, 0.5, 1.5])), ValueError, "`reset` leaves unit 2 beyond its threshold"),
        (lambda: units(refractory=-1e-3), ValueError, "`refractory` must not be negative; got -0.001 s"),
        (lambda: units(refractory=2 * nd.mV), nd.UnitError, "`refractory` must be a time; got V"),
        (lambda: units(refractory=[1e-3, 2e-3]), ValueError, "`refractory` must be one number or one a unit, shape (3,); got shape (2,)"),
        (lambda: nd.Population(3, "dv/dt = -v/tau : 1", reset="v = 0", tau=1.0), ValueError, "`reset` needs a `threshold`"),
        (lambda: nd.Population(3, "dv/dt = -v/tau : 1", refractory=1e-3, tau=1.0), ValueError, "`refractory` needs a `threshold`"),
        (lambda: nd.Population(3, LIF, tau=1.0), nd.EquationError, "the flag (unless refractory) of `v` has no meaning here"),
        # sources
        (lambda: nd.poisson_source(3, -1.0), ValueError, "`rate` must not be negative; got -1 Hz"),
        (lambda: nd.poisson_source(3, 1 * nd.mV), nd.UnitError, "`rate`"),
        (lambda: nd.spike_source(3, [0.1], [3]), ValueError, "`unit` must lie in 0 to 2; got 3 to 3"),
        (lambda: nd.spike_source(3, [-0.1], [0]), ValueError, "`time` must be finite and not negative; got -0.1 s"),
        (lambda: nd.spike_source(3, [0.1, 0.2], [0]), ValueError, "`time` and `unit` must be lists of one length"),
        (lambda: nd.spike_source(3, [0.1], [0.5]), TypeError, "`unit` must hold unit numbers"),
        (lambda: nd.PoissonInput("P", 1.0, 1.0), ValueError, '`target` must be "population.variable"; got \'P\''),
        (lambda: nd.PoissonInput("P.v", -2.0, 1.0), ValueError, "`rate` must not be negative; got -2 Hz"),
        (lambda: nd.PoissonInput("P.v", np.inf, 1.0), ValueError, "`rate` must be finite"),
        (lambda: nd.PoissonInput("P.v", 1 * nd.ms, 1.0), nd.UnitError, "`rate` must be in Hz; got s"),
        (lambda: nd.Network({"P": units()}, [nd.PoissonInput("P.v", [1.0, 2.0], 1.0)]), ValueError, "`rate` of Poisson->P.v must be one number or one a unit, (3,); got shape (2,)"),
        (lambda: nd.Network({"P": units()}, [nd.PoissonInput("P.v", 1.0, 1 * nd.mV)]), nd.UnitError, "`Poisson->P.v`: weights in V give V, but `P.v` is in 1"),
        (lambda: nd.Network({"P": units()}, [nd.PoissonInput("P.tau", 1.0, 1.0)]), ValueError, "`P.tau` is a parameter with a value"),
        # couplings
        (lambda: coupled(np.ones((2, 3))), ValueError, "must have shape (post, pre) = (3, 3); got (2, 3)"),
        (lambda: nd.Network({"P": units(), "Q": units(2)}, [nd.Coupling("P.spike", "Q.v", np.ones((3, 2)))]), ValueError, "It looks transposed: weights are [post, pre]"),
        (lambda: coupled(W_UNIT), nd.UnitError, "weights in V times `P.spike` give V, but `P.v` is in 1"),
        (lambda: coupled(source="P.spikes"), ValueError, "population `P` has no `spikes`; did you mean `spike`?"),
        (lambda: coupled(source="P.v"), ValueError, "`P.v` is a state, at which only spikes can arrive"),
        (lambda: coupled(target="P.tau"), ValueError, "`P.tau` is a parameter with a value; a coupling ends at an input"),
        (lambda: coupled(source="P.v", target="P.I", delay=1e-3), ValueError, "`delay` of P.v->P.I: only spikes can be delayed"),
        (lambda: coupled(delay=-1e-3), ValueError, "`delay` of P.spike->P.v must be finite and not negative; got -0.001 s"),
        (lambda: coupled(delay=1 * nd.mV), nd.UnitError, "`delay` of P.spike->P.v must be a time; got V"),
        (lambda: coupled(delay=np.ones(4)), ValueError, "must be one number or one a synapse, (3, 3); got shape (4,)"),
        (lambda: coupled(nd.weights.LowRank(np.ones((3, 1)), np.ones((3, 1))), delay=np.ones(9)), ValueError, "one delay a synapse needs sparse or dense weights; these are low_rank"),
        # simulations
        (simulate(lambda: coupled(delay=0.5 * DT)), ValueError, "is not a multiple of dt = 0.0001 s; the nearest is 0.0001 s (1 steps)"),
        (simulate(lambda: coupled(delay=2.5 * DT)), ValueError, "`delay` of `P.spike->P.v` = 0.00025 s is not a multiple of dt"),
        (simulate(lambda: nd.Network({"P": units(refractory=1.25e-4)})), ValueError, "`refractory` of `P` = 0.000125 s is not a multiple of dt"),
        (simulate(nd.Network({"P": units()}), nd.DormandPrince(DT)), ValueError, "DormandPrince chooses its own steps, and spikes belong to the steps of a grid; use nd.Exact"),
        (simulate(nd.Network({"S": nd.poisson_source(2, 1.2 / DT)})), ValueError, "`S`: `rand() < rate*dt` has the probability 1.2 in a step of dt = 0.0001 s, more than 1; use a smaller dt"),
        (simulate(nd.Network({"S": nd.poisson_source(2)}), inputs={"S.rate": 2 / DT}), ValueError, "`S`: `rand() < rate*dt` has the probability 2 in a step"),
        (simulate(nd.Network({"P": units()}, [nd.PoissonInput("P.v", 1.5 / DT, 1.0, n_sources=4)])), ValueError, "`rate` of Poisson->P.v has the probability 1.5 in a step"),
        (simulate(nd.Network({"S": nd.spike_source(2, [1e-3, 1.05e-3], [1, 1])})), ValueError, "`S`: unit 1 has two spikes in the step that begins at 0.001 s; use a smaller dt"),
        (simulate(nd.Network({"P": units()}), record=["P.spik"]), ValueError, "population `P` has no `spik`; did you mean `spike`?"),
        (simulate(nd.Network({"P": units()}), record={"P.spike": [0, 7]}), ValueError, "units of `P.spike` must be a slice or indices below 3; got [0, 7]"),
        (simulate(nd.Network({"P": units()}), record=["P.spike->P.v.w"]), ValueError, "there is no plastic `P.spike->P.v.w`; there are none"),
    ],
)  # fmt: skip
def test_bad_input(make, error, message):
    with pytest.raises(error) as found:
        make()
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("network", "more", "message"),
    [
        (nd.Network({"S": nd.poisson_source(2, 0.2 / DT)}), {}, "`S`: `rand() < rate*dt` has the probability 0.2 in a step"),
        (nd.Network({"S": nd.poisson_source(2)}), {"inputs": {"S.rate": np.full(100, 0.3 / DT)}}, "has the probability 0.3 in a step"),
        (coupled(delay=0.01), {}, "`delay` of P.spike->P.v: 0.01 s is not shorter than the run, 0.01 s, so no spike of this run arrives in it"),
    ],
)  # fmt: skip
def test_doubtful_input_is_warned_of(network, more, message):
    with pytest.warns(UserWarning, match=re.escape(message)):
        nd.simulate(network, nd.Exact(DT), 0.01, **more)


def test_good_input_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nd.simulate(coupled(delay=9e-3), nd.Exact(DT), 0.01)
        nd.simulate(nd.Network({"S": nd.poisson_source(2, 900.0)}), nd.Exact(DT), 0.01)


def test_entries_of_one_pair_are_summed_with_a_warning():
    twice = sp.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(3, 3))
    with pytest.warns(UserWarning, match="`weights` of P.spike->P.v has 1 entries more than pairs"):
        network = coupled(twice)
    assert network.couplings[0].weights.to_dense()[0, 1] == 3.0
