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
    run(folder / "mlp-esp-cccc333333", {5: 0.7, 6: 0.8, 7: 0.9}, **{"choices.activation": "esp"})
    run(folder / "mlp-elu-dddd444444", {0: 0.7, 1: 0.7, 2: 0.9}, {1: 20}, **{"choices.activation": "elu"})
    return folder


def loaded(runs: Path, *ids: str) -> list[comparison.Setting]:
    return comparison.one_by_one(comparison.load([next(runs.glob(f"*-{id_}")) for id_ in ids]))


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
    found = comparison.differing(loaded(runs, "aaaa111111", "bbbb222222"))
    assert found.to_numpy().tolist() == [["activation", "tanh", "relu"], ["activation.slope", "–", "0.1"]]


def test_metrics_are_those_of_the_test_or_of_training(tmp_path: Path, runs: Path) -> None:
    both = loaded(runs, "aaaa111111", "bbbb222222")
    folders = [run for one in both for run in one.runs]
    assert comparison.final_metrics(folders) == ["test_accuracy"]
    for own in folders:
        for metrics in own.summary["metrics"].values():
            del metrics["test_accuracy"]
    assert comparison.final_metrics(folders) == ["train_accuracy"]
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
        same = summary["settings"] | {"choices.activation": "tanh"}
        path.write_text(json.dumps(summary | {"metrics": {s: {} for s in summary["metrics"]}, "settings": same}))
    said = cli("compare", "aaaa111111", "dddd444444")
    assert said.status == 0
    assert said.out.splitlines() == ["no setting differs", "", "no run was scored on test, validation or training data"]


def test_mistakes(runs: Path, cli: Callable[..., Said]) -> None:
    assert "no run 'zzz'" in cli("compare", "aaaa111111", "zzz").mistake
    assert "name two or more" in cli("compare", "aaaa111111").mistake
    assert "named twice" in cli("compare", "aaaa111111", "tanh").mistake
    many = [run(runs / f"mlp-{i:010x}", {0: 0.5}, **{"optimizer.lr": float(i)}).name for i in range(17)]
    assert "17 settings are too many for one table; name runs of 16 at most" in cli("compare", *many).mistake
    assert "RUN" in cli("compare").mistake
    (runs / "mlp-relu-bbbb222222/done.json").unlink()
    assert "has not finished yet" in cli("compare", "aaaa111111", "bbbb222222").mistake


SETTINGS = {
    "tanh": {"choices.activation": "tanh", "dataset.seed": 0},
    "relu": {"choices.activation": "relu", "dataset.seed": 0},
}


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """Two activations by three seeds: of tanh two stacked, one of them again, one single; of relu each single."""
    folder = tmp_path / "results/runs/digits"
    run(folder / "a-aaaa000001", {0: 0.5, 1: 0.6}, **SETTINGS["tanh"], seed=0, replicas=2)
    run(folder / "b-aaaa000002", {1: 0.99}, **SETTINGS["tanh"], seed=1, replicas=1, device="cuda", threads=8)
    run(folder / "c-aaaa000003", {2: 0.7}, **SETTINGS["tanh"], seed=2, replicas=1, variant="v")
    for i, value in enumerate((0.7, 0.7, 0.9)):
        run(folder / f"relu-bbbb00000{i}", {i: value}, **SETTINGS["relu"], seed=i, replicas=1)
    return folder


def test_seeds_belong_together_stacked_or_not(seeds: Path) -> None:
    runs = comparison.load(sorted(seeds.iterdir()))
    tanh, relu = comparison.by_setting(runs)
    assert (tanh.label, relu.label) == ("activation=tanh", "activation=relu")
    assert tanh.values("test_accuracy") == {0: 0.5, 1: 0.6, 2: 0.7}  # the seed that is there twice counts once
    assert relu.values("test_accuracy") == {0: 0.7, 1: 0.7, 2: 0.9}
    assert comparison.at_the_end([tanh, relu], ["test_accuracy"])["test_accuracy"].tolist() == [
        "0.60 ± 0.25 (n=3)",
        "0.77 ± 0.29 (n=3)",
    ]
    found = comparison.to_first(relu, tanh, "test_accuracy")
    assert found is not None
    # The same differences as by hand above: the seeds are paired.
    assert found.interval == pytest.approx((1 / 6 - 4.302653 * 0.1 / 3, 1 / 6 + 4.302653 * 0.1 / 3), rel=1e-6)


def test_pairs_are_the_seeds_that_both_have(tmp_path: Path) -> None:
    run(tmp_path / "a-aaaa000001", {0: 0.5, 1: 0.6, 5: 0.1}, **SETTINGS["tanh"])
    run(tmp_path / "b-aaaa000002", {1: 0.7, 0: 0.8, 7: 0.0}, **SETTINGS["relu"])
    settings = comparison.by_setting(comparison.load(sorted(tmp_path.iterdir())))
    table = comparison.differences_to_first(settings, ["test_accuracy"])
    assert table.to_numpy().tolist() == [["activation=relu", "0.2 ± 1.3 (n=2)"]]


