"""Rows of spiking networks, beside Brian2, NEST and ANNarchy."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field

import driver
from checks import Check
from checks.spiking import Spikes, Twin, compare
from driver import Entry, Ratio, Seconds, Worker
from problems.spiking import SEEDS, SpikingProblem
from report import NAMES, Line

from rows import Bench, say

#: How many times our CPU time each tool must take: by what is compared, and the tool.
FASTER = {
    "S1 float32": {"brian2": 6.0, "annarchy": 4.0},
    "S1 float64": {"brian2": 3.5},
    "S2 float32": {"brian2": 7.0, "annarchy": 8.0},
    "S3 a weight per synapse": {"brian2": 10.0, "nest": 30.0},
    "S3 a weight per source": {"brian2": 14.0},
    "S4 float32": {"brian2": 10.0},
    "S5 scale 0.1": {"nest": 8.0},
}
#: Brian2 from nothing to its first result, over ours; two threads over one; GiB at full scale.
COLD, SPEED_UP, MEMORY = 5.0, 1.6, 16.0
#: Runs: S3's peers take long, and S4 compares this many seeds.
ROUNDS_S3, ROUNDS_S4 = 4, SEEDS


@dataclass
class Comparison:
    """What a rotation found, by the names of its entries."""

    entries: dict[str, Entry]
    seconds: dict[str, Seconds]
    runs: dict[str, list[Spikes]] = field(default_factory=dict)

    def against(self, ours: str) -> dict[str, Seconds]:
        """Our seconds under one of our names, and the peers'."""
        peers = {name: s for name, s in self.seconds.items() if not name.startswith("neurodyn")}
        return {"neurodyn": self.seconds[ours], **peers}


def _compare(bench: Bench, row: str, entries: dict[str, Entry], rounds: int) -> Comparison:
    """Time all entries on the same initial states, and keep their spikes."""
    say(f"{row}: starting {', '.join(entries)} ...")
    workers = driver.start(entries, bench.folder, bench.note)
    runs: dict[str, list[Spikes]] = {}
    try:
        if missing := [name for name in entries if name not in workers and _is_ours(name)]:
            raise RuntimeError(f"neurodyn's worker did not start for {row}: {', '.join(missing)}")
        bench.report.versions |= {entries[name].tool: w.versions for name, w in workers.items()}
        say(f"{row}: {rounds} rounds ...")
        requests = [{"seed": k % SEEDS} for k in range(max(rounds, 3))]  # for standard errors
        seconds = driver.rotate(
            workers,
            requests,
            bench.note,
            lambda name, arrays: runs.setdefault(name, []).append(Spikes.of(arrays)),
        )
    finally:
        for worker in workers.values():
            worker.close()
    return Comparison(entries, seconds, runs)


def _is_ours(name: str) -> bool:
    return name.startswith("neurodyn")


def _problem(bench: Bench, case: str, duration: float, **more) -> SpikingProblem:
    """At a fifth of its duration if in a hurry: statistics leave out 100 ms of that."""
    return SpikingProblem(case, duration / 5 if bench.quick else duration, **more)


def _tools(problem: SpikingProblem, *tools: str) -> dict[str, Entry]:
    return {tool: Entry(tool, problem) for tool in tools}


def _ours(problem: SpikingProblem, cache: str | None = None) -> dict[str, Entry]:
    """neurodyn in both number types; with empty folders in `cache` it compiles everything."""
    found = {}
    for dtype in ("float32", "float64"):
        where = {"NEURODYN_CACHE_DIR": os.path.join(cache, dtype)} if cache else {}
        entry = Entry("neurodyn", dataclasses.replace(problem, dtype=dtype), environment=where)
        found[f"neurodyn {dtype}"] = entry
    return found


def _lines(bench: Bench, name: str, seconds: Mapping[str, Seconds]) -> None:
    """The peers' CPU time over ours."""
    bench.report.seconds[name] = dict(seconds)
    required = FASTER.get(name, {})
    for tool in dict.fromkeys([*required, *(s for s in seconds if s != "neurodyn")]):
        bound = f">= {required[tool]:g}" if tool in required else ""
        what = f"CPU time of {NAMES[tool]} over ours"
        taken = seconds.get(tool)
        bench.report.lines += _against(name, what, bound, taken, seconds["neurodyn"])


def _against(name: str, what: str, bound: str, theirs: Seconds | None, ours: Seconds) -> list[Line]:
    """A peer's CPU time over ours; for one that is a program of its own, its loop alone as well.

    Our run is all of `simulate`, from the network to the Dataset. What compares with that is the
    whole program: it reads the network, runs, and writes the spikes.
    """
    if theirs is None:
        return [Line(name, what, bound, None)]
    loop = Line(name, what, bound, Ratio.of(theirs.cpu, ours.cpu))
    if not (whole := theirs.more.get("program_cpu")):
        return [loop]
    program = Line(name, what, bound, Ratio.of(whole, ours.cpu))
    return [program, dataclasses.replace(loop, what=f"{what}, its time loop alone", required="")]


