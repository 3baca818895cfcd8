"""The modules of anybody's net that are looked at, and how their tensors lie."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from repro.model.activations import Nonlinearity
from repro.model.activations.modules import PerUnit
from repro.model.activations.nonlinearity import FLAT
from repro.model.recurrent import WithActivations
from repro.model.surgery import ACTING

RECURRENT = (nn.RNNBase, WithActivations)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SEQUENTIAL = (*RECURRENT, nn.MultiheadAttention)
WEIGHTED = (nn.Linear, nn.Bilinear, nn.RNNCellBase, *CONVOLUTIONS, *SEQUENTIAL)
KNOWN = ("torch", "repro")  # whose functions give the same at every call


@dataclass(frozen=True)
class Part:
    """A module that is watched.

    Attributes:
        name: as `named_modules` has it; "model" where it is the whole net.
        module: itself.
        weights: its own matrices and kernels, as parameters; none in an activation.
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

    def matrices(self) -> list[Tensor]:
        """Its weights as it uses them; what it makes of parametrized ones, as in evaluation, so that nothing moves."""
        made = _parametrizations(self.module)
        if made is None:
            return [weight.detach() for weight in self.weights]
        originals = set(map(id, made.parameters()))
        modes = [(part, part.training) for part in made.modules()]
        made.eval()
        try:
            with torch.no_grad():
                used = [getattr(self.module, name) for name in made]
        finally:
            for part, training in modes:
                part.training = training
        return [w.detach() for w in (*self.weights, *used) if w.dim() > 1 and id(w) not in originals]


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
            found.append(Part(name or "model", module, tuple(filter(_is_weight, _own(module)))))
        elif isinstance(module, ACTING):
            found.append(Part(name or "model", module, ()))
    following = [part.acts for part in found[1:]] + [False]
    return [
        replace(p, feeds_activation=acts and not p.acts and not isinstance(p.module, WithActivations))
        for p, acts in zip(found, following, strict=False)
    ]


def _parametrizations(module: nn.Module) -> nn.ModuleDict | None:
    made = module.parametrizations if is_parametrized(module) else None
    return made if isinstance(made, nn.ModuleDict) else None


def _own(module: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of a module, but not those of layers within it, which are parts themselves."""
    if isinstance(module, nn.MultiheadAttention | WithActivations):  # whose layers within are none
        yield from module.parameters()
        return
    yield from module.parameters(recurse=False)
    if (made := _parametrizations(module)) is not None:
        yield from made.parameters()


def _is_weight(value: nn.Parameter) -> bool:
    return not isinstance(value, UninitializedParameter) and value.dim() > 1


def is_compiled(model: nn.Module) -> bool:
    """Whether a part of it runs compiled: hooks would be traced into it, and might change its last bits."""
    return any(hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) is not None for m in model.modules())


def output_of(out: Any) -> tuple[Tensor | None, PackedSequence | None]:
    """The tensor of numbers that a module puts out, the first of a tuple; and the packed sequence that it is of."""
    while isinstance(out, tuple) and out and not isinstance(out, PackedSequence):
        out = out[0]
    packed = out if isinstance(out, PackedSequence) else None
    values = out if packed is None else packed.data
    return (values if isinstance(values, Tensor) and values.is_floating_point() else None), packed


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
    """Where an activation's slope at `a` is below 0.02 in size, whatever its backward rule; same shape.

    None where that cannot be had without a trace: a function that draws its slope, and somebody's own, which may draw,
    count its calls, or want or give more than a tensor.
    """
    function = module.function if isinstance(module, Nonlinearity) else module
    known = getattr(function, "saturated", None)
    if known is not None and isinstance(module, Nonlinearity | PerUnit):
        flat: Tensor = known(a)
        return flat
    written_by = str(getattr(type(function).forward, "__module__", None)).partition(".")[0]
    if isinstance(function, nn.RReLU) or written_by not in KNOWN:
        return None
    # Hooks on saved tensors, as those of checkpointing, are none of this graph's business.
    kept = torch.autograd.graph.saved_tensors_hooks(lambda value: value, lambda value: value)
    mixed = torch.is_autocast_enabled(a.device.type)
    with torch.enable_grad(), kept, torch.autocast(a.device.type, enabled=False) if mixed else nullcontext():
        own = next((p.dtype for p in function.parameters()), torch.float32 if a.dtype.itemsize < 4 else a.dtype)
        at = a.detach().to(own).requires_grad_()
        out = type(function).forward(function, at.clone())  # not called, since others' hooks would be
        # A step made of comparisons has no graph.
        slope = torch.autograd.grad(out, at, torch.ones_like(out))[0] if out.requires_grad else torch.zeros_like(at)
    return slope.abs() < FLAT
