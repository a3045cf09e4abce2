"""The tutorials run, in their short version, and show their figures."""

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parents[1] / "tutorials"
TUTORIALS = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")

each_tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
#: Those that train networks or compile many: each takes longer than most files of tests.
#: `from_one_run_to_a_sweep` starts ten processes and workers; `make test-sweeps` runs it, too.
SLOW = {
    "analysing_a_trained_rnn", "chaos", "continual_learning", "from_one_run_to_a_sweep",
    "gain_control", "learning_timescales", "lowrank_networks", "rich_and_lazy_learning",
    "spiking_networks_and_brian2", "stable_assemblies", "training_a_memory_network",
    "whitening_by_gain_modulation", "your_own_circuit",
}  # fmt: skip


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def makes_a_figure(cell) -> bool:
    return "plt.subplots(" in cell.source or ".figures[" in cell.source


def test_there_are_tutorials():
    assert len(TUTORIALS) >= 3


@each_tutorial
def test_is_a_notebook_that_ends_in_an_assertion(path):
    notebook = jupytext.read(path)
    cells = code_cells(notebook)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "myst"
    assert 'FAST = os.environ.get("NEURODYN_FAST") == "1"' in cells[0].source
    assert cells[-1].source.splitlines()[-1].startswith("assert ")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
        for path in TUTORIALS
    ],
)
def test_runs_and_shows_its_figures(path, tmp_path, monkeypatch):
    monkeypatch.setenv("NEURODYN_FAST", "1")
    # on a busy machine the threads of small matrix products mostly wait for one another
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    # MPLBACKEND, exported for the tests of a script, would switch the notebooks' figures off
    monkeypatch.delenv("MPLBACKEND", raising=False)
    # and the interpreted kernels of a coverage run would take hours
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    notebook = jupytext.read(path)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    figures = [
        any("image/png" in output.get("data", {}) for output in cell.outputs)
        for cell in code_cells(notebook)
        if makes_a_figure(cell)
    ]
    # an error while a figure is drawn does not stop a notebook: the figure is only missing
    assert figures and all(figures)
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
