"""What `repro.watch` costs somebody's own training loop, beside TensorBoard's histograms of the same layers."""

import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.measure import Row, in_turns, ratio
from repro.watching import Watch

BAR = 5.0
STEPS, EVERY = 1000, 200


def mlp() -> tuple[nn.Module, torch.Tensor]:
    """Six layers of 256, 64 samples."""
    widths = [256] * 6
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(256, 10)), torch.randn(64, 256)


def cnn() -> tuple[nn.Module, torch.Tensor]:
    """Four convolutions with batch norm on 16 × 16 pixels, 16 samples."""
    parts: list[nn.Module] = []
    for channels in (3, 16, 16, 16):
        parts += [nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)), torch.randn(16, 3, 16, 16)


def rows() -> Iterator[Row]:
    """Processor time of 1,000 steps watched at the default schedule (9 looks), and bare."""
    for name, make in {"mlp 6 × 256": mlp, "cnn 4 × 16": cnn}.items():
        watched, histograms, bare = in_turns([_job(make, _watch), _job(make, _histograms), _job(make, _nothing)], 5)
        extra, other = (100 * (ratio(one, bare) - 1) for one in (watched, histograms))
        yield Row(f"watch, {name}, {STEPS} steps", f"{extra:.1f} %", f"{BAR:g} %", extra <= BAR)
        yield Row(f"TensorBoard's histograms of the same, {name}, every {EVERY} steps", f"{other:.1f} %")


Step = Callable[[], Any]


def _job(make: Callable[[], tuple[nn.Module, torch.Tensor]], watching: Callable[[nn.Module], Step]) -> Step:
    def job() -> None:
        torch.manual_seed(0)
        net, x = make()
        y = torch.randint(10, (len(x),))
        optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
        step = watching(net)
        for _ in range(STEPS):
            optimizer.zero_grad()
            functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            step()

    return job


def _nothing(net: nn.Module) -> Step:
    del net
    return lambda: None


def _watch(net: nn.Module) -> Step:
    return Watch(net).step


def _histograms(net: nn.Module) -> Step:
    """As tutorials have it: weights and gradients every so often, and the activations by hooks."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(tempfile.mkdtemp())
    done = [0]

    def look(name: str) -> Callable[..., None]:
        def note(_module: nn.Module, _args: Any, out: torch.Tensor) -> None:
            if done[0] % EVERY == 0:
                writer.add_histogram(f"{name}/activations", out.detach(), done[0])

        return note

    for name, module in net.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ReLU):
            module.register_forward_hook(look(name))

    def step() -> None:
        if done[0] % EVERY == 0:
            for name, parameter in net.named_parameters():
                writer.add_histogram(f"{name}/weights", parameter, done[0])
                writer.add_histogram(f"{name}/gradients", parameter.grad, done[0])
        done[0] += 1

    return step
