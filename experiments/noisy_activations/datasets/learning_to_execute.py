"""Programs read character by character in endless streams; what they print is to be predicted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.datasets.protocol import Batch, Feed, Order
from repro.errors import UserError, whole
from repro.seeds import stream
from repro.storage.metrics import SPLITS

from ..schedules.programs import Clock, Programs
from .programs import ALPHABET, Author, Difficulty, longest, programs

NO_ANSWER = -1  # the target where the next character belongs to no answer; `repro.tasks.IGNORED`
FILLER = "#"  # behind the last program of a stream
NUMBERS = bytes.maketrans(ALPHABET.encode(), bytes(range(len(ALPHABET))))
LONGEST, DEEPEST = 15, 10  # literals that a float can draw evenly; as many operations as there are variables


def learning_to_execute(
    length: int,
    nesting: int,
    window: int,
    epoch_steps: int,
    characters: int,
    valid_streams: int,
    test_streams: int,
    test_glance: int,
    seed: int,
) -> "LearningToExecute":
    """What a short program prints (Zaremba and Sutskever 2014); predicted from the characters before.

    A program belongs to training, validation or test by its text. At length 6 and nesting 3 answers have 8.2
    characters, and always saying "." is right in 12.2 % of them, the best constant for each place in 22.4 %.

    Args:
        length: digits of a literal, 1 to 15.
        nesting: operations of a program, 1 to 10.
        window: steps of a batch; the state of a recurrent net is carried from window to window.
        epoch_steps: updates after which training programs are drawn anew.
        characters: of a stream of validation and test.
        valid_streams, test_streams: how many of them, read side by side.
        test_glance: how many of the test streams are read at evaluations before the last, which come often.
        seed: of those.

    Raises:
        UserError: an option is not allowed.
    """
    for option, count in (
        ("length", length),
        ("nesting", nesting),
        ("window", window),
        ("epoch_steps", epoch_steps),
        ("characters", characters),
        ("valid_streams", valid_streams),
        ("test_streams", test_streams),
        ("test_glance", test_glance),
    ):
        whole(option, count, 1)
    for option, count, most in (
        ("length", length, LONGEST),
        ("nesting", nesting, DEEPEST),
        ("test_glance", test_glance, test_streams),
    ):
        if count > most:
            raise UserError(f"{option} must be at most {most}, not {count}")
    whole("seed", seed, 0)
    needed = longest(length, nesting)
    for option, count in (("characters", characters), ("window·epoch_steps + 1", window * epoch_steps + 1)):
        if count < needed:
            raise UserError(
                f"{option} must be {needed} or more, as long as a program of length={length} and "
                f"nesting={nesting} can get, not {count!r}"
            )
    return LearningToExecute(
        (length, nesting),
        window,
        epoch_steps,
        characters,
        {"valid": valid_streams, "test": test_streams},
        test_glance,
        seed,
    )


def pack(author: Author, kind: int, streams: int, characters: int) -> tuple[Tensor, Tensor]:
    """Streams of whole programs with their answers, one behind the other until the next does not fit.

    Args:
        kind: of the programs.
        characters: of a stream, at least those of the longest program.

    Returns:
        The characters' numbers but for the last, and for each the number of the next where that belongs to an answer,
        else `NO_ANSWER`; both int64, shape (streams, characters - 1).
    """
    source = programs(author, kind)
    text: list[str] = []
    answers = np.zeros((streams, characters), dtype=bool)
    program, answer = next(source)
    for row in answers:
        parts: list[str] = []
        used = 0
        while used + len(program) + len(answer) <= characters:
            parts += program, answer
            row[used + len(program) : used + len(program) + len(answer)] = True
            used += len(program) + len(answer)
            program, answer = next(source)
        text.append("".join(parts).ljust(characters, FILLER))
    numbers = np.frombuffer("".join(text).encode().translate(NUMBERS), dtype=np.uint8)
    numbers = numbers.reshape(streams, characters).astype(np.int64)
    wanted = np.where(answers, numbers, NO_ANSWER)
    return torch.from_numpy(numbers[:, :-1]), torch.from_numpy(wanted[:, 1:])


@dataclass(frozen=True)
class LearningToExecute:
    """The data set; attributes as in `learning_to_execute` and `Dataset`."""

    target: tuple[int, int]
    window: int
    epoch_steps: int
    characters: int
    held_out: dict[str, int]
    glance: int
    seed: int
    name: str = field(default="learning_to_execute", init=False)
    source: str = field(default="", init=False)
    shape: tuple[int, ...] = field(default=(), init=False)

    @property
    def outputs(self) -> int:
        """Classes: one a character."""
        return len(ALPHABET)

    @property
    def tokens(self) -> int:
        """Size of the vocabulary."""
        return len(ALPHABET)

    @property
    def sizes(self) -> dict[str, int | None]:
        """Streams of each split."""
        return {"train": None, **self.held_out}

    def feed(self, order: Order) -> Feed:
        """`order.batch_size` streams, read in order."""
        return Reading(self, order)

    def draw(self, split: str, level: tuple[int, int], number: int) -> tuple[Tensor, Tensor]:
        """Streams of validation or test, the same for all runs; `number` tells apart those drawn one after another."""
        rng = Random(stream(self.seed, "order", SPLITS.index(split), number, 0))
        return pack(Author(lambda: level, rng), SPLITS.index(split), self.held_out[split], self.characters)


class Reading:
    """Consecutive windows of parallel streams, which are drawn anew at each epoch and each change of the level.

    The recurrent state is carried from window to window, and from program to program; it starts anew with new streams.
    Without a curriculum everything is drawn at the target difficulty. With one, training programs are drawn as it
    says, those of validation at its level and those of test at the target. What is held out is read side by side.

    The authors' code goes back to the beginning of the training streams at each evaluation; here no window is read
    twice.

    Attributes besides those of `Feed`:
        finished: whether the curriculum has come to its end, and the run with it.
    """

    def __init__(self, data: LearningToExecute, order: Order) -> None:
        rules: Programs | None = order.level(data.name, Programs)
        if rules is not None and len(order.seeds) > 1:
            raise UserError(
                f"this curriculum does not go with replicas={len(order.seeds)}: it goes by scores, and "
                "stacked seeds share one clock; train them one by one with "
                f"-m seed=range({len(order.seeds)})"
            )
        self.data, self.seeds, self.size, self.device = data, order.seeds, order.size(data.name), order.device
        self.per_epoch = data.epoch_steps
        self.last = (order.epochs * data.epoch_steps if order.steps is None else order.steps) - 1
        self.clock = None if rules is None else Clock(rules, data.target)
        self.rate, self.finished = 1.0, False
        self.step = -1  # that was asked for last
        self.began = 0  # the step that reads the first window since the last change
        self.training: tuple[tuple[int, int], Tensor, Tensor] | None = None
        self.valid: tuple[int, Tensor, Tensor] | None = None
        self.test = self._move(data.draw("test", data.target, 0))
        self.first = [part[0].clone() for part in self._window(*self._streams(0), 0)]

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        self.step = step
        place = step - max(self.began, step - step % self.per_epoch)
        x, y = self._window(*self._streams(step // self.per_epoch), place)
        return Batch(x, y, fresh=place == 0)

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; there is no end to the training split."""
        if split == "train":
            return
        x, y = self._test() if split == "test" else self._valid()
        for first in range(0, x.shape[1], self.data.window):
            there = slice(first, first + self.data.window)
            yield Batch(x[:, there], y[:, there], fresh=first == 0)

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        x, y = self.first
        return Batch(x[:samples], y[:samples])

    def observe(self, scores: Mapping[str, float]) -> None:
        """See `Feed`."""
        if self.clock is None:
            return
        if "valid_accuracy" not in scores:
            raise UserError("this curriculum goes by accuracy, which the task does not measure; take task=sequence")
        if "train_accuracy" in scores and self.clock.observe(scores["train_accuracy"], scores["valid_accuracy"]):
            self.began = self.step + 1
            self.rate, self.finished = self.clock.rate, self.clock.finished

    def notes(self) -> dict[str, float]:
        """See `Feed`; how many characters the test accuracy is a share of, and the level."""
        notes = {"test_answers": float((self._test()[1] != NO_ANSWER).sum())}
        if self.clock is not None:
            length, nesting = self.clock.level
            notes |= {"length": float(length), "nesting": float(nesting), "progress": self.clock.progress}
        return notes

    def state(self) -> dict[str, Any]:
        """See `Feed`."""
        return {} if self.clock is None else {"clock": self.clock.state(), "began": self.began}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Feed`."""
        if self.clock is not None:
            self.clock.restore(state["clock"])
            self.began = state["began"]
            self.rate, self.finished = self.clock.rate, self.clock.finished

    def _streams(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of all training streams, each (replicas, streams, characters)."""
        now = epoch, self._changes
        if self.training is None or self.training[0] != now:
            drawn = [self._draw(Random(stream(seed, "order", *now))) for seed in self.seeds]
            x, y = (torch.stack(parts) for parts in zip(*drawn, strict=True))
            self.training = now, *self._move((x, y))
        return self.training[1:]

    def _draw(self, rng: Random) -> tuple[Tensor, Tensor]:
        difficulty: Difficulty = (lambda: self.data.target) if self.clock is None else self.clock.difficulty(rng)
        return pack(Author(difficulty, rng), SPLITS.index("train"), self.size, self.data.window * self.per_epoch + 1)

    def _valid(self) -> tuple[Tensor, Tensor]:
        if self.valid is None or self.valid[0] != self._changes:
            level = self.data.target if self.clock is None else self.clock.level
            self.valid = self._changes, *self._move(self.data.draw("valid", level, self._changes))
        return self.valid[1:]

    def _test(self) -> tuple[Tensor, Tensor]:
        """All of the test streams at the end of the run, the first of them before."""
        x, y = self.test
        return (x, y) if self.step >= self.last else (x[: self.data.glance], y[: self.data.glance])

    @property
    def _changes(self) -> int:
        return 0 if self.clock is None else self.clock.changes

    def _move(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return pair[0].to(self.device), pair[1].to(self.device)

    def _window(self, x: Tensor, y: Tensor, place: int) -> tuple[Tensor, Tensor]:
        there = slice(place * self.data.window, (place + 1) * self.data.window)
        return x[..., there], y[..., there]
