"""The order in which chained couplings and algebraic variables are evaluated, and loops in it."""

import itertools
import re

import numpy as np
import pytest

import neurodyn as nd
from tests.neurodyn.compile.derivative_cases import gru, lem, whitening

#: Two inputs, two algebraic variables, one behind the other, and a state behind both.
NODE = """
a = tanh(p) + x : 1
b = a*q : 1
dx/dt = (-x + b)/tau : 1
"""


def network_of(edges, names):
    """Populations `names` and a coupling for each ``(source, target)``."""
    populations = {name: nd.Population(1, NODE, tau=1.0) for name in names}
    return nd.Network(populations, [nd.Coupling(*edge, [[1.0]]) for edge in edges])


def stages(network):
    """Each stage as couplings and evaluated variables, by label."""
    structure = network.structure("float64")
    return [
        (
            [network.coupling_labels[c] for c in stage.couplings],
            [structure.label(p, name) for p, names in stage.algebraic.items() for name in names],
        )
        for stage in structure.stages
    ]


def has_loop(graph):
    """Whether nothing is left that needs only what has been removed before (Kahn 1962)."""
    graph = {node: {n for n in before if n in graph} for node, before in graph.items()}
    while ready := [node for node, before in graph.items() if not before]:
        for node in ready:
            del graph[node]
        for before in graph.values():
            before.difference_update(ready)
    return bool(graph)


@pytest.mark.parametrize("seed", range(60))
def test_random_networks(seed):
    """Everything is evaluated once, after all it needs; or the loop that is named is one."""
    rng = np.random.default_rng(seed)
    names = ["A", "B", "C"]
    sources = [f"{n}.{v}" for n in names for v in "xabpq"]
    targets = [f"{n}.{v}" for n in names for v in "pq"]
    edges = [(rng.choice(sources), rng.choice(targets)) for _ in range(rng.integers(2, 7))]
    edges = [(str(s), str(t)) for s, t in edges]
    graph = {f"{n}.{v}": set() for n in names for v in "pqab"}
    for n in names:
        graph[f"{n}.a"], graph[f"{n}.b"] = {f"{n}.p"}, {f"{n}.a", f"{n}.q"}
    for source, target in edges:
        graph[target].add(source)

    if has_loop(graph):
        with pytest.raises(nd.EquationError, match="^algebraic loop: ") as error:
            network_of(edges, names)
        loop = re.match(r"algebraic loop: (.*?)\. A loop", str(error.value))[1].split(" -> ")
        assert loop[0] == loop[-1] and len(set(loop)) == len(loop) - 1
        assert all(before in graph[node] for before, node in itertools.pairwise(loop))
        return

    network = network_of(edges, names)
    done = {f"{n}.x" for n in names}
    coupled = {c.target for c in network.couplings}
    done |= {t for t in targets if t not in coupled}
    applied = []
    by_label = dict(zip(network.coupling_labels, network.couplings, strict=True))
    for couplings, algebraic in stages(network):
        for label in couplings:
            assert by_label[label].source in done
            applied.append(label)
        done |= {by_label[label].target for label in couplings}
        for node in algebraic:
            assert graph[node] <= done and node not in done
            done.add(node)
    assert sorted(applied) == sorted(network.coupling_labels)
    assert done == {*graph, *(f"{n}.x" for n in names)}
    for target in coupled:  # all couplings onto one input are added at once
        labels = {c.label for c in network.couplings if c.target == target}
        at = {
            k for k, (c, _) in enumerate(stages(network)) if {x.split("#")[0] for x in c} & labels
        }
        assert len(at) == 1


def test_cells_have_the_stages_of_their_equations():
    assert stages(gru().network) == [
        ([], ["X.u"]),
        (["H.h->H.to_z", "H.h->H.to_r", "X.u->H.to_z", "X.u->H.to_r"], ["H.z", "H.r", "H.rh"]),
        (["H.rh->H.to_q", "X.u->H.to_q"], ["H.q"]),
    ]
    first, second, third = stages(lem().network)
    assert first == ([], [])
    assert second[0] == ["L.y->L.to_1", "L.y->L.to_2", "L.y->L.to_z"]
    assert set(second[1]) == {"L.d1", "L.d2", "L.z_new"}
    assert third == (["L.z_new->L.to_y"], ["L.y_new"])
    assert stages(whitening().network)[1:] == [(["Y.y->Z.z"], ["Z.out"]), (["Z.out->Y.fb"], [])]


