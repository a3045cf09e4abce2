"""What every task must do: sizes, seeds, splits of batches, chance, the best score, bad input."""

from dataclasses import replace

import numpy as np
import pytest

import neurodyn as nd
from neurodyn import tasks
from neurodyn.learning import Task

#: Settings that a task is tested with beside its own: random delays, several outputs, noise.
OTHERS = {
    "n_parity": {"n": [1, 2, 5], "every_step": True, "hold": 3 * nd.second},
    "n_delayed_match": {"n": [2, 4], "p": None},
    "flip_flop": {"bits": 2, "p": 0.3, "pulse": 30 * nd.ms, "duration": 0.9, "noise": 0.01},
    "delayed_cue": {"n_cues": 4, "delay": (0, 0.2)},
    "dot_motion": {"delay": (0, 300 * nd.ms), "noise": 0},
    "context_decision": {"delay": 0.5, "stimulus": 0.2, "dt": 0.1},
    "delayed_match": {"n_stimuli": 5, "delay": (0.1, 0.4), "noise": 0},
    "scalar_memory": {"values": [-1, 0, 0.5], "throughout": True, "delay": (0.2, 0.4)},
    "ring_memory": {"n_units": 12, "delay": (0, 0.4)},
    "copy": {"length": (1, 5), "n_symbols": 2, "delay": 3, "every_step": True},
    "adding": {"length": 11, "noise": 0.1},
    "delayed_addition": {"length": 6, "hold": 2.0},
    "temporal_order": {"length": 11},
    "sine_generation": {"frequencies": [2 * nd.Hz, 5 * nd.Hz], "dt": 0.004},
    "lorenz": {"observed": [0, 2], "duration": 0.5, "horizon": 0.1},
    "mackey_glass": {"duration": 30, "tau": 23, "horizon": 6},
    "sequential_digits": {"form": "rows", "part": "test"},
    "permuted_digits": {"task": 2, "n_inputs": 144},
    "split_digits": {"task": 3, "shared": False, "form": "pixels"},
}  # fmt: skip
ALL = [(name, {}) for name in tasks.names()] + list(OTHERS.items())
IDS = [name + "-other" * bool(settings) for name, settings in ALL]


@pytest.fixture(params=ALL, ids=IDS)
def task(request):
    name, settings = request.param
    return tasks.make(name, **settings)


def arrays(batch):
    return {
        **{f"input {n}": a for n, a in batch.inputs.items()},
        **{f"target {n}": a for n, a in batch.targets.items()},
        **{f"mask {n}": a for n, a in batch.mask.items()},
        **{f"info {n}": a for n, a in batch.info.items()},
    }


def right_outputs(batch, task):
    """Outputs that are the targets: as they are, or one-hot."""
    return {
        name: target if target.ndim == 3 else np.eye(size)[target]
        for (name, target), size in zip(batch.targets.items(), task.output_sizes.values())
    }


def test_all_are_tested_with_other_settings():
    assert set(OTHERS) == set(tasks.names())


def test_sizes_are_those_that_it_says(task):
    batch = task.batch(0, 7)
    assert isinstance(task, Task)
    assert {n: a.shape[2] for n, a in batch.inputs.items()} == task.input_sizes
    assert list(batch.targets) == list(task.output_sizes)
    for name, size in task.output_sizes.items():
        target = batch.targets[name]
        if target.ndim == 3:
            assert target.shape[2] == size
        else:
            assert 0 <= target.min() and target.max() < size
    assert batch.n_trials == 7 and batch.dt == task.dt
    assert all(len(a) == 7 for a in arrays(batch).values())


def test_a_trial_does_not_depend_on_its_batch(task):
    whole = arrays(task.batch(5, 12))
    again = arrays(task.batch(np.random.SeedSequence(5), 12))
    first, middle, last = (arrays(task.batch(5, n, first_trial=k)) for n, k in ((1, 0), (6, 1), (5, 7)))
    for name, array in whole.items():
        np.testing.assert_array_equal(array, again[name])
        np.testing.assert_array_equal(array, np.concatenate([first[name], middle[name], last[name]]))


