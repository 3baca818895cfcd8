"""One pass of a fixed probe batch through a model, with every layer's activations and gradients kept.

Written as a pure function of parameters and buffers, so that `torch.func.vmap` carries it over to stacked replicas.
A nonlinearity that is used at every step of time is looked at in all of them: time follows the samples' axis.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from repro.model.activations import Nonlinearity
from repro.model.activations.noisy import Noisy
from repro.model.activations.nonlinearity import under
from repro.model.architectures.recurrence import call, call_functional, unfused
from repro.model.backward import exact
from repro.model.layers import FeedbackConvolution, FeedbackLinear
from repro.model.trees import Tree
from repro.tasks import Task

Values = dict[str, Tensor]


@dataclass(frozen=True)
class Layer:
    """A layer as tables know it.

    Attributes:
        name: dotted name of the module that holds it, e.g. "hidden.0"; of the part, where a layer has several.
        depth: 1 for the layer next to the input.
        weight: name of its weight among the parameters; None where it has none.
        nonlinearity: name of its nonlinearity among the modules; None where it has none.
        p: name of that nonlinearity's p among the parameters; None where it has none.
        beta: name of its β likewise.
        through_time: name of the place where its hidden state passes at each step; None where it has none.
        knots: name of the knots of its splines among the buffers; None where it has none.
    """

    name: str
    depth: int
    weight: str | None = None
    nonlinearity: str | None = None
    p: str | None = None
    beta: str | None = None
    through_time: str | None = None
    knots: str | None = None


@dataclass(frozen=True)
class Pass:
    """What a pass leaves behind. Sites and places by name, tensors (samples, [steps,] units, ...).

    Attributes:
        loss: of the whole batch.
        last: of the last prediction in time.
        out: activations.
        saturated: whether the slope at the pre-activation is small.
        noise: standard deviation of the noise, of noisy nonlinearities.
        single_sign: whether all inputs of a linear layer have one sign (zeros go with either), by its weight's name,
            (samples, [steps]).
    """

    loss: Tensor
    last: Tensor
    out: Values
    saturated: Values
    noise: Values
    single_sign: Values


@dataclass(frozen=True)
class Traces:
    """What a probe found, by the name of the nonlinearity or parameter; tensors carry a leading replica axis.

    Attributes:
        out: activations, (replicas, samples, [steps,] units, ...).
        saturated: whether the slope at the pre-activation is small, same shape.
        noise: standard deviation of the noise, of noisy nonlinearities, same shape.
        single_sign: whether all inputs of a linear layer have one sign, by its weight's name, (replicas, samples, ...).
        gradient: of the mean loss with respect to the pre-activation, same shape.
        weight_gradient: of the mean loss with respect to each weight, (replicas, *weight).
        through_time: gradient of the last prediction's mean loss with respect to every hidden state, same as `out`.
    """

    out: Values
    saturated: Values
    noise: Values
    single_sign: Values
    gradient: Values
    weight_gradient: Values
    through_time: Values


def call_order(module: nn.Module, x: Tree) -> list[str]:
    """The layers with weights by name, in the order in which a pass of `x` first calls them; nothing is changed."""
    called: dict[str, None] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda _module, _args: called.setdefault(name)

    handles = [m.register_forward_pre_hook(note(name)) for name, m in module.named_modules() if _weighted(m)]
    training = module.training
    try:
        with unfused(module), torch.no_grad():
            call(module.eval(), x)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    return list(called)


def _weighted(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | nn.Conv2d)


def layers_of(module: nn.Module, order: Sequence[str] | None = None) -> list[Layer]:
    """The layers with weights, from the input to the output.

    Args:
        module: the net.
        order: of the layers, from `call_order`, those that are never called left out; None = as the net holds them.

    A module that holds one weighted layer and at most one nonlinearity is one layer; of one that holds more (an LSTM
    layer) every part counts separately, at the same depth, and so do weights of a module that says `side_by_side`.
    """
    weights: dict[str, list[str]] = defaultdict(list)
    nonlinearities: dict[str, list[str]] = defaultdict(list)
    for name, part in module.named_modules():
        if isinstance(part, Nonlinearity) and _holder(name):
            nonlinearities[_holder(name)].append(name)
    held = [name for name, part in module.named_modules() if _weighted(part)]
    for name in held if order is None else order:
        weights[_holder(name)].append(name)
    parameters = {name for named in (module.named_parameters(), module.named_buffers()) for name, _ in named}
    layers: list[Layer] = []
    depth = 0
    for holder, names in weights.items():
        own = nonlinearities[holder]
        if len(own) > 1:
            depth += 1
            layers += [_layer(name, depth, parameters, weight=name) for name in names]
            layers += [_layer(name, depth, parameters, nonlinearity=name) for name in own]
            if isinstance(getattr(module.get_submodule(holder), "hidden", None), nn.Identity):
                layers.append(Layer(f"{holder}.hidden", depth, through_time=f"{holder}.hidden"))
            continue
        together = getattr(module.get_submodule(holder), "side_by_side", False)
        for i, name in enumerate(names):
            depth += not (together and i)
            shown = holder if holder and len(names) == 1 else name
            layers.append(_layer(shown, depth, parameters, weight=name, nonlinearity=own[0] if own and not i else None))
    outermost = [name for name, part in module.named_modules() if isinstance(part, Nonlinearity) and not _holder(name)]
    for beta in (f"{name}.function.beta" for name in outermost):
        if beta in parameters:  # the output layer's, whose activation is not looked at
            layers[-1] = replace(layers[-1], beta=beta)
    return layers


def passages_of(layers: Iterable[Layer]) -> list[str]:
    """The places that hidden states pass, by the names of their modules."""
    return [layer.through_time for layer in layers if layer.through_time is not None]


def _layer(
    name: str, depth: int, parameters: set[str], weight: str | None = None, nonlinearity: str | None = None
) -> Layer:
    p, beta = (own if (own := f"{nonlinearity}.function.{symbol}") in parameters else None for symbol in ("p", "beta"))
    knots = own if (own := f"{weight}.knots") in parameters else None
    return Layer(name, depth, weight and f"{weight}.weight", nonlinearity, p, beta, knots=knots)


def _holder(name: str) -> str:
    return name.rpartition(".")[0]


@dataclass(frozen=True)
class _Seen:
    mapped: bool
    out: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    saturated: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    noise: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    single_sign: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))


def _joined(calls: Mapping[str, list[Tensor]]) -> Values:
    return {name: values[0] if len(values) == 1 else torch.stack(values, 1) for name, values in calls.items()}


@contextmanager
def _watched(module: nn.Module, passages: Collection[str], nudges: Values, seen: _Seen) -> Iterator[None]:
    """Add a nudge to every pre-activation and note down what comes out of every nonlinearity."""
    calls: dict[str, int] = defaultdict(int)

    def before(name: str) -> Callable[..., Any]:
        def nudge(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            calls[name] += 1
            if name not in nudges:
                return None
            repeated = nudges[name].dim() > args[0].dim()
            return (args[0] + (nudges[name][:, calls[name] - 1] if repeated else nudges[name]), *args[1:])

        return nudge

    def after(name: str) -> Callable[..., Any]:
        def note(nonlinearity: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
            seen.out[name].append(out)
            if isinstance(nonlinearity, Nonlinearity):
                seen.saturated[name].append(nonlinearity.saturated(args[0].detach(), seen.mapped))
                if isinstance(nonlinearity.function, Noisy):
                    seen.noise[name].append(nonlinearity.function.noise_std(args[0]).detach())

        return note

    def look(name: str) -> Callable[..., None]:
        def note(_module: nn.Module, args: tuple[Any, ...]) -> None:
            x = args[0].detach()
            seen.single_sign[f"{name}.weight"].append((x.amin(-1) >= 0) | (x.amax(-1) <= 0))

        return note

    places = _places(module, passages)
    handles = [m.register_forward_pre_hook(before(name)) for name, m in places]
    handles += [m.register_forward_hook(after(name)) for name, m in places]
    linear = [(name, m) for name, m in module.named_modules() if isinstance(m, nn.Linear)]
    handles += [m.register_forward_pre_hook(look(name)) for name, m in linear]
    try:
        with unfused(module):
            yield
    finally:
        for handle in handles:
            handle.remove()


def one_pass(
    module: nn.Module, passages: Collection[str], task: Task, x: Tree, y: Tree, mapped: bool
) -> Callable[..., Any]:
    """One replica's pass of a batch, as a function of nudges, parameters and buffers.

    Args:
        module: the network, whose own parameters are not used.
        passages: the places that hidden states pass, from `passages_of`.
        task: loss and metrics.
        mapped: whether the pass will run under `torch.func.vmap`.

    Returns:
        A function whose results are the fields of a `Pass`. A nudge is added to its nonlinearity's pre-activation: the
        gradient with respect to a nudge of zero is that with respect to the pre-activation.
    """

    def run(nudges: Values, parameters: Values, buffers: Values) -> tuple[Any, ...]:
        seen = _Seen(mapped)
        with _watched(module, passages, nudges, seen):
            output, _ = call_functional(module, (parameters, buffers), x)
        last = task.last(output, y) if any(name in nudges for name in passages) else output.new_zeros(())
        return (
            task.measure(output, y)["loss"],
            last,
            *map(_joined, (seen.out, seen.saturated, seen.noise, seen.single_sign)),
        )

    return run


def trace(
    run: Callable[..., Any],
    shapes: Mapping[str, torch.Size],
    parameters: Values,
    buffers: Values,
    weights: Iterable[str],
    passages: Iterable[str],
) -> Traces:
    """Activations and gradients of a pass, with the replica axis if the pass has one.

    Args:
        run: from `one_pass`, mapped over replicas where parameters are stacked.
        shapes: of every place's input on the batch.
        parameters: neither they nor their gradients are changed.
        buffers: changed as training does.
        weights: names of the parameters whose gradients are wanted.
        passages: the places that hidden states pass.
    """
    like = next(iter(parameters.values()))
    nudges = {k: torch.zeros(v, dtype=like.dtype, device=like.device, requires_grad=True) for k, v in shapes.items()}
    values = {k: v.detach() for k, v in parameters.items()}
    wanted = {k: values[k].requires_grad_() for k in weights}
    seen = Pass(*run(nudges, values, buffers))
    through = [name for name in passages if name in nudges]
    nonlinearities = [name for name in nudges if name not in through]
    followed = torch.autograd.grad(seen.last.sum(), [nudges[k] for k in through], retain_graph=True) if through else ()
    asked = [*(nudges[k] for k in nonlinearities), *wanted.values()]
    gradients = torch.autograd.grad(seen.loss.sum(), asked, materialize_grads=True)
    return Traces(
        {k: v.detach() for k, v in seen.out.items()},
        seen.saturated,
        seen.noise,
        seen.single_sign,
        dict(zip(nonlinearities, gradients[: len(nonlinearities)], strict=True)),
        dict(zip(wanted, gradients[len(nonlinearities) :], strict=True)),
        dict(zip(through, followed, strict=True)),
    )


@contextmanager
def exactly(module: nn.Module) -> Iterator[None]:
    """Differentiate every nonlinearity and layer exactly, whatever the rule; binary weights stay as they are."""
    fed_back = [part for part in module.modules() if isinstance(part, FeedbackLinear | FeedbackConvolution)]
    try:
        for layer in fed_back:
            layer.aligned = True
        with under(module, exact):
            yield
    finally:
        for layer in fed_back:
            layer.aligned = False


def shapes_of(
    module: nn.Module, passages: Collection[str], parameters: Values, buffers: Values, x: Tree
) -> dict[str, torch.Size]:
    """The shape of every place's input on the batch, with the axis of time where it is used more than once."""
    shapes: dict[str, list[torch.Size]] = defaultdict(list)

    def note(name: str) -> Callable[..., None]:
        return lambda _module, args: shapes[name].append(args[0].shape)

    handles = [m.register_forward_pre_hook(note(name)) for name, m in _places(module, passages)]
    try:
        with unfused(module), torch.no_grad():
            call_functional(module, (parameters, buffers), x)
    finally:
        for handle in handles:
            handle.remove()
    return {k: v[0] if len(v) == 1 else torch.Size((v[0][0], len(v), *v[0][1:])) for k, v in shapes.items()}


def _places(module: nn.Module, passages: Collection[str]) -> list[tuple[str, nn.Module]]:
    """The nonlinearities, and where hidden states pass."""
    return [(name, m) for name, m in module.named_modules() if isinstance(m, Nonlinearity) or name in passages]
