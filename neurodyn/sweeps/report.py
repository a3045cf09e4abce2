"""One page about a sweep: results over the grid, failures, costs. It needs no network."""

from __future__ import annotations

import html
import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._pages import page, png_image
from neurodyn.sweeps.folder import write_text
from neurodyn.sweeps.progress import duration

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from neurodyn.sweeps.run import Sweep

#: No more than so many variables, panels of one variable, and failures are shown.
MOST_VARIABLES, MOST_PANELS, MOST_FAILURES = 12, 6, 100
#: A second parameter with up to so many values is shown by lines, with more by a map.
MOST_LINES = 6
#: A variable with more values than this is left out: its mean would take long to read.
MOST_VALUES = 5 * 10**7


def write_report(sweep: Sweep, path: Path | None = None) -> Path:
    """Write the page; its path.

    Parameters
    ----------
    sweep : Sweep
        Complete or not.
    path : Path
        Default ``report.html`` in the sweep's folder.
    """
    path = path or sweep.folder / "report.html"
    parts = [_what(sweep), _failures(sweep), _results(sweep), _costs(sweep)]
    title = f"Sweep of {sweep.plan.target.name}"
    text = page(title, sweep.summary(), parts, is_bad=not sweep.is_complete)
    write_text(path, text)
    return path


def _what(sweep: Sweep) -> str:
    plan = sweep.plan
    rows = [(f"{name}", _shortened(values)) for name, values in plan.grid.items()]
    if plan.seeds:
        rows.append(("seed", _shortened(plan.seeds)))
    rows += [(name, f"{value} (the same in all)") for name, value in plan.settings.items()]
    rows.append(("code version", ", ".join(plan.versions)))
    cells = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows)
    return f"<table>{cells}</table>"


def _shortened(values: tuple[Any, ...]) -> str:
    shown = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in values]
    if len(shown) > 12:
        shown = [*shown[:6], "...", *shown[-3:]]
    return f"{', '.join(shown)} ({len(values)} values)"


def _failures(sweep: Sweep) -> str:
    failures = sweep.failures
    if not failures:
        return ""
    rows = [
        f"<details><summary>{html.escape(one['task'])}: {html.escape(one['error'])}</summary>"
        f"<pre>{html.escape(one['traceback'])}</pre></details>"
        for one in failures[:MOST_FAILURES]
    ]
    more = len(failures) - len(rows)
    tail = f"<p>and {more} more</p>" if more > 0 else ""
    return f'<h2 class="bad">Failed tasks</h2>{"".join(rows)}{tail}'


def _results(sweep: Sweep) -> str:
    if not sweep.n_done:
        return ""
    ds = sweep.partial()
    parts, left_out = [], []
    for name in ds.data_vars:
        da = ds[name]
        if da.dtype.kind not in "biuf" or str(name).endswith(".size"):
            continue
        if len(parts) == MOST_VARIABLES or da.size > MOST_VALUES:
            left_out.append(str(name))
            continue
        parts.append(_variable(sweep, da))
    text = "<h2>Results</h2>" + "".join(parts)
    if left_out:
        text += f"<p>Not shown: {html.escape(', '.join(left_out))}.</p>"
    return text


def _variable(sweep: Sweep, da: xr.DataArray) -> str:
    own = [dim for dim in da.dims if dim not in sweep.plan.dims]
    note = f", mean over {', '.join(map(str, own))}" if own else ""
    name = da.name
    reduced = da.astype(float).mean(own, keep_attrs=True) if own else da.astype(float)
    reduced = reduced.squeeze([d for d in sweep.plan.grid if da.sizes[d] == 1], drop=True)
    figure, cut = _draw(reduced.rename(name))
    if cut:
        note += f"; {cut} more panels are not shown"
    return f"<h3>{html.escape(str(name) + note)}</h3>{_image(figure)}"


def _draw(da: xr.DataArray) -> tuple[Figure, int]:
    """The figure of one variable over the grid; how many panels did not fit into it."""
    import matplotlib.pyplot as plt

    from neurodyn.plot.sweeps import sweep_curves, sweep_map

    dims = [str(dim) for dim in da.dims if dim != "seed"]
    if not dims:
        fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
        values = da.values.ravel()
        ax.hist(values[np.isfinite(values)], bins=min(30, max(5, values.size // 5)))
        ax.set(xlabel=str(da.name), ylabel="number of tasks")
        return fig, 0
    # lines over the parameter with most values; the others in their order
    order = sorted(dims, key=lambda dim: -da.sizes[dim])
    inner, outer = order[:2], [dim for dim in dims if dim not in order[:2]]
    lines = len(inner) == 1 or da.sizes[inner[1]] <= MOST_LINES
    points = list(itertools.product(*(range(da.sizes[dim]) for dim in outer)))
    shown = points[:MOST_PANELS]
    per_point = 1 if lines or da.sizes.get("seed", 1) < 2 else 2
    columns = 1 if len(shown) * per_point == 1 else 2
    rows = -(-len(shown) * per_point // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(5 * columns + columns % 2, 3.4 * rows),
                             layout="constrained", squeeze=False)  # fmt: skip
    flat = list(axes.ravel())
    for point in shown:
        part = da.isel(dict(zip(outer, point)))
        where = ", ".join(f"{dim} = {part[dim].item()}" for dim in outer)
        for kind in range(per_point):
            ax = flat.pop(0)
            if lines:
                sweep_curves(part.transpose(*inner, ...), ax)
            else:
                sweep_map(part.transpose(inner[1], inner[0], ...), ax, spread=kind == 1)
            ax.set_title(where, fontsize="medium")
    for ax in flat:
        ax.remove()
    return fig, len(points) - len(shown)


def _costs(sweep: Sweep) -> str:
    import matplotlib.pyplot as plt

    costs = sweep.costs()
    seconds, memory = (costs[k].values[np.isfinite(costs[k].values)] for k in ("seconds", "memory"))
    if not seconds.size:
        return ""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
    low, high = float(seconds.min()), float(seconds.max())
    if low > 0 and high > 10 * low:  # tasks that differ much in size, or a first one that compiles
        axes[0].hist(seconds, bins=np.geomspace(low, high, 31).tolist())
        axes[0].set(xscale="log", yscale="log")
    else:
        axes[0].hist(seconds, bins=30)
    axes[0].set(xlabel="time of a task (s)", ylabel="number of tasks")
    axes[1].hist(memory / 1e6, bins=30)
    axes[1].set(xlabel="peak memory of the process (MB)", ylabel="number of tasks")
    most = f"{memory.max() / 1e6:.0f} MB at most"
    text = (
        f"{duration(float(seconds.sum()))} of work in {seconds.size} tasks: "
        f"{duration(float(np.median(seconds)))} each (median), "
        f"{duration(float(seconds.max()))} at most; "
        f"peak memory {np.median(memory) / 1e6:.0f} MB (median), {most}."
    )
    grid = [dim for dim in sweep.plan.grid if costs.sizes[dim] > 1]
    over = ""
    if grid:
        da = costs["seconds"].squeeze([d for d in sweep.plan.grid if d not in grid], drop=True)
        over = _image(_draw(da.assign_attrs(units="s", long_name="time of a task"))[0])
    return f"<h2>Costs</h2><p>{text}</p>{_image(fig)}{over}"


def _image(figure: Figure) -> str:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, format="png", dpi=110)
    finally:
        plt.close(figure)
    return f"<p>{png_image(buffer.getvalue(), '')}</p>"
