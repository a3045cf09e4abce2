"""Each task beside its definition, written out trial by trial and step by step."""

import numpy as np
import pytest

import neurodyn as nd
from neurodyn import tasks


def share_of(p, n, sigmas=5):
    """A share of n draws of probability p, within so many standard errors."""
    return pytest.approx(p, abs=sigmas * np.sqrt(p * (1 - p) / n))


@pytest.mark.parametrize("every_step", [False, True])
def test_parity_and_match_are_counted_from_the_bits(every_step):
    for task, n_all in ((tasks.NParity, (1, 2, 3, 7)), (tasks.NDelayedMatch, (2, 3, 7))):
        batch = task(n_all, every_step=every_step).batch(0, 20)
        for n, (name, target) in zip(n_all, batch.targets.items()):
            assert name == f"{'parity' if task is tasks.NParity else 'match'}_{n}"
            for bits, classes, mask in zip(batch.inputs["bits"][..., 0], target, batch.mask[name]):
                T = len(bits)
                for t in range(T):
                    counts = t == T - 1 or (every_step and t + 1 >= n)
                    assert mask[t] == counts
                    past = [int(b) for b in bits[: t + 1]]
                    if not counts and t + 1 < n:
                        continue
                    right = sum(past[-n:]) % 2 if task is tasks.NParity else past[-n] == past[-1]
                    assert classes[t] == right


@pytest.mark.parametrize("p", [None, 0.5, 0.2])
def test_the_share_of_odd_and_of_matches(p):
    n = 20_000
    parity = tasks.NParity([1, 2, 3, 4], length=5, p=p).batch(0, n)
    for N, classes in zip((1, 2, 3, 4), parity.targets.values()):
        # E[(1 - (1 - 2p)**N)/2], with p from U(0, 1) by an integral over a fine grid
        grid = (np.arange(10_000) + 0.5) / 10_000 if p is None else np.array([p])
        assert classes[:, -1].mean() == share_of(np.mean((1 - (1 - 2 * grid) ** N) / 2), n)
    match = tasks.NDelayedMatch([2, 5], length=5, p=p).batch(1, n)
    for classes in match.targets.values():
        assert classes[:, -1].mean() == share_of(np.mean(grid**2 + (1 - grid) ** 2), n)


def test_the_numbers_of_the_paper():
    """P(odd) = 1/3 for N = 2; sequences of N + 2 to 4N + 1 bits, all lengths equally likely."""
    batch = tasks.NParity(2).batch(3, 20_000)
    assert batch.targets["parity_2"][:, -1].mean() == share_of(1 / 3, 20_000)
    lengths = [tasks.NParity([2, 4]).batch(k, 1).n_steps for k in range(1200)]
    counts = np.bincount(lengths)
    assert (min(lengths), max(lengths)) == (6, 17)
    expected = 1200 / 12
    assert np.abs(counts[6:] - expected).max() < 5 * np.sqrt(expected)
    p = batch.info["p"]
    assert p.mean() == pytest.approx(0.5, abs=5 * np.sqrt(1 / 12 / len(p)))