def test_another_seed_gives_other_trials_and_a_generator_moves_on(task):
    rng = np.random.default_rng(3)
    batches = [task.batch(seed, 12) for seed in (1, 2, rng, rng)]
    twice = np.random.default_rng(3)
    same = [task.batch(twice, 12) for _ in range(2)]

    def content(batch):
        return b"".join(a.tobytes() for a in arrays(batch).values())

    assert len({content(batch) for batch in batches}) == 4
    assert [content(b) for b in same] == [content(b) for b in batches[2:]]


def test_right_outputs_have_the_best_score(task):
    batch = task.batch(0, 20)
    found = task.evaluate(batch, right_outputs(batch, task))
    best = 1.0 if task.score == "accuracy" else 0.0
    assert found[task.score] == pytest.approx(best, abs=1e-12)
    # of noisy inputs that cannot be told apart, the best guess is not always right
    assert np.isnan(task.optimal) or abs(task.optimal - best) <= abs(best - task.chance)


def test_chance_is_the_score_of_the_best_constant(task):
    """Within 5 standard errors over batches, each of which has a length of its own."""
    constants = {name: 0 for name in task.output_sizes}
    if isinstance(task, tasks.RingMemory | tasks.FlipFlop):
        constants = {name: 1.0 for name in task.output_sizes}
    scores = []
    for k in range(40):
        batch = task.batch(np.random.SeedSequence(0, spawn_key=(k,)), 50)
        outputs = {}
        for name, size in task.output_sizes.items():
            target = batch.targets[name]
            shape = (*target.shape[:2], size)
            if target.ndim == 3:
                outputs[name] = np.full(shape, constants[name] + mean_target(task))
            else:
                outputs[name] = np.broadcast_to(np.eye(size)[best_class(task, name)], shape)
        scores.append(task.evaluate(batch, outputs)[task.score])
    error = 5 * np.std(scores) / np.sqrt(len(scores) - 1)
    if isinstance(task, tasks.Lorenz | tasks.MackeyGlass):
        error += 0.02  # of the reference run's variance
    assert abs(np.mean(scores) - task.chance) <= error + 1e-12


def mean_target(task):
    if isinstance(task, tasks.Adding):
        return 1.0
    return np.mean(task.values) if getattr(task, "values", None) else 0.0


def best_class(task, name):
    if isinstance(task, tasks.NParity):
        return 0
    if isinstance(task, tasks.NDelayedMatch):
        return 1
    if isinstance(task, tasks.DotMotion | tasks.ContextDecision | tasks.DelayedMatch | tasks.Copy):
        return 1
    if isinstance(task, tasks.SequentialDigits):
        classes = task.everything().targets["digit"][:, -1]
        return np.bincount(classes).argmax()
    return 0


def test_scores_find_the_targets_of_a_network():
    task = tasks.NParity([2, 3], length=6)
    batch = task.batch(0, 10)
    outputs = right_outputs(batch, task)
    wrong = outputs["parity_3"].copy()
    wrong[:5] = 1 - wrong[:5]
    renamed = batch.connected({"bits": "E.I", "parity_2": "out.a", "parity_3": "out.b"})
    found = task.metrics(renamed, {"out.b": wrong, "out.a": outputs["parity_2"], "E.r": None})
    assert found == {"accuracy": 0.75, "accuracy/parity_2": 1.0, "accuracy/parity_3": 0.5}
    assert task.evaluate(batch, outputs | {"parity_3": wrong}) == found


def test_noise_is_white_and_leaves_the_trials_as_they_are():
    still, noisy = (tasks.DotMotion(noise=noise, dt=0.05) for noise in (0.0, 0.2))
    a, b = still.batch(0, 500), noisy.batch(0, 500)
    np.testing.assert_array_equal(a.targets["choice"], b.targets["choice"])
    np.testing.assert_array_equal(a.inputs["fixation"], b.inputs["fixation"])
    noise = b.inputs["motion"] - a.inputs["motion"]
    variance, n = 0.2**2 / 0.05, noise.size
    assert abs(noise.mean()) < 5 * np.sqrt(variance / n)
    assert noise.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / n))
    at_lag_one = (noise[:, 1:] * noise[:, :-1]).mean() / variance
    across = (noise[..., 0] * noise[..., 1]).mean() / variance
    assert max(abs(at_lag_one), abs(across)) < 5 * np.sqrt(2 / n)


