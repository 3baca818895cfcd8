"""The study of associative recall: its annealing, its claims and its figures."""

import math

import pandas as pd
import pytest
from omegaconf import OmegaConf

from repro.experiments.noisy_activations import associative_recall as script
from repro.paths import experiments_dir
from repro.plots.experiment import Tables
from repro.plots.style import styled
from repro.schedules.annealing import InverseSqrt

YAML = experiments_dir() / "noisy_activations" / "associative_recall.yaml"
PUBLISHED_LENGTH = 3  # vectors an item in the paper, as at scale full


def test_annealing_ends_with_four_fifths_of_the_run() -> None:
    file = OmegaConf.load(YAML)
    variants = file.reproduction.variants
    annealed = [name for name in variants if "annealing=inverse_sqrt" in variants[name]]
    assert annealed == [name for name in variants if name.endswith("_annealed")] != []
    steps = file.trainer.steps
    for name in annealed:
        (interval,) = (float(word.partition("=")[2]) for word in variants[name] if "interval" in word)
        anneal = InverseSqrt(30.0, 0.5, interval)
        assert 0.5 < anneal(int(0.78 * steps)) < 0.52
        assert anneal(int(0.8 * steps) - 1) == pytest.approx(0.5, abs=1e-3)
        assert anneal(steps - 1) == 0.5
    full = file.reproduction.scales.full.overrides["*annealed"]
    assert full == [f"annealing.interval={script.PUBLISHED_INTERVAL}"]
    assert InverseSqrt(30.0, 0.5, 200)(8000) == pytest.approx(4.7, abs=0.02)  # when the published curve falls


def test_claims_and_figures_mean_the_same() -> None:
    claims = OmegaConf.load(YAML).reproduction.claims
    bounds = {claim.metric.first_below for claim in claims.values() if "first_below" in claim.metric}
    assert bounds == {script.BOUND}
    regular = script.PUBLISHED["regular"][-1][1]
    assert claims.F9_regular_does_not.published == regular
    assert claims.F9_noisy_ends_lower_full.published == -regular
    # Items are shorter at the published scale, and so are all costs.
    shorter = OmegaConf.load(YAML).dataset.item_length / PUBLISHED_LENGTH
    assert claims.F9_regular_does_not_quick.published == pytest.approx(regular * shorter, abs=0.005)
    assert claims.F9_noisy_ends_lower.published == pytest.approx(-regular * shorter, abs=0.005)
    assert set(OmegaConf.load(YAML).reproduction.variants) == set(script.ARMS)


def tables(folder, variants) -> Tables:
    """Made-up tables of two seeds a variant: costs that fall from chance for items of two vectors, or do not."""
    rows = []
    for i, name in enumerate(variants):
        for seed in range(2):
            for step in range(0, 60, 10):
                cost = 2 * math.log(2) * (1 - step / 60 * (seed if i else 1))
                rows.append((f"r{i}", name, seed, step, step / 100, "valid", "loss", cost))
                if name.endswith("_annealed"):
                    rows.append((f"r{i}", name, seed, step, step / 100, "schedule", "c", 30 / (step + 1)))
    folder.mkdir()
    head = ["run", "variant", "seed", "step", "epoch", "split", "metric", "value"]
    pd.DataFrame(rows, columns=head).to_csv(folder / "curves.csv.gz", index=False)
    return Tables(folder)


def test_figures_from_tables(tmp_path) -> None:
    with styled():
        for i, variants in enumerate((script.ARMS, ["regular"], ["noisy_annealed", "leak"])):
            made = tables(tmp_path / str(i), list(variants))
            assert set(script.figures(made)) == {"figure9", "speed"}
            assert script._chance(made.curves[made.curves["metric"] == "loss"]) == 2 * math.log(2)
        assert script.figures(tables(tmp_path / "none", [])) == {}


def test_first_update_below_the_bound() -> None:
    def reached(*costs: float) -> tuple[float, float, bool]:
        return script._reached(pd.DataFrame({"step": range(0, 10 * len(costs), 10), "value": costs}))

    assert reached(1.4, 0.6, 0.8, 0.5) == (10, 0.5, False)
    assert reached(1.4, 0.7, 0.8) == (20, 0.8, True)
