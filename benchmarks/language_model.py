"""One training step of the small Penn Treebank recipe against the same model with `torch.nn.LSTM` or `torch.nn.GRU`."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.measure import Row, in_turns, loop_of, ratio, run_of, times
from repro.datasets.text import Text
from repro.model.architectures.recurrence import State
from repro.training.process import keep_freed_memory

BAR, GPU_BAR = {"LSTM": 1.35, "GRU": 1.5}, 2.0
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
    """torch's own layers, "LSTM" or "GRU", in the place of ours."""

    def __init__(self, kind: str, units: int, depth: int) -> None:
        super().__init__()
        self.layers = getattr(nn, kind)(units, units, depth)
        self.states = 2 if kind == "LSTM" else 1

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """As `repro.model.architectures.stack.Stack`."""
        out, last = self.layers(x, state if self.states == 2 else state[0])
        return out, last if self.states == 2 else (last,)

    def initial_state(self, batch: int) -> State:
        """As `repro.model.architectures.stack.Stack`."""
        zeros = self.layers.weight_hh_l0.new_zeros(self.layers.num_layers, batch, self.layers.hidden_size)
        return (zeros,) * self.states


def text() -> Text:
    """Tokens at random: the time of a step does not depend on which they are."""
    rng = torch.Generator().manual_seed(0)
    splits = {name: torch.randint(TOKENS, (20_000,), generator=rng) for name in ("train", "valid", "test")}
    return Text("random", splits, TOKENS, WINDOW)


def rows() -> Iterator[Row]:
    """Medians of updates measured in turn, in one process."""
    keep_freed_memory()
    for kind, bar in BAR.items():
        yield from _compared(kind, "cpu", bar, time.process_time)
    if torch.cuda.is_available():
        yield from _compared("LSTM", "cuda", GPU_BAR, time.perf_counter)
    else:
        yield Row("the same on a GPU, over cuDNN", "not measured: no GPU here", f"{GPU_BAR:g} x")


def _compared(kind: str, device: str, bar: float, clock: Callable[[], float]) -> Iterator[Row]:
    data = text()
    net_words = [*WORDS, f"architecture={kind.lower()}"]
    loops = {name: loop_of(run_of(*net_words, *words), data, device=device) for name, words in VARIANTS.items()}
    for name, loop in loops.items():
        for layer in loop.learner.module.stack.layers:  # type: ignore[attr-defined]
            layer.fused = "plain" not in name
    net = copy.deepcopy(loops["soft"].learner.module)  # type: ignore[attr-defined]
    net.stack = TorchStack(kind, 200, 2)
    theirs = loop_of(run_of(*net_words, *VARIANTS["soft"]), data, net, device)
    seconds = in_turns([times(loop, STEPS) for loop in (theirs, *loops.values())], REPEATS, clock)
    where = "" if device == "cpu" else ", on a GPU"
    yield Row(f"PTB small, step with torch.nn.{kind}{where}", f"{statistics.median(seconds[0]) / STEPS * 1e3:.0f} ms")
    for name, own in zip(loops, seconds[1:], strict=True):
        factor = ratio(own, seconds[0])
        barred = name in ("NAN", "NAH")
        required, met = (f"{bar:g} x", factor <= bar) if barred else ("", None)
        yield Row(f"the same, {name} {kind} cell{where}", f"{factor:.2f} x", required, met)
