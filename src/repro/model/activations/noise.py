"""The random numbers of a training step: one source for a model, one generator for a replica."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import number


class NoiseSource:
    """Draws the noise of a model's units and dropout masks from generators the caller owns.

    Under `torch.func.vmap` over replicas the r-th slice comes from the r-th generator, so a
    stacked run sees, number by number, the noise of its seeds run one by one.

    Args:
        generators: one for each replica; a single one for a model that is not stacked. They must
            live on the device of the tensors that pass through the model.
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self.generators = list(generators)

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, type and device of `like`; never differentiated."""
        return self._draw(like, "normal_")

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) of the shape, type and device of `like`; never differentiated."""
        return self._draw(like, "uniform_")

    def _draw(self, like: Tensor, method: str) -> Tensor:
        drawn: Tensor = _Draw.apply(like.detach(), self.generators, method)  # type: ignore[no-untyped-call]
        return drawn


class _Draw(torch.autograd.Function):
    """A draw that torch.func's transforms know how to stack and need not differentiate."""

    @staticmethod
    def forward(like: Tensor, generators: list[torch.Generator], method: str) -> Tensor:
        if len(generators) != 1:
            raise RuntimeError(
                f"a noise source of {len(generators)} replicas was asked for noise outside vmap over the "
                "replicas, or for a tensor that all replicas share; expand that tensor along the replica axis"
            )
        return _filled(like.shape, like, generators, method)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, None]:  # noqa: ARG004
        return None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:  # noqa: ARG004
        return None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int, None, None], like: Tensor, generators: list[torch.Generator], method: str
    ) -> tuple[Tensor, int]:
        if info.batch_size != len(generators):
            raise RuntimeError(
                f"vmap over {info.batch_size} entries meets a noise source of {len(generators)} replicas; "
                "give the source one generator for each entry"
            )
        shape = like.movedim(in_dims[0], 0).shape[1:]
        return _filled(shape, like, generators, method, stacked=True), 0


def _filled(
    shape: torch.Size, like: Tensor, generators: list[torch.Generator], method: str, stacked: bool = False
) -> Tensor:
    # Contiguous whatever the layout of `like`: the order of the numbers must depend on the shape alone.
    out = torch.empty((len(generators), *shape), dtype=like.dtype, device=like.device)
    for slice_, generator in zip(out, generators, strict=True):
        getattr(slice_, method)(generator=generator)
    return out if stacked else out[0]


def required(source: NoiseSource | None, module: nn.Module) -> NoiseSource:
    """The source a module draws from; `RuntimeError` when nobody has given it one."""
    if source is None:
        raise RuntimeError(
            f"{type(module).__name__} needs noise while training; call attach_noise(model, NoiseSource([generator]))"
        )
    return source


def attach_noise(model: nn.Module, source: NoiseSource | None) -> None:
    """Make every module of `model` that draws noise draw it from `source`; `None` detaches them.

    A module that draws has an attribute `noise`, `None` until it is attached.
    """
    for module in model.modules():
        # The value is looked at as well: somebody's own module may call a number `noise`.
        if hasattr(module, "noise") and isinstance(module.noise, NoiseSource | None):
            module.noise = source  # type: ignore[assignment]


class Dropout(nn.Module):
    """Inverted dropout: E[output] = input while training, the identity otherwise.

    Args:
        p: probability that an element is set to zero, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = number("architecture.dropout", p, 0, 1, "[)")
        self.noise: NoiseSource | None = None

    def forward(self, x: Tensor) -> Tensor:
        """`x`, any shape, with a fresh mask for every element."""
        if not self.training or self.p == 0:
            return x
        keep = required(self.noise, self).uniform(x) >= self.p
        return x * (keep * (1 / (1 - self.p))).to(x.dtype)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class GaussianNoise(nn.Module):
    """Normal noise of mean 0 added to inputs while training, the identity otherwise (Sietsma and Dow 1991).

    Args:
        std: its standard deviation, in the units of the input, 0 or more.
    """

    zero: Tensor

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = number("architecture.input_noise", std, 0)
        self.noise: NoiseSource | None = None
        # Every replica has its own, which makes noise for each out of an input that all share.
        self.register_buffer("zero", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`x`, any shape, with fresh noise for every element."""
        if not self.training or self.std == 0:
            return x
        return x + self.std * required(self.noise, self).normal(x + self.zero)

    def extra_repr(self) -> str:
        return f"std={self.std}"