def _check_with_twin(bench: Bench, row: str, problem: SpikingProblem, found: Comparison) -> None:
    say(f"{row}: comparing spikes ...")
    twin = Twin(problem)
    bench.report.checks[row] = {
        name: twin.checks(found.entries[name].tool, found.entries[name].problem.dtype, runs)
        for name, runs in found.runs.items()
    }


# -- S1, S2 ----------------------------------------------------------------------------------------


def current_based(bench: Bench, row: str) -> None:
    problem = _problem(bench, "cuba", 1000.0)
    with tempfile.TemporaryDirectory(dir=bench.folder) as cache:
        entries = {**_ours(problem, cache), **_tools(problem, "brian2", "annarchy", "nest")}
        found = _compare(bench, row, entries, bench.rounds)
    for dtype in ("float32", "float64"):
        _lines(bench, f"{row} {dtype}", found.against(f"neurodyn {dtype}"))
    ours = found.seconds["neurodyn float32"]
    for tool, bound in (("brian2", f">= {COLD:g}"), ("annarchy", ""), ("nest", "")):
        if theirs := found.seconds.get(tool):
            what = f"{NAMES[tool]} over ours, from the start to the end of the first run:"
            for kind, over, required in (
                ("CPU", theirs.cold_cpu / ours.cold_cpu, bound),
                ("wall", theirs.cold_wall / ours.cold_wall, ""),
            ):
                ratio = Ratio(over, over, over)
                line = Line(f"{row} cold", f"{what} {kind} time", required, ratio)
                bench.report.lines.append(line)
    _check_with_twin(bench, row, problem, found)


def conductance_based(bench: Bench, row: str) -> None:
    problem = _problem(bench, "coba", 1000.0)
    entries = {**_ours(problem), **_tools(problem, "brian2", "annarchy", "nest")}
    found = _compare(bench, row, entries, bench.rounds)
    for dtype in ("float32", "float64"):
        _lines(bench, f"{row} {dtype}", found.against(f"neurodyn {dtype}"))
    _check_with_twin(bench, row, problem, found)


# -- S3 --------------------------------------------------------------------------------------------


def brunel(bench: Bench, row: str) -> None:
    per_source = _problem(bench, "brunel", 1000.0, dtype="float32")
    per_synapse = dataclasses.replace(per_source, weights="synapse")
    by_target = dataclasses.replace(per_source, order="target")
    # Brian2 is fastest with one weight for all synapses of a kind, in the order of their sources.
    # Its idiom for a fixed in-degree lists them by target, which takes it three times as long: both
    # are compared, under the same bound
    slower = {
        "brian2 synapse": (per_synapse, "a weight per synapse there too"),
        "brian2 target": (by_target, "its synapses listed by target, as its idiom makes them"),
    }
    entries = {
        "neurodyn synapse": Entry("neurodyn", per_synapse),
        "neurodyn source": Entry("neurodyn", per_source),
        **_tools(per_source, "brian2", "nest"),
        **{name: Entry("brian2", problem) for name, (problem, _) in slower.items()},
    }
    found = _compare(bench, row, entries, min(bench.rounds, ROUNDS_S3))
    for kind in ("synapse", "source"):
        name, seconds = f"{row} a weight per {kind}", found.against(f"neurodyn {kind}")
        others = {other: seconds.pop(other) for other in slower if other in seconds}
        _lines(bench, name, seconds)
        for other, taken in others.items():
            what = f"CPU time of Brian2 over ours, {slower[other][1]}"
            bound = f">= {FASTER[name]['brian2']:g}" if other == "brian2 target" else ""
            bench.report.lines += _against(name, what, bound, taken, seconds["neurodyn"])
    _check_with_twin(bench, row, per_source, found)
    _two_threads(bench, row, per_source)


def _two_threads(bench: Bench, row: str, problem: SpikingProblem) -> None:
    say(f"{row}: one thread and two ...")
    with (
        Worker(Entry("neurodyn", problem, {"threads": 1}), bench.folder) as one,
        Worker(Entry("neurodyn", problem, {"threads": 2}), bench.folder) as two,
    ):
        alike = [worker.result(seed=0)[0] for worker in (one, two)]
        unlike = Spikes.of(alike[0]).unlike(Spikes.of(alike[1]), problem.duration)
        requests = [{"seed": k % SEEDS} for k in range(bench.rounds)]
        seconds = driver.rotate({"one": one, "two": two}, requests, bench.note)
    check = Check("spikes that differ between one thread and two", unlike, 0)
    bench.report.checks[row].setdefault("neurodyn source", []).append(check)
    ratio = Ratio.of(seconds["one"].wall, seconds["two"].wall)
    if (os.cpu_count() or 1) < 2:
        bench.note(f"{row}: this machine has one CPU")
        ratio = None
    what = "wall time of one thread over that of two"
    line = Line(f"{row} threads", what, f">= {SPEED_UP}", ratio)
    bench.report.lines.append(line)


