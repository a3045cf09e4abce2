"""The page about a sweep, and its figures."""

import re

import numpy as np
import pytest
import xarray as xr

import neurodyn as nd
from neurodyn.sweeps.report import write_report


def grid(**sizes):
    rng = np.random.default_rng(0)
    coords = {name: np.arange(float(size)) for name, size in sizes.items()}
    return xr.DataArray(rng.normal(size=tuple(sizes.values())), coords, tuple(sizes), "rate")


def test_curves_are_means_with_standard_deviations():
    da = grid(g=5, n=2, seed=7)
    da[1, 0, 3] = np.nan
    ax = nd.plot.sweep_curves(da)
    for k, line in enumerate(ax.lines[::2]):
        np.testing.assert_allclose(line.get_ydata(), da[:, k].mean("seed"))
        band = ax.collections[k].get_paths()[0].vertices[:, 1]
        wanted = da[:, k].mean("seed") + da[:, k].std("seed", ddof=1)
        np.testing.assert_allclose(band.max(), wanted.max())
        np.testing.assert_allclose(ax.lines[2 * k + 1].get_ydata(), da[:, k].values.ravel())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["n = 0", "n = 1"]
    with pytest.raises(ValueError, match="one or two dimensions besides 'seed'"):
        nd.plot.sweep_curves(grid(a=2, b=2, c=2))


def test_maps_show_mean_and_spread():
    da = grid(g=4, n=3, seed=6)
    mean, spread = nd.plot.sweep_map(da), nd.plot.sweep_map(da, spread=True)
    np.testing.assert_allclose(mean.images[0].get_array(), da.mean("seed"))
    np.testing.assert_allclose(spread.images[0].get_array(), da.std("seed", ddof=1))
    assert mean.get_xlabel() == "n" and mean.get_ylabel() == "g"
    with pytest.raises(ValueError, match="two dimensions besides 'seed'"):
        nd.plot.sweep_map(grid(a=2, seed=3))


def test_the_page_needs_no_network_and_tells_all(toy):
    names = "x" * 3 + "<b>"
    sweep = nd.sweep(toy.fails, {"g": [1.0, 2.0], "good": [names, "y"]}, seeds=3, folder="out",
                     workers=1, progress=False)  # fmt: skip
    text = write_report(sweep).read_text()
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,)', text)
    assert "http" not in text
    assert "8 of 12 tasks done, 4 failed" in text
    assert "g=1.0, good=xxx&lt;b&gt;, seed=2: ValueError: no convergence at g = 1.0" in text
    assert "<b>" not in text
    assert re.findall("<h3>(.*?)</h3>", text) == ["rate", "count", "x, mean over unit"]
    assert text.count("<img") == 5 and "of work in 8 tasks" in text