def test_held_bits_are_repeated_and_count_at_their_end():
    plain = tasks.NParity(3, length=6, every_step=True).batch(0, 5)
    held = tasks.NParity(3, length=6, every_step=True, dt=10 * nd.ms, hold=40 * nd.ms).batch(0, 5)
    assert (held.n_steps, held.dt) == (24, 0.01)
    for k in range(24):
        np.testing.assert_array_equal(held.inputs["bits"][:, k], plain.inputs["bits"][:, k // 4])
        np.testing.assert_array_equal(held.targets["parity_3"][:, k], plain.targets["parity_3"][:, k // 4])
        np.testing.assert_array_equal(
            held.mask["parity_3"][:, k], plain.mask["parity_3"][:, k // 4] * (k % 4 == 3)
        )


def test_a_flip_flop_remembers_the_last_pulse():
    task = tasks.FlipFlop(2, p=0.2, pulse=20 * nd.ms, duration=2 * nd.second)
    batch = task.batch(0, 100)
    pulses, memory = batch.inputs["pulses"], batch.targets["memory"]
    for trial in range(100):
        for channel in range(2):
            state = 0
            for t in range(batch.n_steps):
                state = pulses[trial, t, channel] or state
                assert memory[trial, t, channel] == state
    np.testing.assert_array_equal(pulses[:, ::2], pulses[:, 1::2])
    slots = pulses[:, ::2]
    assert (slots != 0).mean() == share_of(0.2, slots.size)
    assert (slots[slots != 0] > 0).mean() == share_of(0.5, (slots != 0).sum())
    # an output of the right sign that is never sure
    found = task.evaluate(batch, 0.5 * memory)
    assert found["accuracy"] == 1
    assert found["error"] == pytest.approx(0.25 * (memory != 0).mean())


def test_a_cue_is_named_after_its_delay():
    task = tasks.DelayedCue(3, cue=0.03, delay=(0.05, 0.12), response=0.05)
    batch = task.batch(0, 300)
    assert batch.n_steps == 3 + 12 + 5
    for k in range(300):
        cue, delay = batch.info["cue"][k], round(batch.info["delay"][k] / 0.01)
        shown, go, counts = np.zeros((20, 3)), np.zeros(20), np.zeros(20)
        shown[:3, cue] = 1
        go[3 + delay : 8 + delay] = counts[3 + delay : 8 + delay] = 1
        np.testing.assert_array_equal(batch.inputs["cue"][k], shown)
        np.testing.assert_array_equal(batch.inputs["go"][k, :, 0], go)
        np.testing.assert_array_equal(batch.mask["choice"][k], counts)
        assert set(batch.targets["choice"][k]) == {cue}
    counts = np.bincount(np.round(batch.info["delay"] / 0.01).astype(int))
    assert counts[:5].sum() == 0 and len(counts) == 13 and counts[5:].min() > 0


@pytest.mark.parametrize("delay", [0.0, (0.1, 0.4)])
def test_decisions_are_on_the_evidence_of_the_paper(delay):
    dot = tasks.DotMotion(dt=0.1, noise=0, delay=delay)
    both = tasks.ContextDecision(dt=0.1, noise=0, delay=delay, stimulus=0.2)
    for task, batch in ((dot, dot.batch(0, 100)), (both, both.batch(1, 100))):
        stimulus, longest = round(task.stimulus / 0.1), round(10 * np.max(delay))
        assert batch.n_steps == stimulus + longest + 1
        for k in range(100):
            at = stimulus + round(batch.info["delay"][k] / 0.1)
            fixation = batch.inputs["fixation"][k, :, 0]
            assert list(fixation) == [1.0] * at + [0.0] * (batch.n_steps - at)
            names = ["motion"] if task is dot else ["motion", "colour"]
            for m, name in enumerate(names):
                theta = np.pi * np.atleast_1d(batch.info["direction"][k])[m]
                coherence = np.atleast_1d(batch.info["coherence"][k])[m]
                expected = np.zeros((batch.n_steps, 2))
                expected[:stimulus] = 0.5 + np.cos(np.array([0, np.pi]) - theta) * coherence / 200
                np.testing.assert_allclose(batch.inputs[name][k], expected, atol=1e-15)
            rule = 0 if task is dot else int(batch.info["context"][k])
            if task is both:
                assert list(batch.inputs["context"][k, 0]) == [1 - rule, rule]
            right = 1 + np.atleast_1d(batch.info["direction"][k])[rule]
            choice = np.zeros(batch.n_steps)
            choice[at] = right
            np.testing.assert_array_equal(batch.targets["choice"][k], choice)
            counts = np.arange(batch.n_steps) <= at
            np.testing.assert_array_equal(batch.mask["choice"][k], counts)
            np.testing.assert_array_equal(batch.info["scored"][k], np.arange(batch.n_steps) == at)


def test_the_ceiling_of_liu_et_al():
    """20 % of their trials have no coherence: a ceiling of about 0.9, and 0.85 after training."""
    task = tasks.DotMotion(dt=0.1, noise=0.1 * np.sqrt(0.1))
    assert 0.86 < task.optimal < 0.9
    assert tasks.DotMotion(noise=0).optimal == pytest.approx(0.9)


def test_delayed_match_compares_sample_and_test():
    task = tasks.DelayedMatch(4, noise=0, delay=(0.0, 0.1), sample=0.04, test=0.06, decision=0.02)
    n = 2000
    batch = task.batch(0, n)
    sample, test = batch.info["sample"], batch.info["test"]
    angles = 2 * np.pi * np.arange(4) / 4
    for k in range(50):
        at = 2 + round(batch.info["delay"][k] / 0.02)
        expected = np.zeros((batch.n_steps, 4))
        expected[:2] = 0.5 + 0.5 * np.cos(angles[sample[k]] - angles)
        expected[at : at + 3] = 0.5 + 0.5 * np.cos(angles[test[k]] - angles)
        np.testing.assert_allclose(batch.inputs["stimulus"][k], expected, atol=1e-15)
        assert batch.targets["choice"][k, at + 3] == (1 if sample[k] == test[k] else 2)
        assert batch.info["scored"][k].sum() == 1 and batch.info["scored"][k, at + 3]
        assert batch.targets["choice"][k].sum() == batch.targets["choice"][k, at + 3]
    assert (sample == test).mean() == share_of(0.5, n)
    different = (test - sample)[sample != test] % 4
    for k in (1, 2, 3):
        assert (different == k).mean() == share_of(1 / 3, different.size)


def test_memories_are_asked_for_what_was_shown():
    scalar = tasks.ScalarMemory(2, 5, delay=(0.1, 0.3))
    ring = tasks.RingMemory(8, kappa=3.0, delay=(0.1, 0.3), throughout=True)
    for task, batch in ((scalar, scalar.batch(0, 60)), (ring, ring.batch(0, 60))):
        assert batch.n_steps == 10 + 30 + 10
        for k in range(60):
            at = 10 + round(batch.info["delay"][k] / 0.01)
            if task is scalar:
                shown = target = np.array([batch.info["value"][k]])
                counts = (np.arange(50) >= at) & (np.arange(50) < at + 10)
            else:
                angle = batch.info["angle"][k]
                shown = np.exp(3.0 * (np.cos(angle - 2 * np.pi * np.arange(8) / 8) - 1))
                target = np.array([np.cos(angle), np.sin(angle)])
                counts = np.arange(50) < at + 10
            np.testing.assert_allclose(batch.inputs["stimulus"][k, :10], np.tile(shown, (10, 1)))
            assert not batch.inputs["stimulus"][k, 10:].any()
            np.testing.assert_array_equal(batch.mask["memory"][k], counts)
            np.testing.assert_allclose(batch.targets["memory"][k][counts], np.tile(target, (counts.sum(), 1)))
            np.testing.assert_array_equal(
                batch.inputs["go"][k, :, 0], (np.arange(50) >= at) & (np.arange(50) < at + 10)
            )
    values = scalar.batch(1, 5000).info["value"]
    assert values.mean() == pytest.approx(3.5, abs=5 * np.sqrt(9 / 12 / 5000))
    assert 2 <= values.min() and values.max() < 5


@pytest.mark.parametrize("task", [
    tasks.DelayedCue, tasks.DotMotion, tasks.ContextDecision, tasks.DelayedMatch,
    tasks.ScalarMemory, tasks.RingMemory,
])  # fmt: skip
def test_delays_are_spread_over_their_limits(task):
    """All multiples of dt between them, equally likely."""
    n = 3000
    others = {"cue": 0.04, "response": 0.04} if task is tasks.DelayedCue else {}
    delay = task(delay=(0.1, 0.3), dt=0.02, **others).batch(0, n).info["delay"]
    counts = np.bincount(np.round(delay / 0.02).astype(int), minlength=16)
    assert len(counts) == 16 and not counts[:5].any()
    assert np.abs(counts[5:] - n / 11).max() < 5 * np.sqrt(n / 11)


def test_the_error_of_an_angle_is_the_way_around_the_circle():
    task = tasks.RingMemory()
    batch = task.batch(0, 50)
    for turn in (0.3, -0.3, np.pi - 0.1, 6.0):
        angle = batch.info["angle"][:, None] + turn * np.ones(batch.n_steps)
        outputs = 7.0 * np.stack([np.cos(angle), np.sin(angle)], axis=2)
        expected = min(abs(turn), 2 * np.pi - abs(turn))
        assert task.evaluate(batch, outputs)["error"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("every_step", [False, True])
def test_copies_repeat_the_symbols(every_step):
    task = tasks.Copy((2, 6), 3, delay=4, every_step=every_step)
    batch = task.batch(0, 200)
    assert batch.n_steps == 16
    for k in range(200):
        symbols = [int(s) for s in batch.inputs["symbols"][k].argmax(axis=1)]
        length = batch.info["length"][k]
        shown = symbols[:length]
        assert all(shown) and not any(symbols[length:])
        start = length + 4
        copy = [0] * start + shown + [0] * (16 - start - length)
        assert list(batch.targets["copy"][k]) == copy
        first = 0 if every_step else start
        assert list(np.flatnonzero(batch.mask["copy"][k])) == list(range(first, start + length))
        assert list(np.flatnonzero(batch.inputs["go"][k, :, 0])) == [start]
    np.testing.assert_array_equal(batch.inputs["symbols"].sum(axis=2), 1)
    lengths = np.bincount(task.batch(1, 5000).info["length"])
    assert np.abs(lengths[2:] - 1000).max() < 5 * np.sqrt(1000)


def test_sums_are_those_of_the_numbers_that_count():
    batch = tasks.Adding(21).batch(0, 300)
    for numbers, total in zip(batch.inputs["numbers"], batch.targets["sum"]):
        marked = np.flatnonzero(numbers[:, 1])
        assert len(marked) == 2 and marked[0] < 10 <= marked[1]
        assert total[-1, 0] == pytest.approx(numbers[marked, 0].sum(), rel=1e-15)
    assert list(np.flatnonzero(batch.mask["sum"][0])) == [20]
    n = 20_000
    total = tasks.Adding(10).batch(1, n).targets["sum"][:, -1, 0]
    # two of U(0, 1) add up to a variance of 2/12
    spread = np.std((total - total.mean()) ** 2) / np.sqrt(n)
    assert total.var() == pytest.approx(1 / 6, abs=5 * spread)

    delayed = tasks.DelayedAddition(12).batch(0, n)
    shown = delayed.inputs["numbers"]
    assert set(np.flatnonzero(shown.any(axis=(0, 2)))) == {0, 1, 6, 7}
    assert not shown[:, :2, 1].any() and not shown[:, 6:8, 0].any()
    first, second = shown[:, 0, 0], shown[:, 7, 1]
    np.testing.assert_array_equal(delayed.targets["sum"][:, -1, 0], first + second)
    for known, error in ((0 * first, 2 / 3), (first, 1 / 3)):
        squares = (first + second - known) ** 2
        assert squares.mean() == pytest.approx(error, abs=5 * squares.std() / np.sqrt(n))


@pytest.mark.parametrize("length", [10, 11, 50, 53])
def test_the_order_of_two_symbols(length):
    n = 2000
    batch = tasks.TemporalOrder(length).batch(0, n)
    for symbols, order in zip(batch.inputs["symbols"], batch.targets["order"]):
        found = [int(s) for s in symbols.argmax(axis=1)]
        places = [k for k, s in enumerate(found) if s < 2]
        assert len(places) == 2
        # in tenths of the length, exactly
        assert length <= 10 * places[0] < 2 * length and 5 * length <= 10 * places[1] < 6 * length
        assert set(order) == {2 * found[places[0]] + found[places[1]]}
    for k in range(4):
        assert (batch.targets["order"][:, -1] == k).mean() == share_of(0.25, n)
    first = batch.info["positions"][:, 0]
    places = np.bincount(first)[-(-length // 10) :]
    assert len(places) == len([k for k in range(length) if length <= 10 * k < 2 * length])
    assert np.abs(places - n / len(places)).max() <= 5 * np.sqrt(n / len(places))


def test_permuted_digits_are_the_same_images_with_other_places():
    first, second = (tasks.PermutedDigits(task=k, n_inputs=144, steps=3) for k in (0, 4))
    a, b = first.everything(), second.everything()
    assert sorted(second.permutation) == list(range(144))
    assert list(first.permutation) == list(range(144))
    assert (second.permutation != tasks.PermutedDigits(task=3, n_inputs=144).permutation).any()
    np.testing.assert_array_equal(a.targets["digit"], b.targets["digit"])
    for i in range(144):
        np.testing.assert_array_equal(b.inputs["pixels"][:, :, i], a.inputs["pixels"][:, :, second.permutation[i]])
    assert not a.inputs["pixels"][:, :, 64:].any()
    test = tasks.PermutedDigits(task=4, n_inputs=144, part="test")
    np.testing.assert_array_equal(test.permutation, second.permutation)


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    data = load_digits()
    train, test = (tasks.SequentialDigits("rows", part=part).everything() for part in ("train", "test"))
    assert (train.n_trials, test.n_trials) == (1400, 397)
    images = np.concatenate([train.info["image"], test.info["image"]])
    assert sorted(images) == list(range(1797))
    scaled = data.images / 16
    scaled = (scaled - scaled.mean()) / scaled.std()
    np.testing.assert_allclose(test.inputs["pixels"], scaled[test.info["image"]], atol=1e-12)
    np.testing.assert_array_equal(test.targets["digit"][:, -1], data.target[test.info["image"]])
    pixels = tasks.SequentialDigits().everything()
    np.testing.assert_array_equal(pixels.inputs["pixels"][..., 0], train.inputs["pixels"].reshape(1400, 64))
    assert pixels.mask["digit"].sum() == 1400
    batch = tasks.SequentialDigits("still", steps=4).batch(0, 30)
    assert batch.inputs["pixels"].shape == (30, 4, 64) and batch.mask["digit"].all()
    assert set(batch.info["image"]) <= set(train.info["image"])
    np.testing.assert_array_equal(batch.info["digit"], data.target[batch.info["image"]])


def test_split_digits_share_out_the_ten():
    parts = [tasks.SplitDigits(task=k).everything() for k in range(5)]
    assert sum(part.n_trials for part in parts) == 1400
    for k, part in enumerate(parts):
        assert set(part.info["digit"]) == {2 * k, 2 * k + 1}
        np.testing.assert_array_equal(part.targets["digit"][:, 0], part.info["digit"] - 2 * k)
    ten = tasks.SplitDigits(task=1, per_task=5, shared=False)
    assert ten.output_sizes == {"digit": 10}
    assert set(ten.everything().targets["digit"][:, 0]) == {5, 6, 7, 8, 9}
