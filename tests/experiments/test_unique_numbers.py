"""Counting different numbers: the counts themselves, the classes' prior, the curriculum, and that seeds decide all."""

import math
from fractions import Fraction
from itertools import product

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from conftest import check_resuming
from loading import error_of, load
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.protocol import Order
from repro.experiments.noisy_activations import unique_numbers as script
from repro.experiments.noisy_activations.datasets.unique_numbers import distinct
from repro.experiments.noisy_activations.schedules.growth import Growth
from repro.paths import experiments_dir
from repro.plots.experiment import Tables
from repro.plots.style import styled
from repro.schedules.annealing import InverseSqrt
from repro.training.run import train

YAML = experiments_dir() / "noisy_activations" / "unique_numbers.yaml"

WORDS = [
    "dataset=unique_numbers",
    "dataset.length=7",
    "dataset.values=4",
    "dataset.epoch_steps=6",
    "dataset.valid_size=30",
    "dataset.test_size=20",
    "architecture=lstm_classifier",
    "architecture.width=5",
    "architecture.embedding=4",
    "architecture.hidden=6",
    "optimizer=adam",
    "trainer.batch_size=8",
    "trainer.eval_steps=4",
    "trainer.steps=12",
    "diagnostics=none",
]


def feed(seeds=(0,), steps=10, curriculum=None, batch_size=8, **changes):
    return load("unique_numbers", **changes).feed(Order(seeds, batch_size, steps=steps, curriculum=curriculum))


def prior(length: int, values: int) -> list[Fraction]:
    """Shares of the sequences with 1, 2, ... different numbers: surjections onto so many of the values."""

    def onto(k: int) -> int:
        return sum((-1) ** i * math.comb(k, i) * (k - i) ** length for i in range(k + 1))

    return [Fraction(math.comb(values, k) * onto(k), values**length) for k in range(1, values + 1)]


# ---- counts ----


def test_counts_by_hand() -> None:
    x = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 1], [3, 1, 2, 0], [2, 2, 2, 1]])
    assert distinct(x, 4).tolist() == [1, 2, 4, 2]
    assert distinct(x[None].expand(2, 4, 4), 4).tolist() == [[1, 2, 4, 2]] * 2


def test_counts_equal_a_slow_twin() -> None:
    it = feed(seeds=(3, 4), batch_size=50)
    for step in range(3):
        batch = it.batch(step)
        assert batch.x.shape == (2, 50, 26)
        assert batch.y.shape == (2, 50)
        assert batch.fresh
        for x, y in zip(batch.x.flatten(0, 1).tolist(), batch.y.flatten().tolist(), strict=True):
            assert len(set(x)) == y + 1
            assert 0 <= min(x) <= max(x) < 11


def test_the_prior_of_small_cases_is_what_counting_all_sequences_gives() -> None:
    for length, values in ((1, 3), (3, 3), (4, 2), (2, 5)):
        counts = [len(set(x)) for x in product(range(values), repeat=length)]
        assert prior(length, values) == [Fraction(counts.count(k), len(counts)) for k in range(1, values + 1)]


def test_the_published_prior() -> None:
    eleven = [float(share) for share in prior(26, 11)]
    assert [round(share, 4) for share in eleven[6:]] == [0.0023, 0.0321, 0.1876, 0.4421, 0.3359]
    assert sum(eleven[:6]) < 1e-4
    assert round(100 * (1 - max(eleven)), 1) == 55.8
    assert round(100 * float(1 - max(prior(26, 10))), 1) == 52.1


@pytest.mark.parametrize("source", ["train", "valid"])
def test_classes_have_their_shares(source: str) -> None:
    n = 40_000
    y = feed(batch_size=n).batch(0).y[0] if source == "train" else feed(valid_size=n).splits["valid"].y
    found = torch.bincount(y, minlength=11) / n
    for share, expected in zip(found.tolist(), map(float, prior(26, 11)), strict=True):
        assert abs(share - expected) <= 4.5 * math.sqrt(expected * (1 - expected) / n) + 1e-12


# ---- what a data set has to say ----


def test_shape_and_sizes() -> None:
    data = load("unique_numbers")
    assert (data.name, data.source, data.shape, data.tokens, data.outputs) == ("unique_numbers", "", (), 11, 11)
    assert data.sizes == {"train": None, "valid": 2000, "test": 10_000}


def test_held_out_sequences_follow_from_the_data_set_s_seed_alone() -> None:
    one, other = feed(seeds=(0,)), feed(seeds=(5, 6), steps=None, curriculum=Growth(2, 0.5))
    for split, size in (("valid", 2000), ("test", 10_000)):
        x, y = (torch.cat([getattr(b, part) for b in one.batches(split)]) for part in ("x", "y"))
        assert x.shape == (size, 26)
        assert torch.equal(y, distinct(x, 11) - 1)
        assert torch.equal(x, torch.cat([b.x for b in other.batches(split)]))
        assert not torch.equal(x, feed(seed=1).splits[split].x)
    assert not torch.equal(one.splits["valid"].x, one.splits["test"].x[:2000])
    assert list(one.batches("train")) == []
    assert torch.equal(one.probe(4).x, other.probe(4).x)
    assert not torch.equal(one.probe(4).x, one.splits["valid"].x[:4])


