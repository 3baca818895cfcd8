"""Every experiment file from its variants to its figures, at the scale that takes seconds."""

import gzip
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from conftest import Said
from hydra_plugins.repro_plugin.sweeper import ReproductionSweeper
from loading import need_mirror
from repro.claims import verdicts
from repro.config import yaml_files
from repro.config.compose import compose, composer, initialized, run_of
from repro.config.run import checked, resolve
from repro.datasets.store.sources import FOLDERS, REGISTRY
from repro.paths import CLONE, experiments_dir
from repro.plots.style import save
from repro.storage.schema import HEAD, TAIL, collected
from repro.storage.tables import read
from repro.study.collect import STATES
from repro.study.experiment import SCALES, Experiment, load, names, results_folder
from repro.study.publish import plan
from repro.training.loop import Loop
from repro.training.prepare import check_targets
from repro.verbs import reproduce


@dataclass(frozen=True)
class Known:
    """What an experiment's own file says its smoke scale should come to.

    Attributes:
        runs: how many.
        rows: of runs.csv, one a run and seed.
        trains: whether any of its runs trains nets; others do something else.
        measured: how many of those that do measure their layers.
        folders: of the mirror, that its data come from.
    """

    runs: int
    rows: int
    trains: bool
    measured: int
    folders: frozenset[str]


@cache
def known(experiment: str) -> Known:
    runs = [run_of(job.overrides) for job in load(experiment).jobs("smoke")]
    options = [run.settings["choices"] for run in runs]
    data = {str(chosen.get("dataset")) for chosen in options} & REGISTRY.keys()
    generated = {
        run.settings["choices"].get("dataset")
        for run in runs
        if (run.settings["dataset"] or {}).get("points") == "generated"
    }
    return Known(
        len(runs),
        sum(len(run.seeds) for run in runs),
        any(run.settings["optimizer"] for run in runs),
        sum(bool(run.settings["optimizer"] and run.diagnostics.quantities) for run in runs),
        frozenset(FOLDERS.get(name, name) for name in data - generated),
    )


def state(experiment: str, cli: Callable[..., Said]) -> dict[str, int]:
    """The counts that `repro status` shows."""
    header, _, row = cli("status", experiment, "--scale", "smoke").out.splitlines()
    shown = dict(zip(header.split(), row.split(), strict=True))
    assert shown["experiment"] == experiment
    return {name: int(shown[name]) for name in STATES}