def test_a_diamond_and_two_couplings_onto_one_input():
    """A.b reaches C.p at once, through B, and twice over the same pair of variables."""
    edges = [("A.b", "B.p"), ("A.b", "C.p"), ("B.b", "C.p"), ("A.b", "C.p"), ("C.b", "A.q")]
    with pytest.raises(
        nd.EquationError, match=r"^algebraic loop: A\.b -> .*C\.b -> A\.q -> A\.b\."
    ):
        network_of(edges, "ABC")
    names = ["C", "B", "A"]  # the order of the populations is not the order of evaluation
    populations = {name: nd.Population(1, NODE, tau=2.0) for name in names}
    weights = [0.5, -0.7, 1.1, 0.3]
    network = nd.Network(
        populations,
        [
            nd.Coupling(*edge, nd.weights.Diagonal([w]))
            for edge, w in zip(edges[:4], weights, strict=True)
        ],
    )
    assert network.coupling_labels == ("A.b->B.p", "A.b->C.p", "B.b->C.p", "A.b->C.p#2")
    x = dict(C=0.4, B=-0.6, A=0.9)
    inputs = {"A.p": 0.2, "A.q": 1.3, "B.q": -0.8, "C.q": 0.6, "C.p": 0.0}
    b = {"A": (np.tanh(inputs["A.p"]) + x["A"]) * inputs["A.q"]}
    b["B"] = (np.tanh(0.5 * b["A"]) + x["B"]) * inputs["B.q"]
    b["C"] = (np.tanh((-0.7 + 0.3) * b["A"] + 1.1 * b["B"]) + x["C"]) * inputs["C.q"]
    wanted = [(-x[n] + b[n]) / 2 for n in names]
    got = network.field(list(x.values()), inputs=inputs)
    np.testing.assert_allclose(got, wanted, rtol=1e-14)
    # a drive adds to the couplings that end at the same input
    got = network.field(list(x.values()), inputs={**inputs, "C.p": 0.25})
    b["C"] = (np.tanh(0.25 - 0.4 * b["A"] + 1.1 * b["B"]) + x["C"]) * inputs["C.q"]
    np.testing.assert_allclose(got[0], (-x["C"] + b["C"]) / 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("edges", "loop"),
    [
        ([("E.a", "E.p")], "E.a -> E.p -> E.a"),
        ([("E.b", "I.p"), ("I.a", "E.q")], "E.b -> I.p -> I.a -> E.q -> E.b"),
        ([("E.q", "E.q")], "E.q -> E.q"),
        ([("E.q", "I.p"), ("I.p", "E.q")], "E.q -> I.p -> E.q"),
    ],
)
def test_the_members_of_a_loop_are_named_along_the_arrows(edges, loop):
    with pytest.raises(nd.EquationError) as error:
        network_of(edges, "EI")
    named = str(error.value).split(". A loop must pass through a state")[0]
    named = named.removeprefix("algebraic loop: ").split(" -> ")[:-1]
    wanted = loop.split(" -> ")[:-1]
    assert named in [wanted[k:] + wanted[:k] for k in range(len(wanted))]


def test_excitation_and_inhibition_without_a_state_between():
    with pytest.raises(
        nd.EquationError, match=r"algebraic loop: E\.r -> E\.I -> E\.r\. A loop must"
    ):
        nd.Network(
            {"E": nd.Population(2, "r = tanh(I) : 1")}, [nd.Coupling("E.r", "E.I", np.eye(2))]
        )


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("r = r + x : 1", "r -> r"),
        ("r = s + x : 1\ns = 2*r : 1", "r -> s -> r|s -> r -> s"),
        ("u = w : 1\nv = u : 1\nw = v : 1", "u -> v -> w -> u|v -> w -> u -> v|w -> u -> v -> w"),
    ],
)
def test_loops_in_the_equations_of_one_population(text, loop):
    with pytest.raises(nd.EquationError, match=rf"^algebraic loop: ({loop})\. Make one of them"):
        nd.Population(1, f"dx/dt = -x/tau : 1\n{text}", tau=1.0)


def test_a_loop_through_a_state_is_none():
    network = network_of([("E.x", "I.p"), ("I.x", "E.q"), ("E.x", "E.p")], "EI")
    assert network.n_states == 2
