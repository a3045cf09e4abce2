"""Gymnasium environments: episodes under a policy, and learning to act as an expert does.

gymnasium is no requirement (``pip install 'neurodyn[gymnasium]'``), and nothing here imports it: an
environment is what has ``reset(seed=)``, ``step``, ``observation_space`` and ``action_space``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.tasks.base import Parts, TrialTask
from neurodyn.tasks.neurogym_tasks import padded
from neurodyn.tasks.streams import TRIAL, Streams

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

#: ``policy(observation, rng) -> action``
Policy = Callable[[np.ndarray, np.random.Generator], Any]


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes of an environment, padded with zeros to the longest.

    Attributes
    ----------
    observations : array, (episode, time, unit)
        What the policy saw; discrete ones are one-hot.
    actions : array, (episode, time) of int, or (episode, time, unit)
        What it did; discrete actions count from 0.
    rewards : array, (episode, time)
    mask : array of bool, (episode, time)
        The steps of the episode.
    returns : array, (episode,)
        Sums of rewards.
    n_steps : array of int, (episode,)
    terminated : array of bool, (episode,)
        Whether the episode came to an end of its own, not to a limit of time.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    mask: np.ndarray
    returns: np.ndarray
    n_steps: np.ndarray
    terminated: np.ndarray


def rollout(
    env: Any,
    policy: Policy,
    episodes: int,
    *,
    max_steps: int = 1000,
    rng: RNG = None,
    first_episode: int = 0,
) -> Episodes:
    """Let a policy act in an environment.

    Parameters
    ----------
    env : gymnasium.Env
        With observations and actions in a Box or Discrete space.
    policy : callable
        ``policy(observation, rng) -> action``: the observation as (unit,) numbers, a generator for
        random decisions, an action as the environment wants it. If it has a method ``reset``, that
        is called at the beginning of every episode: the place to reset a network.
    episodes : int
    max_steps : int
        Longest episode; default 1000.
    rng : int, SeedSequence, Generator or None
        Seeds the environment, once an episode, and the policy: a stream for each episode.
    first_episode : int
        Number of the first of them, see `TrialTask.batch`.

    Returns
    -------
    Episodes
    """
    _check_env(env)
    if not callable(policy):
        raise TypeError(
            f"`policy` must be a function of (observation, rng); got {type(policy).__name__}"
        )
    n_episodes = checked_count(episodes, "episodes")
    max_steps = checked_count(max_steps, "max_steps")
    first_episode = checked_count(first_episode, "first_episode", 0)
    streams = Streams(rng)
    runs = [
        _episode(env, policy, one, max_steps)
        for one in streams.of_trials(TRIAL, first_episode, n_episodes)
    ]
    return _episodes(runs)


def _episode(env, policy: Policy, rng: np.random.Generator, max_steps: int) -> dict[str, Any]:
    observation, _ = env.reset(seed=int(rng.integers(2**31)))
    if hasattr(policy, "reset"):
        policy.reset()
    observations, actions, rewards, terminated = [], [], [], False
    for _ in range(max_steps):
        seen = _as_numbers(observation, env.observation_space)
        action = policy(seen, rng)
        observation, reward, terminated, truncated, _ = env.step(action)
        observations.append(seen)
        actions.append(_as_action(action, env.action_space))
        rewards.append(float(reward))
        if terminated or truncated:
            break
    return {
        "observations": np.array(observations),
        "actions": np.array(actions),
        "rewards": np.array(rewards),
        "terminated": bool(terminated),
    }


def _episodes(runs: list[dict[str, Any]]) -> Episodes:
    return Episodes(
        observations=padded([run["observations"] for run in runs]),
        actions=padded([run["actions"] for run in runs]),
        rewards=padded([run["rewards"] for run in runs]),
        mask=padded([np.ones(len(run["rewards"]), bool) for run in runs]),
        returns=np.array([run["rewards"].sum() for run in runs]),
        n_steps=np.array([len(run["rewards"]) for run in runs]),
        terminated=np.array([run["terminated"] for run in runs]),
    )


@dataclass(frozen=True, eq=False)
class ImitationTask(TrialTask):
    """Do what an expert does, seeing what it sees.

    Inputs ``observation`` (trial, time, unit) of episodes in which the expert acts; classes
    ``action`` (trial, time), or numbers (trial, time, unit) for continuous actions. Episodes are
    padded to the longest of the batch, where nothing counts. How a trained network does when it
    acts itself, `rollout` says.

    Parameters
    ----------
    env : gymnasium.Env
    expert : callable
        A policy, see `rollout`.
    max_steps : int
        Longest episode; default 200.
    dt : float or Quantity
        Time of a step, s; default 1 s.
    """

    env: Any = None
    expert: Any = None
    _: KW_ONLY
    dt: float = 1.0
    max_steps: int = 200

    def _check(self) -> None:
        _check_env(self.env)
        if not callable(self.expert):
            raise TypeError(
                "`expert` must be a function of (observation, rng); "
                f"got {type(self.expert).__name__}"
            )
        self._put(max_steps=checked_count(self.max_steps, "max_steps"))

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"observation": _size(self.env.observation_space)}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"action": _size(self.env.action_space)}

    @property
    def score(self) -> str:
        return "accuracy" if hasattr(self.env.action_space, "n") else "error"

    @property
    def chance(self) -> float:
        return float("nan")

    @property
    def optimal(self) -> float:
        return float("nan")

    def _draw(self, rng, plan):
        return _episode(self.env, self.expert, rng, self.max_steps)

    def _stacked(self, draws):
        return {"episodes": _episodes(draws)}

    def _parts(self, drawn, plan):
        found = drawn["episodes"]
        info = {"return": found.returns, "n_steps": found.n_steps}
        targets = {"action": found.actions}
        return Parts({"observation": found.observations}, targets, found.mask, info)


def _check_env(env: Any) -> None:
    for name in ("reset", "step", "observation_space", "action_space"):
        if not hasattr(env, name):
            raise TypeError(
                "`env` must be a gymnasium environment, such as gymnasium.make('CartPole-v1'); got "
                f"{type(env).__name__}, which has no `{name}`"
            )
    for name in ("observation_space", "action_space"):
        space = getattr(env, name)
        if not hasattr(space, "n") and not getattr(space, "shape", None):
            raise TypeError(
                f"`env`: its {name} must be a Box or Discrete; got {type(space).__name__}. Wrap it "
                "with gymnasium.wrappers.FlattenObservation"
            )


def _size(space: Any) -> int:
    return int(space.n) if hasattr(space, "n") else int(np.prod(space.shape))


def _as_numbers(observation: Any, space: Any) -> np.ndarray:
    if hasattr(space, "n"):
        return np.eye(int(space.n))[int(observation) - int(getattr(space, "start", 0))]
    return np.asarray(observation, float).ravel()


def _as_action(action: Any, space: Any) -> Any:
    if hasattr(space, "n"):
        return int(action) - int(getattr(space, "start", 0))
    return np.asarray(action, float).ravel()
