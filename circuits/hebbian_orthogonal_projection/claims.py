"""What the paper says, and how it is measured on our runs.

Sources: ``[text]`` statements of the paper, whose tables were not at hand; ``[derived]`` algebra;
"independent re-implementation", a program in plain NumPy, whose numbers at this size of the
experiments, over five seeds, stand in for the paper's. What counts as agreement was fixed before
the experiments were run at full size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from neurodyn.experiments import Claim, at_least, at_most, within

from .experiments import RATES_OF_WAYS

if TYPE_CHECKING:
    import xarray as xr

INDEPENDENT = "independent re-implementation"
HEADLINE = "[text] nearly no forgetting"

#: A network that does worse than this right after it has learned a task has not learned it.
LEARNED = 0.85


def trained(ds: xr.Dataset, dimension: str, name: str) -> xr.Dataset:
    """What was measured of one method or run; refused if it did not learn its tasks."""
    found = ds.sel({dimension: name})
    worst = float(found.learned.mean("seed").min())
    if worst < LEARNED:
        raise ValueError(
            f"{name!r} did not learn all tasks: accuracy right after learning is {worst:.3f}, "
            f"below {LEARNED}"
        )
    return found


def over_seeds(variable: str, dimension: str, name: str, reduce: str) -> Callable:
    """Measure: mean, standard deviation (``std``), smallest or largest value over seeds."""
    def measure(ds: xr.Dataset) -> float:
        values = trained(ds, dimension, name)[variable]
        return float(values.std("seed", ddof=1) if reduce == "std" else getattr(values, reduce)())
    return measure


def difference(variable: str, dimension: str, a: str, b: str, reduce: str) -> Callable:
    """Measure: the same of the difference of two methods, seed by seed."""
    def measure(ds: xr.Dataset) -> float:
        found = trained(ds, dimension, a)[variable] - trained(ds, dimension, b)[variable]
        return float(getattr(found, reduce)())
    return measure


def first_at_end(name: str, reduce: str) -> Callable:
    """Measure: accuracy on the first task after the last, over seeds."""
    def measure(ds: xr.Dataset) -> float:
        found = trained(ds, "protection", name).performance.isel(after_task=-1, eval_task=0)
        return float(getattr(found, reduce)())
    return measure


# ------------------------------------------------------------------------ permuted digits


def captured_over_best(ds: xr.Dataset) -> float:
    """Energy within learned rows over that within principal directions; first task, worst layer.

    Up to the end of the first task the network is the same for both.
    """
    first = ds.captured.isel(after_task=0)
    return float((first.sel(protection="Hebbian")
                  / first.sel(protection="principal directions")).min())


def _permuted_digits() -> list[Claim]:
    experiment, full = "permuted_digits", ("full",)

    def claim(text, source, published, accept, measure, sizes=("fast", "full"), note=""):
        return Claim(text, source, published, accept, measure, experiment, sizes, note)

    def of(variable, name, reduce):
        return over_seeds(variable, "protection", name, reduce)

    return [
        claim("Protected: mean accuracy after the last task (ACC), worst seed", INDEPENDENT, 0.948,
              at_least(0.92), of("acc", "Hebbian", "min")),
        claim("Protected: backward transfer (BWT), worst seed", f"{HEADLINE}; {INDEPENDENT}",
              -0.019, at_least(-0.05), of("bwt", "Hebbian", "min")),
        claim("Protected: ACC, mean over seeds", INDEPENDENT, 0.957, within(0.957, absolute=0.015),
              of("acc", "Hebbian", "mean"), full),
        claim("Protected: ACC, standard deviation over seeds", INDEPENDENT, 0.005, at_most(0.015),
              of("acc", "Hebbian", "std"), full),
        claim("Protected: BWT, mean over seeds", INDEPENDENT, -0.012,
              within(-0.012, absolute=0.015), of("bwt", "Hebbian", "mean"), full),
        claim("Protected: BWT, standard deviation over seeds", INDEPENDENT, 0.005, at_most(0.015),
              of("bwt", "Hebbian", "std"), full),
        claim("Not protected: BWT, best seed", INDEPENDENT, -0.183, at_most(-0.12),
              of("bwt", "none", "max"), full),
        claim("Not protected: ACC, mean over seeds", INDEPENDENT, 0.753,
              within(0.753, absolute=0.11), of("acc", "none", "mean"), full,
              note="tolerance: 2.5 standard errors of the difference of two means over 5 seeds"),
        claim("Not protected: BWT, mean over seeds", INDEPENDENT, -0.281,
              within(-0.281, absolute=0.14), of("bwt", "none", "mean"), full,
              note="tolerance: 2.5 standard errors of the difference of two means over 5 seeds"),
        claim("Not protected: BWT, standard deviation over seeds", INDEPENDENT, 0.089,
              at_most(0.18), of("bwt", "none", "std"), full),
        claim("ACC, protected less not protected, worst seed", INDEPENDENT, 0.128, at_least(0.08),
              difference("acc", "protection", "Hebbian", "none", "min"), full),
        claim("BWT, protected less not protected, worst seed", HEADLINE, "> 0", at_least(0.05),
              difference("bwt", "protection", "Hebbian", "none", "min")),
        claim("|ACC, protected by learned rows less by principal directions|, mean over seeds",
              INDEPENDENT, "within 0.007", at_most(0.03),
              lambda ds: abs(difference("acc", "protection", "Hebbian", "principal directions",
                                        "mean")(ds))),
        claim("ACC, all tasks learned at once less protected, mean over seeds",
              "[text] close to learning all tasks at once", "small", at_most(0.03),
              difference("acc", "protection", "all at once", "Hebbian", "mean")),
        claim("Principal directions: BWT, worst seed", INDEPENDENT, -0.013, at_least(-0.03),
              of("bwt", "principal directions", "min"), full),
        claim("Protected: accuracy on the first task after the last, worst seed", INDEPENDENT,
              "> 0.90", at_least(0.90), first_at_end("Hebbian", "min")),
        claim("Not protected: accuracy on the first task after the last, best seed", INDEPENDENT,
              "< 0.80", at_most(0.80), first_at_end("none", "max"), full),
        claim("Cost of plasticity: accuracy on the last task when it is learned, not protected "
              "less protected, mean over seeds", INDEPENDENT, 0.025, at_most(0.05),
              lambda ds: difference("learned", "protection", "none", "Hebbian", "mean")(
                  ds.isel(eval_task=[-1]))),
        claim("First task: energy captured by learned rows over the most that as many can, worst "
              "layer", "[derived] principal directions capture most", 1, within(1, absolute=0.01),
              captured_over_best),
        claim("Protected by lateral neurons that spike: BWT, worst seed",
              "[text] lateral neurons may spike", "nearly 0", at_least(-0.05),
              of("bwt", "Hebbian, spiking", "min"),
              note=_ROUNDED),
    ]


_ROUNDED = ("responses up to 20 in 40 steps, as in the authors' documented run; the paper's number "
            "was not at hand. Thought to fail for a seed because rounding errs by up to 0.25 in "
            "each of 120 rows: with 1000 steps (setting levels) that seed has -0.012")


# ---------------------------------------------------------------------- error propagation


def _error_propagation() -> list[Claim]:
    experiment, claims = "error_propagation", []
    for way in RATES_OF_WAYS:
        protected, plain = f"{way}: Hebbian", f"{way}: none"
        claims += [
            Claim(f"{way}: BWT, protected, mean over seeds", HEADLINE, "nearly 0", at_least(-0.05),
                  over_seeds("bwt", "run", protected, "mean"), experiment),
            Claim(f"{way}: BWT, protected, standard deviation over seeds", HEADLINE, "not given",
                  at_most(0.03), over_seeds("bwt", "run", protected, "std"), experiment,
                  sizes=("full",)),
            Claim(f"{way}: BWT, not protected, mean over seeds", "[text] plain training forgets",
                  "< 0", at_most(-0.05), over_seeds("bwt", "run", plain, "mean"), experiment,
                  sizes=("full",)),
            Claim(f"{way}: ACC, protected less not protected, mean over seeds", HEADLINE, "> 0",
                  at_least(0.03), difference("acc", "run", protected, plain, "mean"), experiment,
                  sizes=("full",)),
        ]
    return claims


# --------------------------------------------------------------------------- split digits


def _split_digits() -> list[Claim]:
    experiment, claims = "split_digits", []
    ours = "for this circuit; no published number"
    for readouts in ("own", "shared"):
        plain, rows, exact = (f"{readouts} readout: {name}"
                              for name in ("none", "Hebbian", "Hebbian, orthonormal"))
        claims += [
            Claim(f"{readouts} readout, orthonormal rows: BWT, mean over seeds", HEADLINE,
                  "nearly 0", at_least(-0.05), over_seeds("bwt", "run", exact, "mean"), experiment,
                  note=ours if readouts == "own" else _SHARED),
            Claim(f"{readouts} readout, orthonormal rows: BWT, standard deviation over seeds",
                  HEADLINE, "not given", at_most(0.03), over_seeds("bwt", "run", exact, "std"),
                  experiment, sizes=("full",)),
            Claim(f"{readouts} readout, not protected: BWT, mean over seeds",
                  "[text] plain training forgets", "< 0", at_most(-0.05),
                  over_seeds("bwt", "run", plain, "mean"), experiment,
                  note=_EASY if readouts == "own" else ours),
            Claim(f"{readouts} readout: ACC, orthonormal rows less not protected, mean over seeds",
                  HEADLINE, "> 0", at_least(0.03), difference("acc", "run", exact, plain, "mean"),
                  experiment, note=_EASY if readouts == "own" else ours),
            Claim(f"{readouts} readout, rows as learned: BWT, mean over seeds", HEADLINE,
                  "nearly 0", at_least(-0.05), over_seeds("bwt", "run", rows, "mean"), experiment,
                  note=_OVERLAP if readouts == "own" else _SHARED),
        ]
    return claims


_EASY = ("no published number. A readout that no later task changes forgets little even without "
         "protection of what is before it")
_SHARED = ("no published number. Thought to fail because pairs of digits look alike but have other "
           "classes: little of what a readout in common must learn is orthogonal to what it knows")
_OVERLAP = "no published number; new rows that find little to learn overlap with old ones"


# --------------------------------------------------------------------- principal subspace


def _principal_subspace() -> list[Claim]:
    experiment = "principal_subspace"

    def worst(variable: str, **where) -> Callable:
        return lambda ds: float(ds[variable].sel(**where).max())

    def claim(text, source, published, accept, measure, note=""):
        return Claim(text, source, published, accept, measure, experiment, note=note)

    return [
        claim("Error of the subspace after 100 batches, median over seeds", INDEPENDENT,
              "0.030 to 0.032", at_most(0.06), lambda ds: float(ds.error.sel(batch=100).median())),
        claim("Error of the subspace after 100 batches, worst seed", INDEPENDENT, 0.032,
              at_most(0.06), worst("error", batch=100), note=_SADDLES),
        claim("Error of the subspace after 400 batches, worst seed", INDEPENDENT, 0.034,
              at_most(0.06), worst("error", batch=400)),
        claim("max |H H' - 1| after 100 batches, worst seed", INDEPENDENT, "~0.001", at_most(0.01),
              worst("orthonormality", batch=100), note=_SADDLES),
        claim("max |H H' - 1| after 400 batches, worst seed", INDEPENDENT, "~0.001", at_most(0.01),
              worst("orthonormality", batch=400)),
        claim("Largest principal angle to the principal components of all patterns, worst seed, "
              "degree", "[derived] arcsin of an error of 0.034 in one direction alone", 4.4,
              at_most(4.4), worst("pca_angle")),
        claim("Network that learns pattern by pattern: error after as many patterns as 400 "
              "batches, worst seed", "[derived] the same rule", "0.029 to 0.034", at_most(0.06),
              worst("online_error", batch=400)),
        claim("New rows: error after 400 batches, worst seed", INDEPENDENT, 0.034, at_most(0.06),
              worst("second_error", batch=400)),
        claim("Old and new rows together: error, worst seed", INDEPENDENT, 0.030, at_most(0.06),
              worst("joint_error")),
        claim("max |H_new H_old'|, worst seed", INDEPENDENT, "< 0.001", at_most(0.02),
              worst("overlap")),
        claim("Largest change of a frozen row", INDEPENDENT, 0, at_most(0), worst("old_change")),
        claim("Response of a projected update to old activity, over that of one not projected, "
              "worst seed", INDEPENDENT, 0.039, at_most(0.08), worst("interference")),
    ]


_SADDLES = ("3 seeds in the re-implementation. Rows that begin near a saddle, in a subspace with "
            "another direction than the fifth, stay there for some 100 batches")


CLAIMS = (*_permuted_digits(), *_principal_subspace(), *_error_propagation(), *_split_digits())
