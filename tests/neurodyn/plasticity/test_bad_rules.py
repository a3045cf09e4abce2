"""Bad rules are refused before anything runs, by a message that names what is wrong and the remedy.

Each case is one line of a table: what is called, the type of the error, and parts of its message.
"""

import re

import numpy as np
import pytest
import scipy.sparse as sp

import neurodyn as nd
from neurodyn import plasticity

TRACE = "dx_pre/dt = -x_pre/tau : 1"
W = np.full((3, 4), 0.5)
S = nd.poisson_source(4, 10 * nd.Hz)
P = nd.Population(
    3, "dv/dt = (g + mV*I - v)/tau_m : volt\ndg/dt = -g/tau_m : volt\nr = 1*tanh(v/mV) : 1",
    threshold="v > 1*mV", reset="v = 0*mV", tau_m=0.01,
)  # fmt: skip
Q = nd.Population(3, "dq/dt = (drive - q)/tau_q : 1", tau_q=0.01)
LABEL = "plasticity of `S.spike->P.g`"


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """No test in here may get as far as generating or loading code."""
    from neurodyn.compile import module

    def load(structure):
        raise AssertionError("the input was taken for good")

    monkeypatch.setattr(module, "load", load)


def rule(equations="", **arguments):
    return lambda: nd.Plasticity(equations, **arguments)


def coupled(equations="", source="S.spike", target="P.g", weights=W, delay=0.0, **arguments):
    """Make a network with one rule."""

    def call():
        made = nd.Plasticity(equations, **arguments)
        coupling = nd.Coupling(source, target, weights, delay=delay, plasticity=made)
        return nd.Network({"S": S, "P": P, "Q": Q}, [coupling])

    return call


def check(call, error, *texts):
    with pytest.raises(error) as caught:
        call()
    assert caught.type is error, caught.value
    for text in texts:
        assert text in str(caught.value)


Wrong, Units = nd.EquationError, nd.UnitError


def cases(table):
    """Parametrise over (call, error, texts), named after the text."""
    names = [re.sub(r"\W+", "_", " ".join(texts))[:60] for _, _, texts in table]
    return pytest.mark.parametrize("call, error, texts", table, ids=names)


