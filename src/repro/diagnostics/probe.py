"""One pass of a fixed probe batch through a model, with every layer's activations and gradients kept.

Written as a pure function of parameters and buffers, so that `torch.func.vmap` carries it over to stacked replicas.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from repro.activations import Nonlinearity

Values = dict[str, Tensor]
Pass = Callable[[Values, Values, Values], tuple[Tensor, Values, Values]]


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
    sites = {_holder(name): name for name, _ in _sites(module)}
    weighted = [name for name, m in module.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    names = [(_holder(name) or name, f"{name}.weight") for name in weighted]
    return [Layer(layer, i, weight, sites.get(layer)) for i, (layer, weight) in enumerate(names, 1)]


def _holder(name: str) -> str:
    return name.rpartition(".")[0]


@dataclass(frozen=True)
class _Seen:
    mapped: bool
    out: Values = field(default_factory=dict)
    saturated: Values = field(default_factory=dict)


@contextmanager
def _watched(module: nn.Module, nudges: Mapping[str, Tensor], seen: _Seen) -> Iterator[None]:
    """Add a nudge to every pre-activation and note down what comes out of every nonlinearity."""

    def before(name: str) -> Callable[..., Any]:
        return lambda _module, args: (args[0] + nudges[name],) if name in nudges else None

    def after(name: str) -> Callable[..., Any]:
        def note(site: nn.Module, args: tuple[Tensor], out: Tensor) -> None:
            assert isinstance(site, Nonlinearity)
            seen.out[name], seen.saturated[name] = out, site.saturated(args[0].detach(), seen.mapped)

        return note

    sites = _sites(module)
    handles = [m.register_forward_pre_hook(before(name)) for name, m in sites]
    handles += [m.register_forward_hook(after(name)) for name, m in sites]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def one_pass(
    module: nn.Module, measure: Callable[[Tensor, Tensor], Values], x: Tensor, y: Tensor, mapped: bool
) -> Pass:
    """One replica's pass of a batch, as a function of nudges, parameters and buffers.

    Args:
        module: the network, whose own parameters are not used.
        measure: the task's loss and metrics.
        mapped: whether the pass will run under `torch.func.vmap`.

    Returns:
        A function whose results are the loss, the activations and where they saturate. A nudge is added to its site's
        pre-activation: the gradient with respect to a nudge of zero is that with respect to the pre-activation.
    """

    def run(nudges: Values, parameters: Values, buffers: Values) -> tuple[Tensor, Values, Values]:
        seen = _Seen(mapped)
        with _watched(module, nudges, seen):
            output = functional_call(module, (parameters, buffers), (x,))
        return measure(output, y)["loss"], seen.out, seen.saturated

    return run


def trace(run: Pass, shapes: Mapping[str, torch.Size], parameters: Values, buffers: Values,
          weights: Iterable[str]) -> Traces:  # fmt: skip
    """Activations and gradients of a pass, with the replica axis if the pass has one.

    Args:
        run: from `one_pass`, mapped over replicas where parameters are stacked.
        shapes: of every site's pre-activation on the batch.
        parameters: neither they nor their gradients are changed.
        buffers: changed as training does.
        weights: names of the parameters whose gradients are wanted.
    """
    like = next(iter(parameters.values()))
    nudges = {k: torch.zeros(v, dtype=like.dtype, device=like.device, requires_grad=True) for k, v in shapes.items()}
    values = {k: v.detach() for k, v in parameters.items()}
    wanted = {k: values[k].requires_grad_() for k in weights}
    loss, out, saturated = run(nudges, values, buffers)
    gradients = torch.autograd.grad(loss.sum(), [*nudges.values(), *wanted.values()], materialize_grads=True)
    of_nudges, of_weights = gradients[: len(nudges)], gradients[len(nudges) :]
    return Traces({k: v.detach() for k, v in out.items()}, saturated, dict(zip(nudges, of_nudges, strict=True)),
                  dict(zip(wanted, of_weights, strict=True)))  # fmt: skip


def shapes_of(module: nn.Module, parameters: Values, buffers: Values, x: Tensor) -> dict[str, torch.Size]:
    """The shape of every site's pre-activation on a batch."""
    shapes: dict[str, torch.Size] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda _module, args: shapes.update({name: args[0].shape})

    handles = [m.register_forward_pre_hook(note(name)) for name, m in _sites(module)]
    try:
        with torch.no_grad():
            functional_call(module, (parameters, buffers), (x,))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _sites(module: nn.Module) -> list[tuple[str, Nonlinearity]]:
    return [(name, m) for name, m in module.named_modules() if isinstance(m, Nonlinearity)]
