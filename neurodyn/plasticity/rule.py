"""How the weights of a coupling change: `Plasticity`, as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from neurodyn.statements import StatementError, read_statements
from neurodyn.units import to_si


@dataclass(frozen=True, eq=False, init=False)
class Plasticity:
    """A rule by which the synapses of a coupling change, written as Brian2's users write it.

    Parameters
    ----------
    equations : str
        Equations of what the rule keeps, one a line, in the grammar of populations. A name says
        where it lives: ``dx_pre/dt = -x_pre/tau_plus : 1`` is a state of every presynaptic unit,
        a trace, ``_post`` of every postsynaptic one; any other state, such as an eligibility
        ``dc/dt = -c/tau_c : 1``, is one a synapse. ``dw/dt = eta*r_pre*r_post`` is the change of
        the weight itself, whose unit is that of the coupling's weights. A synapse's own equations
        may use ``sum_pre(...)`` and ``sum_post(...)``: the sum over all synapses of the
        postsynaptic, or of the presynaptic, unit that the synapse belongs to.
    on_pre : str
        Statements for every synapse of a unit whose spike arrives (after the coupling's delay).
    on_post : str
        Statements for every synapse onto a unit that spikes.
    bounds : (float, float), optional
        Smallest and largest weight; None for either leaves it open. Whatever changes a weight keeps
        to them. In the text they are ``w_min`` and ``w_max``.
    **values : float, array_like, Quantity
        Parameters, and initial values of what is kept a synapse: one number, or one a synapse as
        for `Coupling.delay`. Initial values of traces, ``x_pre=1``: one number, or one a unit.
        What is given no value begins at 0.

    Notes
    -----
    Names in the text: ``w``, the weight; ``v_pre`` and ``v_post``, a variable or parameter ``v`` of
    the pre- or postsynaptic population; names that the equations define; the names in `values`; and
    ``t``, ``dt``. A spike delivers ``w`` before `on_pre` is carried out, unless `on_pre` says what
    is delivered: ``g_post += w*u_pre*x_pre`` for a coupling that ends at ``g``.

    A trace changes once a spike, however many synapses its unit has, so that ``x_pre`` can be
    assigned in `on_pre` only, and ``y_post`` in `on_post` only. Where spikes end at a state ``v``,
    ``v_post`` in `on_pre` is its value before the spikes of this step are delivered. Every entry
    of a full matrix is a synapse, zeros too. Traces are states of their
    population, ``"P.x_pre"`` (with a number behind it if that name is taken), which can be
    recorded. What is kept a synapse, and ``dw/dt``, moves by exponential Euler, exact where it is
    linear, or by Euler if that is the solver. In a step all of this sees the states at its
    beginning; events follow in the order: spikes that arrive, coupling by coupling, then spikes of
    the postsynaptic units, then resets.
    """

    equations: str = ""
    on_pre: str = ""
    on_post: str = ""
    bounds: tuple[float, float] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        equations: str = "",
        *,
        on_pre: str = "",
        on_post: str = "",
        bounds: tuple[Any, Any] | None = None,
        **values: Any,
    ):
        for name, text in (("equations", equations), ("on_pre", on_pre), ("on_post", on_post)):
            if not isinstance(text, str):
                raise TypeError(f"`{name}` must be text; got {text!r}")
            object.__setattr__(self, name, text)
        if not (equations.strip() or on_pre.strip() or on_post.strip()):
            raise ValueError("a Plasticity needs `equations`, `on_pre` or `on_post`")
        for name, text in (("on_pre", on_pre), ("on_post", on_post)):
            try:
                read_statements(text, f"`{name}`")
            except StatementError as error:
                raise ValueError(str(error)) from None
        object.__setattr__(self, "values", MappingProxyType(_checked(values)))
        object.__setattr__(self, "bounds", _bounds(bounds))

    def with_values(self, **values: Any) -> Plasticity:
        """The same rule with other values; bounds are called ``w_min`` and ``w_max``."""
        bounds = self.bounds
        known = [*self.values, *([] if bounds is None else ("w_min", "w_max"))]
        if unknown := set(values) - set(known):
            raise ValueError(
                f"the rule has no value `{min(unknown)}`; it has {', '.join(known) or 'none'}"
            )
        if bounds is not None:
            bounds = values.pop("w_min", bounds[0]), values.pop("w_max", bounds[1])
        return Plasticity(
            self.equations,
            on_pre=self.on_pre,
            on_post=self.on_post,
            bounds=bounds,
            **{**self.values, **values},
        )

    def __reduce__(self):
        keywords = {"on_pre": self.on_pre, "on_post": self.on_post, "bounds": self.bounds}
        return _make, (self.equations, keywords, dict(self.values))

    def __repr__(self) -> str:
        parts = [self.equations, self.on_pre, self.on_post]
        lines = "; ".join(" ".join(part.split()) for part in parts if part.strip())
        return f"<Plasticity {lines}>"


def _make(equations, keywords, values) -> Plasticity:
    return Plasticity(equations, **keywords, **values)


#: Names in the text that are no values of the rule, and why.
_RESERVED = {
    "w": "it is the weight, which the coupling gives",
    "w_min": "it is the smallest weight; give `bounds`",
    "w_max": "it is the largest weight; give `bounds`",
    "t": "it is the time",
    "dt": "it is the solver's step",
}


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name in _RESERVED:
            raise ValueError(f"`{name}` cannot be a value of a rule: {_RESERVED[name]}")
        array = np.asarray(to_si(value, name).value, dtype=float)
        if not np.all(np.isfinite(array)):
            raise ValueError(f"`{name}` must be finite; got {value!r:.60}")
        if name.startswith("tau") and np.any(array <= 0):
            raise ValueError(
                f"`{name}` is a time constant and must be positive; got {array.min():g}"
            )
    return values


def _bounds(bounds) -> tuple[Any, Any] | None:
    if bounds is None:
        return None
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(f"`bounds` must be (smallest, largest) weight; got {bounds!r}") from None
    numbers = [to_si(b, "bounds").value for b in (low, high) if b is not None]
    if any(np.ndim(n) or np.isnan(n) for n in numbers):
        raise ValueError(f"`bounds` must be two numbers; got {bounds!r}")
    if len(numbers) == 2 and not numbers[0] < numbers[1]:
        raise ValueError(f"`bounds` must be in ascending order; got {bounds!r}")
    return low, high