@cases(
    [
        # the rule by itself
        (rule(3), TypeError, ["`equations` must be text", "3"]),
        (rule(TRACE, on_pre=None), TypeError, ["`on_pre` must be text", "None"]),
        (rule(" "), ValueError, ["needs `equations`, `on_pre` or `on_post`"]),
        (rule(on_pre="x_pre 1"), ValueError, ["`on_pre`", "`x_pre 1`", "`name = expression`"]),
        (rule(on_post="w **= 2"), ValueError, ["`on_post`", "`w **= 2`", "+=, -=, *= or /="]),
        (rule(on_post="w = (1"), ValueError, ["`on_post` cannot be read", "(1"]),
        (rule(TRACE, tau=np.nan), ValueError, ["`tau` must be finite", "nan"]),
        (rule(TRACE, tau=-0.01), ValueError, ["`tau`", "positive", "-0.01"]),
        (rule(on_pre="w += A", A=1, bounds=3), ValueError, ["`bounds`", "(smallest, largest)", "3"]),
        (rule(on_pre="w += 1", bounds=(0, np.nan)), ValueError, ["`bounds` must be two numbers", "nan"]),
        (rule(on_pre="w += 1", bounds=(2, 1)), ValueError, ["`bounds`", "ascending", "(2, 1)"]),
        (rule(on_pre="w += 1", w=2), ValueError, ["`w` cannot be a value", "the coupling"]),
        (rule(on_pre="w += 1", w_max=2), ValueError, ["`w_max` cannot be a value", "`bounds`"]),
        (rule(on_pre="w += 1", dt=2), ValueError, ["`dt` cannot be a value", "step"]),
        (lambda: rule(TRACE, tau=1)().with_values(tua=2), ValueError, ["no value `tua`", "it has tau"]),
        (lambda: rule(TRACE, tau=1)().with_values(w_max=2), ValueError, ["no value `w_max`", "tau"]),
        # the coupling
        (lambda: nd.Coupling("S.spike", "P.g", W, plasticity="w += 1"), TypeError,
         ["`plasticity` of S.spike->P.g", "nd.Plasticity", "str"]),
        (coupled(on_pre="w += 1*mV", weights=nd.weights.LowRank(np.ones((3, 1)), np.ones((4, 1)))),
         ValueError, ["`plasticity` of S.spike->P.g", "low_rank", "`weights.to_dense()`"]),
        (coupled(on_pre="w += 1*mV", weights=nd.weights.Transpose(nd.weights.Dense(W.T))),
         ValueError, ["`plasticity` of S.spike->P.g", "transposed", "`weights.to_dense()`"]),
        (coupled(on_pre="w += 1*mV", delay=np.linspace(0, 1, 12).reshape(3, 4)), ValueError,
         ["`delay` of S.spike->P.g", "one for all", "0 to 1 s"]),
        # lines
        (coupled("dx_pre/dt -x_pre : 1"), Wrong, [LABEL, "`dx_pre/dt -x_pre : 1`", "`dx/dt = ... : unit`"]),
        (coupled("dx_pre/dt = (x : 1"), Wrong, [LABEL, "cannot be read", "(x"]),
        (coupled(f"{TRACE} (linear)", tau=1), Wrong, [LABEL, "the flag (linear)", "event-driven"]),
        (coupled("dx_pre/dt = -x_pre/tau : mV", tau=1), Wrong, [LABEL, "`mV`", "`x_pre`", "volt"]),
        (coupled("dx_pre/dt = -x_pre/tau : volts", tau=1), Wrong, [LABEL, "`volts`, the unit of `x_pre`"]),
        (coupled(f"{TRACE}\n{TRACE}", tau=1), Wrong, [LABEL, "`x_pre` has two equations"]),
        (coupled("de/dt = -e/tau : 1", tau=1), Wrong, [LABEL, "`e` is a constant", "another name"]),
        (coupled(TRACE + "\ndw/dt = exp*w/tau", tau=1, exp=1), Wrong, [LABEL, "`exp` is a function"]),
        # names
        (coupled("dw/dt = eta*w"), Wrong, [LABEL, "`eta` has no value", "eta=...", "`eta_post`"]),
        (coupled("dw/dt = w/tau", tau=1, eta=2), Wrong, [LABEL, "`eta` is given a value", "not use"]),
        (coupled(on_pre="w += u_post*mV"), Wrong, [LABEL, "no `u`", "it has v, g, r, tau_m"]),
        (coupled(on_pre="w += u_pre*mV"), Wrong, [LABEL, "the presynaptic population", "it has rate"]),
        (coupled(on_pre="w += foo(w)"), Wrong, [LABEL, "unknown function `foo`", "`floor`"]),
        (coupled("dx_pre/dt = -x_pre/tau : 1", on_pre="x_pre += 1"), Wrong,
         [LABEL, "`dx_pre/dt` depends on `tau`", "..._pre"]),
        (coupled("dx_pre/dt = v_post/mV/tau : 1", tau=1), Wrong, [LABEL, "depends on `v_post`", "`..._pre`"]),
        (coupled("da_post/dt = (u_post - a_post)/tau : 1", tau=1), Wrong,
         [LABEL, "`u_post`: the postsynaptic population has no `u`", "it has I, g, r, tau_m, v"]),
        (coupled(TRACE, tau=np.ones((3, 4))), Wrong, [LABEL, "`tau` has one value a synapse", "`x_pre`"]),
        # statements
        (coupled(on_pre="q_post += 1"), Wrong, [LABEL, "`on_pre` cannot change `q_post`", "`g_post`"]),
        (coupled(on_post="g_post += w"), Wrong, [LABEL, "`on_post` cannot change `g_post`", "`w`"]),
        (coupled("dx_pre/dt = 0/second : 1", on_post="x_pre += 1"), Wrong,
         [LABEL, "`on_post` cannot change `x_pre`", "`..._post`"]),
        (coupled(TRACE, on_pre="x_pre += w/mV", tau=1), Wrong, [LABEL, "`x_pre`", "cannot depend on `w`"]),
        (coupled(TRACE, on_pre="x_pre += v_post/mV", tau=1), Wrong, [LABEL, "cannot depend on `v_post`"]),
        (coupled(TRACE, on_pre="x_pre += A", tau=1, A=np.ones((3, 4))), Wrong,
         [LABEL, "`x_pre`", "cannot depend on `A`", "synapse to synapse"]),
        (coupled(on_pre="g_post = w"), Wrong, [LABEL, "`g_post += ...`", "`g_post = w`"]),
        (coupled(on_pre="g_post *= 2"), Wrong, [LABEL, "`g_post += ...`", "g_post * 2"]),
        (coupled(on_pre="w = w > 1*mV"), Wrong, [LABEL, "is a condition", "int("]),
        (coupled(on_pre="w += sum_pre(w)"), Wrong, [LABEL, "`sum_pre(w)`", "`on_pre`", "equations"]),
        (coupled("dw/dt = sum_pre(w*sum_post(w))/second/volt"), Wrong, [LABEL, "sum of sums"]),
        (coupled("dw/dt = sum_pre(w, w)/second"), Wrong, [LABEL, "`sum_pre()` takes one", "(w, w)"]),
        (coupled("dw/dt = w*xi"), Wrong, [LABEL, "`xi`", "no random numbers", "`..._post`"]),
        (coupled(on_pre="w += rand()*mV"), Wrong, [LABEL, "`rand()`", "no random numbers"]),
        (coupled(on_pre="w += 1", source="Q.q", target="P.I", weights=np.ones((3, 3))), Wrong,
         ["plasticity of `Q.q->P.I`", "`on_pre` needs a coupling of spikes", "`population.spike`"]),
        (coupled(on_post="w += 1", target="Q.drive"), Wrong,
         ["plasticity of `S.spike->Q.drive`", "`on_post` needs a postsynaptic population that spikes"]),
        # units
        (coupled(on_pre="w += 1"), Units, [LABEL, "`w = w + 1`", "unit V"]),
        (coupled("dw/dt = w"), Units, [LABEL, "`dw/dt = w`", "V/s"]),
        (coupled("dw/dt = w/tau : amp", tau=1), Wrong, [LABEL, "a weight in A", "weights in V"]),
        (coupled("dc/dt = -c/tau : volt", tau=1, c=1 * nd.ms), Units,
         [LABEL, "the initial value of `c` must be in V; got s"]),
        (coupled(TRACE, tau=1, x_pre=1 * nd.ms), Units, ["initial value of `x_pre` must be in 1; got s"]),
        (coupled(on_pre="w += 1*mV", bounds=(0 * nd.ms, 1 * nd.second)), Units,
         [LABEL, "`bounds` must be in V; got s"]),
        # values
        (coupled(on_pre="w += A*mV", A=np.ones(5)), ValueError,
         ["`A` of the plasticity of S.spike->P.g", "one a synapse, (3, 4)", "(5,)"]),
        (coupled(TRACE, tau=1, x_pre=np.ones(3)), ValueError, ["`x_pre`", "one a unit", "(4,)", "(3,)"]),
        (coupled(on_pre="w += 1*mV", bounds=(0, 0.4)), ValueError,
         ["weights of S.spike->P.g", "`bounds` (0, 0.4)", "(0, 0) has 0.5", "clip them"]),
        (coupled(on_pre="w += 1*mV", bounds=(0.1, 1), weights=np.where(np.eye(3, 4), 0.5, 0)), ValueError,
         ["`bounds` (0.1, 1)", "(0, 1) has 0", "use sparse weights"]),
        (coupled(on_pre="w += 1*mV", bounds=(0.6, None), weights=sp.csr_array(W)), ValueError,
         ["`bounds` (0.6, None)", "synapse (0,) has 0.5"]),
        # rules of the literature
        (lambda: plasticity.pair_stdp(w_max=1, mu_plus=-1), ValueError, ["`mu_plus`", "-1", "0 for additive"]),
        (lambda: plasticity.pair_stdp(w_max=0), ValueError, ["`bounds`", "ascending", "(0.0, 0)"]),
        (lambda: plasticity.pair_stdp(w_max=1, interactions="next"), ValueError,
         ["`interactions`", '"all-to-all" or "nearest"', "'next'"]),
        (lambda: plasticity.triplet_stdp(w_ref=1, fit="retina"), ValueError,
         ["`fit` must be one of visual_cortex, hippocampus", "'retina'"]),
        (lambda: plasticity.triplet_stdp(w_ref=1, model="tiny"), ValueError,
         ["`model` must be one of full, minimal", "'tiny'"]),
        (lambda: plasticity.triplet_stdp(w_ref=1, A4=2), ValueError, ["no value `A4`", "A3_minus"]),
        (lambda: plasticity.triplet_stdp(w_ref=1, model="minimal", A3_minus=1), ValueError,
         ["`A3_minus` needs a `tau_x`"]),
        (lambda: plasticity.tsodyks_markram("P.g"), ValueError, ["`target`", "'P.g'", "without its population"]),
        (lambda: plasticity.tsodyks_markram("g", U=1.5), ValueError, ["`U` must be a fraction", "1.5"]),
        (lambda: plasticity.reward_modulated_stdp(w_max=1, reward=1.0), ValueError, ["`reward`", "1.0"]),
        (lambda: plasticity.oja(eta=1, post="E.r"), ValueError, ["`post`", "'E.r'", "without its population"]),
        (lambda: plasticity.hebb(eta=1, pre=None), ValueError, ["`pre`", "None"]),
        (lambda: plasticity.synaptic_scaling(goal=1, gamma=-1), ValueError, ["`gamma`", "not negative", "-1"]),
        (lambda: nd.Network({"S": S, "P": P}, [nd.Coupling(
            "S.spike", "P.g", W, plasticity=plasticity.tsodyks_markram("h"))]),
         Wrong, [LABEL, "`on_pre` cannot change `h_post`", "`g_post`"]),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused(call, error, texts):
    check(call, error, *texts)


# -- networks with a good rule, used wrongly -----------------------------------------------------


def good():
    plastic = nd.Coupling("S.spike", "P.g", W, plasticity=plasticity.pair_stdp(w_max=1.0))
    return nd.Network({"S": S, "P": P}, [plastic, nd.Coupling("S.spike", "P.v", W)])


def run(**arguments):
    return nd.simulate(good(), arguments.pop("solver", nd.Euler(1e-3)), 0.1, **arguments)


@cases(
    [
        (lambda: good().with_values(**{"S.spike->P.g.A": 1}), ValueError, ["no value `A`", "A_plus"]),
        (lambda: good().with_values(**{"S.spike->P.v.A_plus": 1}), ValueError,
         ["S.spike->P.v is not plastic", "`A_plus`"]),
        (lambda: run(record=["S.spike->P.v.w"]), ValueError,
         ["no plastic `S.spike->P.v.w`", "there are S.spike->P.g.w"]),
        (lambda: run(record=["S.spike->P.g.c"]), ValueError, ["no plastic `S.spike->P.g.c`"]),
        (lambda: run(record={"S.spike->P.g.w": [12]}), ValueError,
         ["`S.spike->P.g.w`", "indices below 12", "[12]"]),
        (lambda: run(solver=nd.DormandPrince(1e-3)), ValueError, ["DormandPrince", "nd.ExponentialEuler"]),
    ],
)  # fmt: skip
def test_a_good_rule_is_not_used_wrongly(call, error, texts):
    check(call, error, *texts)


def test_a_good_rule_does_not_excuse_a_bad_unit_afterwards():
    """What was read of a rule is kept on disk, under a key that has all that decides about it."""
    for call in (
        coupled(on_pre="w += 2*mV", bounds=(0 * nd.mV, 1 * nd.volt)),
        coupled("dc/dt = -c/tau : volt", tau=1, c=1 * nd.mV),
    ):
        call()
    check(coupled(on_pre="w += 2*mV", bounds=(0 * nd.ms, 1 * nd.second)), nd.UnitError, "`bounds`")
    check(coupled("dc/dt = -c/tau : volt", tau=1, c=1 * nd.ms), nd.UnitError, "`c`")


def test_traces_may_have_units_in_their_text():
    coupled("dx_pre/dt = -x_pre/(20*ms) : 1", on_pre="x_pre += 1; w += x_pre*mV")()


def test_a_plain_number_has_the_same_unit_in_traces_and_statements():
    from neurodyn.units import SECOND, Hz

    rule = plasticity.inhibitory_stdp(eta=1e-3)
    (bound,) = nd.Network({"S": S, "P": P}, [nd.Coupling("S.spike", "P.g", W, plasticity=rule)]).rules.values()
    assert bound.dims["tau_stdp"] == SECOND and bound.dims["rho_0"] == Hz.dim
    check(coupled("dx_pre/dt = -x_pre/tau : 1", on_pre="x_pre += 1; w += tau*x_pre", tau=0.02),
          nd.UnitError, LABEL, "`tau` in s")  # fmt: skip


def test_names_that_end_like_sides_can_be_values():
    """A_post is a number here, and no variable of the postsynaptic unit."""
    coupled(TRACE, on_pre="x_pre += A_post; w += A_pre*x_pre*mV", tau=1, A_post=0.5, A_pre=2)()
