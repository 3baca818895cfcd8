"""A model as the loop sees it: one interface, implemented for a single model and for stacked replicas."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from repro.activations.noise import NoiseSource, attach_noise
from repro.diagnostics.probe import Layer, Traces, layers_of, shapes_of, trace
from repro.seeds import generator
from repro.tasks import Task

Scores = dict[str, Tensor]


class Learner(Protocol):
    """One or several replicas of a network, of the same shape, each from its own seed.

    Attributes:
        seeds: one a replica.
        stacked: whether parameters and buffers carry a leading replica axis.
        parameters: what is trained.
        buffers: what is kept besides (running statistics).
        weights: the parameters that penalties apply to: weights of linear and convolutional layers.
        noise: the source of all randomness during training.
        layers: the layers that are measured.
    """

    seeds: Sequence[int]
    stacked: bool
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    weights: dict[str, Tensor]
    noise: NoiseSource
    layers: list[Layer]

    def scores(self, x: Tensor, y: Tensor) -> Scores:
        """Loss and metrics in training mode, each (replicas,), with the graph for `backward`.

        Args:
            x: (replicas, batch, ...); y likewise.
        """

    def evaluate(self, x: Tensor, y: Tensor) -> Scores:
        """Loss and metrics in evaluation mode, each (replicas,), of one batch that all replicas share."""

    def probe(self, x: Tensor, y: Tensor) -> Traces:
        """Activations and gradients in training mode, on a batch that all replicas share.

        Draws from generators of its own and works on copies of the buffers: training goes on as if nothing had been.
        """


def learner(modules: list[nn.Module], seeds: Sequence[int], task: Task, device: torch.device) -> Learner:
    """The learner for these modules, one a seed, which must be alike in everything but their values."""
    noise = NoiseSource([generator(seed, "noise", device=device) for seed in seeds])
    for module in modules:
        module.to(device)
    attach_noise(modules[0], noise)
    return (Single if len(modules) == 1 else Stacked)(modules, seeds, task, noise)


@contextmanager
def _for_evaluation(module: nn.Module) -> Iterator[None]:
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train()


@contextmanager
def _own_noise(noise: NoiseSource, seeds: Sequence[int]) -> Iterator[None]:
    """Draw from the same fresh generators at every probe, so that two probes differ by the weights alone."""
    kept = noise.generators
    noise.generators = [generator(seed, "noise", 1, device=kept[0].device) for seed in seeds]
    try:
        yield
    finally:
        noise.generators = kept


def _weights(layers: list[Layer], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {layer.weight: parameters[layer.weight] for layer in layers}


class Single:
    """A learner of one network, run as it stands."""

    stacked = False

    def __init__(
        self, modules: list[nn.Module], seeds: Sequence[int], task: Task, noise: NoiseSource
    ) -> None:
        (self.module,) = modules
        self.module.train()
        self.seeds, self.task, self.noise = seeds, task, noise
        self.parameters: dict[str, Tensor] = dict(self.module.named_parameters())
        self.buffers: dict[str, Tensor] = dict(self.module.named_buffers())
        self.layers = layers_of(self.module)
        self.weights = _weights(self.layers, self.parameters)
        self.shapes: dict[str, torch.Size] | None = None

    def scores(self, x: Tensor, y: Tensor) -> Scores:
        """See `Learner`."""
        return {k: v.unsqueeze(0) for k, v in self.task.measure(self.module(x[0]), y[0]).items()}

    def evaluate(self, x: Tensor, y: Tensor) -> Scores:
        """See `Learner`."""
        with _for_evaluation(self.module):
            return {k: v.unsqueeze(0) for k, v in self.task.measure(self.module(x), y).items()}

    def probe(self, x: Tensor, y: Tensor) -> Traces:
        """See `Learner`."""
        parameters = {k: v.detach() for k, v in self.parameters.items()}
        with _own_noise(self.noise, self.seeds):
            if self.shapes is None:
                self.shapes = shapes_of(self.module, parameters, copy.deepcopy(self.buffers), x)
        with _own_noise(self.noise, self.seeds):
            found = trace(
                self.module, self.task.measure, parameters, copy.deepcopy(self.buffers), self.shapes, x, y
            )
        return Traces(*({k: v.unsqueeze(0) for k, v in part.items()} for part in vars(found).values()))


class Stacked:
    """A learner of several networks at once: parameters stacked, the first module mapped over them."""

    stacked = True

    def __init__(
        self, modules: list[nn.Module], seeds: Sequence[int], task: Task, noise: NoiseSource
    ) -> None:
        self.module = modules[0].train()
        self.seeds, self.task, self.noise = seeds, task, noise
        parameters, buffers = stack_module_state(modules)
        self.parameters: dict[str, Tensor] = parameters
        self.buffers: dict[str, Tensor] = buffers
        self.layers = layers_of(self.module)
        self.weights = _weights(self.layers, self.parameters)
        self.shapes: dict[str, torch.Size] | None = None
        self._own = vmap(self._one, in_dims=(0, 0, 0, 0), randomness="error")
        self._shared = vmap(self._one, in_dims=(0, 0, None, None), randomness="error")

    def _one(self, parameters: Scores, buffers: Scores, x: Tensor, y: Tensor) -> Scores:
        return self.task.measure(functional_call(self.module, (parameters, buffers), (x,)), y)

    def scores(self, x: Tensor, y: Tensor) -> Scores:
        """See `Learner`."""
        scores: Scores = self._own(self.parameters, self.buffers, x, y)
        return scores

    def evaluate(self, x: Tensor, y: Tensor) -> Scores:
        """See `Learner`."""
        with _for_evaluation(self.module):
            scores: Scores = self._shared(self.parameters, self.buffers, x, y)
            return scores

    def probe(self, x: Tensor, y: Tensor) -> Traces:
        """See `Learner`."""
        parameters = {k: v.detach() for k, v in self.parameters.items()}
        if self.shapes is None:
            with _own_noise(self.noise, self.seeds[:1]):
                values, buffers = (
                    {k: v[0].clone() for k, v in d.items()} for d in (parameters, self.buffers)
                )
                self.shapes = shapes_of(self.module, values, buffers, x)

        def one(values: Scores, buffers: Scores) -> dict[str, Scores]:
            assert self.shapes is not None
            return dict(vars(trace(self.module, self.task.measure, values, buffers, self.shapes, x, y)))

        mapped: Callable[..., dict[str, Scores]] = vmap(one, randomness="error")
        with _own_noise(self.noise, self.seeds):
            return Traces(**mapped(parameters, copy.deepcopy(self.buffers)))
