"""The modules of anybody's net that are looked at, and how their tensors lie."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from repro.model.activations import Nonlinearity
from repro.model.activations.modules import PerUnit
from repro.model.activations.nonlinearity import FLAT
from repro.model.recurrent import WithActivations
from repro.model.surgery import ACTING

RECURRENT = (nn.RNNBase, WithActivations)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTED = (nn.Linear, nn.Bilinear, nn.MultiheadAttention, *CONVOLUTIONS, *RECURRENT)


@dataclass(frozen=True)
class Part:
    """A module that is watched.

    Attributes:
        name: as `named_modules` has it; "model" where it is the whole net.
        module: itself.
        weights: its matrices and kernels; none in an activation.
        feeds_activation: whether an activation is the next part of the net, whose histogram says enough of both.
    """

    name: str
    module: nn.Module
    weights: tuple[nn.Parameter, ...]
    feeds_activation: bool = False

    @property
    def acts(self) -> bool:
        """Whether it is an activation, rather than a layer with weights."""
        return not isinstance(self.module, WEIGHTED)


def parts_of(model: nn.Module) -> list[Part]:
    """The linear, convolutional, recurrent, attention and activation modules, each once, in the order of the net.

    Of a recurrent layer with activations of its own these are parts too, which a kernel that computes them does not
    call; its matrices are the layer's.
    """
    found: list[Part] = []
    within: tuple[str, ...] = ()  # parts whose own parts do not count: a projection never called, a place's function
    opened: tuple[str, ...] = ()  # parts of which only activations count
    for name, module in model.named_modules():
        if name.startswith(within) or (name.startswith(opened) and not isinstance(module, ACTING)):
            continue
        inside = f"{name}." if name else ""
        if isinstance(module, nn.MultiheadAttention | Nonlinearity | PerUnit):
            within = (*within, inside)
        if isinstance(module, WithActivations):
            opened = (*opened, inside)
        if isinstance(module, WEIGHTED):
            found.append(Part(name or "model", module, tuple(filter(_is_weight, module.parameters()))))
        elif isinstance(module, ACTING):
            found.append(Part(name or "model", module, ()))
    following = [part.acts for part in found[1:]] + [False]
    return [
        replace(p, feeds_activation=acts and not p.acts and not isinstance(p.module, WithActivations))
        for p, acts in zip(found, following, strict=False)
    ]


def _is_weight(value: nn.Parameter) -> bool:
    return not isinstance(value, UninitializedParameter) and value.dim() > 1


def is_compiled(model: nn.Module) -> bool:
    """Whether a part of it runs compiled: hooks would be traced into it, and might change its last bits."""
    return any(hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) is not None for m in model.modules())


def output_of(out: Any) -> Tensor | None:
    """The tensor of numbers that a module puts out: of a tuple the first, of a packed sequence its data."""
    while isinstance(out, tuple) and out and not isinstance(out, nn.utils.rnn.PackedSequence):
        out = out[0]
    out = out.data if isinstance(out, nn.utils.rnn.PackedSequence) else out
    return out if isinstance(out, Tensor) and out.is_floating_point() else None


def samples_first(module: nn.Module, values: Tensor) -> Tensor:
    """(samples, ...), the first axis but in recurrent nets that have time there."""
    timed = isinstance(module, RECURRENT) and values.dim() == 3 and not module.batch_first
    return values.transpose(0, 1) if timed else values


def units_last(module: nn.Module | None, values: Tensor) -> Tensor:
    """(samples, units): places and steps of time count as samples, channels as units.

    Args:
        module: the layer that the values come from, or behind which an activation stands; None where it is unknown,
            and four dimensions are taken for a picture.
        values: of its output, or of the activation's.
    """
    places = len(module.kernel_size) if isinstance(module, CONVOLUTIONS) else 2 if module is None else 0
    values = values.movedim(1, -1) if places and values.dim() == places + 2 else values
    return values.reshape(-1, values.shape[-1] if values.dim() > 1 else 1)


def saturated(module: nn.Module, a: Tensor) -> Tensor | None:
    """Where an activation's slope at `a` is below 0.02 in size, same shape; None where it draws its slope."""
    if isinstance(getattr(module, "function", module), nn.RReLU):
        return None
    if isinstance(module, Nonlinearity):
        return module.saturated(a, mapped=False)
    if (known := getattr(module, "saturated", None)) is not None:
        flat: Tensor = known(a)
        return flat
    # Hooks on saved tensors, as those of checkpointing, are none of this graph's business.
    kept = torch.autograd.graph.saved_tensors_hooks(lambda value: value, lambda value: value)
    mixed = torch.is_autocast_enabled(a.device.type)
    with torch.enable_grad(), kept, torch.autocast(a.device.type, enabled=False) if mixed else nullcontext():
        own = next((p.dtype for p in module.parameters()), torch.float32 if a.dtype.itemsize < 4 else a.dtype)
        at = a.detach().to(own).requires_grad_()
        out = type(module).forward(module, at.clone())
        slope = torch.autograd.grad(out, at, torch.ones_like(out))[0]
    return slope.abs() < FLAT
