"""Commands and what they mean, in a language that stays the same or in a new one each time (Lake and Baroni 2023)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

from repro.datasets.memory import CHUNK, Split
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import number, whole
from repro.seeds import generator
from repro.tasks import IGNORED

WORDS = ("walk", "run", "look", "jump", "hop", "skip", "crawl", "spin", "wave", "push", "pull", "nod")
ACTIONS = tuple(word.upper() for word in WORDS)
FUNCTIONS = ("left", "right", "twice", "thrice", "and", "after")
SLOTS = 4  # words of a language; those of the fixed one are the first of WORDS
HELD_OUT = 3  # of the fixed language, the one that is never seen within a longer command: jump

# Tokens of the source: words, functions, a bar before the command, actions of the study examples.
BAR = "|"
SOURCE = (*WORDS, *FUNCTIONS, BAR, *ACTIONS)
# Tokens of the target.
END = "."
TARGET = (*ACTIONS, "L", "R", END)

LONGEST_COMMAND, LONGEST_ANSWER = 7, 13  # run left thrice and look right thrice; 6 + 6 actions and the end
STUDIED = 2 * SLOTS + 1  # tokens of the study examples and the bar

Part = tuple[int, str, int]
"""Slot of the word, a direction or nothing, how often."""
Command = tuple[Part, ...] | tuple[Part, str, Part]

PARTS: tuple[Part, ...] = tuple(product(range(SLOTS), ("", "left", "right"), (1, 2, 3)))
COMMANDS: tuple[Command, ...] = (
    *((part,) for part in PARTS),
    *((one, joint, other) for joint in ("and", "after") for one in PARTS for other in PARTS),
)
SINGLE = tuple(COMMANDS.index(((slot, "", 1),)) for slot in range(SLOTS))
"""The commands of one word, by its slot."""


def said(command: Command) -> list[int | str]:
    """A command in words; slots stand for those that an episode chooses."""
    tokens: list[int | str] = []
    for part in command:
        if isinstance(part, str):
            tokens.append(part)
        else:
            slot, direction, times = part
            tokens += [slot, *filter(None, (direction, ("", "twice", "thrice")[times - 1]))]
    return tokens


def meant(command: Command) -> list[int | str]:
    """What is to be done: `and` one part and then the other, `after` the other first; L and R before each action."""
    parts = [part for part in command if not isinstance(part, str)]
    if "after" in command:
        parts.reverse()
    done: list[int | str] = []
    for slot, direction, times in parts:
        done += [*([direction[0].upper()] if direction else []), slot] * times
    return done


def holds(command: Command, slot: int) -> bool:
    """Whether the word of a slot is in it."""
    return any(part[0] == slot for part in command if not isinstance(part, str))


def _table(rows: list[list[int | str]], tokens: tuple[str, ...], length: int) -> Tensor:
    """Numbers (rows, length); slots are -2 - slot, what is behind the end -1."""
    numbers = [[-2 - t if isinstance(t, int) else tokens.index(t) for t in row] for row in rows]
    return torch.tensor([row + [IGNORED] * (length - len(row)) for row in numbers])


def episodes(
    meta: bool, single_steps: int, single_share: float, epoch_steps: int, valid_size: int, seed: int
) -> "Episodes":
    """Commands of one or two parts, [word (left|right)? (twice|thrice)?], joined by `and` or `after`.

    What they mean is a sequence of actions. With `meta` every sample is an episode: four of twelve words mean four of
    twelve actions, drawn anew. The source begins with four study examples, a word and its action each, in random order;
    then comes the command. Episodes in which two or more words mean what they mean in the language of the test split do
    not occur. Without, the language is that of the test split, always, and `jump` is only ever trained on by itself.

    The test split has every longer command with `jump` in the fixed language: walk, run, look and jump mean WALK, RUN,
    LOOK and JUMP.

    Args:
        meta: episodes, or one fixed language.
        single_steps: updates at the beginning whose commands have one word each, so that words are learnt first.
        single_share: share of such commands thereafter; without `meta` that of `jump` by itself.
        epoch_steps: updates that count as an epoch.
        valid_size: samples as they are trained on after the beginning, but for the commands of one word.
        seed: of what is held out; the run's own seed draws the rest.

    Raises:
        UserError: an option is not allowed.
    """
    for option, value, least in (
        ("single_steps", single_steps, 0),
        ("epoch_steps", epoch_steps, 1),
        ("valid_size", valid_size, 0),
    ):
        whole(option, value, least)
    number("single_share", single_share, 0, 1)
    whole("seed", seed, 0)
    return Episodes(meta, single_steps, single_share, epoch_steps, valid_size, seed)


@dataclass(frozen=True)
class Episodes:
    """The data set; attributes as in `episodes` and `Dataset`. Sources and targets are filled up to equal lengths."""

    meta: bool
    single_steps: int
    single_share: float
    epoch_steps: int
    valid_size: int
    seed: int
    name: str = field(default="episodes", init=False)
    source: str = field(default="", init=False)
    shape: tuple[int, ...] = field(default=(), init=False)
    outputs: int = field(default=len(TARGET), init=False)
    tokens: int = field(default=len(SOURCE), init=False)

    @property
    def sizes(self) -> dict[str, int | None]:
        """Sequences of each split."""
        return {"train": None, "valid": self.valid_size, "test": len(TESTED)}

    def feed(self, order: Order) -> Feed:
        """`order.batch_size` fresh sequences an update."""
        order.without_curriculum(self.name)
        return Fresh(self, order)

    def draw(self, count: int, single_share: float, rng: torch.Generator) -> Split:
        """So many samples, of which a share has commands of one word.

        Returns:
            `source` (count, steps) and `target`, the token before each of an answer; the answers (count, 13).
        """
        seen = torch.tensor([i for i, c in enumerate(COMMANDS) if self.meta or not holds(c, HELD_OUT)])
        single = torch.tensor(SINGLE if self.meta else SINGLE[HELD_OUT:])
        alone = torch.rand(count, generator=rng) < single_share
        longer = seen[torch.randint(len(seen), (count,), generator=rng)]
        commands = torch.where(alone, single[torch.randint(len(single), (count,), generator=rng)], longer)
        return self.sequences(commands, *(_languages(count, rng) if self.meta else _fixed(count)), rng)

    def tested(self) -> Split:
        """The test split."""
        rng = generator(self.seed, "order", 2)
        return self.sequences(torch.tensor(TESTED), *_fixed(len(TESTED)), rng)

    def sequences(self, commands: Tensor, words: Tensor, actions: Tensor, rng: torch.Generator) -> Split:
        """Samples of numbered commands (n,), each in a language: words and actions of its slots, (n, 4)."""
        source = _filled(ASKED[commands], words)
        if self.meta:
            order = torch.rand(words.shape, generator=rng).argsort(1)
            first = SOURCE.index(ACTIONS[0])
            pairs = torch.stack([words.gather(1, order), first + actions.gather(1, order)], 2).flatten(1)
            bar = torch.full((len(source), 1), SOURCE.index(BAR))
            source = torch.cat([pairs, bar, source], 1)
        answers = _filled(ANSWERED[commands], actions)
        before = torch.cat([torch.full((len(answers), 1), IGNORED), answers[:, :-1]], 1)
        return Split({"source": source, "target": before}, answers)


ASKED = _table([said(command) for command in COMMANDS], SOURCE, LONGEST_COMMAND)
ANSWERED = _table([[*meant(command), END] for command in COMMANDS], TARGET, LONGEST_ANSWER)
TESTED = tuple(i for i, command in enumerate(COMMANDS) if holds(command, HELD_OUT) and i != SINGLE[HELD_OUT])
"""The longer commands with the word that is held out."""


def _filled(templates: Tensor, chosen: Tensor) -> Tensor:
    """Slots of templates (n, length) replaced by what is chosen for them, (n, 4)."""
    return torch.where(templates <= -2, chosen.gather(1, (-2 - templates).clamp_min(0)), templates)


def _fixed(count: int) -> tuple[Tensor, Tensor]:
    """Words and actions of the fixed language, (count, 4) each."""
    slots = torch.arange(SLOTS).expand(count, SLOTS)
    return slots, slots


def _languages(count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Words and actions of random languages, (count, 4) each; at most one word means what it does in the fixed one."""

    def chosen(n: int) -> Tensor:
        return torch.rand(n, len(WORDS), generator=rng).argsort(1)[:, :SLOTS]

    words, actions = chosen(count), chosen(count)
    while (like := ((words == actions) & (words < SLOTS)).sum(1) > 1).any():
        n = int(like.sum())
        words[like], actions[like] = chosen(n), chosen(n)
    return words, actions


