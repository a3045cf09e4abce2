"""Cost of analyses against the size of the network: how it grows, and with which exponent.

``python benchmarks/analysis_scaling.py [--quick]`` writes ``analysis_scaling.md``, ``.json`` and
``.png`` into ``benchmarks/results``. Random tanh networks in float64. BLAS is held to one thread;
each time is the shortest of three after a run that does not count, CPU time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from scaling_report import scaling_main
from threadpoolctl import threadpool_limits

import neurodyn as nd
from neurodyn import analyses

GAIN, DT, STEPS = 3.0, 0.1, 100
STARTS, SAMPLES, KERNEL_STEPS = 16, 16, 50
SIZES = (25, 50, 100, 200, 500, 1_000, 2_000)
REPEATS = 3
#: Slope of the last points of a curve in a logarithmic plot, where fixed costs weigh least.
FITTED = 3


def network(n: int, gain: float = GAIN) -> nd.Network:
    start = np.random.default_rng(1).normal(size=n)
    return nd.rate_network(nd.weights.gaussian(n, gain=gain, rng=0), tau=1.0, x=start)


def spectrum(n: int, k: int | None = None) -> Callable[[], object]:
    net = network(n)
    return lambda: analyses.lyapunov_spectrum(
        net, nd.Euler(dt=DT), k, duration=STEPS * DT, transient=0, interval=10 * DT, rng=0,
        threads=1,
    )  # fmt: skip


def fixed_points(n: int) -> Callable[[], object]:
    # below the transition, where every start converges: what is measured is the cost of a point
    net, starts = network(n, gain=0.8), np.random.default_rng(2).normal(size=(STARTS, n))
    return lambda: analyses.fixed_points(net, starts=starts, follow=0)


def kernel(n: int) -> Callable[[], object]:
    net = network(n)
    inputs = np.random.default_rng(3).normal(size=(SAMPLES, KERNEL_STEPS, n))
    readout = np.ones(n) / n
    return lambda: analyses.tangent_kernel(
        net, nd.Euler(dt=DT), KERNEL_STEPS * DT, output="E.r", readout=readout,
        trainable=["E.r->E.I_rec"], inputs={"E.I_ext": inputs},
    )  # fmt: skip


#: Name, what is on the axis, its values, and what prepares a run.
CURVES = {
    "largest exponent": ("units", SIZES, lambda n: spectrum(n, 1)),
    "whole spectrum": ("units", SIZES[:6], spectrum),
    f"fixed points, {STARTS} starts": ("units", SIZES, fixed_points),
    f"tangent kernel, {SAMPLES} samples": ("units", SIZES, kernel),
    "exponents of 500 units": ("exponents k", (1, 5, 20, 50, 100, 200, 500),
                               lambda k: spectrum(500, k)),
}  # fmt: skip


def measure(quick: bool) -> list[dict]:
    """A record per curve and value."""
    found = []
    for name, (_, values, prepare) in CURVES.items():
        for value in values[: -(-len(values) // 2) if quick else None]:
            print(f"{name}: {value}", file=sys.stderr, flush=True)
            run = prepare(value)
            with threadpool_limits(limits=1):
                run()
                found.append({"curve": name, "value": value, "cpu": _shortest(run)})
    return found


def _shortest(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
        if sum(taken) > 5:
            break
    return min(taken)


def slope(points: list[dict]) -> float:
    """Exponent of the growth at the largest sizes."""
    last = points[-FITTED:]
    x, y = np.log([p["value"] for p in last]), np.log([p["cpu"] for p in last])
    return float(np.polyfit(x, y, 1)[0])


def figure(found: list[dict]):
    from matplotlib import pyplot as plt

    axes_words = list(dict.fromkeys(words for words, _, _ in CURVES.values()))
    fig, axes = plt.subplots(1, len(axes_words), figsize=(10, 4), sharey=True, layout="constrained")
    for name, (words, _, _) in CURVES.items():
        points = [p for p in found if p["curve"] == name]
        label = f"{name}: exponent {slope(points):.2f}"
        axes[axes_words.index(words)].loglog(
            [p["value"] for p in points], [p["cpu"] for p in points], "o-", ms=4, label=label
        )
    for ax, words in zip(axes, axes_words, strict=True):
        ax.set_xlabel(words)
        ax.legend(frameon=False, fontsize="small")
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("CPU seconds")
    return fig


def markdown(found: list[dict]) -> list[str]:
    lines = ["# Cost of analyses against size", "",
             f"The largest exponent and spectra over {STEPS} steps, kernels over {KERNEL_STEPS}.",
             ""]  # fmt: skip
    for name, (words, _, _) in CURVES.items():
        points = [p for p in found if p["curve"] == name]
        lines += [f"## {name}", "", f"| {words} | CPU s |", "|---|---|"]
        lines += [f"| {p['value']} | {p['cpu']:.3g} |" for p in points]
        lines += ["", f"Grows with the power {slope(points):.2f} of the {words} at the end.", ""]
    return lines


if __name__ == "__main__":
    sys.exit(scaling_main("analysis_scaling", __doc__, measure, markdown, figure))
