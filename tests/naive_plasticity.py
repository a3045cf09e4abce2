"""A slow, obvious twin of networks with plastic synapses: every spike, every synapse, one by one.

It reads the same text as the engine, but carries it out by Python's ``eval`` on the numbers of one
synapse at a time, in the order that the documentation of `neurodyn.Plasticity` gives. Derivatives
in time are complex steps. Its grammar is a part of the engine's: one variable a line, no units in
the text but those below, and parameters in SI.
"""

from __future__ import annotations

import re

import numpy as np

from neurodyn.units import to_si

_FUNCTIONS = {name: getattr(np, name) for name in ("exp", "sqrt", "tanh", "abs", "clip")}
_FUNCTIONS |= {"second": 1.0, "ms": 1e-3, "Hz": 1.0, "mV": 1e-3, "volt": 1.0}
_FUNCTIONS["int"] = lambda condition: np.multiply(condition, 1)  # of arrays, too
_FUNCTIONS["relu"] = lambda x: np.maximum(x, 0)


def read(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Drifts of the states and expressions of the algebraic variables."""
    states, algebraic = {}, {}
    for line in text.splitlines():
        if found := re.match(r"\s*d(\w+)/dt\s*=([^:]*)", line):
            states[found[1]] = found[2].strip()
        elif found := re.match(r"\s*(\w+)\s*=([^:]*)", line):
            algebraic[found[1]] = found[2].strip()
        elif found := re.match(r"\s*(\w+)\s*:", line):
            states[found[1]] = "0"
    return states, algebraic


def statements(text: str) -> list[tuple[str, str, str]]:
    """Target, operator and value of each statement."""
    found = [re.match(r"\s*(\w+)\s*([-+*/]?)=(.*)", s) for s in re.split("[;\n]", text) if s.strip()]
    return [(m[1], m[2], m[3].strip()) for m in found]


def carry_out(statement, names: dict) -> float:
    """The new value of the statement's target."""
    target, operator, value = statement
    value = eval(value, _FUNCTIONS, names)
    return eval(f"a {operator} b", {"a": names[target], "b": value}) if operator else value


def moved(drift, x: np.ndarray, dt: float, exponential: bool) -> np.ndarray:
    """States after a step, by exponential Euler or by Euler; ``drift(x)`` is their slope."""
    x = np.asarray(x, float)
    a = np.broadcast_to(np.imag(drift(x + 1e-30j)) / 1e-30, x.shape) * (dt if exponential else 0)
    safe = np.where(a == 0, 1.0, a)
    return x + dt * np.where(a == 0, 1.0, np.expm1(safe) / safe) * np.real(drift(x))


class Units:
    """Units of one population.

    Parameters
    ----------
    size : int
    text : str
        Equations; an input is whatever is neither defined nor in `values`.
    threshold, reset : str
    spikes : ndarray of bool (step, unit)
        Instead of a threshold: who spikes when.
    values : parameters and initial values
    """

    def __init__(self, size, text="", *, threshold="", reset="", spikes=None, **values):
        self.size, self.threshold, self.reset, self.spikes = size, threshold, reset, spikes
        self.drifts, self.algebraic = read(text)
        self.drifts = {n: d for n, d in self.drifts.items() if d != "0"}
        self.now = {n: np.broadcast_to(np.asarray(v, float), size).copy() for n, v in values.items()}
        for name in self.drifts:
            self.now.setdefault(name, np.zeros(size))

    def evaluate(self) -> None:
        for name, text in self.algebraic.items():
            self.now[name] = eval(text, _FUNCTIONS, self.now) * np.ones(self.size)

    def move(self, dt, exponential) -> None:
        def drift(name):
            def slope(x):
                names = {**self.now, name: x}
                names |= {n: eval(e, _FUNCTIONS, names) for n, e in self.algebraic.items()}
                return eval(self.drifts[name], _FUNCTIONS, names)
            return slope

        self.now |= {n: moved(drift(n), self.now[n], dt, exponential) for n in self.drifts}


class Synapses:
    """One coupling as a list of synapses.

    Parameters
    ----------
    source, target : str
        ``"S.spike"`` or ``"S.r"``, and ``"P.g"``.
    post, pre : ndarray of int (synapse,)
    w : ndarray (synapse,)
    rule : neurodyn.Plasticity, optional
    delay : int
        In steps.
    """

    def __init__(self, source, target, post, pre, w, rule=None, delay=0):
        (self.source, self.variable), (self.target, self.onto) = source.split("."), target.split(".")
        self.post, self.pre, self.delay, self.rule = post, pre, delay, rule
        self.kept = {"w": np.array(w, float)}
        self.traces = {"pre": {}, "post": {}}
        self.drifts, self.values, self.low, self.high = {}, {}, -np.inf, np.inf
        if rule is None:
            self.events = {"pre": [], "post": []}
            return
        self.values = {n: to_si(v, n).value for n, v in rule.values.items()}
        low, high = rule.bounds or (None, None)
        self.low = -np.inf if low is None else to_si(low).value
        self.high = np.inf if high is None else to_si(high).value
        self.values |= {"w_min": self.low, "w_max": self.high}
        self.drifts, _ = read(rule.equations)
        self.events = {"pre": statements(rule.on_pre), "post": statements(rule.on_post)}

    @classmethod
    def of(cls, source, target, weights, rule=None, delay=0):
        """The synapses of a full matrix, or of SciPy's sparse ones, in the order of their values."""
        if isinstance(weights, np.ndarray):
            post, pre = (a.ravel() for a in np.indices(weights.shape))
            return cls(source, target, post, pre, weights.ravel(), rule, delay)
        coo = weights.tocoo()
        return cls(source, target, coo.row, coo.col, coo.data, rule, delay)

    def begin(self, populations) -> None:
        self.ends = {"pre": populations[self.source], "post": populations[self.target]}
        for name in self.drifts:
            side = next((s for s in ("pre", "post") if name.endswith(f"_{s}")), None)
            value = self.values.pop(name, 0.0)
            if side:
                ones = np.ones(self.ends[side].size)
                self.traces[side][name] = value * ones
            elif name != "w":
                self.kept[name] = value * np.ones(self.pre.size)
        self.values = {n: np.asarray(v).reshape(-1) if np.ndim(v) else v
                       for n, v in self.values.items()}  # fmt: skip

    def names_of(self, side) -> dict:
        """What a unit knows: its own variables and traces, by their names in the rule."""
        own = {f"{n}_{side}": v for n, v in self.ends[side].now.items()}
        return own | self.traces[side]

    # -- at every moment -----------------------------------------------------------------------

    def move(self, dt, t, exponential) -> None:
        names = {**self.values, "t": t, "dt": dt}
        names |= {n: v[self.pre] for n, v in self.names_of("pre").items()}
        names |= {n: v[self.post] for n, v in self.names_of("post").items()}
        n_post, n_pre = self.ends["post"].size, self.ends["pre"].size
        held = dict(self.kept)

        def total(ends, size):
            return lambda values: np.bincount(ends, np.real(values), size)[ends]

        def drift(name):
            def slope(x):
                functions = {
                    **_FUNCTIONS,
                    "sum_pre": total(self.post, n_post), "sum_post": total(self.pre, n_pre),
                }  # fmt: skip
                return eval(self.drifts[name], functions, {**names, **held, name: x})
            return slope

        for name in self.kept:
            if self.drifts.get(name, "0") != "0":
                self.kept[name] = moved(drift(name), held[name], dt, exponential)
        if self.drifts.get("w", "0") != "0":
            self.kept["w"] = np.clip(self.kept["w"], self.low, self.high)

    def move_traces(self, dt, t, exponential) -> None:
        """After the synapses, and before the units themselves."""
        for side, traces in self.traces.items():
            names = {**self.values, **self.names_of(side), "t": t, "dt": dt}

            def drift(name, names=names):
                def slope(x):
                    return eval(self.drifts[name], _FUNCTIONS, {**names, name: x})
                return slope

            self.traces[side] = {n: moved(drift(n), v, dt, exponential) for n, v in traces.items()}

    # -- with spikes ---------------------------------------------------------------------------

    def event(self, side, unit, t, dt) -> list[tuple[int, float]]:
        """One spike of a unit of `side`; what is delivered, as (postsynaptic unit, amount)."""
        delivered = []
        given = f"{self.onto}_post"
        own = {n: v[unit] for n, v in self.names_of(side).items()}
        base = {"t": t, "dt": dt, **own}
        for q in np.flatnonzero((self.pre if side == "pre" else self.post) == unit):
            other = "post" if side == "pre" else "pre"
            end = (self.post if side == "pre" else self.pre)[q]
            names = {**base, **{n: v[end] for n, v in self.names_of(other).items()}}
            names |= {n: v[q] if np.ndim(v) else v for n, v in self.values.items()}
            names |= {n: v[q] for n, v in self.kept.items()}
            if side == "pre" and all(target != given for target, _, _ in self.events["pre"]):
                delivered.append((end, names["w"]))
            for statement in self.events[side]:
                target, operator, value = statement
                if side == "pre" and target == given:
                    sign = {"+": 1, "-": -1}[operator]
                    delivered.append((end, sign * eval(value, _FUNCTIONS, names)))
                    continue
                names[target] = carry_out(statement, names)
                if target == "w":
                    names["w"] = min(max(names["w"], self.low), self.high)
            for name in self.kept:
                self.kept[name][q] = names[name]
        names = {**base, **self.values}
        for statement in self.events[side]:
            if statement[0] in self.traces[side]:
                names[statement[0]] = carry_out(statement, names)
        for name, values in self.traces[side].items():
            values[unit] = names[name]
        return delivered


def run(populations, synapses, n_steps, dt, *, inputs=None, exponential=True):
    """Run the twin.

    Parameters
    ----------
    populations : dict of str to Units
    synapses : list of Synapses
    n_steps : int
    dt : float
    inputs : dict of str to ndarray (step, unit)
        By full name, ``"P.drive"``.
    exponential : bool
        Exponential Euler, else Euler.

    Returns
    -------
    dict
        ``"weights"``: for each of `synapses` its weights at the beginning of every step
        (step, synapse); ``"spikes"``: for each population who spiked (step, unit).
    """
    for s in synapses:
        s.begin(populations)
        populations[s.target].now.setdefault(s.onto, np.zeros(populations[s.target].size))
    fired = {name: np.zeros((n_steps, p.size), bool) for name, p in populations.items()}
    weights = [[] for _ in synapses]
    for k in range(n_steps):
        t = k * dt
        rates = [s for s in synapses if s.variable != "spike"]
        for name, values in (inputs or {}).items():
            population, variable = name.split(".")
            populations[population].now[variable] = np.array(values[k], float)
        for _ in range(1 + len(rates)):  # as deep as a chain of couplings can be
            for p in populations.values():
                p.evaluate()
            totals = {}
            for s in rates:
                r = populations[s.source].now[s.variable][s.pre]
                total = np.bincount(s.post, s.kept["w"] * r, populations[s.target].size)
                totals[s.target, s.onto] = totals.get((s.target, s.onto), 0) + total
            for (target, onto), total in totals.items():
                populations[target].now[onto] = total + (inputs or {}).get(
                    f"{target}.{onto}", np.zeros(n_steps))[k]  # fmt: skip
        for s, kept in zip(synapses, weights, strict=True):
            kept.append(s.kept["w"].copy())
        for s in synapses:
            s.move(dt, t, exponential)
        for s in synapses:
            s.move_traces(dt, t, exponential)
        for name, p in populations.items():
            p.move(dt, exponential)
            p.evaluate()
            if p.spikes is not None:
                fired[name][k] = p.spikes[k]
            elif p.threshold:
                fired[name][k] = eval(p.threshold, _FUNCTIONS, p.now)
        _arrive(populations, synapses, fired, k, t, dt)
        for name, p in populations.items():
            for unit in np.flatnonzero(fired[name][k]) if p.reset else ():
                names = {n: v[unit] for n, v in p.now.items()}
                for statement in statements(p.reset):
                    names[statement[0]] = carry_out(statement, names)
                for variable in p.drifts:
                    p.now[variable][unit] = names[variable]
    return {"weights": [np.array(kept) for kept in weights], "spikes": fired}


def _arrive(populations, synapses, fired, k, t, dt) -> None:
    with_spikes = [s for s in synapses if s.variable == "spike"]
    arrived = {}
    for s in with_spikes:
        p = populations[s.target]
        if s.onto not in p.drifts:  # an input holds what arrives for one step
            arrived.setdefault((s.target, s.onto), np.zeros(p.size))
    for s in with_spikes:
        p = populations[s.target]
        onto = arrived.get((s.target, s.onto), p.now[s.onto])
        now = np.flatnonzero(fired[s.source][k - s.delay]) if k >= s.delay else ()
        delivered = [d for unit in now for d in s.event("pre", unit, t, dt)]
        for end, amount in delivered:
            onto[end] += amount
        p.evaluate()
    for (target, onto), total in arrived.items():
        populations[target].now[onto] = total
    for s in synapses:
        for unit in np.flatnonzero(fired[s.target][k]) if s.events["post"] else ():
            s.event("post", unit, t, dt)
