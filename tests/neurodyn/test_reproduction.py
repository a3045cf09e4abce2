"""``neurodyn reproduce``: every claim on one line, one page, and an exit status that tells."""

import re

import pytest

from neurodyn import cli, experiments


@pytest.fixture
def reproduce(toys, capsys):
    """Run the command in this process; its exit status, lines and stderr."""

    def call(*args):
        with pytest.raises(SystemExit) as caught:
            cli.main(["reproduce", *map(str, args)])
        out, err = capsys.readouterr()
        return caught.value.code, out.splitlines(), err

    return call


@pytest.fixture
def only_forgetful(toys, tmp_path):
    """The package of toys without the circuits that do not work."""
    (tmp_path / toys / "broken.py").unlink()
    (tmp_path / toys / "imported" / "__init__.py").unlink()
    (tmp_path / toys / "imported").rmdir()


def test_a_claim_that_fails_is_printed_and_is_exit_status_1(reproduce, only_forgetful, tmp_path):
    status, lines, err = reproduce("--out", "out")
    assert status == 1
    assert lines[:3] == [
        "PASS  forgetful/decay  left after 1 s: published 0.1353, measured 0.1353, "
        "accepted 0.1353 +- 1% [Table 1]",
        "PASS  forgetful/decay  and | no more (read off the figure): published less than 0.2, "
        "measured 0.1353, accepted at most 0.2 [Fig. 2]",
        "FAIL  forgetful/nothing  nothing is something (known to fail): published 1, measured 0, "
        "accepted 1 +- 0.5 [Sec. 4]",
    ]
    assert "2 of 3 claims hold; 1 more are checked with --size full." in lines
    assert "[1/2] forgetful: decay, size fast" in err
    assert (tmp_path / "out/forgetful/decay/dataset.nc").exists()


def test_status_is_0_when_every_claim_holds(reproduce, only_forgetful, tmp_path):
    toy = tmp_path / "toy_circuits" / "forgetful.py"
    toy.write_text(toy.read_text().replace("within(1, absolute=0.5)", "at_most(0.5)"))
    status, lines, _ = reproduce("--size", "full", "--quiet")
    assert status == 0
    assert "4 of 4 claims hold." in lines
    assert (tmp_path / "reproduction/index.html").exists()


def test_the_pages_show_figures_and_failures_without_other_files(reproduce, only_forgetful, tmp_path):
    reproduce("--out", "out")
    page = (tmp_path / "out/index.html").read_text()
    assert "Forgetting, with a time constant" in page and "https://doi.org/10.1000/leak" in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r'src="(?!data:)|<link|<script', page)
    row = page[page.index("nothing is something") - 60 : page.index("nothing is something") + 200]
    assert '<td class="bad">FAIL</td>' in row and "<td>0</td>" in row
    assert "Not all experiments have run" not in page
    text = (tmp_path / "out/README.md").read_text()
    assert "![forgetful/decay](forgetful/decay/figure.png)" in text
    assert "| FAIL | nothing is something (known to fail) | 1 | 1 +- 0.5 | 0 | Sec. 4 |" in text
    assert "and \\| no more" in text
    assert (tmp_path / "out/forgetful/decay/figure.png").exists()


def test_one_circuit_that_breaks_does_not_cost_the_others(reproduce, tmp_path):
    toy = tmp_path / "toy_circuits" / "forgetful.py"
    toy.write_text(toy.read_text().replace('xr.Dataset({"zero": 0.0})', "1 / 0"))
    status, lines, _ = reproduce("forgetful", "broken", "--out", "out")
    assert status == 3  # something failed inside: more than a claim
    assert "FAIL  forgetful/nothing  ZeroDivisionError: division by zero" in lines
    assert "FAIL  broken  ZeroDivisionError: division by zero" in lines
    assert any(line.startswith("PASS  forgetful/decay") for line in lines)
    closing = next(line for line in lines if "experiments failed" in line)
    assert closing.endswith("2 experiments failed: forgetful/nothing, broken.")
    assert "ZeroDivisionError" in (tmp_path / "out/index.html").read_text()


def test_an_interrupt_leaves_a_page_of_what_was_done(reproduce, only_forgetful, tmp_path, monkeypatch):
    run = experiments.reproduction.run_experiment

    def interrupted(circuit, experiment, *args, **options):
        if experiment == "nothing":
            raise KeyboardInterrupt
        return run(circuit, experiment, *args, **options)

    monkeypatch.setattr(experiments.reproduction, "run_experiment", interrupted)
    status, lines, _ = reproduce("--out", "out")
    assert status == 130
    page = (tmp_path / "out/index.html").read_text()
    assert "Not all experiments have run. 2 of 2 claims hold" in page
    assert "and | no more" in page


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("forgetfull",), "did you mean `forgetful`"),
        (("forgetful", "forgetful"), "'forgetful' is named twice"),
        (("--size", "huge"), "'huge' is not one of"),
        (("--out", "mine"), "mine"),
    ],
)
def test_bad_input_runs_nothing(reproduce, tmp_path, args, message):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    status, lines, err = reproduce(*args)
    assert status == 2 and lines == [] and message in err
    assert not (tmp_path / "reproduction").exists()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
