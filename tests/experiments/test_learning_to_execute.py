"""Learning to Execute: the streams made of programs, and the curricula."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from test_programs import author, printed

from loading import error_of, load
from repro.config.build import build
from repro.config.compose import compose
from repro.config.groups import option_files
from repro.config.run import resolve
from repro.datasets.protocol import Order
from repro.errors import UserError
from repro.experiments.noisy_activations.datasets.learning_to_execute import NO_ANSWER, pack
from repro.experiments.noisy_activations.datasets.programs import ALPHABET, kind_of, longest, programs
from repro.experiments.noisy_activations.schedules.growth import Growth
from repro.experiments.noisy_activations.schedules.programs import Clock, Programs
from repro.tasks import IGNORED
from repro.training.loop import Loop
from repro.training.run import train

NAME = "learning_to_execute"
SMALL = {
    "length": 2,
    "nesting": 1,
    "window": 10,
    "epoch_steps": 12,
    "characters": 101,
    "valid_streams": 3,
    "test_streams": 6,
    "test_glance": 2,
}
WORDS = [
    f"dataset={NAME}",
    *(f"dataset.{k}={v}" for k, v in SMALL.items()),
    "task=sequence",
    "architecture=lstm",
    "architecture.width=5",
    "architecture.depth=1",
    "trainer.batch_size=4",
    "diagnostics=none",
]


def curriculum(name: str, **changes: Any) -> Programs:
    settings = OmegaConf.to_container(OmegaConf.load(option_files("curriculum")[name]))
    return build(settings | changes, "curriculum")


# ---- streams ----


def text(numbers: torch.Tensor) -> str:
    return "".join(ALPHABET[i] for i in numbers.tolist())


def check_stream(x: torch.Tensor, y: torch.Tensor, kind: int) -> list[str]:
    """That a stream holds whole programs of one kind, whose answers are to be predicted; the programs."""
    read, found = text(x), []
    wanted = torch.full_like(y, NO_ANSWER)
    place = 0
    while "@" in read[place:]:
        begins = read.index("@", place) + 1
        ends = read.find(".", begins)
        if ends < 0:  # the dot is the character that is never read
            ends, read = len(read), f"{read}."
        assert kind_of(read[place : ends + 1]) == kind
        assert printed(read[place:begins]) == read[begins : ends + 1]
        numbers = [ALPHABET.index(c) for c in read[begins : ends + 1]]
        wanted[begins - 1 : ends] = torch.tensor(numbers)
        found.append(read[place : ends + 1])
        place = ends + 1
    assert set(read[place:]) <= {"#"}
    assert torch.equal(y, wanted)
    return found


def test_pack() -> None:
    assert NO_ANSWER == IGNORED
    x, y = pack(author(2, 1), 1, 20, 150)
    assert x.shape == y.shape == (20, 149)
    assert x.dtype == y.dtype == torch.int64
    found = [program for row in zip(x, y, strict=True) for program in check_stream(*row, kind=1)]
    again = programs(author(2, 1), 1)  # none is left out between streams, and none is written twice
    assert found == ["".join(next(again)) for _ in found]
    assert all((150 - len(text(row).rstrip("#"))) < longest(2, 1) for row in x)


def feed(seeds: tuple[int, ...] = (0,), rules: Any = None, steps: int | None = 30, **changes: Any) -> Any:
    return load(NAME, **{**SMALL, **changes}).feed(Order(seeds, 4, steps=steps, curriculum=rules))


def test_data_set() -> None:
    data = load(NAME)
    assert (data.name, data.source, data.shape, data.tokens, data.outputs) == (NAME, "", (), 42, 42)
    assert data.sizes == {"train": None, "valid": 100, "test": 900}


def test_training_windows_follow_each_other() -> None:
    one = feed()
    assert one.per_epoch == 12
    first, second = ([one.batch(step) for step in range(start, start + 12)] for start in (0, 12))
    for batches in (first, second):
        assert [batch.fresh for batch in batches] == [True] + 11 * [False]
        assert all(batch.x.shape == batch.y.shape == (1, 4, 10) for batch in batches)
        x, y = (torch.cat([getattr(batch, name)[0] for batch in batches], 1) for name in "xy")
        for row in zip(x, y, strict=True):
            check_stream(*row, kind=0)
    assert not torch.equal(first[0].x, second[0].x)
    probe = feed().probe(3)
    assert torch.equal(probe.x, first[0].x[0, :3])
    assert torch.equal(probe.y, first[0].y[0, :3])


def test_seeds_have_programs_of_their_own_and_share_what_is_held_out() -> None:
    both, other = feed((4, 5)), feed((5,))
    assert torch.equal(both.batch(3).x[1], other.batch(3).x[0])
    assert not torch.equal(both.batch(3).x[0], both.batch(3).x[1])
    for split in ("valid", "test"):
        for mine, its in zip(both.batches(split), other.batches(split), strict=True):
            assert torch.equal(mine.x, its.x)
    assert list(both.batches("train")) == []


@pytest.mark.parametrize(("split", "kind", "streams"), [("valid", 1, 3), ("test", 2, 2)])
def test_what_is_held_out(split: str, kind: int, streams: int) -> None:
    batches = list(feed(window=30).batches(split))
    assert [batch.fresh for batch in batches] == [True, False, False, False]
    assert [batch.x.shape for batch in batches] == [(streams, width) for width in (30, 30, 30, 10)]
    x, y = (torch.cat([getattr(batch, name) for batch in batches], 1) for name in "xy")
    for row in zip(x, y, strict=True):
        check_stream(*row, kind=kind)
    other = next(feed(window=30, seed=1).batches(split))
    assert not torch.equal(other.x, batches[0].x)


def test_all_of_test_is_read_at_the_end() -> None:
    one = feed(steps=3)
    glance = list(one.batches("test"))
    assert one.notes()["test_answers"] == sum((b.y != NO_ANSWER).sum().item() for b in glance)
    for step in range(3):
        assert next(one.batches("test")).x.shape == (2, 10)
        one.batch(step)
    whole = list(one.batches("test"))
    assert all(batch.x.shape == (6, 10) for batch in whole)
    assert all(torch.equal(a.x[:2], b.x) for a, b in zip(whole, glance, strict=True))
    assert one.notes()["test_answers"] == sum((b.y != NO_ANSWER).sum().item() for b in whole)


# ---- curricula ----


def test_levels() -> None:
    clock = Clock(curriculum("combined"), (3, 2))
    seen = [(clock.level, clock.progress)]
    while clock.rate == 1.0:
        assert clock.observe(0.1, 0.96)
        seen.append((clock.level, clock.progress))
    assert [level for level, _ in seen] == [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (3, 2)]
    assert [progress for _, progress in seen] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    assert (clock.changes, clock.rate) == (6, 0.8)
    while not clock.finished:
        clock.observe(0.1, 0.96)
    assert clock.rate == pytest.approx(0.8**28)  # the first below 0.001 of 0.5
    assert Clock(curriculum("combined"), (1, 1)).progress == 1.0


def test_training_accuracy_moves_the_level_on() -> None:
    clock = Clock(curriculum("combined"), (6, 3))
    heard = [0.5, 0.4, 0.3, 0.2, 0.1]
    assert not any(clock.observe(train, 0.95) for train in heard)  # worse and worse, but only five so far
    assert not clock.observe(0.6, 0.1)  # better than five before
    assert clock.observe(0.35, 0.1)  # 0.4 was five before
    assert (clock.level, clock.heard) == ((2, 1), [0.35])
    assert not any(clock.observe(train, 0.1) for train in (0.3, 0.3, 0.3, 0.3))
    assert not clock.observe(0.35, 0.1)  # no worse than at the change
    assert not clock.observe(0.30, 0.1)
    assert clock.observe(0.29, 0.1)
    assert not Clock(curriculum("combined", patience=9), (6, 3)).observe(float("nan"), float("nan"))


@pytest.mark.parametrize(
    ("name", "usual", "share"),
    [("baseline", (6, 3), 1.0), ("naive", (2, 1), 1.0), ("mix", (2, 1), 1 / 18), ("combined", (2, 1), 0.8 + 0.2 / 18)],
)
def test_strategies(name: str, usual: tuple[int, int], share: float) -> None:
    clock = Clock(curriculum(name), (6, 3))
    clock.observe(0.0, 1.0)
    difficulty = clock.difficulty(Random(0))
    drawn = Counter(difficulty() for _ in range(18000))
    assert drawn[usual] / 18000 == pytest.approx(share, abs=0.01)
    if share < 1:
        assert set(drawn) == {(length, nesting) for length in range(1, 7) for nesting in range(1, 4)}
        rest = [count for level, count in drawn.items() if level != usual]
        assert max(rest) / min(rest) < 1.5


def digits(batches: Any) -> int:
    """Digits of the longest number in what is read."""
    read = text(torch.cat([batch.x.reshape(-1, batch.x.shape[-1]) for batch in batches], 1)[0])
    return max(map(len, "".join(c if c.isdigit() else " " for c in read).split()))


def test_the_feed_follows_its_curriculum() -> None:
    one = feed(rules=curriculum("naive"), length=4, epoch_steps=50, characters=501)
    assert one.notes()["length"] == 1
    assert digits(one.batches("valid")) <= 3  # 1 to 10, and 10 times 4
    assert digits(one.batches("test")) >= 4
    before, valid = [one.batch(step) for step in range(20)], list(one.batches("valid"))
    one.observe({"valid_accuracy": 0.0})  # before the first update there is no training accuracy
    one.observe({"train_accuracy": 0.5, "valid_accuracy": 0.5})
    assert not one.batch(20).fresh
    for level in (2, 3, 4):
        one.observe({"train_accuracy": 0.5, "valid_accuracy": 0.99})
        assert one.notes() | {"test_answers": 0} == {
            "length": level,
            "nesting": 1,
            "progress": (level - 1) / 3,
            "test_answers": 0,
        }
    assert (one.rate, one.finished) == (1.0, False)
    assert digits(one.batches("valid")) >= 4
    assert not torch.equal(next(one.batches("valid")).x, valid[0].x)
    after = [one.batch(step) for step in range(21, 50)]
    assert [batch.fresh for batch in after] == [True] + 28 * [False]  # new streams from their beginning
    assert digits(after) >= 4 > digits(before)
    assert one.batch(50).fresh
    one.observe({"train_accuracy": 0.5, "valid_accuracy": 0.99})
    assert one.rate == 0.8
    one.clock.rate = 0.0021
    one.observe({"train_accuracy": 0.5, "valid_accuracy": 0.99})
    assert one.finished


def test_the_feed_goes_on_where_it_was() -> None:
    one, other = (feed((3,), curriculum("combined")) for _ in range(2))
    for step in range(17):
        one.batch(step)
        if step % 4 == 2:
            one.observe({"train_accuracy": 0.5, "valid_accuracy": 0.99})
    assert one.rate < 1
    other.restore(one.state())
    for step in range(17, 40):
        mine, its = one.batch(step), other.batch(step)
        assert mine.fresh == its.fresh
        assert torch.equal(mine.x, its.x)
        assert torch.equal(mine.y, its.y)
    assert torch.equal(next(one.batches("valid")).x, next(other.batches("valid")).x)
    assert (one.rate, one.notes(), one.state()) == (other.rate, other.notes(), other.state())
    assert feed().state() == {}
    feed().restore({})


# ---- runs ----


def run_of(folder: Path, *words: str) -> Any:
    return resolve(compose([*WORDS, f"results_dir={folder}", *words]))


def curves_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "curves.csv").set_index(["split", "metric", "step"])["value"].sort_index()


LEVELS = [
    "curriculum=combined",
    "curriculum.accuracy=0.01",
    "trainer.steps=18",
    "trainer.eval_steps=4",
    "trainer.eval_offset=3",
    "trainer.checkpoint_seconds=0",
    "activation=noisy_tanh",
]


def test_interrupted_run_ends_as_if_nothing_had_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(run_of(tmp_path / "whole", *LEVELS)).folder
    advance = Loop.advance

    def stopping(loop: Any) -> Any:
        if loop.step == stops[0]:
            raise KeyboardInterrupt
        return advance(loop)

    stops = [6, 13]  # in the middle of an epoch, before and after a change
    while stops:
        with monkeypatch.context() as patch:
            patch.setattr(Loop, "advance", stopping)
            with pytest.raises(KeyboardInterrupt):
                train(run_of(tmp_path / "other", *LEVELS))
        stops.pop(0)
    other = train(run_of(tmp_path / "other", *LEVELS)).folder
    assert (other / "curves.csv").read_bytes() == (whole / "curves.csv").read_bytes()
    curves = curves_of(whole)
    assert curves["schedule", "length"].max() == 2
    assert curves["train", "learning_rate"].nunique() > 2


def test_a_small_net_learns(tmp_path: Path) -> None:
    words = [
        "dataset.length=1",
        "dataset.epoch_steps=60",
        "architecture.width=16",
        "trainer.steps=120",
        "optimizer.lr=0.5",
        "optimizer.momentum=0",
        "trainer.clip_norm=5",
        "trainer.batch_size=16",
    ]
    curves = curves_of(train(run_of(tmp_path, *words)).folder)
    assert curves["valid", "loss", 0] == pytest.approx(3.74, abs=0.1)  # ln 42
    assert curves["valid", "loss", 120] < 2.4
    assert curves["valid", "accuracy", 120] > 0.3


def test_stacked_seeds_without_a_curriculum(tmp_path: Path) -> None:
    words = ["trainer.steps=3", "optimizer.lr=0.5"]
    stacked = pd.read_csv(train(run_of(tmp_path, *words, "replicas=2", "seed=1")).folder / "curves.csv")
    alone = pd.read_csv(train(run_of(tmp_path, *words, "seed=2")).folder / "curves.csv")
    mine = stacked[stacked["seed"] == 2].set_index(["step", "split", "metric"])["value"]
    its = alone.set_index(["step", "split", "metric"])["value"]
    pd.testing.assert_series_equal(mine, its, rtol=1e-4)


# ---- refusals ----


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("length", 0, "length must be a whole number of 1 or more"),
        ("length", 16, "length must be at most 15, not 16"),
        ("nesting", 11, "nesting must be at most 10, not 11"),
        ("test_glance", 901, "test_glance must be at most 900, not 901"),
        ("characters", 131, "characters must be 132 or more, as long as a program of length=6 and nesting=3 can get"),
        ("epoch_steps", 2, "epoch_steps + 1 must be 132 or more"),
        ("valid_streams", 0, "valid_streams must be a whole number of 1 or more"),
        ("seed", -1, "seed must be"),
    ],
)
def test_wrong_options(option: str, value: int, says: str) -> None:
    assert says in error_of(NAME, **{option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [("mixed", 1.5), ("accuracy", 0.0), ("patience", 0), ("decay", 0.0), ("least", 1.0), ("otherwise", "often")],
)
def test_wrong_curricula(option: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"curriculum.{option}"):
        curriculum("combined", **{option: value})


def test_what_does_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not go with replicas=2: it goes by scores.*-m seed=range\(2\)$"):
        feed((0, 1), curriculum("naive"))
    with pytest.raises(UserError, match="takes another kind of curriculum"):
        feed(rules=Growth(1, 0.5))
    with pytest.raises(UserError, match=r"has no end.*set trainer\.batch_size to a number"):
        load(NAME).feed(Order((0,), None))
    with pytest.raises(UserError, match=r"goes by accuracy.*take task=sequence"):
        train(run_of(tmp_path, "curriculum=mix", "task=language_model"))
