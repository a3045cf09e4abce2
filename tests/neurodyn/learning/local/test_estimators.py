"""Local rules as scikit-learn's estimators: its own conformance suite, clones, pipelines, pickles."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import neurodyn as nd
from neurodyn import learning

#: Rules of arrays, with rates that suit the suite's samples, of mean squares up to 10,000.
ARRAYS = [
    learning.NormalisedHebb(rng=0),
    learning.GHA(1, learning_rate=1e-6, n_epochs=2, rng=0),
    learning.Oja(1, learning_rate=1e-6, n_epochs=2, rng=0),
    learning.CompetitiveLearning(3, rng=0),
    learning.AntiHebbianDecorrelation(learning_rate=1e-6, n_epochs=3),
    learning.FoldiakCoding(4, n_epochs=2, rng=0),
    learning.RecursiveLeastSquares(),
    learning.PredictiveCoding((8,), inference_steps=5, n_epochs=100, rng=0,
                              optimiser=learning.Adam(0.01)),
    learning.RaoBallard(1, learning_rate=1e-3, n_epochs=3, rng=0),
]  # fmt: skip


def names(rule):
    return type(rule).__name__


@pytest.mark.slow
@pytest.mark.parametrize("rule", ARRAYS, ids=names)
def test_the_suite_of_scikit_learn_is_passed(rule):
    check_estimator(rule, on_skip=None)


@pytest.mark.parametrize("rule", [r for r in ARRAYS if names(r) != "Oja"], ids=names)
def test_seeds_say_all_and_pickles_answer_the_same(rule):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(30, 4)), random.normal(size=30)
    first, second = clone(rule).fit(X, y), clone(rule).fit(X, y)
    answer = "predict" if hasattr(rule, "predict") else "transform"
    wanted = getattr(first, answer)(X)
    assert np.array_equal(getattr(second, answer)(X), wanted)
    assert np.array_equal(getattr(pickle.loads(pickle.dumps(first)), answer)(X), wanted)
    assert all(n.startswith("_") or n.endswith("_") or n in rule.get_params() for n in vars(first))


def test_a_pipeline_takes_them():
    X = np.random.default_rng(1).normal(3, [1, 5, 2], size=(200, 3))
    pipeline = make_pipeline(StandardScaler(), learning.GHA(2, n_epochs=5, rng=0)).fit(X)
    scaled = StandardScaler().fit_transform(X)
    assert_allclose(pipeline.transform(X), scaled @ pipeline[-1].components_.T, rtol=1e-12)


def test_rules_of_networks_are_cloned_with_their_networks():
    net = nd.rate_network(np.zeros((3, 3)))
    label, adam = "E.r->E.I_rec", learning.Adam(0.1)
    rules = [
        learning.FORCE(net, label, nd.Euler(0.01), alpha=2.0),
        learning.ExploratoryHebb(net, label, "E.r", nd.Euler(0.01), exploration=0.2),
        learning.NodePerturbation(net, adam, [label], sigma=0.3),
        learning.DelayedRewardHebb(net, adam, [label], activity={"E": "x"}, power=5),
        learning.EvolutionStrategy(net, adam, [label], population=8),
        learning.PlasticityLearner(nd.plasticity.oja(eta=0.1), 2),
    ]
    for rule in rules:
        copy = clone(rule)
        assert type(copy) is type(rule)
        given, copied = rule.get_params(deep=False), copy.get_params(deep=False)
        assert given.keys() == copied.keys()
        for name, value in given.items():
            if isinstance(value, (int, float, str, type(None))):
                assert copied[name] == value, name
        assert repr(rule).startswith(type(rule).__name__)


def test_every_public_rule_is_there_and_says_where_it_is_from():
    from neurodyn.learning import local

    assert set(local.__all__) == set(learning._LOCAL) <= set(learning.__all__)
    for name in set(local.__all__) - {"PlasticityLearner"}:
        assert "References\n" in getattr(learning, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'Hebb'"):
        _ = learning.Hebb
