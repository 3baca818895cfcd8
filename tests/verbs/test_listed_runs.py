"""`repro runs`: what there is in a results folder, however it came there."""

import csv
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fabricated
from conftest import Said
from repro.storage.metrics import main_metric

RUNS = Path("results/runs")


def made(name: str, when: str, seeds: tuple[int, ...] = (0,), **settings: Any) -> Path:
    """A finished run of made-up numbers with some settings, which says when it ended."""
    folder = fabricated.run_folder(RUNS / name, seeds=seeds)
    summary = json.loads((folder / "summary.json").read_text())
    summary["settings"] |= {"seed": seeds[0], "choices.normalization": "none", "architecture.depth": 5, **settings}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "provenance.json").write_text(json.dumps({"finished": when}))
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four runs that are done, and of each kind that is not one."""
    monkeypatch.chdir(tmp_path)
    made("digits/mlp-tanh-aaaa000001", "2025-01-03T10:00:00+00:00")
    made(
        "digits/mlp-relu-aaaa000002", "2025-01-01T12:00:00+02:00", **{"choices.activation": "relu", "optimizer.lr": 0.1}
    )
    made("mnist/mlp-noisy-aaaa000003", "2025-01-02T10:00:00+00:00", (2, 3, 4), **{"choices.activation": "noisy_tanh"})
    made("digits/mlp-esp-aaaa000004", "2025-01-04T10:00:00+00:00", **{"choices.activation": "esp"})
    for name in ("aaaa000005", "aaaa000006"):
        (RUNS / f"digits/mlp-{name}").mkdir()
        config = "seed: 7\nreplicas: 2\noptimizer: {lr: 0.3}\nchoices: {activation: tanh, optimizer: sgd}\n"
        (RUNS / f"digits/mlp-{name}/config.yaml").write_text(config)
        os.utime(RUNS / f"digits/mlp-{name}/config.yaml", (1.6e9, 1.6e9))
    (RUNS / "digits/mlp-aaaa000006/failed.json").write_text(json.dumps({"error": "no"}))
    os.utime(RUNS / "digits/mlp-aaaa000006/failed.json", (1.7e9, 1.7e9))
    return tmp_path


def listed(cli: Callable[..., Said], *words: str) -> dict[str, dict[str, Any]]:
    said = cli("runs", *words, "--format", "json")
    assert said.status == 0, said
    return {run["run"]: run for run in json.loads(said.out)}


def test_newest_first_with_what_is_their_own(runs: Path, cli: Callable[..., Said]) -> None:
    found = listed(cli)
    assert [(run, own["status"]) for run, own in found.items()] == [
        ("aaaa000004", "done"),
        ("aaaa000001", "done"),
        ("aaaa000003", "done"),
        ("aaaa000002", "done"),
        ("aaaa000006", "failed"),
        ("aaaa000005", "unfinished"),
    ]
    assert [own["settings"] for own in found.values()] == [
        {"activation": "esp"},
        {},
        {"activation": "noisy_tanh"},
        {"activation": "relu", "optimizer.lr": 0.1},
        {"optimizer.lr": 0.3},
        {"optimizer.lr": 0.3},
    ]
    assert found["aaaa000002"]["when"] == "2025-01-01T10:00:00+00:00"
    assert found["aaaa000005"]["when"] == "2020-09-13T12:26:40+00:00"
    assert (found["aaaa000003"]["seeds"], found["aaaa000005"]["seeds"]) == ([2, 3, 4], [7, 8])
    summary = json.loads((RUNS / "mnist/mlp-noisy-aaaa000003/summary.json").read_text())
    mean = sum(own["test_accuracy"] for own in summary["metrics"].values()) / 3
    assert found["aaaa000003"]["metric"] == "accuracy"
    assert found["aaaa000003"]["test"] == pytest.approx(mean)
    assert (found["aaaa000005"]["metric"], found["aaaa000005"]["test"]) == (None, None)
    del runs


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (["activation=tanh"], "156"),
        (["activation=tanh,relu", "status=done"], "12"),
        (["activation=*tanh"], "1356"),
        (["lr=0.3"], "56"),
        (["optimizer.lr=1e-1"], "2"),
        (["status=failed,unfinished"], "56"),
        (["seed=3"], "3"),
        (["seed=8", "status=failed"], "6"),
        (["depth=5", "mlp-e"], "4"),
        (["mnist/"], "3"),
        (["--last", "2"], "41"),
        (["activation=sigmoid"], ""),
    ],
)
def test_filters(filters: list[str], left: str, runs: Path, cli: Callable[..., Said]) -> None:
    assert sorted(run[-1] for run in listed(cli, *filters)) == sorted(left)
    del runs


@pytest.mark.parametrize("word", ["foo", "done,foo", "fooo*"])
def test_a_status_that_there_is_not(word: str, runs: Path, cli: Callable[..., Said]) -> None:
    says = cli("runs", f"status={word}").mistake
    assert f"unknown status {word.rpartition(',')[2]!r}; known: damaged, diverged, done, failed, unfinished" in says
    assert listed(cli, "status=d*").keys() == listed(cli, "status=done").keys()
    del runs


def test_tables(runs: Path, cli: Callable[..., Said]) -> None:
    said = cli("runs", "activation=noisy_tanh,relu")
    assert said.status == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[2][:8] == [
        "aaaa000003",
        "done",
        "2025-01-02",
        "10:00",
        "mnist",
        "activation=noisy_tanh",
        "2-4",
        "accuracy",
    ]
    assert lines[3][5:8] == ["activation=relu", "lr=0.1", "0"]
    rows = list(csv.DictReader(io.StringIO(cli("runs", "--format", "csv").out)))
    assert len(rows) == 6
    assert float(rows[0]["test"]) == listed(cli)["aaaa000004"]["test"]
    assert rows[-1]["test"] == ""
    assert cli("runs", "--format", "markdown").out.startswith("| run | status |")
    del runs


def test_mistakes(runs: Path, cli: Callable[..., Said]) -> None:
    assert "no run has a setting 'activaton' (did you mean activation" in cli("runs", "activaton=tanh").mistake
    assert "--last must be 1 or more" in cli("runs", "--last", "0").mistake
    said = cli("runs", "activation=swish")
    assert (said.status, said.out) == (0, "none of the 6 runs in results/runs fits: activation=swish\n")
    del runs


def test_nothing_there_says_how_to_train(cli: Callable[..., Said]) -> None:
    for words in ([], ["activation=tanh"]):
        said = cli("runs", *words)
        assert (said.status, len(said.out.splitlines())) == (0, 1)
        assert "train one with: repro train" in said.out
    assert json.loads(cli("runs", "--format", "json").out) == []
    assert cli("runs", "--format", "csv").out.startswith("run,status,when")


DAMAGE = {
    "no summary": ("summary.json", None),
    "half a summary": ("summary.json", '{"run": "a", "sta'),
    "a summary of something else": ("summary.json", '{"settings": 3}'),
    "a strange status": ("summary.json", {"status": "\x1b[31mred"}),
    "a link": ("summary.json", Path("/etc/passwd")),
    "deep nesting": ("summary.json", "[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_listed_as_damaged(damage: str, runs: Path, cli: Callable[..., Said]) -> None:
    name, content = DAMAGE[damage]
    file = RUNS / "digits/mlp-tanh-aaaa000001" / name
    before = json.loads(file.read_text())
    file.unlink()
    if isinstance(content, Path):
        file.symlink_to(content)
    elif content is not None:
        file.write_text(json.dumps(before | content) if isinstance(content, dict) else content)
    found = listed(cli)
    assert {run: own["status"] for run, own in found.items() if own["status"] == "damaged"} == {"aaaa000001": "damaged"}
    assert len(found) == 6
    assert "\x1b" not in cli("runs").out
    assert list(listed(cli, "status=damaged")) == ["aaaa000001"]
    del runs


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "a: !!python/object/apply:os.system ['touch canary']",
        "- 1",
        "seed: x\nreplicas: 1",
        "seed: 0\nreplicas: 99999999999",
        "seed: ${oc.env:HOME}",
        "",
    ],
)
def test_a_damaged_configuration_is_no_error(config: str, runs: Path, cli: Callable[..., Said], canary: Path) -> None:
    (RUNS / "digits/mlp-aaaa000005/config.yaml").write_text(config)
    assert listed(cli)["aaaa000005"]["status"] == "damaged"
    assert not canary.exists()
    del runs


def test_untrusted_values_are_no_error(runs: Path, cli: Callable[..., Said]) -> None:
    settings = {
        "choices.activation": {"a": [1]},
        "choices.optimizer": 10**400,
        "optimizer.lr": [[None]],
        "seed": "\x1b]0;x",
    }
    made("digits/mlp-strange-aaaa000009", "9999-99-99", **settings)
    assert listed(cli)["aaaa000009"]["status"] == "done"
    assert listed(cli, "optimizer.lr=0.1").keys() == {"aaaa000002"}
    assert cli("runs").status == 0
    assert cli("show", "mlp-").status == 2
    os.utime(RUNS / "digits/mlp-aaaa000005/config.yaml", (2**38, 2**38))
    assert "aaaa000005" in listed(cli)
    del runs


def test_settings_of_unfinished_runs_are_remembered_until_they_change(
    runs: Path, cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listed(cli, "lr=0.3").keys() == {"aaaa000005", "aaaa000006"}
    with monkeypatch.context() as patch:
        patch.setattr("repro.study.listing.settings_of", lambda _: 1 / 0)
        assert listed(cli, "lr=0.3").keys() == {"aaaa000005", "aaaa000006"}
    config = RUNS / "digits/mlp-aaaa000005/config.yaml"
    config.write_text(config.read_text().replace("0.3", "0.7"))
    assert listed(cli, "lr=0.7").keys() == {"aaaa000005"}
    del runs


def test_a_trained_run_is_listed(cli: Callable[..., Said], tiny: tuple[str, ...], undrawn: None) -> None:
    del undrawn
    assert cli("train", *tiny, "optimizer.lr=0.2", "replicas=2").status == 0
    ((run, own),) = listed(cli, "lr=0.2", "xor").items()
    assert own["folder"].endswith(f"-seed0x2-{run}")
    assert own["settings"]["optimizer.lr"] == 0.2
    assert own["settings"].keys() >= {"dataset.train_size", "architecture.width", "trainer.epochs"}
    assert (own["status"], own["seeds"], own["metric"]) == ("done", [0, 1], "accuracy")
    assert time.time() - 3600 < time.mktime(time.strptime(own["when"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def test_the_main_metric_of_a_run() -> None:
    assert main_metric(["loss", "accuracy"]) == "accuracy"
    assert main_metric(["loss", "perplexity", "accuracy"]) == "accuracy"
    assert main_metric(["loss", "perplexity"]) == "perplexity"
    assert main_metric(["bleu", "loss"]) == "bleu"
    assert main_metric(["loss"]) == "loss"
    assert main_metric([]) is None
