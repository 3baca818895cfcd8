"""Running text, cut into parallel streams and read window by window."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import UserError
from repro.storage.metrics import SPLITS

LONG = 200  # steps of a window of the test stream; its length changes no number, only the speed


@dataclass(frozen=True)
class Text:
    """One text for each split, as numbers of tokens; the next token is to be predicted.

    Attributes:
        name: public name, as in `dataset=NAME`.
        splits: int64, shape (tokens,), by the split's name.
        tokens: size of the vocabulary.
        window: steps of a batch.
        source: which files were read, in words.
    """

    name: str
    splits: Mapping[str, Tensor]
    tokens: int
    window: int
    source: str = ""
    shape: tuple[int, ...] = ()

    @property
    def outputs(self) -> int:
        """Classes: one a token."""
        return self.tokens

    @property
    def sizes(self) -> dict[str, int | None]:
        """Tokens of each split."""
        return {name: len(self.splits[name]) for name in SPLITS}

    def feed(self, order: Order) -> Feed:
        """`order.batch_size` streams, read in order."""
        order.without_curriculum(self.name)
        return Windows(self, order)


class Windows(Stateless):
    """Consecutive windows of parallel streams, as Zaremba et al. (2014) read them.

    Training and validation text are cut into as many streams as a batch has rows, stream i starting at
    round(i · tokens / streams); what does not fill a window at the end is left out. The test text is one stream,
    read to its last token. Recurrent state is carried from window to window and starts anew with each epoch.
    """

    def __init__(self, text: Text, order: Order) -> None:
        streams = order.batch_size or 1
        self.replicas, self.window = len(order.seeds), text.window
        self.streams = {
            name: cut(text.splits[name].to(order.device), 1 if name == "test" else streams) for name in SPLITS
        }
        for name in ("train", "valid"):
            length = self.streams[name].shape[1]
            if length <= text.window and len(text.splits[name]):
                raise UserError(
                    f"trainer.batch_size={streams} streams of {length} tokens are too short for windows of "
                    f"dataset.window={text.window} and the token after; take fewer or shorter"
                )
        self.per_epoch = (self.streams["train"].shape[1] - 1) // text.window

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        place = step % self.per_epoch
        x, y = self._window("train", place * self.window, self.window)
        return Batch(x.expand(self.replicas, *x.shape), y.expand(self.replicas, *y.shape), fresh=place == 0)

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; the training text is too long to be read for nothing."""
        if split == "train":
            return
        last = self.streams[split].shape[1] - 1  # the last token has no successor
        width = LONG if split == "test" else self.window
        for first in range(0, last if split == "test" else last - width + 1, width):
            x, y = self._window(split, first, min(width, last - first))
            yield Batch(x, y, fresh=first == 0)

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        x, y = self._window("train", 0, self.window)
        return Batch(x[:samples], y[:samples])

    def _window(self, split: str, first: int, width: int) -> tuple[Tensor, Tensor]:
        stream = self.streams[split]
        return stream[:, first : first + width], stream[:, first + 1 : first + width + 1]


def cut(text: Tensor, streams: int) -> Tensor:
    """A text (tokens,) as contiguous pieces of equal length, (streams, tokens // streams)."""
    length = len(text) // streams
    # In whole numbers, and halves up, as the reference code rounds.
    starts = [(2 * i * len(text) + streams) // (2 * streams) for i in range(streams)]
    return torch.stack([text[min(start, len(text) - length) :][:length] for start in starts])
