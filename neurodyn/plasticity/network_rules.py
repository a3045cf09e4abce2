"""The plasticity rules of a network: traces go into its populations, the rest is bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.units import DIMENSIONLESS, to_si

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.plasticity.binding import BoundRule
    from neurodyn.population import Population


def bind_rules(network: Network) -> tuple[dict[str, Population], dict[int, BoundRule]]:
    """The populations with the traces of all rules, and the rules by number of the coupling.

    Raises
    ------
    neurodyn.EquationError, neurodyn.UnitError
        For names or units of a rule that do not fit.
    ValueError
        For values that do not fit the synapses, and weights outside their bounds.
    """
    populations = dict(network.populations)
    plastic = [(k, c) for k, c in enumerate(network.couplings) if c.plasticity is not None]
    if not plastic:
        return populations, {}
    from neurodyn.plasticity.binding import bind
    from neurodyn.plasticity.rule_text import RuleText, trace_lines

    texts, renamed = {}, {}
    for k, coupling in plastic:
        texts[k] = RuleText(coupling.plasticity, coupling.label)
        _check_values(coupling, [*texts[k].traces("pre"), *texts[k].traces("post")])
        renamed[k] = {}
        for side, end in (("pre", coupling.source), ("post", coupling.target)):
            name = network.split(end)[0]
            population = populations[name]
            taken = {*population.equations.variables, *population.equations.open_names}
            traces = trace_lines(texts[k], side, taken)
            renamed[k][side] = dict(
                zip(texts[k].traces(side), (t.name for t in traces), strict=True)
            )
            for trace in traces:
                renamed[k][side] |= trace.parameters
            if traces:
                values = {n: v for trace in traces for n, v in trace.values.items()}
                populations[name] = population.with_states([t.line for t in traces], values)
    rules = {}
    for k, coupling in plastic:
        source, variable = network.split(coupling.source)
        target, own = network.split(coupling.target)
        rules[k] = bind(
            texts[k],
            populations[source],
            populations[target],
            renamed[k],
            variable,
            own,
            _weight_dimension(network, coupling),
            coupling.carries_spikes,
        )
    return populations, rules


def _weight_dimension(network: Network, coupling) -> tuple[float, ...]:
    """Dimension that the weights must have to bring the source to the target."""
    if coupling.weights.dim is not None:
        return coupling.weights.dim
    source = DIMENSIONLESS if coupling.carries_spikes else network.dimension(coupling.source)
    return tuple(a - b for a, b in zip(network.dimension(coupling.target), source, strict=True))


def synapse_shape(weights) -> tuple[int, ...]:
    """Shape of one value a synapse, in the order of the weights' own values."""
    (values,) = weights.parameters.values()
    return values.shape


def _check_values(coupling, traces: list[str]) -> None:
    rule, shape = coupling.plasticity, synapse_shape(coupling.weights)
    for name, value in rule.values.items():
        got = np.shape(to_si(value, name).value)
        if got not in ((), shape) and name not in traces:
            raise ValueError(
                f"`{name}` of the plasticity of {coupling.label} must be one number or one a "
                f"synapse, {shape}; got shape {got}"
            )
    if rule.bounds is None:
        return
    low, high = (to_si(b, "bounds").value if b is not None else None for b in rule.bounds)
    (values,) = coupling.weights.parameters.values()
    outside = np.zeros(values.shape, bool)
    outside |= values < low if low is not None else outside
    outside |= values > high if high is not None else outside
    if outside.any():
        place = tuple(int(i) for i in np.unravel_index(int(outside.argmax()), values.shape))
        remedy = "clip them, or change the bounds"
        if coupling.weights.kind == "dense" and values[place] == 0:
            remedy = "every entry of a full matrix is a synapse, use sparse weights if 0 is none"
        raise ValueError(
            f"weights of {coupling.label} must lie within the `bounds` {rule.bounds} of their "
            f"plasticity; synapse {place} has {values[place]:g} ({remedy})"
        )
