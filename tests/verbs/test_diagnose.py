"""`repro diagnose`: the Hessian of runs that were trained before, which stay as they are."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from conftest import Said, Trained
from loading import load
from repro.storage.files import read_json
from repro.verbs import diagnose as command

JOB = ("procedure=cost", "procedure.repeats=1", "procedure.warm_up=0", "architecture.width=8")
CHANGED = ("spectrum.csv", "provenance.json")


@pytest.fixture
def finished(trained: Callable[..., Trained], cli: Callable[..., Said]) -> Callable[..., Trained]:
    """Trains the tiny run where the command line looks for it."""
    del cli  # it moved to the folder that `results` lies in
    return trained


def spectrum(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "spectrum.csv", dtype={"run": str})


def contents(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name not in (*CHANGED, ".lock")}


def test_each_method_beside_the_others(finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    run = finished()
    before, told = contents(run.folder), read_json(run.folder / "provenance.json")
    words = {
        "exact": ["hessian=exact"],
        "lanczos": ["hessian=lanczos", "hessian.extremes=3"],
        "slq": ["hessian=slq", "hessian.probes=4", "hessian.steps=30"],
    }
    for method, asked in words.items():
        said = cli("diagnose", run.run.id, *asked)
        assert said.status == 0, said
        assert "lambda_max" in said.out
        assert said.out.splitlines()[-1] == f"spectrum  {Path('results/runs/xor') / run.folder.name / 'spectrum.csv'}"
        assert ("over probes, bounds" in said.out) == (method == "slq")
    rows = spectrum(run.folder)
    assert set(rows["method"]) == set(words)
    assert set(rows["step"]) == {3}
    assert set(rows["run"]) == {run.run.id}
    ends = rows[rows["quantity"] == "lambda_max"].set_index("method")["value"]
    assert ends["lanczos"] == pytest.approx(ends["exact"], rel=1e-6)
    assert ends["slq"] == pytest.approx(ends["exact"], rel=1e-4)
    assert contents(run.folder) == before
    now = read_json(run.folder / "provenance.json")
    diagnoses = now.pop("diagnoses")
    assert now == told
    assert [one["hessian"]["_target_"].rpartition(".")[2] for one in diagnoses] == ["Exact", "Lanczos", "Quadrature"]
    assert diagnoses[1]["hessian"]["extremes"] == 3
    assert diagnoses[0].keys() >= told.keys() - {"finished", "words"}


def test_is_what_the_run_itself_would_have_written(finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    words = ("replicas=3", "activation=esp", "normalization=batch", "seed=7")
    during, after = finished(*words, "hessian=exact").folder, finished(*words).folder
    assert cli("diagnose", str(after)).status == 0
    ours, theirs = (
        spectrum(folder).query("step == 3").drop(columns="run").reset_index(drop=True) for folder in (after, during)
    )
    assert set(ours["seed"]) == {7, 8, 9}
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, atol=1e-15)


def test_a_method_replaces_its_own_lines_only(finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    run = finished("hessian=exact", "diagnostics.every=1", "hessian.tolerances=[1e-4]")
    first = spectrum(run.folder)
    assert cli("diagnose", run.run.id, "hessian=lanczos", "hessian.extremes=2").status == 0
    assert cli("diagnose", run.run.id, "hessian=lanczos", "hessian.extremes=4").status == 0
    assert cli("diagnose", run.run.id, "hessian=exact", "hessian.tolerances=[1e-3]").status == 0
    rows = spectrum(run.folder)
    assert (rows.query("method == 'lanczos'")["quantity"] == "eigenvalue").sum() == 8
    exact = rows.query("method == 'exact'")
    np.testing.assert_array_equal(exact.query("step < 3")["value"], first.query("step < 3")["value"])
    assert set(exact.query("step < 3")["quantity"]) >= {"gamma_1e-4"}
    last = exact.query("step == 3")["quantity"]
    assert (last == "gamma_1e-3").sum() == 1
    assert not (last == "gamma_1e-4").any()
    assert len(read_json(run.folder / "provenance.json")["diagnoses"]) == 3


def test_the_size_chooses_the_method(
    finished: Callable[..., Trained], cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished()
    assert cli("diagnose", run.run.id).status == 0
    assert set(spectrum(run.folder)["method"]) == {"exact"}
    monkeypatch.setattr(command, "LARGE", 113)  # it has 114
    assert cli("diagnose", run.run.id, "hessian.steps=3").status == 0
    assert set(spectrum(run.folder)["method"]) == {"exact", "slq"}
    assert cli("diagnose", run.run.id, "hessian=exact").status == 0


def test_memory_chooses_the_method_and_is_told(
    finished: Callable[..., Trained], cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished("replicas=2")
    said = cli("diagnose", run.run.id)
    # Four matrices of 114 × 114 doubles.
    assert "hessian=exact of 114 parameters: about 416 kB of memory, for each of 2 seeds" in said.err
    monkeypatch.setattr(command, "LARGE", 113)
    monkeypatch.setattr("repro.memory.machine", lambda: 4 * 8.0 * 114 * 10 * 100)  # a quarter of it is enough for slq
    assert "hessian=slq of 114 parameters: about 912 kB" in cli("diagnose", run.run.id).err
    monkeypatch.setattr("repro.memory.machine", lambda: 4 * 8.0 * 114 * 10 * 99)
    assert "hessian=lanczos of 114 parameters: about 54.7 kB" in cli("diagnose", run.run.id).err
    assert set(spectrum(run.folder)["method"]) == {"exact", "slq", "lanczos"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["hessian=exact"], ["114 parameters needs 416 kB of memory", "there are 50 kB, enough for 39 parameters"]),
        (["hessian=lanczos"], ["60 of them, need 54.7 kB of memory", "there are 50 kB"]),
        (["hessian=slq"], ["probes=10 × hessian.steps=100 vectors", "enough for 54 vectors", "steps=27 or hessian=l"]),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    finished: Callable[..., Trained],
    cli: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    says: list[str],
) -> None:
    run = finished()
    monkeypatch.setattr("repro.diagnostics.spectrum.machine", lambda: 50_000.0)
    mistake = cli("diagnose", run.run.id, *words).mistake
    for part in says:
        assert part in mistake


def test_in_another_folder_of_results(finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    run = finished("results_dir=elsewhere")
    assert "no run" in cli("diagnose", run.run.id).mistake
    assert cli("diagnose", run.run.id, "--results-dir", "elsewhere").status == 0
    assert (run.folder / "spectrum.csv").exists()


def test_double_precision_of_a_run_in_single_precision(
    finished: Callable[..., Trained], cli: Callable[..., Said]
) -> None:
    # Of parameters that are float32 numbers, the eigenvalues of a linear model are still exact.
    run = finished("architecture.depth=0", "task=sigmoids")
    assert cli("diagnose", run.run.id).status == 0
    assert {p.dtype.itemsize for p in run.state["parameters"].values()} == {4}
    values = spectrum(run.folder).query("quantity == 'eigenvalue'")["value"]
    weight, bias = run.state["parameters"]["output.weight"].double(), run.state["parameters"]["output.bias"].double()
    data = load("xor", train_size=48, valid_size=16, test_size=16).train.x.double()
    p = (data @ weight.T + bias).sigmoid()
    x = np.column_stack([data, np.ones(len(data))])
    expected = np.linalg.eigvalsh(x.T @ ((p * (1 - p)).numpy() * x) / len(x))
    np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_a_run_of_an_older_version(finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    """Settings that came later are at their defaults."""
    run = finished("activation=esp")
    path = run.folder / "config.yaml"
    settings = OmegaConf.load(path)
    for group, keys in {
        "": ["hessian"],
        "diagnostics": ["steps"],
        "trainer": ["compile"],
        "architecture": ["output_beta", "output_beta_std"],
        "activation": ["per_layer", "fixed"],
    }.items():
        for key in keys:
            del (settings[group] if group else settings)[key]
    path.write_text(OmegaConf.to_yaml(settings))
    said = cli("diagnose", run.run.id)
    assert said.status == 0, said
    assert len(spectrum(run.folder).query("quantity == 'eigenvalue'")) == 114 + 16


# Mistakes: one line, exit status 2, and the run as it was


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return change


def nothing(folder: Path) -> None:
    del folder


# (words of the training run, what happens to its folder, words of diagnose, parts of the line)
MISTAKES: dict[str, tuple[tuple[str, ...], Callable[[Path], None], tuple[str, ...], list[str]]] = {
    "unfinished": ((), remove("done.json"), (), ["has not finished yet", "resumes"]),
    "no checkpoint": ((), remove("checkpoint.pt", "checkpoint.previous.pt"), (), ["no checkpoint.pt", "force=true"]),
    "diverged": (("optimizer.lr=1e25", "activation=relu"), nothing, (), ["diverged", "no Hessian"]),
    "job": ((*JOB, "diagnostics.probe=128"), nothing, (), ["did not train"]),
    "another setting": ((), nothing, ("optimizer=sgd",), ["optimizer=sgd: ", "only hessian=METHOD"]),
    "a setting of the trainer": ((), nothing, ("trainer.epochs=3",), ["trainer.epochs=3: "]),
    "null": ((), nothing, ("hessian=null",), ["hessian=null measures nothing", "exact, lanczos or slq"]),
    "tolerance": ((), nothing, ("hessian=slq", "hessian.tolerances=[1e-6]"), ["holds 1e-06", "hessian=exact"]),
    "unknown method": ((), nothing, ("hessian=slk",), ["unknown hessian 'slk'", "did you mean slq"]),
    "unknown setting": ((), nothing, ("hessian=slq", "hessian.probe=3"), ["did you mean hessian.probes"]),
    "a setting of another method": ((), nothing, ("hessian.probes=3",), ["'hessian.probes'", "hessian.tolerances"]),
    "all eigenvalues": ((), nothing, ("hessian=lanczos", "hessian.extremes=57"), ["all of the 114", "hessian=exact"]),
    "binary": (("weight=binary",), nothing, (), ["flat in binary weights"]),
    "damaged": ((), lambda folder: (folder / "summary.json").write_text("{"), (), ["summary.json"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    trained, change, words, parts = MISTAKES[name]
    run = finished(*trained)
    change(run.folder)
    before = contents(run.folder), (run.folder / "provenance.json").read_bytes()
    said = cli("diagnose", run.run.id, *words).mistake
    assert all(part in said for part in parts), said
    assert (contents(run.folder), (run.folder / "provenance.json").read_bytes()) == before
    assert not (run.folder / "spectrum.csv").exists()


def test_unknown_runs(finished: Callable[..., Trained], cli: Callable[..., Said]) -> None:
    assert "train one with: repro train" in cli("diagnose", "abc").mistake
    run = finished()
    assert "no run 'zzz' among the 1" in cli("diagnose", "zzz").mistake
    near = run.run.id[:-1] + ("0" if run.run.id[-1] != "0" else "1")
    assert f"did you mean {run.run.id}?" in cli("diagnose", near).mistake


def test_a_run_without_a_word_about_it(cli: Callable[..., Said]) -> None:
    assert "hessian=lanczos" in cli("diagnose", "--help").out
    assert cli("diagnose").status == 2


def test_a_failed_measurement_leaves_the_table_alone(
    finished: Callable[..., Trained], cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished()
    assert cli("diagnose", run.run.id).status == 0
    before = (run.folder / "spectrum.csv").read_bytes()
    diagnoses = json.loads((run.folder / "provenance.json").read_text())["diagnoses"]
    monkeypatch.setattr("repro.diagnostics.spectrum._memory", lambda _: 1.0)
    assert "take hessian=slq" in cli("diagnose", run.run.id, "hessian=exact").mistake
    assert (run.folder / "spectrum.csv").read_bytes() == before
    assert json.loads((run.folder / "provenance.json").read_text())["diagnoses"] == diagnoses
