"""Runs side by side: what they differ in, and differences seed by seed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import fabricated
from conftest import Said
from repro.errors import UserError
from repro.text import comparison


def run(folder: Path, values: Mapping[int, float], diverged: Mapping[int, int] | None = None, **settings: Any) -> Path:
    """A finished run with given test accuracies by seed."""
    fabricated.run_folder(folder, seeds=list(values), diverged=diverged)
    summary = json.loads((folder / "summary.json").read_text())
    for seed, value in values.items():
        if seed not in (diverged or {}):
            summary["metrics"][str(seed)] = {"test_accuracy": value, "train_accuracy": 0.99}
    summary["settings"] |= settings
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs of the same seeds, one of others, one of which a seed diverged."""
    folder = tmp_path / "results/runs/digits"
    run(folder / "mlp-tanh-aaaa111111", {0: 0.5, 1: 0.6, 2: 0.7})
    relu = {
        "choices.activation": "relu",
        "activation.unit._target_": "torch.nn.ReLU",
        "activation.slope": 0.1,
        "results_dir": "elsewhere",
    }
    run(folder / "mlp-relu-bbbb222222", {0: 0.7, 1: 0.7, 2: 0.9}, **relu)
    run(folder / "mlp-esp-cccc333333", {5: 0.7, 6: 0.8, 7: 0.9})
    run(folder / "mlp-elu-dddd444444", {0: 0.7, 1: 0.7, 2: 0.9}, {1: 20})
    return folder


def loaded(runs: Path, *ids: str) -> list[comparison.Finished]:
    return comparison.load([next(runs.glob(f"*-{id_}")) for id_ in ids])


def test_differences_by_hand(runs: Path) -> None:
    first, second = loaded(runs, "aaaa111111", "bbbb222222")
    found = comparison.to_first(second, first, "test_accuracy")
    # 0.2, 0.1, 0.2: mean 1/6, standard deviation 0.1 / √3; Student's t with two degrees of freedom is 4.302653.
    assert found is not None
    assert found.n == 3
    assert found.value == pytest.approx(1 / 6)
    assert found.interval == pytest.approx((1 / 6 - 4.302653 * 0.1 / 3, 1 / 6 + 4.302653 * 0.1 / 3), rel=1e-6)


def test_only_seeds_with_both_values_count(runs: Path) -> None:
    first, second = loaded(runs, "aaaa111111", "dddd444444")
    found = comparison.to_first(second, first, "test_accuracy")
    assert found is not None
    assert (found.n, found.value) == (2, pytest.approx(0.2))
    assert found.interval is None or found.interval == pytest.approx((0.2, 0.2))


def test_other_seeds_have_no_differences(runs: Path) -> None:
    first, second = loaded(runs, "aaaa111111", "cccc333333")
    assert comparison.to_first(second, first, "test_accuracy") is None
    assert comparison.differences_to_first([first, second], ["test_accuracy"]).empty


def test_settings_that_differ(runs: Path) -> None:
    found = comparison.differences(loaded(runs, "aaaa111111", "bbbb222222"))
    assert found.to_numpy().tolist() == [["activation", "tanh", "relu"], ["activation.slope", "–", "0.1"]]


def test_metrics_are_those_of_the_test_or_of_training(tmp_path: Path, runs: Path) -> None:
    both = loaded(runs, "aaaa111111", "bbbb222222")
    assert comparison.final_metrics(both) == ["test_accuracy"]
    for own in both:
        for metrics in own.summary["metrics"].values():
            del metrics["test_accuracy"]
    assert comparison.final_metrics(both) == ["train_accuracy"]
    table = comparison.at_the_end(both, ["train_accuracy"])
    assert table["train_accuracy"].tolist() == ["0.99 (n=3)"] * 2
    assert "diverged" not in table.columns
    del tmp_path


def test_told_and_drawn(runs: Path, cli: Callable[..., Said]) -> None:
    said = cli("compare", "aaaa111111", "relu", "cccc333333", "mlp-elu", "--out", "figures")
    assert said.status == 0
    assert "0.17 ± 0.14 (n=3)" in said.out
    assert "0.60 ± 0.25 (n=3)" in said.out
    assert "cccc333333: other seeds than aaaa111111" in said.out
    assert "1 of 3" in said.out
    name = "figures/compare-aaaa111111-bbbb222222-cccc333333-dddd444444"
    assert said.out.splitlines()[-2:] == [f"{name}.png", f"{name}.svg"]
    before = Path(f"{name}.svg").read_bytes()
    assert cli("compare", "aaaa111111", "relu", "cccc333333", "mlp-elu", "--out", "figures").out == said.out
    assert Path(f"{name}.svg").read_bytes() == before
    assert b"script" not in before
    assert (runs.parent.parent / "compare-aaaa111111-bbbb222222.png").exists() is False
    assert cli("compare", "aaaa111111", "relu").status == 0
    assert (runs.parent.parent / "compare-aaaa111111-bbbb222222.png").exists()


def test_same_settings_and_no_metrics(runs: Path, cli: Callable[..., Said]) -> None:
    for path in runs.glob("*/summary.json"):
        summary = json.loads(path.read_text())
        path.write_text(json.dumps(summary | {"metrics": {seed: {} for seed in summary["metrics"]}}))
    said = cli("compare", "aaaa111111", "dddd444444")
    assert said.status == 0
    assert said.out.splitlines() == ["no setting differs", "", "no run was scored on test, validation or training data"]


def test_mistakes(runs: Path, cli: Callable[..., Said]) -> None:
    assert "no run 'zzz'" in cli("compare", "aaaa111111", "zzz").mistake
    assert "name two or more" in cli("compare", "aaaa111111").mistake
    assert "named twice" in cli("compare", "aaaa111111", "tanh").mistake
    assert "16 at most" in cli("compare", *["aaaa111111"] * 17).mistake
    assert "RUN" in cli("compare").mistake
    (runs / "mlp-relu-bbbb222222/done.json").unlink()
    assert "has not finished yet" in cli("compare", "aaaa111111", "bbbb222222").mistake


def test_copies_are_the_same_run(tmp_path: Path) -> None:
    one, two = (run(tmp_path / where / "mlp-aaaa111111", {0: 0.5}) for where in ("a", "b"))
    with pytest.raises(UserError, match="same id"):
        comparison.load([one, two])
