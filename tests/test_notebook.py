"""What `import repro` gives: cheap to import, and the same runs as the command's."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import repro
from repro.errors import UserError
from repro.notebook import FinishedRun
from repro.paths import CLONE

TINY = (
    "activation=noisy_tanh",
    "architecture.depth=2",
    "architecture.width=6",
    "trainer.steps=4",
    "trainer.batch_size=50",
)


def test_importing_costs_nothing() -> None:
    ask = "import sys, repro; repro.__all__; print(sorted({'torch', 'pandas', 'numpy', 'hydra'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "[]"


def test_public_names_are_there_and_documented() -> None:
    for name in repro.__all__:
        assert getattr(repro, name).__doc__, name
    assert set(repro.__all__) <= set(dir(repro))
    with pytest.raises(AttributeError, match="no attribute 'wacth'"):
        _ = repro.wacth  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return repro.run(*TINY, "replicas=2", results_dir=tmp_path_factory.mktemp("results"))


def test_a_run_is_the_command_s(trained: FinishedRun, tmp_path: Path) -> None:
    assert trained.summary["status"] == "done"
    assert trained.config["architecture"]["width"] == 6
    assert set(trained.curves["seed"]) == set(trained.layers["seed"]) == {0, 1}
    words = [*TINY, "replicas=2", f"results_dir={tmp_path}"]
    subprocess.run([sys.executable, "-m", "repro", "train", *words], check=True, timeout=120, capture_output=True)
    other = repro.load(trained.folder.name, tmp_path)
    pd.testing.assert_frame_equal(other.curves, trained.curves)
    pd.testing.assert_frame_equal(other.layers, trained.layers)
    assert "At step 4, 3 layers deep:" in trained.report()
    assert str(trained).startswith("digits · mlp 2 × 6")
    assert trained._repr_png_() == trained.overview.png == (other.folder / "overview.png").read_bytes()
    assert trained.figures["curves"]._repr_svg_().lstrip().startswith("<?xml")


def test_a_picture_that_cannot_be_written_says_where_else(trained: FinishedRun, tmp_path: Path) -> None:
    assert trained.overview.save(tmp_path / "new/a.png").read_bytes() == trained.overview.png
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*b.png: .*; choose another folder with save\(\.\.\.\)"):
        trained.overview.save(tmp_path / "file/b.png")


def test_a_claim_about_runs_is_judged(trained: FinishedRun) -> None:
    claim = {"kind": "above", "metric": "test_accuracy", "variant": "mine", "bound": -1}
    row = repro.judge(claim, mine=trained).iloc[0]
    assert (row["verdict"], row["n"]) == ("holds", 2)
    assert row["ours"] == pytest.approx(sum(own["test_accuracy"] for own in trained.summary["metrics"].values()) / 2)
    with pytest.raises(UserError, match=r"unknown variant in claim own 'yours'; known: mine"):
        repro.judge(claim | {"variant": "yours"}, mine=[trained])
    with pytest.raises(UserError, match="judge needs the runs of at least one variant"):
        repro.judge(claim)
    with pytest.raises(UserError, match=r"a claim is a mapping .* not str"):
        repro.judge("x", mine=trained)  # type: ignore[arg-type]
    for wrong in (3, "runs", [trained, None]):
        with pytest.raises(UserError, match=r"mine must be a run or a list of runs, .* not (int|str|NoneType)"):
            repro.judge(claim, mine=wrong)  # type: ignore[arg-type]


def test_the_models_score_what_the_tables_say(trained: FinishedRun) -> None:
    from sklearn.datasets import load_digits  # what the run was trained on

    assert len(trained.models) == 2
    assert trained.model is trained.models[0]
    assert not trained.model.training
    images = torch.as_tensor(load_digits().data[:8], dtype=torch.float32)
    outputs = [net(images) for net in trained.models]
    assert outputs[0].shape == (8, 10)
    assert not torch.equal(*outputs)
    trained.model.load_state_dict(trained.models[1].state_dict())


def test_a_run_is_not_trained_twice(trained: FinishedRun) -> None:
    finished = (trained.folder / "done.json").stat().st_mtime_ns
    again = repro.run(*TINY, "replicas=2", results_dir=trained.folder.parents[2])
    assert again.folder == trained.folder
    assert (again.folder / "done.json").stat().st_mtime_ns == finished


def test_nothing_to_report(tmp_path: Path) -> None:
    said = repro.run(*TINY, "diagnostics=none", results_dir=tmp_path).report()
    assert "train it with diagnostics=layers" in said
    assert "step()" not in said


def test_where_a_run_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("repro.training.run.train", lambda run, _: run)
    assert repro.run(*TINY).folder.parts[:2] == ("results", "runs")
    assert repro.run(*TINY, "results_dir=mine").folder.parts[:2] == ("mine", "runs")
    assert repro.run(*TINY, "results_dir=mine", results_dir=Path("other")).folder.parts[:2] == ("other", "runs")


@pytest.mark.parametrize("name", ["res (1)", "it's", "a=b", "[x]", "res,two", "a\\", "null", "3"])
def test_a_folder_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("repro.training.run.train", lambda run, _: run)
    assert repro.run(*TINY, results_dir=name).folder.parts[:2] == (name, "runs")


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"optimizer\.lr: Interpolation key 'x' not found"):
        repro.run("optimizer.lr=${x}", results_dir=tmp_path)
    with pytest.raises(UserError, match=r"unknown setting 'architecture\.dpeth'"):
        repro.run("architecture.dpeth=3", results_dir=tmp_path)
    with pytest.raises(UserError, match="no run 'nothing'"):
        repro.load("nothing", tmp_path)
    with pytest.raises(UserError, match=r"trusted must list names of packages, e.g. trusted=\['abc'\], not 'abc'"):
        repro.load("nothing", tmp_path, trusted="abc")
    with pytest.raises(UserError, match=r"run takes words, .* not list"):
        repro.run(["a=b"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unknown paper or experiment 'nopaper'"):
        repro.table("nopaper")
    with pytest.raises(UserError, match=r"table takes PAPER or PAPER/EXPERIMENT, .*, not int"):
        repro.table(3)  # type: ignore[arg-type]


def test_the_ledger() -> None:
    claims = repro.table("linear_backprop/toy", CLONE / "results")
    assert set(claims["experiment"]) == {"toy"}
    assert {"published", "value", "verdict", "adjusted"} & set(claims.columns) >= {"published", "verdict", "adjusted"}
