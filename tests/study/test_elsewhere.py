"""Which scales are entitled to verdicts, and what was trained at the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Said
from fabricated import write_csv
from repro.claims.verdicts import NO_VERDICT
from repro.storage.tables import read
from repro.study.elsewhere import LOOSE, other_scales, trained_elsewhere
from repro.study.experiment import SCALES, Experiment, load, names
from repro.study.judging import judge

COLUMNS = ("run", "variant", "seed", "status", "scale")
NAME = "training_deep_networks/depth_and_activation"


def collected(folder: Path, scale: str, runs: int, seeds: int = 1) -> None:
    rows = [(f"{scale}{run}", "tanh", seed, "done", scale) for run in range(runs) for seed in range(seeds)]
    write_csv(folder / "runs.csv", COLUMNS, rows)


@pytest.mark.parametrize(
    ("published", "entitled"), [("full", {"full"}), ("quick", {"quick", "full"}), ("reduced", {"reduced", "full"})]
)
def test_scales_entitled_to_verdicts(published: str, entitled: set[str]) -> None:
    one = Experiment("p/e", {"published_scale": published, "scales": {}})
    assert {scale for scale in (*SCALES, "reduced", "custom", "mixed") if one.judged_at(scale)} == entitled
    assert one.judged_at("published")


@pytest.mark.parametrize("name", names())
def test_smoke_and_settings_of_ones_own_decide_nothing(name: str) -> None:
    one = load(name)
    assert one.judged_at(one.published_scale)
    assert not one.judged_at("smoke")
    assert not one.judged_at("custom")


@pytest.mark.parametrize("scales", [("smoke",), ("quick",), ("custom",), ("full", "smoke")])
def test_claims_of_other_scales_have_no_verdict(scales: tuple[str, ...], tmp_path: Path) -> None:
    claim = {
        "says": "It is so.",
        "source": "Table 1",
        "kind": "above",
        "metric": "test_accuracy",
        "variant": "tanh",
        "bound": 0.5,
    }
    one = Experiment("p/e", {"variants": {"tanh": []}, "claims": {"c": claim}})
    rows = [("r", "tanh", seed, "done", scales[seed % len(scales)], 0.9) for seed in range(4)]
    write_csv(tmp_path / "runs.csv", (*COLUMNS, "test_accuracy"), rows)
    assert judge(one, tmp_path)["verdict"].tolist() == [NO_VERDICT]
    write_csv(tmp_path / "runs.csv", (*COLUMNS, "test_accuracy"), [(*row[:4], "full", 0.9) for row in rows])
    assert judge(one, tmp_path)["verdict"].tolist() == ["reproduced"]


def test_what_was_trained_elsewhere(tmp_path: Path) -> None:
    one = load(NAME)
    assert other_scales(one, tmp_path) == []
    collected(tmp_path / NAME / "smoke", "smoke", 3, seeds=2)
    collected(tmp_path / NAME / "custom", "custom", 2)
    for run in ("smoke1", "planned", "byhand", "unfinished"):
        folder = tmp_path / "runs" / NAME / f"mlp-tanh-{run}"
        folder.mkdir(parents=True)
        if run != "unfinished":
            (folder / "done.json").write_text("{}")
    assert [other.scale for other in other_scales(one, tmp_path)] == ["custom", "smoke"]
    assert trained_elsewhere(one, tmp_path, ["planned"]) == {"custom": 2, "smoke": 3, LOOSE: 1}
    collected(tmp_path / NAME, "full", 1)
    assert trained_elsewhere(one, tmp_path, ["planned"], "smoke") == {"custom": 2, "full": 1, LOOSE: 2}
    assert set(read(tmp_path / NAME / "runs.csv")["scale"]) == {"full"}


def test_status_names_what_was_trained_besides(cli: Callable[..., Said]) -> None:
    assert "besides" not in cli("status", NAME).out
    collected(Path("results") / NAME / "smoke", "smoke", 3)
    header, _, row = cli("status", NAME).out.splitlines()
    assert header.endswith("trained besides")
    assert row.endswith("smoke 3")
    # Of the scale itself they are no others; these are no longer its runs.
    assert "besides" not in (said := cli("status", NAME, "--scale", "smoke").out)
    assert said.splitlines()[-1].split()[-1] == "3"
