"""What all signals have in common; sums and multiples of signals; checks of their arguments."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count, dimension_of, quoted, read_only, real_numbers
from neurodyn.signals.samplers import Grid, Sampler, ScaledSampler, SumSampler
from neurodyn.units import UnitError, format_dimension, second

if TYPE_CHECKING:
    from neurodyn.units import Dimension

#: Arrays longer than this enter a description as shape and checksum.
_DESCRIBED_VALUES = 64


@dataclass(frozen=True, eq=False)
class Signal(ABC):
    """An input that varies in time, held constant over each step (zero-order hold).

    Value k holds on ``[k * dt, (k + 1) * dt)``. Signals are immutable and know neither dt nor the
    population; `sampler` gives the values of a run. They add up and scale: ``a + b``, ``a - b``,
    ``2 * a``, ``pattern * a`` with one factor per unit, ``a * nd.nA``, ``a + 0.5``.

    Attributes
    ----------
    dim : tuple of float, or None
        Dimension, if any value came with a unit; None for plain numbers, which fit anywhere.
    is_constant : bool
        Whether one value holds for all time; then `constant_value` says it all.
    n_random : int
        Number of random sources in it.
    """

    dim: Dimension | None = field(init=False, repr=False, default=None)
    is_constant = False
    n_random = 0

    # arrays on the left leave ``pattern * signal`` to our __rmul__
    __array_ufunc__ = None

    def sampler(
        self,
        dt: float,
        n_units: int,
        trial_seeds: Sequence[np.random.SeedSequence],
        start_step: int = 0,
        *,
        n_steps: int | None = None,
        first_trial: int = 0,
        n_trials: int | None = None,
        name: str = "the input",
    ) -> Sampler:
        """The values of this signal in one run, or in one batch of its trials.

        Parameters
        ----------
        dt : float, s
            Time step.
        n_units : int
            Size of the population that gets the signal.
        trial_seeds : sequence of SeedSequence
            One per trial of the batch. Every random source of the signal draws from its own child
            of them; the seeds themselves are not changed, and the same seeds give the same values
            in every batch. Two inputs of a network need different seeds.
        start_step : int, default 0
            The first step. Sampling continues exactly, to the bit, what a sampler that began at 0
            would give. A random source has to draw and discard the steps before, at 10 to 20 ns per
            step, trial and unit.
        n_steps : int, optional
            How many steps will be taken, if that is known: too short an array is then an error
            here, not in the middle of the run.
        first_trial, n_trials : int
            Number of the batch's first trial, and of all trials of the run; the default is that
            this is the only batch.
        name : str
            What messages call the input, for example ``"E.I_ext"``.

        Returns
        -------
        Sampler

        Raises
        ------
        ValueError
            For values that do not fit the units, trials or steps; times that are not multiples of
            dt, with the nearest multiple.
        """
        if not (np.isfinite(dt) and dt > 0):
            raise ValueError(f"`dt` must be positive and finite, in s; got {dt!r}")
        seeds = tuple(trial_seeds)
        if not seeds or not all(isinstance(s, np.random.SeedSequence) for s in seeds):
            raise TypeError(
                "`trial_seeds` must be SeedSequences, one per trial, for example "
                f"`np.random.SeedSequence(0).spawn(n_trials)`; got {trial_seeds!r:.60}"
            )
        start_step = checked_count(start_step, "start_step", minimum=0)
        n_steps = None if n_steps is None else checked_count(n_steps, "n_steps", minimum=0)
        n_trials = first_trial + len(seeds) if n_trials is None else n_trials
        n_units = checked_count(n_units, "n_units")
        return self._sampler(
            Grid(float(dt), n_units, seeds, start_step, n_steps, first_trial, n_trials, name)
        )

    @abstractmethod
    def _sampler(self, grid: Grid) -> Sampler:
        """A sampler that stands at ``grid.start_step``."""

    def constant_value(self, n_units: int) -> np.ndarray:
        """The value that holds for all time, (n_units,); only if `is_constant`."""
        if not self.is_constant:
            raise TypeError(f"{type(self).__name__} varies in time; it has no constant value")
        seeds = (np.random.SeedSequence(0),)
        values = self.sampler(1.0, n_units, seeds).take(1)[0, 0]
        return np.broadcast_to(values, (n_units,)).copy()

    def describe(self) -> dict[str, Any]:
        """What the signal is, in JSON types, for provenance; long arrays as shape and checksum."""
        own = {f.name: _described(getattr(self, f.name)) for f in fields(self) if f.init}
        unit = {} if self.dim is None else {"unit": format_dimension(self.dim)}
        return {"kind": type(self).__name__, **own, **unit}

    def _settle(self, **values: Any) -> None:
        """Set attributes while the object is made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _settle_values(self, *names: str) -> None:
        """Make the fields `names` SI numbers or one number per unit, of one dimension."""
        dims = {}
        for name in names:
            value = getattr(self, name)
            array, dims[name] = real_numbers(value, name), dimension_of(value)
            if array.ndim > 1:
                raise ValueError(
                    f"`{name}` must be a number or have one value per unit, (n_units,); "
                    f"got shape {array.shape}. Values in time are an `ArraySignal`."
                )
            held = float(array) if array.ndim == 0 else read_only(array.astype(np.float64))
            self._settle(**{name: held})
        self._settle(dim=common_dimension(dims))

    def __add__(self, other: Any) -> Signal:
        return SignalSum((self, as_signal(other)))

    def __radd__(self, other: Any) -> Signal:
        return SignalSum((as_signal(other), self))

    def __sub__(self, other: Any) -> Signal:
        return self + as_signal(other) * -1.0

    def __rsub__(self, other: Any) -> Signal:
        return as_signal(other) + self * -1.0

    def __neg__(self) -> Signal:
        return self * -1.0

    def __mul__(self, factor: Any) -> Signal:
        return ScaledSignal(self, factor)

    def __rmul__(self, factor: Any) -> Signal:
        return ScaledSignal(self, factor)


