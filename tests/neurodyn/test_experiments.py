"""Claims, circuits found by name, settings from text, and the folder of a run."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import xarray as xr

from neurodyn import experiments, results
from neurodyn.experiments import (
    Claim,
    RunNotSaved,
    at_least,
    at_most,
    between,
    circuits,
    load_circuit,
    run_experiment,
    within,
)
from neurodyn.experiments.settings import InputError, Parameter, convert


@pytest.mark.parametrize(
    ("accept", "inside", "outside", "text"),
    [
        (within(1330, relative=0.02), (1303.4, 1330, 1356.6), (1303, 1357), "1330 +- 2%"),
        (within(-2, relative=0.1), (-2.2, -1.8), (-2.3, -1.7, 2), "-2 +- 10%"),
        (within(0.5, absolute=0.25), (0.25, 0.75), (0.2, 0.8), "0.5 +- 0.25"),
        (within(3, absolute=0), (3,), (3.0000001,), "3 +- 0"),
        (at_most(0.1), (0.1, -5, -math.inf), (0.1000001,), "at most 0.1"),
        (at_least(3), (3, math.inf), (2.9,), "at least 3"),
        (between(0.6, 0.8), (0.6, 0.8), (0.59, 0.81), "0.6 to 0.8"),
    ],
)
def test_accept(accept, inside, outside, text):
    assert all(accept.holds(x) for x in inside)
    assert not any(accept.holds(x) for x in (*outside, math.nan))
    assert accept.holds(np.float64(inside[0])) is True  # not numpy's bool: it goes to JSON
    assert str(accept) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: within(1), "one of `relative` and `absolute`"),
        (lambda: within(1, relative=0.1, absolute=1), "one of `relative` and `absolute`"),
        (lambda: within(1, absolute=-1), "must not be negative; got -1"),
        (lambda: between(2, 1), "empty: 2 to 1"),
        (lambda: at_most(math.nan), "empty"),
    ],
)
def test_an_interval_that_accepts_nothing_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def claim(measure, **changes):
    return replace(Claim("c", "Fig. 1", 1.0, within(1, absolute=0.1), measure, "main"), **changes)


def test_check_measures():
    ds = xr.Dataset({"x": 1.05, "y": ("k", [1.0, 1.0])})
    passed, failed = claim(lambda d: d["x"]).check(ds), claim(lambda d: 2 * d["x"]).check(ds)
    assert (passed.measured, passed.passed, passed.error) == (1.05, True, None)
    assert (failed.measured, failed.passed, failed.error) == (2.1, False, None)
    assert not claim(lambda d: math.nan).check(ds).passed
    broken = claim(lambda d: d["z"]).check(ds)
    assert not broken.passed and math.isnan(broken.measured) and "'z'" in broken.error
    assert "shape (2,), not one number" in claim(lambda d: d["y"]).check(ds).error
    json.dumps(broken.to_dict(), allow_nan=False)
    assert passed.to_dict()["measured"] == 1.05


def test_a_claim_checks_itself():
    with pytest.raises(ValueError, match=r"`sizes` of 'c' must be from .*got \('small',\)"):
        claim(None, sizes=("small",))
    with pytest.raises(TypeError, match=r"`accept` of 'c' must be made by within.*got 0.1"):
        claim(None, accept=0.1)


def test_circuits_are_found_without_being_imported(toys):
    found = circuits()
    assert list(found) == ["broken", "forgetful", "imported"]  # no helpers
    assert found["forgetful"].title == "A leaky integrator forgets at its own rate"
    assert "toy_circuits.forgetful" not in sys.modules
    assert found["forgetful"].load().name == "forgetful"
    assert circuits(("neurodyn.circuits",)).keys().isdisjoint(found)
    with pytest.raises(InputError, match=r"`forgetfull` is no circuit; did you mean `forgetful`\?"):
        load_circuit("forgetfull")


def test_a_circuit_checks_itself(toys):
    circuit = load_circuit("forgetful")
    with pytest.raises(ValueError, match="`main` of circuit 'forgetful' names .* 'x'"):
        replace(circuit, main="x")
    with pytest.raises(ValueError, match="`claims` .* there are: nothing"):
        replace(circuit, experiments={"nothing": circuit.experiments["nothing"]},
                main="nothing", figures={})

    def positional(size="fast", *, rng=0): ...

    def without(*, size="fast"): ...

    kept = {"main": "e", "figures": {}, "claims": ()}
    with pytest.raises(ValueError, match="`size` of experiment 'e'.*must be keyword-only"):
        replace(circuit, experiments={"e": positional}, **kept)
    with pytest.raises(ValueError, match="must have an argument `rng`"):
        replace(circuit, experiments={"e": without}, **kept)
    (Path("toy_circuits") / "alias.py").write_text("from toy_circuits.forgetful import CIRCUIT\n")
    with pytest.raises(ValueError, match=r"`name` of the circuit in toy_circuits\.alias"):
        load_circuit("alias")


def test_parameters_have_defaults_and_texts(toys):
    known = load_circuit("forgetful").parameters("decay")
    assert list(known) == ["rng", "tau", "steps", "shape", "levels", "image"]
    assert known["tau"].doc == "Time constant, must be positive."
    assert known["tau"].default == 0.5
    assert known["steps"].type_text == "a whole number or none"


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "3", 3), (int, "-3", -3), (float, "1e-3", 0.001), (float, "3", 3.0),
        (float, "inf", math.inf), (bool, "true", True), (bool, "No", False), (bool, "1", True),
        (str, "3", "3"), (str, "", ""), (Path, "a/b.jpg", Path("a/b.jpg")),
        (Literal["fast", "full"], "full", "full"), (Literal[1, 2], "2", 2),
        (int | None, "none", None), (int | None, "4", 4), (str | int, "4", 4),
        (str | int, "x", "x"), (bool | int, "1", 1), (float | Literal["auto"], "auto", "auto"),
        (str | Path | None, "photo.jpg", Path("photo.jpg")),
        (tuple[int, ...], "1,2, 3", (1, 2, 3)), (tuple[int, ...], "", ()),
        (tuple[float, str], "(1, x)", (1.0, "x")), (list[int], "[1,2]", [1, 2]),
        (Annotated[int, "meta"], "7", 7), (int | float, "2.5", 2.5),
    ],
)
def test_text_becomes_what_the_annotation_says(annotation, text, value):
    known = {"k": Parameter("k", annotation, None, "")}
    found = convert(known, {"k": text}, "it")["k"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (int, "3.0", "a whole number"), (int, "many", "a whole number"), (int, "", "a whole"),
        (int, True, "a whole number"), (int, 2.5, "a whole number"), (float, "nan", "a number"),
        (float, "1,5", "a number"), (float, None, "a number"), (bool, "maybe", "true or false"),
        (bool, 1, "true or false"), (Literal["a", "b"], "c", "a or b"), (str, 3, "text"),
        (tuple[int, ...], "1,x", "whole numbers separated by commas"),
        (tuple[int, int], "1,2,3", "a whole number, a whole number"),
        (int | None, "x", "a whole number or none"), (dict, "{}", "dict"),
    ],
)
def test_what_does_not_fit_is_named(annotation, given, expected):
    known = {"k": Parameter("k", annotation, None, "")}
    with pytest.raises(InputError) as caught:
        convert(known, {"k": given}, "it")
    assert str(caught.value).startswith(f"`k` of it must be {expected}")
    assert str(caught.value).endswith(f"got {given!r}")


def test_objects_are_taken_as_they_are():
    known = {"k": Parameter("k", float | np.ndarray | None, None, "")}
    array = np.ones(3)
    assert convert(known, {"k": array}, "it")["k"] is array
    assert convert(known, {"k": np.int64(2)}, "it") == {"k": 2.0}


def test_run_writes_a_folder(toys, tmp_path):
    result = run_experiment("forgetful", settings={"steps": "21"}, out=tmp_path / "run")
    folder = tmp_path / "run"
    assert result.folder == folder and result.figure == folder / "figure.png"
    assert sorted(p.name for p in folder.iterdir()) == [
        ".neurodyn-run", "claims.json", "claims.md", "dataset.nc", "figure.png", "provenance.json",
    ]
    assert result.passed and [o.claim.text for o in result.outcomes] == [
        "left after 1 s", "and | no more",
    ]
    assert result.outcomes[0].measured == pytest.approx(math.exp(-2), rel=1e-15)
    assert [c.text for c in result.skipped] == ["steps"]
    assert result.settings == {"steps": 21}

    ds = results.load(folder / "dataset.nc")
    xr.testing.assert_identical(ds, result.dataset)
    assert ds.sizes["time"] == 21 and ds.attrs["solver"] == {"dt": None}
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["circuit"] == "forgetful" and provenance["name"] == "decay"
    assert provenance["settings"] == {"steps": 21}
    assert provenance["dataset"] == {"solver": {"dt": None}}
    assert provenance["versions"]["numpy"] == np.__version__
    assert ds.attrs["experiment"] == {k: v for k, v in provenance.items() if k != "dataset"}
    claims = json.loads((folder / "claims.json").read_text())
    assert [c["passed"] for c in claims] == [True, True]
    assert claims[0]["published"] == 0.1353 and claims[1]["published"] == "less than 0.2"
    text = (folder / "claims.md").read_text()
    assert "| PASS | left after 1 s | 0.1353 | 0.1353 +- 1% | 0.1353 | Table 1 |" in text
    assert "and \\| no more (read off the figure)" in text
    assert "published numbers are not for your steps" in text
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_written_without_a_folder(toys, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = run_experiment(load_circuit("forgetful"), "decay", "full")
    assert result.folder is None and result.figure is None
    assert len(result.outcomes) == 3 and not result.skipped
    new = {p for p in tmp_path.rglob("*") if "__pycache__" not in p.parts} - set(before)
    assert not new


def test_a_folder_of_ours_is_overwritten_and_stale_files_go(toys, tmp_path):
    out = tmp_path / "run"
    run_experiment("forgetful", out=out, formats=("nc", "zarr"))
    assert results.load(out / "dataset.zarr").sizes["time"] == 11
    (out / "notes.txt").write_text("mine")
    run_experiment("forgetful", settings={"steps": 5}, out=out, formats=("zarr",))
    assert results.load(out / "dataset.zarr").sizes["time"] == 5
    run_experiment("forgetful", "nothing", out=out)
    assert sorted(p.name for p in out.iterdir()) == [
        ".neurodyn-run", "claims.json", "claims.md", "dataset.nc", "notes.txt", "provenance.json",
    ]
    assert float(results.load(out / "dataset.nc")["zero"]) == 0


def test_other_folders_are_left_alone(toys, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "dataset.nc").write_text("precious")
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match="other files in it, they are left alone"):
        run_experiment("forgetful", out=tmp_path / "thesis")
    with pytest.raises(InputError, match="and .*file is a file"):
        run_experiment("forgetful", out=tmp_path / "file")
    assert [p.read_text() for p in (tmp_path / "thesis").iterdir()] == ["precious"]
    (tmp_path / "empty").mkdir()
    assert run_experiment("forgetful", out=tmp_path / "empty").folder == tmp_path / "empty"


def test_a_failed_experiment_leaves_no_empty_folder(toys, tmp_path):
    with pytest.raises(ValueError, match="`tau` must be positive"):
        run_experiment("forgetful", settings={"tau": -1.0}, out=tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
    run_experiment("forgetful", out=tmp_path / "run")
    with pytest.raises(ValueError, match="`tau` must be positive"):
        run_experiment("forgetful", settings={"tau": -1.0}, out=tmp_path / "run")
    assert (tmp_path / "run" / "dataset.nc").exists()  # the earlier run's


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"experiment": "decays"}, r"no experiment of forgetful; did you mean `decay`\?"),
        ({"size": "huge"}, "`size` must be fast or full; got 'huge'"),
        ({"formats": ("csv",)}, "`formats` must be nc or zarr; got 'csv'"),
        ({"settings": {"size": "full"}}, "give it by itself"),
        ({"settings": {"stepz": "3"}}, r"no setting of forgetful decay; did you mean `steps`\?"),
        ({"settings": {"steps": "3.5"}}, "`steps` of forgetful decay must be a whole number or"),
        ({"settings": {"progress": "yes"}}, "`progress` is no setting"),
    ],
)
def test_bad_input_stops_before_anything_is_written(toys, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        run_experiment("forgetful", out=tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_be_written_is_not_lost(toys, tmp_path, monkeypatch):
    out = tmp_path / "run"
    run_experiment("forgetful", out=out)
    old = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(ds, path, **_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "save", full)
    with pytest.raises(RunNotSaved, match="No space left on device") as caught:
        run_experiment("forgetful", settings={"steps": 5}, out=out)
    assert caught.value.result.dataset.sizes["time"] == 5
    assert caught.value.result.passed and caught.value.result.folder is None
    assert {p.name: p.read_bytes() for p in out.iterdir()} == old


def test_a_failing_figure_does_not_cost_the_numbers(toys, tmp_path):
    def figure(ds):
        raise ZeroDivisionError("no room")

    circuit = replace(load_circuit("forgetful"), figures={"decay": figure})
    with pytest.raises(RunNotSaved, match="figure could not be drawn: ZeroDivisionError: no room"):
        run_experiment(circuit, out=tmp_path / "run")
    assert results.load(tmp_path / "run" / "dataset.nc").sizes["time"] == 11
    assert not (tmp_path / "run" / "figure.png").exists()


def test_progress_is_passed_on_where_it_is_known(toys):
    circuit, seen = load_circuit("forgetful"), []

    def watched(*, size: str = "fast", rng: int = 0, progress: bool = True):
        seen.append((size, rng, progress))
        return xr.Dataset()

    one = replace(circuit, experiments={"w": watched}, main="w", figures={}, claims=())
    run_experiment(one, progress=False, size="full", settings={"rng": "3"})
    assert seen == [("full", 3, False)]
    with pytest.raises(TypeError, match=r"must return an xarray\.Dataset; got int"):
        run_experiment(replace(one, experiments={"w": lambda *, size="fast", rng=0: 3}))


def test_the_registry_of_the_package_is_the_default():
    assert experiments.circuit.PACKAGES == ("neurodyn.circuits",)
