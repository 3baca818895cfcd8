"""The image pipeline against a `DataLoader` over single images, and what other ways of running a net bring."""

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Row, in_turns, loop_of, ratio, run_of, times
from benchmarks.replicas import LONG
from repro.datasets.from_arrays import Options, Raw, finish
from repro.datasets.images import Augmentation
from repro.datasets.memory import Data
from repro.datasets.protocol import Order
from repro.errors import UserError
from repro.training.process import keep_freed_memory

BAR, BATCH, CROP, SAMPLES = 3, 128, 4, 50_000
EPOCHS, REPEATS, STEPS = 3, 9, 4
NET = [
    "architecture=cnn",
    "architecture.channels=[32,64,64]",
    "architecture.hidden=[128]",
    "activation=relu",
    f"trainer.batch_size={BATCH}",
    *LONG,
]
WAYS = {
    "channels_last": ["trainer.channels_last=true"],
    "bfloat16": ["trainer.precision=bfloat16"],
    "bfloat16 and channels_last": ["trainer.precision=bfloat16", "trainer.channels_last=true"],
    "compile": ["trainer.compile=true"],
    "compile and channels_last": ["trainer.compile=true", "trainer.channels_last=true"],
}


def pictures(samples: int) -> Data:
    """Bytes at random, of the size of CIFAR-10."""
    rng = np.random.default_rng(0)
    few = 2 * BATCH
    parts = [(rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), np.arange(n) % 10) for n in (samples, few, few)]
    options = Options("channels", None, 0, None, Augmentation(CROP, True))
    return finish("random images", Raw(*parts, unit=255.0), 10, options)


class OneByOne(Dataset[tuple[Tensor, Tensor]]):
    """The same samples and transformations, image by image."""

    def __init__(self, data: Data) -> None:
        self.x, self.y = data.train.x, data.train.y
        self.mean, self.scale = (torch.full((3, 1, 1), value) for value in (0.5, 0.29))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        row, column, flip = *torch.randint(2 * CROP + 1, (2,)).tolist(), int(torch.randint(2, ()))
        x = functional.pad(self.x[i], (CROP,) * 4)[:, row : row + 32, column : column + 32]
        x = x.flip(2) if flip else x
        return x.to(torch.float32).div_(255).sub_(self.mean).div_(self.scale), self.y[i]


def rows() -> Iterator[Row]:
    """Seconds on the clock, since a loader's workers are processes of their own."""
    yield from _pipeline()
    yield from _ways()


def _pipeline() -> Iterator[Row]:
    keep_freed_memory()
    data = pictures(SAMPLES)
    feed = data.feed(Order((0,), BATCH))
    epochs = iter(range(10**9))

    def ours() -> None:
        first = next(epochs) * feed.per_epoch
        for step in range(first, first + feed.per_epoch):
            feed.batch(step)

    loaders = [DataLoader(OneByOne(data), BATCH, shuffle=True, num_workers=workers) for workers in (0, 2)]
    ours()
    seconds = in_turns([ours, *(_drained(loader) for loader in loaders)], EPOCHS, clock=time.perf_counter)
    each = [statistics.median(found) for found in seconds]
    for workers, theirs, typical in zip((0, 2), seconds[1:], each[1:], strict=True):
        factor = ratio(theirs, seconds[0])
        yield Row(
            f"epoch of {SAMPLES:,} CIFAR-10-sized images, crop, flip, normalize, against DataLoader, {workers} workers",
            f"{factor:.1f} × ({each[0]:.2f} s against {typical:.2f} s)",
            f"{BAR} ×",
            factor >= BAR,
        )


def _drained(loader: DataLoader[tuple[Tensor, Tensor]]) -> Callable[[], None]:
    def job() -> None:
        for _ in loader:
            pass

    return job


def _ways() -> Iterator[Row]:
    data = pictures(40 * BATCH)
    loops = {"float32": loop_of(run_of("dataset=cifar10", *NET), data)}
    for name, words in WAYS.items():
        try:
            loops[name] = loop_of(run_of("dataset=cifar10", *NET, *words), data)
        except UserError as error:
            yield Row(f"the same, {name}", f"not measured: {str(error).partition(';')[0]}")
    jobs = [times(loop, STEPS) for loop in loops.values()]
    in_turns(jobs, 1)  # compiles
    plain, *others = in_turns(jobs, REPEATS)
    yield Row(
        f"small convolutional net, 32-64-64 channels, {BATCH} images: a step, augmentation included",
        f"{statistics.median(plain) / STEPS * 1e3:.0f} ms",
    )
    for name, found in zip(list(loops)[1:], others, strict=True):
        yield Row(f"the same, {name}", f"{ratio(plain, found):.2f} × as fast")
