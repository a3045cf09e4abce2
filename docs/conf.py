"""Sphinx: the tutorials, a page for each circuit (run while the pages are built), the API."""

import re
import shutil
from pathlib import Path

import matplotlib

import neurodyn
from neurodyn import experiments
from neurodyn.experiments.claims import format_number

matplotlib.use("Agg")  # in this process only: notebooks choose their own backend

HERE = Path(__file__).parent
GENERATED = HERE / "generated"

project = "neurodyn"
author = "neurodyn developers"
copyright = author
release = version = neurodyn.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "generated/*/run"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Neural circuits from their equations to their dynamics",
    "page_width": "1200px",
    "body_max_width": "none",  # code of 100 columns fits
}

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it, with shapes and units
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes of results are no targets of links: many share their names
# a shape such as (trial, time) is no link, though results have attributes of these names
suppress_warnings = ["ref.python"]
myst_enable_extensions = ["dollarmath", "colon_fence"]

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # s; on a busy machine a notebook takes minutes
nb_kernel_rgx_aliases = {".*": "python3"}


def write_page(path: Path, text: str) -> None:
    """Write a page, unless it is there already: an unchanged file is not built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def contents(names: list[str]) -> str:
    """A table of contents of these pages."""
    if not names:
        return "None yet.\n"
    return "\n".join(["```{toctree}", ":maxdepth: 1", "", *names, "```", ""])


def tutorial_pages() -> None:
    """Copies of the notebooks in tutorials/: Sphinx reads only what is below docs/."""
    folder = GENERATED / "tutorials"
    found = [
        path
        for path in sorted((HERE.parent / "tutorials").glob("*"))
        if path.suffix in (".md", ".ipynb") and path.stem.lower() != "readme"
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for path in found:
        target = folder / path.name
        if not target.exists() or target.read_bytes() != path.read_bytes():
            shutil.copyfile(path, target)
    first = ["first_network", "your_own_circuit"]  # then the others by name
    names = sorted((path.stem for path in found), key=lambda n: (n not in first, n))
    write_page(folder / "index.md", "# Tutorials\n\n" + contents(names))


def circuit_pages() -> None:
    """For each circuit what it shows, the figure of its main experiment, its claims."""
    folder, names = GENERATED / "circuits", []
    for name, entry in experiments.circuits().items():
        circuit = entry.load()
        result = experiments.run_experiment(circuit, out=folder / "run" / name, progress=False)
        text = [f"# {circuit.title}", "", circuit.citation]
        text += [f"[doi:{circuit.doi}](https://doi.org/{circuit.doi})"] if circuit.doi else []
        text += ["", circuit.summary, ""]
        text += [f"Experiment `{circuit.main}` as `neurodyn run {name}` runs it:", ""]
        if result.figure:
            text += [f"![Figure of {circuit.main}](run/{name}/figure.png)", ""]
        text += ["| | claim | published | measured | source |", "|---|---|---|---|---|"]
        for outcome in result.outcomes:
            claim, verdict = outcome.claim, "pass" if outcome.passed else "**FAIL**"
            cells = [verdict, claim.text, format_number(claim.published),
                     format_number(outcome.measured), claim.source]
            text.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        text += ["", f"API: {{py:mod}}`{entry.module}`", ""]
        write_page(folder / f"{name}.md", "\n".join(text))
        names.append(name)
    write_page(folder / "index.md", "# Circuits\n\n" + contents(names))


def keep_absolute_values(app, what, name, obj, options, lines) -> None:
    """In a docstring, |x| is an absolute value; Sphinx would look for a substitution."""
    for k, line in enumerate(lines):
        if "``" not in line:
            lines[k] = re.sub(r"\|(\w+)\|", r"\\|\1\\|", line)


def setup(app) -> None:
    """Pages that are made from the code come first."""
    app.connect("autodoc-process-docstring", keep_absolute_values)
    tutorial_pages()
    circuit_pages()
