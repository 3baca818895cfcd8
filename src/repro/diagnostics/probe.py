"""One pass of a fixed probe batch through a model, with every layer's activations and gradients kept.

Written as a pure function of parameters and buffers, so that `torch.func.vmap` carries it over to stacked replicas.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from repro.activations import Nonlinearity


@dataclass(frozen=True)
class Layer:
    """A layer as tables know it.

    Attributes:
        name: dotted name of the module that holds it, e.g. "hidden.0".
        depth: 1 for the layer next to the input.
        weight: name of its weight among the parameters.
        site: name of its nonlinearity among the modules; None where it has none.
    """

    name: str
    depth: int
    weight: str
    site: str | None


@dataclass(frozen=True)
class Traces:
    """What a probe found, by the name of the site or weight; tensors carry a leading replica axis.

    Attributes:
        out: activations, (replicas, samples, units, ...).
        saturated: whether the slope at the pre-activation is small, same shape.
        gradient: of the mean loss with respect to the pre-activation, same shape.
        weight_gradient: of the mean loss with respect to each weight, (replicas, *weight).
    """

    out: dict[str, Tensor]
    saturated: dict[str, Tensor]
    gradient: dict[str, Tensor]
    weight_gradient: dict[str, Tensor]


def layers_of(module: nn.Module) -> list[Layer]:
    """The layers with weights, from the input to the output."""
    sites = {_holder(name): name for name, m in module.named_modules() if isinstance(m, Nonlinearity)}
    weighted = [name for name, m in module.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    names = [(_holder(name) or name, f"{name}.weight") for name in weighted]
    return [Layer(layer, i, weight, sites.get(layer)) for i, (layer, weight) in enumerate(names, 1)]


def _holder(name: str) -> str:
    return name.rpartition(".")[0]


@contextmanager
def _watched(
    module: nn.Module, nudges: Mapping[str, Tensor], seen: dict[str, dict[str, Tensor]]
) -> Iterator[None]:
    """Add a nudge to every pre-activation and note down what goes in and comes out of every nonlinearity."""

    def before(name: str) -> Callable[..., Any]:
        return lambda _module, args: (args[0] + nudges[name],) if name in nudges else None

    def after(name: str) -> Callable[..., Any]:
        def note(site: nn.Module, args: tuple[Tensor], out: Tensor) -> None:
            assert isinstance(site, Nonlinearity)
            seen["pre"][name], seen["out"][name] = args[0], out
            seen["saturated"][name] = site.saturated(args[0])

        return note

    sites = [(name, m) for name, m in module.named_modules() if isinstance(m, Nonlinearity)]
    handles = [m.register_forward_pre_hook(before(name)) for name, m in sites]
    handles += [m.register_forward_hook(after(name)) for name, m in sites]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def trace(module: nn.Module, measure: Callable[[Tensor, Tensor], dict[str, Tensor]], parameters: dict[str, Tensor],
          buffers: dict[str, Tensor], shapes: Mapping[str, torch.Size], x: Tensor, y: Tensor) -> Traces:  # fmt: skip
    """Activations and gradients of one replica, without the replica axis.

    The gradient with respect to a pre-activation is that with respect to a nudge of zero added to it.

    Args:
        module: the network, whose own parameters are not used.
        measure: the task's loss and metrics.
        shapes: of every site's pre-activation on this batch, as `shapes_of` finds them.
    """

    # Buffers are an argument because `grad` lets a function change only its arguments in place.
    def loss(
        nudges: dict[str, Tensor], values: dict[str, Tensor], buffers: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, dict[str, Tensor]]]:
        seen: dict[str, dict[str, Tensor]] = {"pre": {}, "out": {}, "saturated": {}}
        with _watched(module, nudges, seen):
            output = functional_call(module, (values, buffers), (x,))
        return measure(output, y)["loss"], seen

    nudges = {name: x.new_zeros(shape) for name, shape in shapes.items()}
    (gradient, weight_gradient), seen = grad(loss, argnums=(0, 1), has_aux=True)(nudges, parameters, buffers)
    return Traces(seen["out"], seen["saturated"], gradient, weight_gradient)


def shapes_of(module: nn.Module, parameters: dict[str, Tensor], buffers: dict[str, Tensor],
              x: Tensor) -> dict[str, torch.Size]:  # fmt: skip
    """The shape of every site's pre-activation on a batch."""
    seen: dict[str, dict[str, Tensor]] = {"pre": {}, "out": {}, "saturated": {}}
    with torch.no_grad(), _watched(module, {}, seen):
        functional_call(module, (parameters, buffers), (x,))
    return {name: value.shape for name, value in seen["pre"].items()}
