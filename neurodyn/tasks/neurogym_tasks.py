"""Tasks of neurogym as tasks of ours.

neurogym is no requirement: it asks for one version each of NumPy, gymnasium and Matplotlib, and
needs PyTorch (``pip install 'neurodyn[neurogym]'``, best into an environment of its own). Nothing
here imports it: an environment is what has ``new_trial``, ``ob``, ``gt``, ``dt`` and ``seed``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodyn.tasks.base import Parts, TrialTask


@dataclass(frozen=True, eq=False)
class NeurogymTask(TrialTask):
    """Trials of a neurogym environment.

    Inputs ``observation`` (trial, time, unit) and, by the kind of the environment's actions,
    classes ``action`` (trial, time), or numbers (trial, time, unit): its ground truth. Trials of
    different lengths are padded with zeros to the longest of the batch, where nothing counts. The
    loss is over all steps of a trial; the accuracy over its period ``decision``, if it has one.

    Parameters
    ----------
    env : neurogym.TrialEnv
        For example ``neurogym.make("PerceptualDecisionMaking-v0", dt=20)``, or a wrapped one.

    Notes
    -----
    Each trial is seeded on its own, from the stream of its number; what an environment carries from
    trial to trial, blocks for example, is not the same for every split into batches. `dt`, s, is
    that of the environment, which counts in ms. `chance` and `optimal` are not known: NaN.
    """

    env: Any = None

    def __post_init__(self):
        inner = getattr(self.env, "unwrapped", self.env)
        missing = [n for n in ("new_trial", "seed", "dt", "observation_space", "action_space")
                   if not hasattr(inner, n)]  # fmt: skip
        if missing:
            raise TypeError(
                "`env` must be a neurogym environment with trials, such as "
                f"neurogym.make('PerceptualDecisionMaking-v0'); got {type(inner).__name__}, which "
                f"has no `{missing[0]}`"
            )
        self._put(dt=float(inner.dt) / 1000, _inner=inner)
        super().__post_init__()

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"observation": int(np.prod(self._inner.observation_space.shape))}

    @property
    def output_sizes(self) -> dict[str, int]:
        space = self._inner.action_space
        return {"action": int(space.n) if hasattr(space, "n") else int(np.prod(space.shape))}

    @property
    def chance(self) -> float:
        return float("nan")

    @property
    def optimal(self) -> float:
        return float("nan")

    @property
    def score(self) -> str:
        return "accuracy" if hasattr(self._inner.action_space, "n") else "error"

    def _draw(self, rng, plan):
        inner = self._inner
        inner.seed(int(rng.integers(2**32)))
        trial = inner.new_trial()
        observation = np.array(inner.ob, float)
        n_steps = len(observation)
        if getattr(inner, "gt", None) is None:
            raise ValueError(f"{type(inner).__name__} has no ground truth, `gt`, to learn")
        decision = np.ones(n_steps, bool)
        if "decision" in getattr(inner, "start_ind", {}):
            decision[: inner.start_ind["decision"]] = False
            decision[inner.end_ind["decision"] :] = False
        return {
            "observation": observation.reshape(n_steps, -1),
            "action": np.array(inner.gt),
            "mask": np.ones(n_steps, bool),
            "scored": decision,
            "trial": trial if isinstance(trial, dict) else {},
        }

    def _stacked(self, draws):
        stacked = {n: padded([d[n] for d in draws]) for n in draws[0] if n != "trial"}
        stacked["info"] = _numbers_of([draw["trial"] for draw in draws])
        stacked["info"]["n_steps"] = np.array([len(draw["mask"]) for draw in draws])
        return stacked

    def _parts(self, drawn, plan):
        action = drawn["action"]
        if hasattr(self._inner.action_space, "n"):
            action = action.astype(np.int64)
        else:
            action = action.reshape(*action.shape[:2], -1).astype(float)
        return Parts({"observation": drawn["observation"]}, {"action": action}, drawn["mask"],
                     drawn["info"], drawn["scored"])  # fmt: skip


def padded(arrays: list[np.ndarray]) -> np.ndarray:
    """Stacked, with zeros after the end of the shorter ones."""
    longest = max(len(array) for array in arrays)
    found = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(found, arrays):
        row[: len(array)] = array
    return found


def _numbers_of(trials: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """What the trials say of themselves, where it is one number in each of them."""
    found = {}
    for name in trials[0]:
        values = np.array([trial.get(name) for trial in trials], dtype=object)
        if all(np.isscalar(v) and np.isreal(v) for v in values):
            found[name] = np.array([float(v) for v in values])
    return found