# -- S4 --------------------------------------------------------------------------------------------


def plastic(bench: Bench, row: str) -> None:
    problem = _problem(bench, "stdp", 10_000.0)
    entries = {**_ours(problem), **_tools(problem, "brian2")}
    found = _compare(bench, row, entries, ROUNDS_S4)
    for dtype in ("float32", "float64"):
        _lines(bench, f"{row} {dtype}", found.against(f"neurodyn {dtype}"))
    if "brian2" not in found.runs:
        bench.note(f"{row}: not checked, for Brian2 is not there")
        return
    bench.report.checks[row] = {
        name: compare(runs, found.runs["brian2"], problem.duration, problem.sizes, "Brian2's")
        for name, runs in found.runs.items()
        if _is_ours(name)
    }


# -- S5 --------------------------------------------------------------------------------------------


def microcircuit(bench: Bench, row: str) -> None:
    _small_microcircuit(bench, row)
    _full_microcircuit(bench, row)


def _small_microcircuit(bench: Bench, row: str) -> None:
    """Beside NEST, another network for every run: the rates of small networks differ."""
    problem = _problem(bench, "microcircuit", 1000.0, dtype="float32", scale=0.1)
    entries = {"neurodyn": Entry("neurodyn", problem), **_tools(problem, "nest")}
    found = _compare(bench, row, entries, bench.rounds)
    _lines(bench, f"{row} scale 0.1", found.against("neurodyn"))
    for name, seconds in found.seconds.items():
        what = f"seconds in which {NAMES.get(name, name)} builds the network"
        ratio = Ratio.spread(seconds.more["build"])
        bench.report.lines.append(Line(f"{row} scale 0.1", what, "", ratio))
    if "nest" in found.runs:
        runs, reference = found.runs["neurodyn"], found.runs["nest"]
        checks = compare(runs, reference, problem.duration, problem.sizes, "NEST's")
        bench.report.checks[f"{row} scale 0.1"] = {"neurodyn": checks}


def _full_microcircuit(bench: Bench, row: str) -> None:
    problem = _problem(bench, "microcircuit", 1000.0, dtype="float32")
    name = f"{row} full scale"
    say(f"{name}: building and running ...")
    lines, spikes = [], {}
    with Worker(Entry("neurodyn", problem), bench.folder) as worker:
        bench.report.versions["neurodyn"] = worker.versions
        first = worker.run(seed=0)  # builds, and compiles
        lines.append(
            Line(name, "seconds to build the network, wall time", "", _one(first["build"]))
        )
        for threads in (1, 2):
            walls, rates = [], []
            for _ in range(min(3, bench.rounds)):
                arrays, answer = worker.result(seed=0, threads=threads)
                spikes[threads] = Spikes.of(arrays)
                walls.append(answer["wall"] / problem.duration * 1e3)
                rates.append(_events(problem, spikes[threads]) / answer["wall"] / 1e9)
            words = f"{threads} thread" + "s" * (threads > 1)
            lines.append(Line(name, f"wall time over model time, {words}", "", Ratio.spread(walls)))
            what = f"10^9 synaptic events per second of wall time, {words}"
            lines.append(Line(name, what, "", Ratio.spread(rates)))
        memory = answer["peak_bytes"] / 2**30
    lines.append(Line(name, "most memory of the process", f"<= {MEMORY:g} GiB", _one(memory)))
    bench.report.lines += lines
    unlike = spikes[1].unlike(spikes[2], problem.duration)
    check = Check("spikes that differ between one thread and two", unlike, 0)
    bench.report.checks[name] = {"neurodyn": [check, *_published(problem, spikes[1])]}


def _one(value: float) -> Ratio:
    return Ratio(value, value, value)


def _events(problem: SpikingProblem, spikes: Spikes) -> float:
    """Spikes times the mean number of synapses that they arrive at, without the background."""
    p, total, first = problem.parameters, 0.0, 0
    for pre, size in problem.sizes.items():
        mine = (spikes.unit >= first) & (spikes.unit < first + size)
        synapses = sum(row[pre] for row in p["synapses"].values())
        total += mine.sum() * synapses / size
        first += size
    return total


def _published(problem: SpikingProblem, spikes: Spikes) -> list[Check]:
    """Rates against those of NEST's example at full scale.

    Those are of another network and of 10 s. For what a network and a second make of a rate, 10 %
    are allowed; a window of 100 ms was 7 % off in the population that fires least.
    """
    found, first = [], 0
    for name, size in problem.sizes.items():
        rate = spikes.rate(problem.duration, range(first, first + size))
        first += size
        known = problem.parameters["rate"][name]
        what = f"rate of {name}, {rate:.4g} against {known:.4g} Hz of NEST's example: relative"
        found.append(Check(what, abs(rate / known - 1), 0.1))
    return found


ROWS = {
    "S1": current_based,
    "S2": conductance_based,
    "S3": brunel,
    "S4": plastic,
    "S5": microcircuit,
}
