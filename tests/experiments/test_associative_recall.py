"""Associative recall: the layout by hand, what follows from which seed, the cost against a slow twin, whole runs."""

import math

import pandas as pd
import pytest
import torch

from conftest import check_resuming
from loading import error_of, load
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.protocol import Order
from repro.errors import UserError
from repro.experiments.noisy_activations.datasets.associative_recall import LONG, sequences
from repro.experiments.noisy_activations.tasks.recall import Recall
from repro.model.architectures.recurrence import call
from repro.paths import experiments_dir
from repro.tasks import Classification
from repro.training import prepare
from repro.training.run import train

YAML = experiments_dir() / "noisy_activations" / "associative_recall.yaml"

SMALL = {"max_items": 5, "item_length": 2, "bits": 3, "eval_items": [2, 4], "valid_size": 7, "test_size": 5}
WORDS = [
    "dataset=associative_recall",
    "dataset.max_items=3",
    "dataset.item_length=2",
    "dataset.bits=3",
    "dataset.eval_items=[2,3]",
    "dataset.valid_size=8",
    "dataset.test_size=4",
    "dataset.epoch_steps=4",
    "task=recall",
    "architecture=ntm",
    "architecture.depth=1",
    "architecture.width=6",
    "architecture.rows=5",
    "architecture.features=4",
    "optimizer=adam",
    "trainer.batch_size=6",
    "trainer.steps=8",
    "trainer.eval_steps=4",
    "diagnostics=none",
]


def feed(seeds=(0,), batch_size=6, curriculum=None, **changes):
    return load("associative_recall", **{**SMALL, **changes}).feed(Order(seeds, batch_size, curriculum=curriculum))


# ---- the layout ----


def test_a_sequence_by_hand() -> None:
    items = torch.tensor([[[[1, 0], [1, 1]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]]], dtype=torch.float32)
    x, y = sequences(items, torch.tensor([1]))
    assert x[0].tolist() == [
        [0, 0, 1, 0],  # an item
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],  # an item
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 1, 0],  # an item
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 1],  # the second one again
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 1],  # and now the one after it
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert y[0].tolist() == [[0, 0], [1, 0]]


def slow_answer(x, bits: int, length: int):
    """The item after the query, found by reading a sequence; None where several items are the query."""
    blocks = [x[i + 1 : i + 1 + length, :bits].tolist() for i in range(0, len(x), length + 1)]
    places = [i for i, item in enumerate(blocks[:-2]) if item == blocks[-2]]
    assert blocks[-1] == [[0.0] * bits] * length
    return blocks[places[0] + 1] if len(places) == 1 else None


def test_targets_are_what_reading_finds() -> None:
    batch = feed(batch_size=50, bits=6).batch(3)
    found = [(slow_answer(x, 6, 2), y.tolist()) for x, y in zip(batch.x[0], batch.y[0], strict=True)]
    told = [(answer, target) for answer, target in found if answer is not None]
    assert len(told) > 40
    assert all(answer == target for answer, target in told)


@pytest.mark.parametrize("items", [2, 5, 16])
def test_length_flags_and_shares(items: int) -> None:
    data = load("associative_recall", min_items=items, max_items=items)
    x, y = data.drawn(torch.Generator().manual_seed(0), 400, items)
    assert x.shape == (400, 4 * (items + 2), 8)
    assert y.shape == (400, 3, 6)
    assert x.dtype == y.dtype == torch.float32
    assert set(x.unique().tolist()) == {0, 1}
    assert (x[..., 6].sum(1) == items).all()
    assert (x[..., 7].sum(1) == 2).all()
    assert abs(y.mean() - 0.5) < 4.5 * 0.5 / math.sqrt(y.numel())


def test_every_item_but_the_last_is_asked_about_alike() -> None:
    n, items = 6000, 4
    x, _ = load("associative_recall", bits=12).drawn(torch.Generator().manual_seed(0), n, items)
    blocks = x[:, :, :12].unflatten(1, (items + 2, 4))
    same = (blocks[:, :items] == blocks[:, items : items + 1]).all(-1).all(-1)  # (n, items)
    share = same.double().mean(0)
    assert share[-1] == 0
    assert (share[:-1] - 1 / 3).abs().max() < 4.5 * math.sqrt(2 / 9 / n)


# ---- what a data set has to say ----


def test_shape_and_sizes() -> None:
    data = load("associative_recall")
    assert (data.name, data.source, data.shape, data.tokens, data.outputs) == ("associative_recall", "", (8,), None, 6)
    assert data.sizes == {"train": None, "valid": 1000, "test": 1000}
    assert feed(epoch_steps=9).per_epoch == 9