@pytest.mark.parametrize("experiment", names())
def test_reproduce(experiment: str, cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in known(experiment).folders:
        need_mirror(folder)
    if not known(experiment).folders:
        monkeypatch.delenv("REPRO_DATA", raising=False)
    runs, rows = known(experiment).runs, known(experiment).rows
    thorough = experiment in names()[::4]  # what is left out is the same code whatever the experiment, and takes long
    if not thorough:
        monkeypatch.setattr("repro.plots.experiment.save", partial(save, formats=["svg"]))
    said = cli("reproduce", experiment, "scale=smoke")
    assert said.status == 0, said.err
    assert f"{experiment} at scale smoke: 0 of {runs} runs there, {runs} to train" in said.out
    assert "Traceback" not in said.err
    folder = tmp_path / "results" / experiment / "smoke"
    check_tables(load(experiment), folder, rows)
    before = check_files(folder, ["png", "svg"] if thorough else ["svg"])
    check_printed_tables(experiment, cli)
    if not thorough:
        return
    check_figures(experiment, cli, before)
    monkeypatch.setattr("repro.plots.experiment.draw", lambda *_: [])  # which has been seen to do its work
    check_that_nothing_is_trained_again(experiment, cli, folder, before)
    check_stale_and_missing(experiment, cli, folder)


def check_tables(experiment: Experiment, folder: Path, rows: int) -> None:
    runs = read(folder / "runs.csv")  # one variant is called nan
    assert len(runs) == rows
    axes = list(experiment.scale("smoke")["axes"])
    assert list(runs.columns)[: len(HEAD) + len(axes)] == [*HEAD, *axes]
    assert list(runs.columns)[-len(TAIL) :] == list(TAIL)
    folders = list((folder.parents[2] / "runs" / experiment.name).iterdir())
    samples = [json.loads((run / "summary.json").read_text())["samples"] for run in folders]
    scored = [split for split in ("valid", "test") if all(own.get(split, 0) != 0 for own in samples)]
    columns = {"train_loss", *(f"{best}{split}_loss" for split in scored for best in ("", "best_"))}
    assert (columns <= set(runs.columns)) == known(experiment.name).trains
    assert set(runs["scale"]) == {"smoke"}
    assert set(runs["status"]) <= {"done", "diverged"}
    assert runs["run"].str.fullmatch("[0-9a-f]{10}").all()
    for share in {"test_accuracy", "valid_bit_error"} & set(runs.columns):
        found = runs[runs["status"] == "done"][share].dropna()  # runs of another task or procedure have none
        assert len(found)
        assert found.between(0, 1).all()
    assert set(runs["variant"]) <= set(experiment.variants)
    assert not runs.duplicated(["run", "seed"]).any()
    layers = pd.read_csv(folder / "layers.csv.gz", dtype={"run": str})
    assert list(layers.columns) == list(collected("layers"))
    assert set(layers["run"]) <= set(runs["run"])
    assert layers["run"].nunique() == known(experiment.name).measured
    claims = pd.read_csv(folder / "claims.csv")
    assert list(claims.columns) == list(verdicts.COLUMNS)
    assert list(claims["claim"]) == judged(experiment)
    assert set(claims["verdict"]) <= {verdicts.NO_VERDICT}
    assert claims[["low", "high"]].isna().all(axis=None)
    assert (claims["says"].str.len() > 20).all()
    ways = json.loads((folder / "provenance.json").read_text())["ways"]
    assert {run for way in ways for run in way["runs"]} == set(runs["run"])


def judged(experiment: Experiment) -> list[str]:
    """The claims that are judged at smoke scale."""
    return [name for name, claim in experiment.claims.items() if "smoke" in claim.get("scales", ["smoke"])]


def published(folder: Path) -> dict[str, bytes]:
    """All files but the lock and the note of what they were made from."""
    return {f.name: f.read_bytes() for f in folder.iterdir() if not f.name.startswith(".")}


def check_files(folder: Path, formats: Sequence[str]) -> dict[str, bytes]:
    content = published(folder)
    figures = {name for name in content if name.endswith((".png", ".svg"))}
    tables = {"runs.csv", "curves.csv.gz", "layers.csv.gz", "claims.csv", "provenance.json"}
    script = (experiments_dir() / f"{folder.parent.relative_to(Path('results').resolve())}.py").read_text()
    others = set(content) - figures - tables
    assert tables <= set(content)
    assert all(
        name in ("predictions.csv.gz", "spectrum.csv.gz", "texts.csv.gz", "looks.csv.gz")
        or name.removesuffix(".csv") in script
        for name in others
    )
    assert figures
    assert figures == {f"{Path(name).stem}.{suffix}" for name in figures for suffix in formats}
    return content


def check_that_nothing_is_trained_again(
    experiment: str, cli: Callable[..., Said], folder: Path, before: dict[str, bytes]
) -> None:
    runs = known(experiment).runs
    again = cli("reproduce", experiment, "scale=smoke")
    assert again.status == 0
    assert f"{runs} of {runs} runs there, 0 to train" in again.out
    assert again.err == ""
    assert published(folder) == before
    assert state(experiment, cli) == dict.fromkeys(STATES, 0) | state_of(before)


def state_of(content: dict[str, bytes]) -> dict[str, int]:
    """How many runs of a runs.csv are done and how many diverged."""
    runs = pd.read_csv(io.BytesIO(content["runs.csv"]), dtype={"run": str})
    diverged = runs.groupby("run")["status"].agg(lambda states: (states == "diverged").all())
    return {"done": int((~diverged).sum()), "diverged": int(diverged.sum())}


def check_printed_tables(experiment: str, cli: Callable[..., Said]) -> None:
    out = {
        kind: cli("table", experiment, "--scale", "smoke", "--format", kind).out
        for kind in ("text", "markdown", "latex", "csv")
    }
    claims = judged(load(experiment))
    assert out["text"].splitlines()[0].split() == [
        "claim",
        "published",
        "ours",
        "scale",
        "direction",
        "size",
        "verdict",
    ]
    assert out["markdown"].count("\n| ") >= len(claims)
    assert "\\toprule" in out["latex"]
    assert out["latex"].count("\\\\") == len(claims) + 1
    assert list(pd.read_csv(io.StringIO(out["csv"]))["claim"]) == claims
    by_variant = cli("table", experiment, "--scale", "smoke", "--runs").out
    assert "_loss" in by_variant or not known(experiment).trains
    assert load(experiment).jobs("smoke")[0].variant in by_variant


def check_figures(experiment: str, cli: Callable[..., Said], before: dict[str, bytes]) -> None:
    """Drawn elsewhere, they are those that stand with the tables, byte for byte."""
    said = cli("figures", experiment, "--scale", "smoke", "--out", "elsewhere")
    assert said.status == 0
    found = {f.name: f.read_bytes() for f in (Path("elsewhere") / experiment).iterdir()}
    assert found == {name: content for name, content in before.items() if name.endswith((".png", ".svg"))}
    assert f"{len(found)} files drawn" in said.out


def check_stale_and_missing(experiment: str, cli: Callable[..., Said], folder: Path) -> None:
    """Forget one run, and let the table name one that is of no use any more."""
    runs = known(experiment).runs
    table = folder / "runs.csv"
    lines = table.read_text().splitlines(keepends=True)
    gone = lines[1].split(",")[0]
    (raw,) = (Path("results/runs") / experiment).glob(f"*-{gone}")
    shutil.rmtree(raw)
    table.write_text("".join(line.replace(gone, "0123456789") if line.startswith(gone) else line for line in lines))
    found = state(experiment, cli)
    assert found["missing"] == 1
    assert found["stale"] == 1
    assert found["done"] + found["diverged"] == runs - 1
    curves = (folder / "curves.csv.gz").read_bytes()
    said = cli("reproduce", experiment, "scale=smoke")
    assert f"{runs - 1} of {runs} runs there, 1 to train" in said.out
    assert said.status == 0
    assert "0123456789" not in table.read_text()
    # Times are never the same twice.
    own = [line for line in gzip.decompress(curves).splitlines() if line.startswith(gone.encode())]
    timed = any(b"milliseconds" in line for line in own)
    assert ((folder / "curves.csv.gz").read_bytes() == curves) != timed


def test_failing_runs_leave_the_others_alone(cli: Callable[..., Said]) -> None:
    experiment, advance = "training_deep_networks/depth_and_activation", Loop.advance

    def broken(loop: Any) -> Any:
        if any(isinstance(m, torch.nn.ReLU) for m in loop.learner.module.modules()):
            raise ZeroDivisionError("nothing works")
        return advance(loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "advance", broken)
        said = cli("reproduce", experiment, "scale=smoke")
    assert said.status == 1
    message = said.err[said.err.index("repro: failed: ") :].splitlines()
    assert message[0] == "repro: failed: nothing works"
    assert len(message) == 3
    assert all(line.startswith("  ") and " variant=relu " in line for line in message[1:])
    assert "14 runs: 12 done, 0 diverged, 2 failed" in said.out
    assert state(experiment, cli) == dict.fromkeys(STATES, 0) | {"done": 12, "failed": 2}
    runs = pd.read_csv(results_folder("results", load(experiment), "smoke") / "runs.csv").set_index("variant")["status"]
    assert set(runs["relu"]) == {"failed"}
    assert set(runs.drop("relu")) == {"done"}
    mended = cli("reproduce", experiment, "scale=smoke")
    assert mended.status == 0
    assert "12 of 14 runs there, 2 to train" in mended.out
    assert "2 runs: 2 done, 0 diverged, 0 failed" in mended.out


def test_what_is_there_is_collected_while_the_rest_is_missing(cli: Callable[..., Said]) -> None:
    experiment = "training_deep_networks/depth_and_activation"
    words = ("reproduce", experiment, "scale=smoke", "train=false")
    nothing = cli(*words)
    assert nothing.status == 1
    assert "0 of 14 runs there, so nothing to collect" in nothing.out
    assert not Path("results").exists()
    job = load(experiment).jobs("smoke")[3]
    assert cli("train", *job.overrides).status == 0
    said = cli(*words)
    assert said.status == 0
    assert "1 of 14 runs there, none trained now" in said.out
    assert state(experiment, cli) == dict.fromkeys(STATES, 0) | {"done": 1, "missing": 13}
    folder = results_folder("results", load(experiment), "smoke")
    assert set(pd.read_csv(folder / "runs.csv")["variant"]) == {job.variant}
    assert set(pd.read_csv(folder / "claims.csv")["verdict"]) == {verdicts.NO_VERDICT}
    assert "scale smoke gives numbers, not verdicts: claims are judged at scale=full" in said.out
    assert "(there at: --scale smoke)" in cli("table", experiment).mistake
    assert "give one of them" in cli(*words, "force=true").mistake
    assert "train=no: allowed are true and false" in cli(*words[:-1], "train=no").mistake


def test_settings_of_ones_own_are_kept_apart(tmp_path: Path) -> None:
    whole = load("training_deep_networks/initialization")
    one = Experiment(
        whole.name,
        whole.reproduction
        | {"claims": {}, "variants": {"tanh_small": ["activation=tanh"]}, "scales": {"smoke": {"seeds": 2}}},
    )
    published = plan(one, "smoke", str(tmp_path))
    for extra in (["device=cpu"], ["threads=2"]):
        assert plan(one, "smoke", str(tmp_path), extra).folder == published.folder
    own = plan(one, "smoke", str(tmp_path), ["optimizer.lr=0.5"])
    assert own.folder == tmp_path / one.name / "custom"
    assert not set(own.expected) & set(published.expected)
    assert list(tmp_path.iterdir()) == []  # planning writes nothing


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("experiment", names())
def test_runs_of_a_scale_are_different_runs(experiment: str, scale: str) -> None:
    one = load(experiment)
    jobs = one.jobs(scale)
    assert len(jobs) == len({job.overrides for job in jobs})
    if scale == "full":
        assert set(one.variants) == {job.variant for job in jobs}


@pytest.mark.parametrize("experiment", names())
def test_every_variant_of_the_larger_scales_can_be_built(experiment: str) -> None:
    """Options that a scale sets are those of the variant's parts; smoke need not have every variant."""
    one = load(experiment)
    # Two jobs of a variant differ in a number only; scales often leave a variant as it is.
    words = {
        tuple(w for w in job.overrides if not w.startswith("seed=") and w.partition("=")[0] not in job.swept): job
        for scale in ("full", "published")
        for job in one.jobs(scale)
    }
    with initialized():
        many = composer()
        for job in words.values():
            check_targets(checked(many.settings(job.overrides)))


# More seeds or variants were asked for, and some of their runs are to come; `repro status` names how many.
UNDER_WAY = ("noisy_activations/penn_treebank", "linear_backprop/cifar10_augmented")


@pytest.mark.parametrize("experiment", names())
def test_committed_tables_are_those_of_these_settings(experiment: str) -> None:
    table = results_folder(CLONE / "results", load(experiment), "published") / "runs.csv"
    if not table.exists():
        pytest.skip("no committed tables")
    runs = pd.read_csv(table, dtype={"run": str})
    jobs = load(experiment).jobs("published")
    assert set(runs["status"]) <= {"done", "diverged"}
    expected = plan(load(experiment), "published").expected
    there = {run: tuple(own["seed"]) for run, own in runs.groupby("run")}
    assert there == {run: entry.seeds for run, entry in expected.items() if run in there}  # none is stale
    assert len(there) == len(jobs) or (experiment in UNDER_WAY and len(there) < len(jobs))
    for job in (jobs[0], jobs[-1]):  # composing takes a while
        run = resolve(compose(job.overrides))
        assert expected[run.id].seeds == run.seeds, job.overrides


# Several processes


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="no joblib launcher"
)
def test_joblib_launcher(tiny: tuple[str, ...], tmp_path: Path) -> None:
    line = ["train", "-m", *tiny, "activation=tanh,relu", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = subprocess.run(
        [sys.executable, "-m", "repro", *line], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 runs: 2 done, 0 diverged, 0 failed"
    folders = sorted((tmp_path / "results/runs/xor").iterdir())
    assert [folder.name.split("-")[1] for folder in folders] == ["relu", "tanh"]
    assert all((folder / "done.json").exists() for folder in folders)
    assert {f.name for f in tmp_path.iterdir()} == {"results"}


def test_a_job_s_references_are_to_its_own_settings(
    tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dataset.seed=${seed}` means the job's seed, not that of the sweep which hands the job on."""
    monkeypatch.chdir(tmp_path)
    assert reproduce._train([[*tiny, "seed=3", "dataset.seed=${seed}"]], [], "results") == 0
    (config,) = Path("results/runs").glob("*/*/config.yaml")
    settings = yaml_files.read(config)
    assert (settings["seed"], settings["dataset"]["seed"]) == (3, 3)
    words = [["a=5%25$%", "b=${seed}"]]
    assert ReproductionSweeper(reproduce.sweeper(words)["jobs"]).jobs == words