# ---- order ----


def test_a_batch_follows_from_seed_and_step_whatever_came_before() -> None:
    one, other = feed(), feed()
    late = [one.batch(step) for step in (0, 1, 2, 3)][-1]
    assert torch.equal(late.x, other.batch(3).x)
    assert not torch.equal(late.x, one.batch(2).x)
    assert not torch.equal(late.x, feed(seeds=(1,)).batch(3).x)
    assert torch.equal(late.x, feed(seed=9).batch(3).x)


def test_stacked_seeds_are_the_seeds_one_by_one() -> None:
    curriculum = Growth(3, 0.5)
    stacked = feed(seeds=(0, 1, 2), curriculum=curriculum)
    for step in (0, 4, 9):
        batch = stacked.batch(step)
        for i in range(3):
            single = feed(seeds=(i,), curriculum=curriculum).batch(step)
            assert torch.equal(batch.x[i], single.x[0])
            assert torch.equal(batch.y[i], single.y[0])


# ---- curriculum ----


def test_growth_by_hand() -> None:
    grow = Growth(start=3, share=0.6)
    # 23 numbers more in 3600 of 6000 updates: one every 156.5.
    expected = {0: 3, 156: 3, 157: 4, 313: 4, 314: 5, 1800: 14, 3443: 24, 3444: 25, 3599: 25, 3600: 26, 5999: 26}
    assert {update: grow.length(update, 6000, 26) for update in expected} == expected
    assert [Growth(1, 1.0).length(update, 4, 5) for update in range(4)] == [1, 2, 3, 4]
    assert [Growth(5, 0.5).length(update, 4, 5) for update in range(4)] == [5, 5, 5, 5]
    assert Growth(3, 0.6).length(0, 0, 26) == 26  # a run without updates


def test_batches_grow_and_say_so() -> None:
    it = feed(steps=10, curriculum=Growth(3, 0.6), length=9)
    assert it.notes() == {"length": 3.0}
    seen = []
    for step in range(10):
        width = it.batch(step).x.shape[2]
        assert it.notes() == {"length": float(width)}
        seen.append(width)
    assert seen == [3, 4, 5, 6, 7, 8, 9, 9, 9, 9]
    assert all(b.x.shape[1] == 9 for b in it.batches("test"))
    assert feed(length=9).notes() == {"length": 9.0}


def test_growth_goes_by_epochs_where_there_are_no_steps() -> None:
    order = Order((0,), 8, steps=None, epochs=2, curriculum=Growth(1, 1.0))
    it = load("unique_numbers", length=5, epoch_steps=4).feed(order)
    assert it.per_epoch == 4
    assert [it.batch(step).x.shape[2] for step in range(8)] == [1, 1, 2, 2, 3, 3, 4, 4]


# ---- wrong options ----


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"length": 0}, ["length", "1 or more"]),
        ({"values": 1}, ["values", "2 or more"]),
        ({"epoch_steps": 0}, ["epoch_steps", "1 or more"]),
        ({"valid_size": -1}, ["valid_size", "-1"]),
        ({"test_size": 0.5}, ["test_size", "0.5"]),
        ({"seed": -1}, ["seed", "-1"]),
    ],
)
def test_wrong_option(changes: dict, parts: list[str]) -> None:
    text = error_of("unique_numbers", **changes)
    assert all(part in text for part in parts)


# ---- whole runs ----


def run(tmp_path, *words):
    return resolve(compose([*WORDS, f"results_dir={tmp_path}", *words]))


def lines(folder, table="curves.csv", seed=None):
    """The table's lines without the run's id, of one seed or of all."""
    rows = [line.split(",")[1:] for line in (folder / table).read_text().splitlines()[1:]]
    return [row for row in rows if seed in (None, row[0])]


BOTH = ["activation=noisy_tanh", "annealing=inverse_sqrt", "annealing.interval=1", "curriculum=growth"]


def test_an_interrupted_run_ends_as_if_nothing_had_been(tmp_path, monkeypatch) -> None:
    check_resuming(run, BOTH, 6, tmp_path, monkeypatch)