class Fresh(Stateless):
    """A new batch for every update, which follows from seed and step alone."""

    def __init__(self, data: Episodes, order: Order) -> None:
        self.data, self.seeds, self.size, self.device = data, order.seeds, order.size(data.name), order.device
        self.per_epoch = data.epoch_steps
        valid = data.draw(data.valid_size, 0.0, generator(data.seed, "order", 1))
        self.splits = {"valid": valid.to(order.device), "test": data.tested().to(order.device)}

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        share = 1.0 if step < self.data.single_steps else self.data.single_share
        drawn = [self.data.draw(self.size, share, generator(seed, "order", step)) for seed in self.seeds]
        x = {name: torch.stack([one.x[name] for one in drawn]).to(self.device) for name in ("source", "target")}
        return Batch(x, torch.stack([one.y for one in drawn]).to(self.device))

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; there is no end to the training split."""
        if split == "train":
            return
        whole = Batch(self.splits[split].x, self.splits[split].y)
        for first in range(0, len(whole), CHUNK):
            yield whole.part(slice(first, first + CHUNK))

    def probe(self, samples: int) -> Batch:
        """See `Feed`; drawn besides what is trained on."""
        found = self.data.draw(samples, 0.0, generator(self.data.seed, "order", 0)).to(self.device)
        return Batch(found.x, found.y)