def test_evaluation_goes_through_every_number_of_items() -> None:
    size = LONG + 3
    for split in ("valid", "test"):
        batches = list(feed(**{f"{split}_size": size}).batches(split))
        assert [tuple(b.x.shape) for b in batches] == [(LONG, 12, 5), (3, 12, 5), (LONG, 18, 5), (3, 18, 5)]
        assert all(b.fresh and b.y.shape == (len(b.x), 2, 3) for b in batches)
    assert list(feed(valid_size=0).batches("valid")) == []
    assert list(feed().batches("train")) == []


def test_held_out_sequences_follow_from_the_data_set_s_seed_alone() -> None:
    one, other, third = feed(), feed(seeds=(5, 6), batch_size=2), feed(seed=1)
    for split in ("valid", "test"):
        for a, b, c in zip(*(f.batches(split) for f in (one, other, third)), strict=True):
            assert torch.equal(a.x, b.x)
            assert torch.equal(a.y, b.y)
            assert not torch.equal(a.x, c.x)
    first = [next(iter(feed(test_size=7).batches(split))).x for split in ("valid", "test")]
    assert not torch.equal(*first)
    assert torch.equal(one.probe(4).x, other.probe(4).x)
    assert one.probe(4).x.shape == (4, 3 * 7, 5)
    assert one.probe(4).y.shape == (4, 2, 3)


# ---- order ----


def test_a_batch_follows_from_seed_and_step_whatever_came_before() -> None:
    one, other = feed(), feed()
    late = [one.batch(step) for step in range(4)][-1]
    assert torch.equal(late.x, other.batch(3).x)
    assert torch.equal(late.y, other.batch(3).y)
    assert late.fresh
    other_seed = feed(seeds=(1,)).batch(3)
    assert other_seed.x.shape == late.x.shape
    assert not torch.equal(late.x, other_seed.x)


def test_stacked_seeds_are_the_seeds_one_by_one() -> None:
    stacked = feed(seeds=(0, 1, 2))
    for step in range(6):
        batch = stacked.batch(step)
        for i in range(3):
            single = feed(seeds=(i,)).batch(step)
            assert torch.equal(batch.x[i], single.x[0])
            assert torch.equal(batch.y[i], single.y[0])


def test_numbers_of_items_are_uniform_and_go_by_the_data_set_s_seed() -> None:
    def items(n: int, **changes) -> list[int]:
        it = feed(batch_size=1, **changes)
        return [it.batch(step).x.shape[2] // 3 - 2 for step in range(n)]

    n = 800
    found = items(n)
    counts = torch.bincount(torch.tensor(found), minlength=6)
    assert counts[:2].tolist() == [0, 0]
    assert (counts[2:] / n - 0.25).abs().max() < 4.5 * math.sqrt(0.25 * 0.75 / n)
    assert items(50, seeds=(9,)) == found[:50]
    assert items(50, seed=1) != found[:50]


# ---- wrong options ----


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"min_items": 1}, ["min_items", "2 or more"]),
        ({"min_items": 6}, ["max_items", "6 or more", "5"]),
        ({"item_length": 0}, ["item_length", "1 or more"]),
        ({"bits": 0}, ["bits", "1 or more"]),
        ({"epoch_steps": 0}, ["epoch_steps", "1 or more"]),
        ({"eval_items": []}, ["eval_items", "[2, 16]"]),
        ({"eval_items": [4, 1]}, ["eval_items", "2 or more", "1"]),
        ({"valid_size": -1}, ["valid_size", "-1"]),
        ({"test_size": 0.5}, ["test_size", "0.5"]),
        ({"seed": -1}, ["seed", "-1"]),
    ],
)
def test_wrong_option(changes: dict, parts: list[str]) -> None:
    text = error_of("associative_recall", **{**SMALL, **changes})
    assert all(part in text for part in parts)


# ---- the task ----