@dataclass(frozen=True, eq=False)
class SignalSum(Signal):
    """The sum of several signals; ``a + b`` makes one.

    Parameters
    ----------
    terms : tuple of Signal
        Sums among them are flattened. Their random sources are numbered in this order, so a term
        that is added at the end does not change the numbers drawn by those before.
    """

    terms: tuple[Signal, ...]

    def __post_init__(self):
        flat = (t.terms if isinstance(t, SignalSum) else (as_signal(t),) for t in self.terms)
        self._settle(terms=tuple(term for part in flat for term in part))
        if not self.terms:
            raise ValueError("`terms` must hold at least one signal")
        self._settle(
            dim=common_dimension({f"terms[{k}]": t.dim for k, t in enumerate(self.terms)}),
            is_constant=all(term.is_constant for term in self.terms),
            n_random=sum(term.n_random for term in self.terms),
        )

    def _sampler(self, grid: Grid) -> Sampler:
        samplers, stream = [], grid.stream
        for term in self.terms:
            samplers.append(term._sampler(grid._replace(stream=stream)))
            stream += term.n_random
        return SumSampler(grid, samplers)


@dataclass(frozen=True, eq=False)
class ScaledSignal(Signal):
    """A signal times a factor; ``2 * a`` makes one.

    Parameters
    ----------
    signal : Signal
        What is scaled.
    factor : float, (n_units,) array_like, or quantity
        One for all units, or one each: a pattern over the population.
    """

    signal: Signal
    factor: Any

    def __post_init__(self):
        self._settle(signal=as_signal(self.signal, "signal"))
        self._settle_values("factor")
        dims = [dim for dim in (self.dim, self.signal.dim) if dim is not None]
        self._settle(
            dim=tuple(map(sum, zip(*dims, strict=True))) if dims else None,
            is_constant=self.signal.is_constant,
            n_random=self.signal.n_random,
        )

    def _sampler(self, grid: Grid) -> Sampler:
        factor = grid.per_unit(self.factor, "factor")
        return ScaledSampler(grid, self.signal._sampler(grid), factor)


def as_signal(value: Any, name: str = "signal") -> Signal:
    # that function knows every kind of signal, so its module cannot be imported from here earlier
    from neurodyn.signals.kinds import as_signal

    return as_signal(value, name)


def common_dimension(dims: dict[str, Dimension | None]) -> Dimension | None:
    """The one dimension among `dims`; plain numbers (None) fit any."""
    known = {name: dim for name, dim in dims.items() if dim is not None}
    if len(set(known.values())) > 1:
        listed = ", ".join(f"`{name}` in {format_dimension(dim)}" for name, dim in known.items())
        raise UnitError(f"these must have one dimension: {listed}")
    return next(iter(known.values()), None)


def checked_time(value: Any, name: str, *, positive: bool = False) -> float:
    """`value` as a time in s: a plain number or a quantity in seconds."""
    check_dimension(value, name, second.dim)
    number = real_numbers(value, name)
    if number.ndim or (positive and number <= 0):
        wanted = "a positive time" if positive else "one time"
        raise ValueError(f"{quoted(name)} must be {wanted}, in s; got {value!r}")
    return float(number)


def check_dimension(value: Any, name: str, dim: Dimension) -> None:
    """Raise if `value` has a unit that is not of dimension `dim`."""
    got = dimension_of(value)
    if got not in (None, dim):
        raise UnitError(
            f"{quoted(name)} must be in {format_dimension(dim)}; got {format_dimension(got)}"
        )


def _described(value: Any) -> Any:
    if isinstance(value, Signal):
        return value.describe()
    if isinstance(value, tuple):
        return [_described(item) for item in value]
    if isinstance(value, np.ndarray):
        if value.size <= _DESCRIBED_VALUES:
            return value.tolist()
        checksum = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "sha256": checksum}
    if callable(value):
        module = getattr(value, "__module__", None) or type(value).__module__
        return f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return value
