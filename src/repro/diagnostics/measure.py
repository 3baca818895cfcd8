"""The wanted quantities of every layer, from what a probe found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from repro.diagnostics.probe import Layer, Traces
from repro.diagnostics.quantities import COMPARED, REGISTRY, vanishing_ratio
from repro.model.trees import Tree

Row = tuple[str, int, str, Tensor]  # layer, depth, quantity, values (replicas,)


def of_backward(layers: list[Layer], traces: Traces, exact: Traces, wanted: Iterable[str]) -> Iterator[Row]:
    """Every wanted comparison of a backward rule with exact back-propagation, traced on the same batch and noise."""
    for layer in layers:
        for name in COMPARED:
            if name in wanted and layer.weight is not None:
                pair = (traces_of.weight_gradient[layer.weight] for traces_of in (traces, exact))
                yield from ((layer.name, layer.depth, *row) for row in REGISTRY[name].rows(*pair))


def of_layers(
    layers: list[Layer],
    traces: Traces,
    parameters: Mapping[str, Tensor],
    wanted: Iterable[str],
    bins: int,
    x: Tree = None,
    y: Tree = None,
) -> Iterator[Row]:
    """Every wanted quantity of every layer, and the vanishing ratio of the model.

    What is told from a layer of inputs x and classes y, where they are given, is told from the inputs as well, as
    layer `input` at depth 0.

    The ratio compares hidden layers; in a recurrent net it compares the first step with the last, in the last layer.
    """
    asked = {*wanted, "histogram"} if bins else set(wanted)
    chosen = [q for q in REGISTRY.values() if q.name in asked]
    binned = REGISTRY["histogram"]
    chosen = [replace(q, measure=partial(q.measure, bins=bins)) if q is binned else q for q in chosen]
    inputs, classes = single_numbers(x), single_classes(y)
    if inputs is not None:
        first = {"classes": classes, "inputs": inputs}
        for quantity in chosen:
            if (told := first.get(quantity.reads)) is not None:
                replicas = len(next(iter(parameters.values())))
                own = quantity.rows(inputs.double().flatten(1)[None], told)
                yield from (("input", 0, name, value.expand(replicas)) for name, value in own)
    norms: list[Tensor] = []
    in_time: dict[int, Tensor] = {}
    for layer in layers:
        seen = _seen(layer, traces, parameters, {"inputs": inputs, "classes": classes})
        for quantity in chosen:
            if (values := seen.get(quantity.reads)) is None:
                continue
            rows = list(quantity.rows(*values) if isinstance(values, tuple) else quantity.rows(values))
            yield from ((layer.name, layer.depth, *row) for row in rows)
            if quantity.name == "gradient_norm" and layer.weight:
                norms.append(rows[0][1])
            if quantity.name == "gradient_through_time":
                in_time = dict(enumerate(one for _, one in rows))
    ends = (norms[0], norms[-1]) if norms else (in_time[0], in_time[len(in_time) - 1]) if in_time else None
    if ends is not None:
        yield "model", 0, "vanishing_ratio", vanishing_ratio(*ends)


def single_numbers(x: Tree) -> Tensor | None:
    """Inputs that are one tensor of real numbers; else None."""
    return x if isinstance(x, Tensor) and x.is_floating_point() else None


def single_classes(y: Tree) -> Tensor | None:
    """Targets that are a class each sample; else None."""
    return y if isinstance(y, Tensor) and y.dim() == 1 and not y.is_floating_point() else None


def _seen(
    layer: Layer, traces: Traces, parameters: Mapping[str, Tensor], samples: Mapping[str, Tensor | None]
) -> dict[str, Any]:
    """What there is of a layer to be measured, by what quantities read: a tensor, a pair of them or None."""
    own: dict[str, Any] = {
        "weight_gradient": traces.weight_gradient.get(layer.weight or ""),
        "single_sign": traces.single_sign.get(layer.weight or ""),
        "weight": parameters.get(layer.weight or ""),
        "bias": parameters.get(f"{(layer.weight or '').removesuffix('weight')}bias"),
        "p": parameters.get(layer.p or ""),
        "beta": parameters.get(layer.beta or ""),
        "knots": parameters.get(layer.knots or ""),
        "through_time": traces.through_time.get(layer.through_time or ""),
    }
    if layer.nonlinearity is not None:
        out = traces.out[layer.nonlinearity].double()  # once for all that need it
        own |= {
            "activations": out,
            "units": out.flatten(1, 2) if out.dim() == 4 else out,  # steps of time count as samples
            "saturated": traces.saturated[layer.nonlinearity],
            "gradient": traces.gradient[layer.nonlinearity],
            "noise": traces.noise.get(layer.nonlinearity),
        }
        own |= {name: (out.flatten(2), known) for name, known in samples.items() if known is not None}
    return own