def test_what_follows_the_seed_counts_as_the_seed(tmp_path: Path) -> None:
    for i in range(3):
        run(tmp_path / f"a-{i:010x}", {i: 0.5}, **{"seed": i, "dataset.seed": i})
        run(tmp_path / f"b-{i + 8:010x}", {i: 0.5}, **{"seed": i, "dataset.seed": i, "optimizer.lr": 0.5})
    settings = comparison.by_setting(comparison.load(sorted(tmp_path.iterdir())))
    assert [(one.label, one.seeds) for one in settings] == [
        ("optimizer.lr=0.05", [0, 1, 2]),
        ("optimizer.lr=0.5", [0, 1, 2]),
    ]
    run(tmp_path / "c-00000000ff", {3: 0.5}, **{"seed": 3, "dataset.seed": 0})  # from here on it is a setting
    assert len(comparison.by_setting(comparison.load(sorted(tmp_path.iterdir())))) > 2


def test_diverged_seeds_are_counted_over_all_runs(tmp_path: Path) -> None:
    run(tmp_path / "a-0000000001", {0: 0.5}, {0: 20}, **SETTINGS["tanh"], seed=0)
    run(tmp_path / "a-0000000002", {1: 0.5}, **SETTINGS["tanh"], seed=1)
    run(tmp_path / "b-0000000003", {0: 0.7, 1: 0.8}, **SETTINGS["relu"], seed=0, replicas=2)
    settings = comparison.by_setting(comparison.load(sorted(tmp_path.iterdir())))
    assert comparison.at_the_end(settings, ["test_accuracy"]).to_numpy().tolist() == [
        ["activation=tanh", "0.5 (n=1)", "1 of 2"],
        ["activation=relu", "0.8 ± 0.6 (n=2)", "0 of 2"],
    ]
    found = comparison.to_first(settings[1], settings[0], "test_accuracy")
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(0.3), 1)


def test_settings_by_their_one_number(tmp_path: Path) -> None:
    for i, (lr, activation) in enumerate([(0.1, "tanh"), (0.2, "tanh"), (0.1, "relu"), (1, "relu")]):
        run(tmp_path / f"a-{i:010x}", {0: 0.5}, **{"optimizer.lr": lr, "choices.activation": activation})
    settings = comparison.by_setting(comparison.load(sorted(tmp_path.iterdir())))
    name, lines = comparison.by_number(settings)
    assert name == "optimizer.lr"
    assert {label: [value for value, _ in points] for label, points in lines.items()} == {
        "activation=tanh": [0.1, 0.2],
        "activation=relu": [0.1, 1],
    }
    assert comparison.by_number(settings[::2]) == ("", {})  # no number differs
    run(tmp_path / "a-00000000ff", {0: 0.5}, **{"optimizer.lr": 0.1, "architecture.depth": 9})
    more = comparison.by_setting(comparison.load(sorted(tmp_path.iterdir())))
    assert comparison.by_number(more) == ("", {})  # two do


def test_settings_of_several_seeds_are_told_and_drawn(seeds: Path, cli: Callable[..., Said]) -> None:
    said = cli("compare", *(str(folder) for folder in sorted(seeds.iterdir())))
    assert said.status == 0, said
    lines = said.out.splitlines()
    assert "activation=tanh  0.60 ± 0.25 (n=3)" in lines
    assert "minus activation=tanh, seed by seed" in lines
    assert "activation=relu  0.17 ± 0.14 (n=3)" in lines
    assert "not counted, since runs of the same settings have the same seeds: aaaa000002" in lines
    assert lines[-1].endswith(".svg")
    figure = Path(lines[-1]).read_text()
    assert "activation=relu" in figure


def test_a_part_of_a_name_means_all_seeds_of_a_setting(seeds: Path, cli: Callable[..., Said]) -> None:
    said = cli("compare", "aaaa0000", "relu")
    assert said.status == 0, said
    assert "activation=tanh  0.60 ± 0.25 (n=3)" in said.out.splitlines()
    assert "activation=relu  0.17 ± 0.14 (n=3)" in said.out.splitlines()
    assert "6 runs have 'digits' in their name (aaaa000001: activation=tanh" in cli("compare", "digits", "relu").mistake
    (seeds / "relu-bbbb000001/summary.json").write_text("damaged")
    assert "3 runs have 'relu' in their name" in cli("compare", "aaaa0000", "relu").mistake
    assert "3 runs have 'relu' in their name" in cli("show", "relu").mistake


def test_runs_that_differ_in_the_seed_alone_are_told_one_by_one(seeds: Path, cli: Callable[..., Said]) -> None:
    said = cli("compare", "bbbb000000", "bbbb000001", "bbbb000002")
    assert "minus bbbb000000" not in said.out
    assert "bbbb000001  0.7 (n=1)" in said.out
    assert ["seed", "0", "1", "2"] in [line.split() for line in said.out.splitlines()]
    del seeds


def test_copies_are_the_same_run(tmp_path: Path) -> None:
    one, two = (run(tmp_path / where / "mlp-aaaa111111", {0: 0.5}) for where in ("a", "b"))
    with pytest.raises(UserError, match="same id"):
        comparison.load([one, two])
