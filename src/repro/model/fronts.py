"""What stands in front of each place of a net: how many units there are, along which dimension, and where they live."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from repro.model.activations.modules import units_axis
from repro.model.architectures.gru import GRULayer
from repro.model.architectures.lstm import LSTMLayer
from repro.model.recurrent import WithActivations

CELLS = (WithActivations, LSTMLayer, GRULayer)


@dataclass(frozen=True)
class Front:
    """The last layer before a place.

    Attributes:
        units: how many it has; None where no layer was found.
        spatial: dimensions of space behind a convolution, 1 to 3; 0 behind a layer of rows; None where it is unknown.
        like: a parameter of it, for its type and device.
    """

    units: int | None = None
    spatial: int | None = None
    like: Tensor | None = None


def held(model: nn.Module) -> dict[str, Front]:
    """By the order in which the net holds its modules, of every name, those of a module at several places too."""
    fronts: dict[str, Front] = {}
    cell: str | None = None
    last, inside = Front(), Front()
    for name, module in model.named_modules(remove_duplicate=False):
        if cell is not None and name.startswith(cell):
            fronts[name] = inside
            continue
        last = _behind(module, last)
        fronts[name] = last
        if isinstance(module, CELLS):
            like = next(module.parameters(), None)
            cell, inside = f"{name}." if name else "", Front(module.units, 0, like)
            last = replace(last, like=like)
    return fronts


def called(model: nn.Module, names: Iterable[str], example: Any) -> dict[str, Front]:
    """By the order of calls on a batch for these names; as `held` has it for what is never called or has several."""
    fronts, last = held(model), Front()
    places = [(name, model.get_submodule(name)) for name in names]
    several = Counter(module for _, module in places)

    def note(name: str, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        shape = (*args, *kwargs.values())[0].shape
        fronts[name] = replace(last, units=shape[units_axis(len(shape), last.spatial)])

    def pass_by(module: nn.Module, _args: Any, _out: Any) -> None:
        nonlocal last
        last = _behind(module, last)

    handles = [
        module.register_forward_pre_hook(partial(note, name), prepend=True, with_kwargs=True)
        for name, module in places
        if several[module] == 1
    ]
    handles += [module.register_forward_hook(pass_by) for module in model.modules()]
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(example)
    finally:
        for module, training in modes.items():
            module.training = training
        for handle in handles:
            handle.remove()
    return fronts


def _behind(module: nn.Module, last: Front) -> Front:
    """What stands in front of whatever comes after a module."""
    like = next((p for p in module.parameters(recurse=False) if p.dtype.is_floating_point), last.like)
    kernel = getattr(module, "kernel_size", None)
    if isinstance(module, nn.RNNBase):
        directions = 2 if module.bidirectional else 1
        return Front((module.proj_size or module.hidden_size) * directions, 0, like)
    if isinstance(module, CELLS):
        return Front(module.units * getattr(module, "directions", 1), 0, like)
    for key, spatial in (
        ("out_features", 0),
        ("embedding_dim", 0),
        ("out_channels", len(kernel) if isinstance(kernel, tuple) else None),
        ("num_features", last.spatial),  # a normalization changes nothing of where they lie
    ):
        if isinstance(units := getattr(module, key, None), int):
            return Front(units, spatial, like)
    return replace(last, like=like)
