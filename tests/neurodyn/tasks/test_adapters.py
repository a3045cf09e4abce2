"""Environments of neurogym and gymnasium as tasks: made-up ones with the same interface, real ones.

Real gymnasium environments are tested where it is installed, neurogym's in test_neurogym.py.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from neurodyn import tasks


class Discrete(SimpleNamespace):
    shape = ()


def box(*shape):
    return SimpleNamespace(shape=shape)


class MadeUpTrials:
    """What neurogym.TrialEnv is to us: trials of 5 to 8 steps, two channels, three actions."""

    dt = 20
    observation_space = box(2)
    action_space = Discrete(n=3)

    def __init__(self):
        self.seed(None)

    def seed(self, seed):
        self.rng = np.random.RandomState(seed)

    def new_trial(self):
        n_steps, side = self.rng.randint(5, 9), self.rng.randint(2)
        self.ob = self.rng.normal(size=(n_steps, 2)).astype(np.float32)
        self.gt = np.zeros(n_steps, int)
        self.gt[-2:] = side + 1
        self.start_ind, self.end_ind = {"decision": n_steps - 2}, {"decision": n_steps}
        return {"side": side, "what": "text", "n": n_steps}


class Continuous(MadeUpTrials):
    action_space = box(2)

    def new_trial(self):
        trial = super().new_trial()
        self.gt = 2 * self.ob
        del self.start_ind, self.end_ind
        return trial


class Wrapped(SimpleNamespace):
    """A wrapper, which has what is inside as `unwrapped`."""


def test_trials_of_a_neurogym_environment():
    env = MadeUpTrials()
    task = tasks.NeurogymTask(Wrapped(unwrapped=env))
    assert task.dt == 0.02 and task.score == "accuracy"
    assert (task.input_sizes, task.output_sizes) == ({"observation": 2}, {"action": 3})
    batch = task.batch(0, 20)
    lengths = batch.info["n_steps"]
    assert batch.n_steps == lengths.max() == 8 and lengths.min() == 5
    assert set(batch.info) == {"side", "n", "n_steps", "scored"}
    np.testing.assert_array_equal(batch.info["n"], lengths)
    for k, n in enumerate(lengths):
        right = 1 + batch.info["side"][k]
        assert list(batch.targets["action"][k]) == [0] * (n - 2) + [right] * 2 + [0] * (8 - n)
        np.testing.assert_array_equal(batch.mask["action"][k], np.arange(8) < n)
        assert list(np.flatnonzero(batch.info["scored"][k])) == [n - 2, n - 1]
        assert not batch.inputs["observation"][k, n:].any()
    one_hot = np.eye(3)[batch.targets["action"]]
    assert task.evaluate(batch, one_hot) == {"accuracy": 1.0}
    always = np.broadcast_to([0.0, 1.0, 0.0], one_hot.shape)
    assert task.evaluate(batch, always)["accuracy"] == pytest.approx((batch.info["side"] == 0).mean())


def test_each_trial_is_seeded_on_its_own():
    first, second = tasks.NeurogymTask(MadeUpTrials()), tasks.NeurogymTask(MadeUpTrials())
    whole = first.batch(3, 10)
    rest = second.batch(3, 6, first_trial=4)
    n = rest.n_steps
    np.testing.assert_array_equal(whole.info["n_steps"][4:], rest.info["n_steps"])
    np.testing.assert_array_equal(whole.inputs["observation"][4:, :n], rest.inputs["observation"])


def test_a_continuous_ground_truth_is_a_number():
    task = tasks.NeurogymTask(Continuous())
    batch = task.batch(0, 6)
    assert task.score == "error"
    np.testing.assert_allclose(batch.targets["action"], 2 * batch.inputs["observation"], rtol=1e-6)
    inside = batch.mask["action"].sum()
    expected = (batch.targets["action"] ** 2).sum() / (2 * inside)  # the mean is over units too
    assert task.evaluate(batch, 0 * batch.targets["action"])["error"] == pytest.approx(expected)


class Line:
    """What gymnasium.Env is to us: walk from a random place to 0 on a line; -1 a step."""

    observation_space = box(1)
    action_space = Discrete(n=3, start=4)  # 4 left, 5 stay, 6 right

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.x = int(self.rng.integers(1, 6)) * int(self.rng.choice([-1, 1]))
        return np.array([self.x], np.float32), {}

    def step(self, action):
        self.x += action - 5
        return np.array([self.x], np.float32), -1.0, self.x == 0, abs(self.x) > 9, {}


def go_home(observation, rng):
    return 5 - int(np.sign(observation[0]))


def test_episodes_of_a_policy():
    found = tasks.rollout(Line(), go_home, 30, rng=0)
    start = np.abs(found.observations[:, 0, 0]).astype(int)
    assert found.terminated.all() and set(start) == {1, 2, 3, 4, 5}
    np.testing.assert_array_equal(found.n_steps, start)
    np.testing.assert_array_equal(found.returns, -start)
    np.testing.assert_array_equal(found.mask.sum(axis=1), start)
    assert set(found.actions[found.mask]) == {0, 2}
    away = tasks.rollout(Line(), lambda x, rng: 5 + int(np.sign(x[0])), 5, rng=0)
    assert not away.terminated.any()
    short = tasks.rollout(Line(), go_home, 30, rng=0, max_steps=2)
    np.testing.assert_array_equal(short.terminated, start <= 2)


def test_policies_have_a_stream_an_episode_and_are_reset():
    class Drunk:
        resets = 0

        def reset(self):
            self.resets += 1

        def __call__(self, observation, rng):
            return int(rng.integers(4, 7))

    policy = Drunk()
    whole = tasks.rollout(Line(), policy, 8, rng=1, max_steps=20)
    assert policy.resets == 8
    rest = tasks.rollout(Line(), policy, 5, rng=1, max_steps=20, first_episode=3)
    np.testing.assert_array_equal(whole.actions[3:, : rest.actions.shape[1]], rest.actions)
    np.testing.assert_array_equal(whole.returns[3:], rest.returns)


def test_an_expert_is_imitated():
    task = tasks.ImitationTask(Line(), go_home)
    assert (task.input_sizes, task.output_sizes) == ({"observation": 1}, {"action": 3})
    batch = task.batch(0, 30)
    position = batch.inputs["observation"][..., 0]
    np.testing.assert_array_equal(batch.mask["action"], position != 0)
    is_inside = position != 0
    np.testing.assert_array_equal(batch.targets["action"][is_inside], (1 - np.sign(position))[is_inside])
    assert task.evaluate(batch, np.eye(3)[batch.targets["action"]]) == {"accuracy": 1.0}
    left = np.broadcast_to([1.0, 0.0, 0.0], (*position.shape, 3))
    expected = (position > 0).sum() / is_inside.sum()
    assert task.evaluate(batch, left)["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: tasks.NeurogymTask(3), "`env` must be a neurogym environment with trials"),
        (lambda: tasks.NeurogymTask(Line()), "got Line, which has no `new_trial`"),
        (lambda: tasks.ImitationTask(3, go_home), "`env` must be a gymnasium environment"),
        (lambda: tasks.ImitationTask(Line(), 3), "`expert` must be a function"),
        (lambda: tasks.rollout(Line(), None, 3), "`policy` must be a function of (observation, rng)"),
    ],
)  # fmt: skip
def test_what_is_no_environment_is_refused(call, message):
    with pytest.raises(TypeError) as error:
        call()
    assert message in str(error.value)


def test_spaces_that_are_no_numbers_are_refused():
    env = Line()
    env.observation_space = SimpleNamespace(shape=None)
    with pytest.raises(TypeError, match="observation_space must be a Box or Discrete.*FlattenObservation"):
        tasks.rollout(env, go_home, 1)


def test_real_environments_of_gymnasium():
    gymnasium = pytest.importorskip("gymnasium")

    def lean(observation, rng):  # keeps the pole up for a while
        return int(observation[2] + observation[3] > 0)

    with gymnasium.make("CartPole-v1") as env:
        task = tasks.ImitationTask(env, lean, max_steps=60, dt=0.02)
        assert (task.input_sizes, task.output_sizes) == ({"observation": 4}, {"action": 2})
        batch, again = task.batch(0, 6), task.batch(0, 3, first_trial=3)
        seen, mask = batch.inputs["observation"], batch.mask["action"] > 0
        wanted = (seen[..., 2] + seen[..., 3] > 0)[mask]
        np.testing.assert_array_equal(batch.targets["action"][mask], wanted)
        np.testing.assert_array_equal(seen[3:, : again.n_steps], again.inputs["observation"])
        np.testing.assert_array_equal(batch.info["return"], batch.info["n_steps"])  # 1 a step
        drunk = tasks.rollout(env, lambda x, rng: int(rng.integers(2)), 20, rng=0)
        assert drunk.returns.mean() < 40 <= batch.info["return"].mean()
    with gymnasium.make("FrozenLake-v1", is_slippery=False) as env:
        path = iter([2, 2, 1, 1, 1, 2])  # right, right, down, down, down, right
        found = tasks.rollout(env, lambda x, rng: next(path), 1, rng=0)
        assert found.returns[0] == 1 and found.observations.shape == (1, 6, 16)
        assert list(found.observations[0].argmax(axis=1)) == [0, 1, 2, 6, 10, 14]
    with gymnasium.make("Pendulum-v1") as env:
        found = tasks.rollout(env, lambda x, rng: rng.uniform(-2, 2, size=1), 2, rng=0, max_steps=9)
        assert found.actions.shape == (2, 9, 1) and not found.terminated.any()