@pytest.mark.parametrize(
    "task",
    [
        tasks.DotMotion(),
        tasks.DotMotion(coherences=[12.8], noise=0.1, dt=0.1, delay=(0, 0.3)),
        tasks.ContextDecision(noise=0.1, stimulus=0.4),
        tasks.DelayedMatch(noise=0.3, delay=(0.1, 0.3)),
        tasks.DelayedMatch(noise=0.3, sample=0.2, test=0.04),
    ],
)
def test_adding_up_the_evidence_reaches_the_optimum(task):
    """The ideal observer, programmed here, scores what the formula says."""
    n = 4000
    batch = task.batch(0, n)
    if isinstance(task, tasks.DelayedMatch):
        t, stimulus = task.dt * np.arange(batch.n_steps), batch.inputs["stimulus"]
        test = (task.sample + batch.info["delay"])[:, None]
        first = (t < task.sample - 1e-9) & (test >= 0)
        second = (t > test - 1e-9) & (t < test + task.test - 1e-9)
        signs = [((stimulus[..., 0] - stimulus[..., 1]) * where).sum(axis=1) > 0 for where in (first, second)]
        choice = np.where(signs[0] == signs[1], 1, 2)
    else:
        seen = batch.inputs["motion"]
        if isinstance(task, tasks.ContextDecision):
            is_colour = batch.inputs["context"][:, :1, 1:] == 1
            seen = np.where(is_colour, batch.inputs["colour"], seen)
        seen = seen[:, : round(task.stimulus / task.dt)].sum(axis=1)
        choice = 1 + seen.argmax(axis=1)
    output = np.repeat(np.eye(3)[choice][:, None], batch.n_steps, axis=1)
    q = task.optimal
    assert 0.6 < q < 0.999
    assert task.evaluate(batch, output)["accuracy"] == pytest.approx(q, abs=5 * np.sqrt(q * (1 - q) / n))


def test_a_network_learns_what_a_task_asks():
    """Gradient and score meet: one network step by bptt raises the accuracy of a cue task."""
    task = tasks.DelayedCue(delay=0.02, dt=0.01)
    net = nd.Network(
        {"out": nd.Population(2, "dy/dt = (cue - y)/tau : 1", tau=0.1)}, []
    )
    batch = task.batch(0, 16).connected({"cue": "out.cue", "choice": "out.y"})
    inputs = {"out.cue": batch.inputs["out.cue"]}
    loss = batch.loss()
    found = nd.learning.bptt(net, nd.Euler(dt=task.dt), batch.duration, loss, trainable=["out.tau"], inputs=inputs)
    assert task.metrics(batch, found.recorded) == {"accuracy": 1.0}
    assert found["out.tau"] > 0  # a faster unit is surer of the cue


def test_tasks_are_replaced_not_changed():
    task = tasks.NParity(2)
    harder = replace(task, n=3)
    assert (task.n, harder.n) == ((2,), (3,))
    with pytest.raises(AttributeError):
        task.n = 4