def random(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    output = torch.randn(4, 9, 5, dtype=torch.float64, generator=rng)
    return output, torch.randint(2, (4, 3, 5), generator=rng).double()


def test_the_cost_is_summed_over_time_and_averaged_over_bits_and_sequences() -> None:
    output, target = random()
    total, wrong = 0.0, 0
    for says, is_ in zip(output, target, strict=True):
        for t in range(3):
            chances = [1 / (1 + math.exp(-z)) for z in says[6 + t].tolist()]
            bits = is_[t].tolist()
            total -= sum(math.log(p if bit else 1 - p) for p, bit in zip(chances, bits, strict=True)) / 5
            wrong += sum((p > 0.5) != bool(bit) for p, bit in zip(chances, bits, strict=True))
    scores = Recall().measure(output, target)
    assert scores["loss"].item() == pytest.approx(total / 4)
    assert scores["bit_error"].item() == pytest.approx(wrong / 60)
    assert Recall().objective(scores, target) is scores["loss"]
    assert Recall().count(target) == 4
    chance = Recall().measure(Recall().example(target, 5), target)["loss"].item()
    assert chance == pytest.approx(3 * math.log(2))


def test_the_last_step_alone() -> None:
    output, target = random()
    whole, last = Recall().measure(output, target)["loss"], Recall().last(output, target)
    assert last == Recall().measure(output[:, -1:], target[:, -1:])["loss"]
    assert 0 < last < whole


def test_only_the_last_steps_get_a_gradient() -> None:
    output, target = random()
    output.requires_grad_()
    Recall().measure(output, target)["loss"].backward()
    assert (output.grad[:, :6] == 0).all()
    assert (output.grad[:, 6:] != 0).all()


def test_targets_of_another_kind() -> None:
    Recall().check(feed().probe(2).y, "associative_recall")
    for wrong in (torch.zeros(3, dtype=torch.int64), torch.zeros(3, 2), torch.full((3, 2, 2), 0.5)):
        with pytest.raises(UserError, match="task=recall needs bits at the last steps, and dataset toy has none"):
            Recall().check(wrong, "toy")
    with pytest.raises(UserError, match="a prediction at every step"):
        Recall().measure(torch.zeros(4, 5), torch.zeros(4, 3, 5))
    with pytest.raises(UserError, match="task=classification"):
        Classification().check(feed().probe(2).y, "associative_recall")


# ---- whole runs ----


def run(tmp_path, *words):
    return resolve(compose([*WORDS, f"results_dir={tmp_path}", *words]))


def curves(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "curves.csv")


NOISY = ["activation=noisy_tanh", "annealing=inverse_sqrt", "annealing.interval=1"]


def test_an_interrupted_run_ends_as_if_nothing_had_been(tmp_path, monkeypatch) -> None:
    check_resuming(run, NOISY, 5, tmp_path, monkeypatch)


def test_a_stacked_run_is_its_seeds_one_by_one(tmp_path) -> None:
    stacked = curves(train(run(tmp_path, *NOISY, "replicas=2")).folder)
    for seed in (0, 1):
        single = curves(train(run(tmp_path, *NOISY, f"seed={seed}")).folder)
        own = stacked[stacked["seed"] == seed].reset_index(drop=True)
        keys = ["step", "split", "metric"]
        assert own[keys].equals(single[keys])
        assert own["value"].tolist() == pytest.approx(single["value"].tolist(), rel=1e-3, abs=1e-5)
        assert {"loss", "bit_error", "c"} <= set(own["metric"])


def test_numbers_of_items_count_alike_in_evaluation(tmp_path) -> None:
    words = ["trainer.steps=0", "initialization=uniform", "initialization.bound=3"]
    found = curves(train(run(tmp_path, *words)).folder)
    parts = prepare.components(run(tmp_path, *words))
    data, it = prepare.read_data(run(tmp_path, *words), parts, torch.device("cpu"))
    (machine,) = prepare.models(run(tmp_path, *words), parts, data)
    for split in ("valid", "test"):
        costs = [Recall().measure(call(machine, b.x)[0], b.y)["loss"].item() for b in it.batches(split)]
        assert len(costs) == 2
        told = found[(found["split"] == split) & (found["metric"] == "loss")]["value"].tolist()
        assert told == [pytest.approx(sum(costs) / 2, rel=1e-5)]
        assert abs(costs[0] - costs[1]) > 0.01


@pytest.mark.parametrize("controller", ["feedforward", "lstm"])
def test_an_ntm_learns_to_recall(tmp_path, controller: str) -> None:
    """Two items of one vector: the answer is the second item, which is to be held for a while."""
    words = [
        "dataset.max_items=2",
        "dataset.item_length=1",
        "dataset.bits=4",
        "dataset.eval_items=[2]",
        "dataset.valid_size=200",
        "dataset.test_size=0",
        "architecture.width=24",
        "optimizer.lr=0.01",
        "initialization=uniform",
        "initialization.bound=0.2",
        "trainer.clip_norm=10",
        "trainer.batch_size=32",
        "trainer.steps=150",
        "trainer.eval_steps=150",
    ]
    found = curves(train(run(tmp_path, *words, f"architecture.controller={controller}")).folder)
    valid = found[(found["split"] == "valid") & (found["metric"] == "loss")]["value"].tolist()
    assert valid[0] == pytest.approx(math.log(2), rel=0.05)
    assert valid[-1] < 0.5 * math.log(2)
