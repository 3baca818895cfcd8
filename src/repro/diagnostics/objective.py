"""The loss on the whole training split as a function of one net's parameters, in double precision."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp, vmap

from repro.datasets.protocol import Batch
from repro.diagnostics.probe import exactly
from repro.errors import UserError
from repro.model.architectures.recurrence import is_recurrent, unfuse
from repro.model.layers import BinaryConvolution, BinaryLinear
from repro.model.trees import Tree, leaves, mapped, samples
from repro.tasks import Task

Values = dict[str, Tensor]

# Bytes that the intermediate values of a block of products may take.
MEMORY = 2**28
# Arrays the size of a layer's output that a product keeps at once, about.
ARRAYS = 12


class Objective:
    """The mean loss of the training split, with the net in evaluation mode, no penalties, differentiated exactly.

    Noise and dropout are at their expectation, batch norm at its running averages, augmentation off; the derivative
    is the loss's own, whatever the backward rule. A sign has one of 0 everywhere: to what comes before it the loss is
    flat.

    Args:
        module: the net; it is copied.
        task: whose loss it is.
        batches: the training split, without a replica axis.

    Raises:
        UserError: the net has a state or binary weights.
    """

    def __init__(self, module: nn.Module, task: Task, batches: Sequence[Batch]) -> None:
        if is_recurrent(module):
            raise UserError("a Hessian is for nets without a state, and this one reads sequences; leave hessian=null")
        if any(isinstance(part, BinaryLinear | BinaryConvolution) for part in module.modules()):
            raise UserError(
                "the loss is flat in binary weights wherever it is smooth, so that its Hessian says "
                "nothing; leave out weight=binary, or hessian"
            )
        self.module = copy.deepcopy(module).double().eval()
        unfuse(self.module)
        self._exact = ExitStack()
        self._exact.enter_context(exactly(self.module))  # the copy is nobody else's, and stays so
        self.task = task
        self.batches = [_double(batch) for batch in batches]
        self.samples = sum(len(batch) for batch in self.batches)
        self.names = [name for name, _ in self.module.named_parameters()]
        self.shapes = [p.shape for _, p in self.module.named_parameters()]
        self.sizes = [p.numel() for _, p in self.module.named_parameters()]
        self.count = sum(self.sizes)
        self.buffers: Values = dict(self.module.named_buffers())
        self.theta = self.flat(dict(self.module.named_parameters()))
        self._width: int | None = None

    def at(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> "Objective":
        """The same objective with these parameters and buffers, of any precision."""
        other = copy.copy(self)
        other.theta = self.flat(parameters)
        other.buffers = {k: v.detach().double() if v.is_floating_point() else v for k, v in buffers.items()}
        return other

    def flat(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Parameters side by side in one vector (count,), in the order of `names`."""
        return torch.cat([parameters[name].detach().double().flatten() for name in self.names])

    def named(self, theta: Tensor) -> Values:
        """A vector's parts under their names."""
        parts = torch.split(theta, self.sizes)
        return {n: part.view(shape) for n, part, shape in zip(self.names, parts, self.shapes, strict=True)}

    def output(self, theta: Tensor, x: Tree) -> Tensor:
        """The net's output (samples, ...)."""
        out: Tensor = functional_call(self.module, (self.named(theta), self.buffers), (x,))
        return out

    def summed(self, theta: Tensor, batch: Batch) -> Tensor:
        """The sum of a batch's losses; the objective is the mean over all batches."""
        return self.task.measure(self.output(theta, batch.x), batch.y)["loss"] * len(batch)

    def scores(self) -> dict[str, float]:
        """Loss and metrics on the whole training split."""
        sums: dict[str, float] = {}
        with torch.no_grad():
            for batch in self.batches:
                for name, value in self.task.measure(self.output(self.theta, batch.x), batch.y).items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(batch)
        return {name: value / self.samples for name, value in sums.items()}

    def gradient(self) -> Tensor:
        """(count,)."""
        return sum((grad(self.summed)(self.theta, batch) for batch in self.batches), 0 * self.theta) / self.samples

    def products(self, vectors: Tensor, after: Callable[[], object] | None = None) -> Tensor:
        """The Hessian times each row of (k, count), in blocks that keep to a fixed amount of memory.

        Args:
            after: called after each batch.
        """
        total = torch.zeros_like(vectors)
        for batch in self.batches:
            pull = self._pull(batch)
            size = self.block(batch)
            for first in range(0, len(vectors), size):
                total[first : first + size] += pull(vectors[first : first + size])
            if after is not None:
                after()
        return total / self.samples

    def _pull(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        pullback: Any = vjp(grad(partial(self.summed, batch=batch)), self.theta)

        def pull(vector: Tensor) -> Tensor:
            product: Tensor = pullback[1](vector)[0]
            return product

        return vmap(pull)

    def block(self, batch: Batch) -> int:
        """How many products of a batch are taken at once."""
        if self._width is None:
            self._width = self._values_per_sample(batch.part(slice(2)).x)
        return max(1, MEMORY // (8 * ARRAYS * self._width * len(batch)))

    def _values_per_sample(self, x: Tree) -> int:
        seen: list[int] = []

        def count(_module: nn.Module, _args: object, out: object) -> None:
            seen.append(out.numel() if isinstance(out, Tensor) else 0)

        parts = [part for part in self.module.modules() if not list(part.children())]
        handles = [part.register_forward_hook(count) for part in parts]
        try:
            with torch.no_grad():
                self.output(self.theta, x)
        finally:
            for handle in handles:
                handle.remove()
        return max(sum(seen), sum(v.numel() for v in leaves(x))) // samples(x)

    def sample_gradients(self) -> Iterator[Tensor]:
        """Gradients of single samples' losses, (samples of a block, count), block by block."""

        def alone(theta: Tensor, x: Tree, y: Tree) -> Tensor:
            return self.summed(theta, Batch(*(mapped(lambda v: v[None], tree) for tree in (x, y))))

        single = vmap(grad(alone), in_dims=(None, 0, 0))
        size = max(1, MEMORY // (8 * 2 * self.count))
        for batch in self.batches:
            for first in range(0, len(batch), size):
                block = batch.part(slice(first, first + size))
                yield single(self.theta, block.x, block.y)


def _double(batch: Batch) -> Batch:
    return Batch(*(mapped(lambda v: v.double() if v.is_floating_point() else v, tree) for tree in (batch.x, batch.y)))
