"""One training step of the small Penn Treebank recipe against the same model with `torch.nn.LSTM`."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.measure import Row, in_turns, loop_of, ratio, run_of, times
from repro.datasets.text import Text
from repro.training.process import keep_freed_memory

BAR, GPU_BAR = 1.35, 2.0
STEPS, REPEATS = 3, 15
TOKENS, WINDOW = 10_000, 20
WORDS = ["experiment=noisy_activations/penn_treebank", "diagnostics=none"]
VARIANTS = {
    "soft": ["activation=tanh"],
    "hard": ["activation=hard_tanh"],
    "NAN": ["activation=noisy_tanh", "activation.noise=nan"],
    "NAH": ["activation=noisy_tanh", "activation.noise=nah"],
    "soft, plain loop": ["activation=tanh"],
    "NAN, plain loop": ["activation=noisy_tanh", "activation.noise=nan"],
}


class TorchStack(nn.Module):
    """torch's own LSTM in the place of ours."""

    def __init__(self, units: int, depth: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(units, units, depth)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `repro.model.architectures.lstm.Stack`."""
        out, last = self.lstm(x, state)
        return out, last

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor]:
        """As `repro.model.architectures.lstm.Stack`."""
        zeros = self.lstm.weight_hh_l0.new_zeros(self.lstm.num_layers, batch, self.lstm.hidden_size)
        return zeros, zeros


def text() -> Text:
    """Tokens at random: the time of a step does not depend on which they are."""
    rng = torch.Generator().manual_seed(0)
    splits = {name: torch.randint(TOKENS, (20_000,), generator=rng) for name in ("train", "valid", "test")}
    return Text("random", splits, TOKENS, WINDOW)


def rows() -> Iterator[Row]:
    """Medians of updates measured in turn, in one process."""
    keep_freed_memory()
    yield from _compared("cpu", BAR, time.process_time)
    if torch.cuda.is_available():
        yield from _compared("cuda", GPU_BAR, time.perf_counter)
    else:
        yield Row("the same on a GPU, over cuDNN", "not measured: no GPU here", f"{GPU_BAR:g} x")


def _compared(device: str, bar: float, clock: Callable[[], float]) -> Iterator[Row]:
    data = text()
    loops = {name: loop_of(run_of(*WORDS, *words), data, device=device) for name, words in VARIANTS.items()}
    for name, loop in loops.items():
        for layer in loop.learner.module.stack.layers:  # type: ignore[attr-defined]
            layer.fused = "plain" not in name
    net = copy.deepcopy(loops["soft"].learner.module)  # type: ignore[attr-defined]
    net.stack = TorchStack(200, 2)
    theirs = loop_of(run_of(*WORDS, *VARIANTS["soft"]), data, net, device)
    seconds = in_turns([times(loop, STEPS) for loop in (theirs, *loops.values())], REPEATS, clock)
    where = "" if device == "cpu" else ", on a GPU"
    yield Row(f"PTB small, step with torch.nn.LSTM{where}", f"{statistics.median(seconds[0]) / STEPS * 1e3:.0f} ms")
    for name, own in zip(loops, seconds[1:], strict=True):
        factor = ratio(own, seconds[0])
        barred = name in ("NAN", "NAH")
        required, met = (f"{bar:g} x", factor <= bar) if barred else ("", None)
        yield Row(f"the same, {name} cell{where}", f"{factor:.2f} x", required, met)
