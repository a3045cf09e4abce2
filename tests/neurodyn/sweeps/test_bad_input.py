"""What is refused, before anything runs, and in which words."""

import subprocess
import sys

import pytest

import neurodyn as nd
from neurodyn.experiments import InputError

from .conftest import tree


def refused(match, *args, **options):
    with pytest.raises(InputError, match=match):
        nd.sweep(*args, **({"folder": "out", "progress": False, "workers": 1} | options))


@pytest.mark.parametrize("match, options", [
    (r"`gg` is no parameter of sweep_toy:gain; did you mean `g`\?", {"grid": {"gg": [1]}}),
    (r"`nn` is no parameter", {"settings": {"nn": 1}}),
    (r"`n` of sweep_toy:gain must be a whole number; got 1.5", {"grid": {"n": [1, 1.5]}}),
    (r"`n` .* must be a whole number; got 'many'", {"grid": {"n": "1,many"}}),
    (r"`g` .* must be a number; got nan", {"grid": {"g": [float("nan")]}}),
    (r"`grid\['g'\]` has the value 1.0 twice", {"grid": {"g": [1, 2, 1.0]}}),
    (r"`grid\['g'\]` has no values", {"grid": {"g": []}}),
    (r"`grid\['g'\]` must be a sequence of values; got 3", {"grid": {"g": 3}}),
    (r"`g` is given in the grid and as a setting", {"grid": {"g": [1]}, "settings": {"g": 2}}),
    (r"`rng` is set by the seeds", {"grid": {"rng": [1]}}),
    (r"`seeds` must be 1 or more; got 0", {"seeds": 0}),
    (r"`seeds` must be different", {"seeds": [1, 1]}),
    (r"`seeds` must be whole numbers, 0 or more", {"seeds": [1.5]}),
    (r"`workers` must be a whole number, 1 or more; got 0", {"workers": 0}),
    (r"`memory` must be a number of bytes, or text like '2GB'; got 'much'", {"memory": "much"}),
])  # fmt: skip
def test_parameters(toy, tmp_path, match, options):
    refused(match, toy.gain, **options)
    assert not (tmp_path / "out").exists()


def test_functions(toy):
    refused("`needed` of sweep_toy:typed has no default: give it a value", toy.typed)
    refused("`seeds` are given, but sweep_toy:typed has no argument `rng`", toy.typed, seeds=2,
            settings={"needed": 1})  # fmt: skip
    refused("outer.<locals>.inner .* is none", toy.outer())
    refused("<lambda> .* is none", toy.shy)
    refused("must be a function that the workers can import by its name", print)
    refused("cannot be imported: .* no attribute 'gone'", "code/sweep_toy.py:gone")
    refused("names a file that does not exist: no.py", "no.py:f")
    refused("`adaptive_whitenin` is no circuit; did you mean `adaptive_whitening`",
            "adaptive_whitenin")  # fmt: skip
    refused("must be a name or a function; got 3", 3)


def test_what_the_experiment_returns(toy):
    sweep = nd.sweep(toy.not_a_dataset, folder="a", workers=1, progress=False)
    assert "must return an xarray.Dataset; got float" in sweep.failures[0]["error"]
    sweep = nd.sweep(toy.clash, {"g": [1.0]}, folder="b", workers=1, progress=False)
    assert "the result has a dimension or variable 'g', and so has" in sweep.failures[0]["error"]


def test_folders(toy, tmp_path):
    nd.sweep(toy.gain, {"g": [1, 2]}, seeds=2, folder="out", workers=1, progress=False)
    before = tree(tmp_path / "out" / "results")
    refused("holds another sweep: the experiment is sweep_toy:fails, it was sweep_toy:gain",
            toy.fails, grid={"g": [1, 2]}, seeds=2)  # fmt: skip
    refused("setting `n`: .* it was none; choose another folder", toy.gain,
            grid={"g": [1, 2]}, seeds=2, settings={"n": 4})  # fmt: skip
    refused(r"seeds: \[0, 1, 2\], it was \[0, 1\]; choose another folder, or add to .* --extend",
            toy.gain, grid={"g": [1, 2]}, seeds=3)  # fmt: skip
    refused("holds another sweep: values of `g`", toy.gain, grid={"g": [1]}, seeds=2, extend=True)
    assert tree(tmp_path / "out" / "results") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    refused("with other files in it, they are left alone: mine", toy.gain, folder="mine")
    with pytest.raises(InputError, match="there is no sweep in the folder nowhere"):
        nd.open_sweep("nowhere")


def test_code_that_has_changed(toy, tmp_path):
    import importlib

    nd.sweep(toy.gain, {"g": [1]}, folder="out", workers=1, progress=False)
    source = tmp_path / "code" / "sweep_toy.py"
    source.write_text(source.read_text() + "\n# another thought\nimport sweep_helper\n")
    (tmp_path / "code" / "sweep_helper.py").write_text("x = 1\n")
    importlib.invalidate_caches()
    more = {"grid": {"g": [1, 2]}, "extend": True}
    refused("the code has changed .*: sweep_helper is new; sweep_toy has changed; begin anew",
            "code/sweep_toy.py:gain", **more)  # fmt: skip
    sweep = nd.sweep("code/sweep_toy.py:gain", folder="out", workers=1, progress=False, force=True,
                     **more)  # fmt: skip
    assert sweep.is_complete and len(sweep.plan.versions) == 2
    assert [s.index["version"] for s in sweep.state.shards] == list(sweep.plan.versions) or len(
        {s.index["version"] for s in sweep.state.shards}) == 2  # fmt: skip
    assert sum(len(s.tasks) for s in sweep.state.shards) == 2
    assert sweep.dataset.attrs["code_versions"] == list(sweep.plan.versions)


def test_a_script_without_guard_is_told_so(toy, tmp_path):
    text = (
        "import neurodyn as nd, xarray as xr\n"
        "def model(*, rng: int = 0):\n    return xr.Dataset({'x': rng})\n"
        "nd.sweep(model, seeds=2, folder='guard', progress=False)\n"
    )
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True,
                          cwd=tmp_path, timeout=100)  # fmt: skip
    assert done.returncode != 0
    assert 'put the call behind `if __name__ == "__main__":`' in done.stderr
    lines = text.splitlines()
    lines[-1] = lines[-1].replace("guard", "guarded")
    lines[-1] = f'if __name__ == "__main__":\n    print({lines[-1]}.dataset.x.values)'
    (tmp_path / "script.py").write_text("\n".join(lines))
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True,
                          cwd=tmp_path, timeout=100)  # fmt: skip
    assert done.stdout.strip() == "[0 1]", done.stderr
