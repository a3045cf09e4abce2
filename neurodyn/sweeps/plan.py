"""The tasks of a sweep: every point of a grid with every seed, each named by a hash.

A task is told by its number, in C order of the grid with the seed last, and known by its identity:
a hash of the experiment, all its parameters, the seed and the code version. Results are stored
under the identity; numbers may change when a sweep is extended, identities do not.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neurodyn._attributes import from_json, to_json
from neurodyn.experiments import InputError
from neurodyn.experiments.settings import Parameter, convert, unknown
from neurodyn.sweeps.target import SEED_NAMES, Target, find_target, target_parameters

#: Name of the seed's dimension in the results.
SEED = "seed"


@dataclass(frozen=True)
class Plan:
    """What a sweep computes.

    Attributes
    ----------
    target : Target
    grid : dict of str to tuple
        Values of the parameters that vary, converted.
    settings : dict
        Parameters that do not vary, converted.
    seeds : tuple of int
        Empty for a function that takes no seed.
    reserved : frozenset of str
        Which arguments of the function the sweep fills itself.
    versions : tuple of str
        Hashes of the code versions whose results count; the last is the current one.
    """

    target: Target
    grid: Mapping[str, tuple[Any, ...]]
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    reserved: frozenset[str]
    versions: tuple[str, ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions that the sweep adds to the results."""
        return (*self.grid, *((SEED,) if self.seeds else ()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Their sizes."""
        return (*map(len, self.grid.values()), *((len(self.seeds),) if self.seeds else ()))

    @property
    def size(self) -> int:
        """Number of tasks."""
        return math.prod(self.shape)

    def point(self, task: int) -> dict[str, Any]:
        """The varied parameters and the seed of a task."""
        where = np.unravel_index(task, self.shape)
        axes = (*self.grid.values(), *((self.seeds,) if self.seeds else ()))
        return {name: axis[k] for name, axis, k in zip(self.dims, axes, where)}

    def arguments(self, task: int) -> dict[str, Any]:
        """What the function is called with, besides ``progress`` and ``store``."""
        found = {**self.settings, **self.point(task)}
        seed = found.pop(SEED, None) if self.seeds else None
        names = [name for name in SEED_NAMES if name in self.reserved]
        return found | (dict.fromkeys(names, seed) if self.seeds else {})

    def describe(self, task: int) -> str:
        """A task for people: ``"tau=0.5, seed=3"``."""
        return ", ".join(f"{name}={value}" for name, value in self.point(task).items()) or "(all)"

    def coordinates(self) -> dict[str, np.ndarray]:
        """Coordinate of each dimension: numbers as numbers, truth values too, all else as text."""
        found = {name: _coordinate(values) for name, values in self.grid.items()}
        return found | ({SEED: np.array(self.seeds)} if self.seeds else {})

    @cached_property
    def _texts(self) -> list[list[str]]:
        axes = [[_canonical(value) for value in values] for values in self.grid.values()]
        return axes + ([[str(seed) for seed in self.seeds]] if self.seeds else [])

    def identities(self, version: str, tasks: Sequence[int] | None = None) -> np.ndarray:
        """Identity of tasks (default all) under a code version, 16 bytes each: ``(task, 2)``."""
        about = {"module": self.target.module, "function": self.target.function}
        fixed = {name: _canonical(value) for name, value in sorted(self.settings.items())}
        start = hashlib.sha256(
            json.dumps([about, fixed, sorted(self.grid), version]).encode()
        )
        # sorted, so that the order of the grid's dimensions does not matter
        order = sorted(range(len(self._texts)), key=lambda k: self.dims[k])
        axes, sizes = self._texts, self.shape
        digests = bytearray()
        for task in range(self.size) if tasks is None else tasks:
            where, rest = [0] * len(sizes), int(task)
            for k in range(len(sizes) - 1, -1, -1):
                rest, where[k] = divmod(rest, sizes[k])
            one = start.copy()
            one.update("\0".join([axes[k][where[k]] for k in order]).encode())
            digests += one.digest()[:16]
        return np.frombuffer(bytes(digests), ">u8").reshape(-1, 2).astype(np.uint64)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; `from_json` gives the same plan back."""
        return {
            "target": vars(self.target),
            "grid": {name: [_canonical(v) for v in values] for name, values in self.grid.items()},
            "settings": {name: _canonical(value) for name, value in self.settings.items()},
            "seeds": list(self.seeds),
            "reserved": sorted(self.reserved),
            "versions": list(self.versions),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote."""
        return cls(
            Target(**found["target"]),
            {name: tuple(map(_value, values)) for name, values in found["grid"].items()},
            {name: _value(text) for name, text in found["settings"].items()},
            tuple(found["seeds"]),
            frozenset(found["reserved"]),
            tuple(found["versions"]),
        )

    def differences(self, other: Plan) -> list[str]:
        """In what the sweep `other`, the earlier one, differs, in words; empty if in nothing."""
        found = []
        mine, theirs = self.to_json(), other.to_json()
        if any(getattr(self.target, k) != getattr(other.target, k) for k in ("module", "function")):
            found.append(f"the experiment is {self.target.name}, it was {other.target.name}")
        for part in ("settings", "grid"):
            for name in {**theirs[part], **mine[part]}:
                now, then = mine[part].get(name), theirs[part].get(name)
                if now != then:
                    what = "values of" if part == "grid" else "setting"
                    found.append(f"{what} `{name}`: {_short(now)}, it was {_short(then)}")
        if self.seeds != other.seeds:
            found.append(f"seeds: {_short(self.seeds)}, it was {_short(other.seeds)}")
        return found

    def extends(self, other: Plan) -> bool:
        """Whether this sweep has every task of `other`, so that its results are of use."""
        same = replace(self, grid=other.grid, seeds=other.seeds, versions=other.versions)
        if same.differences(other) or set(self.grid) != set(other.grid):
            return False
        mine, theirs = self.to_json()["grid"], other.to_json()["grid"]
        return set(self.seeds) >= set(other.seeds) and all(
            set(mine[name]) >= set(theirs[name]) for name in theirs
        )


def make_plan(
    experiment: str | Callable[..., Any],
    grid: Mapping[str, Sequence[Any] | str] | None = None,
    seeds: int | Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Plan:
    """Check what a user wants, before anything runs.

    Parameters
    ----------
    experiment : str or callable
        See `neurodyn.sweeps.target.find_target`.
    grid : mapping of str to sequence, or to text
        Values by parameter. Text is read as ``"1,2,5"``, as ``"0:1:11"`` (first, last, how many),
        or as ``"1,2;3,4"`` where each value is itself a list.
    seeds : int or sequence of int
        How many, from 0 on, or which. Default one, 0.
    settings : mapping
        The parameters that do not vary.

    Raises
    ------
    InputError
        For an unknown parameter (with a did-you-mean), a value that does not fit its type, or that
        cannot be written down, a point that is twice in the grid, a parameter without a value.
    """
    target = find_target(experiment)
    known, reserved = target_parameters(target)
    grid, settings = dict(grid or {}), dict(settings or {})
    for name in (*grid, *settings):
        if name in SEED_NAMES:
            raise InputError(f"`{name}` is set by the seeds: give it as `seeds` (--seeds 8)")
        if name not in known:
            raise InputError(unknown(name, known, f"parameter of {target.name}", "parameters"))
        if name in grid and name in settings:
            raise InputError(f"`{name}` is given in the grid and as a setting; which is meant?")
    for name, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and name not in {*grid, *settings}:
            raise InputError(f"`{name}` of {target.name} has no default: give it a value")
    converted = convert(known, settings, target.name)
    axes = {name: _axis(name, values, known, target.name) for name, values in grid.items()}
    for name, value in converted.items():
        _check_writable(name, value)
    return Plan(target, axes, converted, _seeds(seeds, reserved, target.name), reserved)


def _axis(name: str, values: Any, known: Mapping[str, Parameter], owner: str) -> tuple[Any, ...]:
    if isinstance(values, str):
        values = _from_text(values)
    elif isinstance(values, np.ndarray):
        values = values.tolist()
    elif not isinstance(values, Sequence) or hasattr(values, "dim"):
        raise InputError(f"`grid[{name!r}]` must be a sequence of values; got {values!r:.60}")
    if len(values) == 0:
        raise InputError(f"`grid[{name!r}]` has no values")
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    found = tuple(convert(known, {name: value}, owner)[name] for value in values)
    seen: set[str] = set()
    for value in found:
        _check_writable(name, value)
        text = _canonical(value)
        if text in seen:
            raise InputError(f"`grid[{name!r}]` has the value {value!r} twice")
        seen.add(text)
    return found


def _from_text(text: str) -> list[str]:
    """Values of one dimension as they are typed.

    >>> _from_text("1, 2"), _from_text("0:1:3"), _from_text("1,2;3,4")
    (['1', '2'], ['0', '0.5', '1'], ['1,2', '3,4'])
    """
    parts = text.split(":")
    if len(parts) == 3:
        try:
            first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            pass
        else:
            return [f"{x:.15g}" for x in np.linspace(first, last, count)]
    return [item.strip() for item in text.split(";" if ";" in text else ",") if item.strip()]


def _seeds(seeds: Any, reserved: frozenset[str], owner: str) -> tuple[int, ...]:
    if not reserved.intersection(SEED_NAMES):
        if seeds is not None:
            raise InputError(f"`seeds` are given, but {owner} has no argument `rng` or `seed`")
        return ()
    if seeds is None:
        seeds = 1
    whole = int | np.integer
    if isinstance(seeds, whole) and not isinstance(seeds, bool):
        if seeds < 1:
            raise InputError(f"`seeds` must be 1 or more; got {seeds}")
        return tuple(range(seeds))
    if isinstance(seeds, str) or not all(
        isinstance(seed, whole) and not isinstance(seed, bool) and seed >= 0 for seed in seeds
    ):
        raise InputError(f"`seeds` must be whole numbers, 0 or more; got {seeds!r:.60}")
    found = tuple(map(int, seeds))
    if not found or len(set(found)) < len(found):
        raise InputError(f"`seeds` must be different, at least one; got {_short(found)}")
    return found


def _check_writable(name: str, value: Any) -> None:
    if hasattr(value, "dim") and not isinstance(value, str):
        raise InputError(f"`{name}` is a quantity, {value!r}: give the number, in SI units")
    try:
        _canonical(value)
    except TypeError:
        raise InputError(
            f"`{name}` is a {type(value).__name__}, which cannot be written down for the workers: "
            "give numbers, text, or lists of them, and let the experiment build the rest"
        ) from None


def _canonical(value: Any) -> str:
    """Text that stands for exactly this value."""
    return to_json({"path": str(value)} if isinstance(value, Path) else [value], "the parameter")


def _value(text: str) -> Any:
    found: Any = from_json(text)
    return Path(found["path"]) if isinstance(found, dict) else found[0]


def _coordinate(values: tuple[Any, ...]) -> np.ndarray:
    kinds = set(map(type, values))
    if kinds == {int} and max(map(abs, values)) >= 2**63:
        kinds = {str}
    if kinds == {bool} or kinds == {int} or kinds == {float} or kinds == {int, float}:
        return np.array(values)
    return np.array([str(value) for value in values])


def _short(value: Any) -> str:
    text = "none" if value is None else str(list(value) if isinstance(value, tuple) else value)
    return text if len(text) < 80 else f"{text[:50]}...{text[-20:]}"