def test_schedules_are_written_down(tmp_path) -> None:
    folder = train(run(tmp_path, *BOTH)).folder
    noted = {(row[1], row[4]): float(row[5]) for row in lines(folder) if row[3] == "schedule"}
    # At update 4 the batch of step 3 was trained on last: 3 + floor(4 · 3 / 7.2) = 4 long.
    assert [noted[step, "length"] for step in ("0", "4", "8", "12")] == [3, 4, 6, 7]
    assert [noted[step, "c"] for step in ("0", "4", "8", "12")] == pytest.approx(
        [30 / math.sqrt(step + 1) for step in (0, 4, 8, 12)]
    )


def test_a_stacked_run_is_its_seeds_one_by_one(tmp_path) -> None:
    stacked = train(run(tmp_path, *BOTH, "replicas=2")).folder
    for seed in (0, 1):
        single = train(run(tmp_path, *BOTH, f"seed={seed}")).folder
        pairs = zip(lines(stacked, seed=str(seed)), lines(single), strict=True)
        for one, other in pairs:
            assert one[:5] == other[:5]
            assert float(one[5]) == pytest.approx(float(other[5]), rel=1e-3, abs=1e-5)


def test_a_net_learns_to_count(tmp_path) -> None:
    words = [
        "dataset.length=4",
        "dataset.values=3",
        "architecture.width=16",
        "optimizer.lr=0.02",
        "trainer.steps=150",
        "trainer.eval_steps=150",
        "trainer.batch_size=32",
        "dataset.valid_size=300",
    ]
    found = [float(row[5]) for row in lines(train(run(tmp_path, *words)).folder) if row[3:5] == ["valid", "accuracy"]]
    assert found[0] < 0.75
    assert found[-1] > 0.95


# ---- the experiment ----


def c_at_the_end(variant: str, words: list[str]) -> list[float]:
    """c when 80 % of a variant's updates are done, one update before that, and at the last one."""
    settings = dict(word.split("=") for word in words)
    steps, interval = int(settings.get("trainer.steps", 6000)), float(settings["annealing.interval"])
    anneal = InverseSqrt(30.0, 0.5, interval)
    assert variant.endswith("_half") == (steps == 3000)
    return [anneal(update) for update in (int(0.78 * steps), int(0.8 * steps) - 1, steps - 1)]


def test_annealing_ends_with_four_fifths_of_the_run() -> None:
    variants = OmegaConf.load(YAML).reproduction.variants
    annealed = [name for name in variants if "annealed" in name]
    assert len(annealed) == 9
    for name in annealed:
        before, nearly, end = c_at_the_end(name, list(variants[name]))
        assert 0.5 < before < 0.52
        assert nearly == pytest.approx(0.5, abs=1e-3)
        assert end == 0.5


def test_published_differences_are_those_of_table_5() -> None:
    claims = OmegaConf.load(YAML).reproduction.claims
    compared = [c for c in claims.values() if c.kind == "below" and isinstance(c.get("published"), float)]
    assert len(compared) == 24
    for claim in compared:
        rows = [name.removesuffix("_half").removesuffix("_torch_default") for name in (claim.than, claim.variant)]
        errors = [script.ROWS[row].published for row in rows]
        assert claim.published == pytest.approx(errors[1] - errors[0])
    rows = {c.variant: c.target for c in claims.values() if c.kind == "within"}
    assert rows == {name: pytest.approx(row.published) for name, row in script.ROWS.items() if row.published}


def test_chance_is_that_of_the_prior() -> None:
    assert pytest.approx(100 * float(1 - max(prior(26, 11))), abs=0.01) == script.CHANCE


def tables(folder, variants) -> Tables:
    """Made-up tables of two seeds a variant."""
    runs, curves = [], []
    for i, name in enumerate(variants):
        steps = 3 if name.endswith("_half") else 6
        for seed in range(2):
            runs.append((f"r{i}", name, seed, "done", "quick", 0.9 + 0.01 * seed, steps))
            for step in range(0, steps + 1):
                rows = [
                    ("valid", "accuracy", 0.4 + 0.09 * step),
                    ("schedule", "c", 30 / (step + 1)),
                    ("schedule", "length", 3 + step),
                ]
                curves += [(f"r{i}", name, seed, step, step / 3, *row) for row in rows]
    folder.mkdir()
    head = ["run", "variant", "seed", "status", "scale", "test_accuracy", "steps"]
    pd.DataFrame(runs, columns=head).to_csv(folder / "runs.csv", index=False)
    head = ["run", "variant", "seed", "step", "epoch", "split", "metric", "value"]
    pd.DataFrame(curves, columns=head).to_csv(folder / "curves.csv.gz", index=False)
    return Tables(folder)


def test_figures_from_tables(tmp_path) -> None:
    everything = list(OmegaConf.load(YAML).reproduction.variants)
    with styled():
        for i, variants in enumerate((everything, ["reference"], ["nan", "nan_half"])):
            made = tables(tmp_path / str(i), variants)
            assert set(script.figures(made)) == {"table5", "learning_curves"}
            assert script._errors(made.runs, variants[0]) == pytest.approx([10.0, 9.0])