BAD = [
    (lambda: tasks.make("n_parety"), "no task `n_parety`; did you mean `n_parity`?"),
    (lambda: tasks.make("copy", lenght=3), "no setting `lenght`; did you mean `length`?"),
    (lambda: tasks.NParity(0), "`n` must be an integer of at least 1; got 0"),
    (lambda: tasks.NParity([2, 2]), "`n` must be an integer or different integers"),
    (lambda: tasks.NParity(5, length=4), "`length` must be at least the largest n, 5; got 4"),
    (lambda: tasks.NParity(2, p=1.5), "`p` must be a probability; got 1.5"),
    (lambda: tasks.NParity(2, hold=0.5), "`hold` = 0.5 s is not a multiple of dt = 1 s"),
    (lambda: tasks.NDelayedMatch(1), "`n` must be an integer of at least 2; got 1"),
    (lambda: tasks.FlipFlop(0), "`bits` must be an integer of at least 1"),
    (lambda: tasks.FlipFlop(p=0), "`p` must be a probability above 0"),
    (lambda: tasks.FlipFlop(pulse=0.03), "`duration` = 1 s must be a multiple of `pulse` = 0.03 s"),
    (lambda: tasks.DelayedCue(delay=0.105), "`delay` = 0.105 s is not a multiple of dt = 0.01 s; the nearest is 0.1"),
    (lambda: tasks.DelayedCue(delay=(0.3, 0.1)), "must be (shortest, longest): swap them"),
    (lambda: tasks.DelayedCue(cue=(0.1, 0.2)), "`cue` must be one time"),
    (lambda: tasks.DelayedCue(cue=2 * nd.mV), "`cue` must be a time"),
    (lambda: tasks.DelayedCue(dt=0), "`dt` must be a positive time"),
    (lambda: tasks.DotMotion([120]), "`coherences` must be percents, 0 to 100"),
    (lambda: tasks.DotMotion(noise=-1), "`noise` must be a number of at least 0"),
    (lambda: tasks.ScalarMemory(1, 0), "`high` = 0 must be above `low` = 1"),
    (lambda: tasks.ScalarMemory(values=[]), "`values` must not be empty"),
    (lambda: tasks.RingMemory(2), "`n_units` must be an integer of at least 3"),
    (lambda: tasks.Copy((5, 2)), "`length` must be a number or (least, largest)"),
    (lambda: tasks.DelayedAddition(7), "`length` must be even; got 7"),
    (lambda: tasks.TemporalOrder(9), "`length` must be an integer of at least 10"),
    (lambda: tasks.SineGeneration(high=80), "need a `dt` of at most half a period"),
    (lambda: tasks.SineGeneration([1 * nd.ms]), "`frequencies` must be a positive frequency, Hz"),
    (lambda: tasks.Lorenz([0, 3]), "`observed` must be different ones of 0, 1, 2"),
    (lambda: tasks.MackeyGlass(17.03), "`tau` = 17.03 s is not a multiple of dt = 0.1 s"),
    (lambda: tasks.MackeyGlass(dt=0.25), "the equation is solved in steps of 0.1 s"),
    (lambda: tasks.SequentialDigits("row"), "`form` must be one of 'pixels', 'rows', 'still'; got 'row'"),
    (lambda: tasks.PermutedDigits("rows", n_inputs=100), "needs `form='still'`"),
    (lambda: tasks.SplitDigits(per_task=3), "`per_task` must be 1, 2 or 5"),
    (lambda: tasks.SplitDigits(task=5), "`task` must be 0 to 4 with 2 digits each; got 5"),
    (lambda: tasks.NParity(2).batch(0, 0), "`trials` must be an integer of at least 1"),
    (lambda: tasks.NParity(2).batch(0, 1, first_trial=-1), "`first_trial` must be an integer of at least 0"),
    (lambda: tasks.NParity(2).batch("seed", 1), "`rng` must be"),
]  # fmt: skip


@pytest.mark.parametrize("call, message", BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


def test_outputs_that_do_not_fit_are_refused():
    task = tasks.NParity([2, 3], length=6)
    batch = task.batch(0, 4)
    zeros = np.zeros((4, 6, 2))
    for outputs, message in [
        (zeros, "`outputs` must be a dict by the names `parity_2`, `parity_3`"),
        ({"parity_2": zeros}, "`outputs` has no `parity_3`; it has `parity_2`"),
        ({"parity_2": zeros, "parity_3": zeros[:, 1:]}, "(trial, time, unit) = (4, 6, 2); got (4, 5, 2)"),
    ]:
        with pytest.raises(ValueError) as error:
            task.evaluate(batch, outputs)
        assert message in str(error.value)
