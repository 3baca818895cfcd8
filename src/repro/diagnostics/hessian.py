"""The whole Hessian of an objective, in memory.

Where every linear layer works once on rows (samples, inputs), a weight's effect on a sample is its input times the
effect of its unit's pre-activation. So one pass a *unit* gives the blocks between weights and biases, the rest being
matrix products; only what is left (the βs, say, or convolutions) needs one pass a *parameter*.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp, vmap

from repro.bars import tracked
from repro.datasets.protocol import Batch
from repro.diagnostics.objective import MEMORY, Objective, Values
from repro.errors import UserError

# Of a product's length, by which blocks may miss it: rounding is some 1e-15, a term left out some tenths.
FITTING = 1e-8
# By which second derivatives may differ with their order, in part and in all: a net with steps in single precision has
# some 1e-7 and wrong derivatives some hundredths; where there is no curvature all is rounding.
SYMMETRIC, NEGLIGIBLE = 1e-5, 1e-9


def hessian(objective: Objective) -> Tensor:
    """Second derivatives of the objective at its parameters, (count, count), symmetric to the last bit.

    Raises:
        UserError: those that torch gives are not symmetric.
    """
    layers = _linear_layers(objective)
    matrix = torch.zeros(objective.count, objective.count, dtype=torch.float64, device=objective.theta.device)
    if layers:
        _between_layers(objective, layers, matrix)
        if not _fits(objective, layers, matrix):
            layers = []
            matrix.zero_()
    inside = torch.zeros(objective.count, dtype=torch.bool)
    for layer in layers:
        inside[layer.places.flatten()] = True
    rest = torch.nonzero(~inside).flatten().to(matrix.device)
    parts = torch.split(rest, max(1, MEMORY // (8 * objective.count)))
    for part in tracked(parts, "Hessian", "block"):
        units = torch.zeros(len(part), objective.count, dtype=matrix.dtype, device=matrix.device)
        units[torch.arange(len(part)), part] = 1.0
        rows = objective.products(units)
        matrix[part] = rows
        matrix[:, part] = rows.T
    _check((matrix - matrix.T).amax(), matrix.abs().amax())
    return (matrix + matrix.T) / 2


def sound(objective: Objective) -> bool:
    """Whether the Hessian is finite and not that of a diverged net, as two products tell.

    Raises:
        UserError: it is not symmetric.
    """
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(2, objective.count, generator=rng, dtype=torch.float64).to(objective.theta.device)
    products = objective.products(vectors)
    one, other = (vectors * products.flip(0)).sum(1)
    _check((one - other).abs(), products.norm(dim=1).amax())
    return bool(products.isfinite().all())


def _check(difference: Tensor, size: Tensor) -> None:
    if difference > SYMMETRIC * size + NEGLIGIBLE:
        raise UserError(
            "the second derivatives of this net are wrong: they depend on the order in which they are taken, as "
            "torch's of weight norm do (take it off with torch.nn.utils.parametrize.remove_parametrizations), and "
            "those of what is detached or has a backward of its own"
        )


@dataclass
class _Linear:
    """A linear layer that is used once, on rows.

    Attributes:
        name: among the modules.
        places: of its weights and biases in the vector of parameters, (outputs, inputs + 1).
    """

    name: str
    places: Tensor


def _linear_layers(objective: Objective) -> list[_Linear]:
    """In the order in which they are used; none where a weight is shared or a layer is used otherwise."""
    modules = {
        name: m for name, m in objective.module.named_modules() if isinstance(m, nn.Linear) and m.bias is not None
    }
    starts = dict(zip(objective.names, torch.tensor([0, *objective.sizes]).cumsum(0).tolist(), strict=False))
    calls: list[str] = []
    rows = True

    def note(name: str) -> Callable[..., None]:
        def look(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
            nonlocal rows
            calls.append(name)
            rows &= _input(args, kwargs).dim() == 2

        return look

    handles = [m.register_forward_pre_hook(note(name), with_kwargs=True) for name, m in modules.items()]
    try:
        with torch.no_grad():
            objective.output(objective.theta, objective.batches[0].part(slice(2)).x)
    finally:
        for handle in handles:
            handle.remove()
    if (
        not rows
        or len(set(calls)) < len(calls)
        or any(f"{n}.{p}" not in starts for n in calls for p in ("weight", "bias"))
    ):
        return []
    return [_Linear(name, _places(starts, name, modules[name])) for name in calls]


def _input(args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> Tensor:
    return args[0] if args else kwargs["input"]


def _places(starts: dict[str, int], name: str, layer: nn.Linear) -> Tensor:
    outputs, inputs = layer.weight.shape
    weights = starts[f"{name}.weight"] + torch.arange(outputs * inputs).view(outputs, inputs)
    return torch.cat([weights, starts[f"{name}.bias"] + torch.arange(outputs)[:, None]], 1)


def _fits(objective: Objective, layers: Sequence[_Linear], matrix: Tensor) -> bool:
    """Whether the blocks between the layers do what a product does.

    They do not where a weight is used outside its layer too, or where samples meet, which no call of a layer shows.
    """
    places = torch.cat([layer.places.flatten() for layer in layers]).to(matrix.device)
    rng = torch.Generator().manual_seed(0)
    vector = torch.zeros_like(objective.theta)
    vector[places] = torch.randn(len(places), generator=rng, dtype=torch.float64).to(vector.device)
    product = objective.products(vector[None])[0]
    error = (matrix @ vector - product)[places].norm()
    return bool(error <= FITTING * product[places].norm() + torch.finfo(torch.float64).eps)


@dataclass
class _Seen:
    inputs: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def _nudged(module: nn.Module, nudges: dict[str, Tensor], seen: _Seen) -> Iterator[None]:
    """Add a nudge to every linear layer's output and note down its inputs."""

    def after(name: str) -> Callable[..., Tensor]:
        def nudge(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor], out: Tensor) -> Tensor:
            seen.inputs[name] = _input(args, kwargs)
            return out + nudges[name]

        return nudge

    handles = [module.get_submodule(name).register_forward_hook(after(name), with_kwargs=True) for name in nudges]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _between_layers(objective: Objective, layers: Sequence[_Linear], matrix: Tensor) -> None:
    units = sum(len(layer.places) for layer in layers)
    widest = max(layer.places.shape[1] for layer in layers)
    size = max(1, MEMORY // (8 * 4 * units * (units + widest)))
    blocks = [(batch, first) for batch in objective.batches for first in range(0, len(batch), size)]
    for batch, first in tracked(blocks, "Hessian", "block"):
        _add(objective, layers, batch.part(slice(first, first + size)), matrix)
    matrix /= objective.samples


def _add(objective: Objective, layers: Sequence[_Linear], batch: Batch, matrix: Tensor) -> None:
    """Add the blocks between the layers of a batch's summed loss to the upper triangle of blocks, and mirror them."""
    named = objective.named(objective.theta)

    def run(nudges: Values) -> tuple[Tensor, Values]:
        seen = _Seen()
        with _nudged(objective.module, nudges, seen):
            output = functional_call(objective.module, (named, objective.buffers), (batch.x,))
        return objective.task.measure(output, batch.y)["loss"] * len(batch), seen.inputs

    zeros = {layer.name: objective.theta.new_zeros(len(batch), len(layer.places)) for layer in layers}
    pullback: Any = vjp(grad(run, has_aux=True), zeros)
    (errors, inputs), back = pullback
    with_bias = {name: torch.cat([value, torch.ones_like(value[:, :1])], 1) for name, value in inputs.items()}
    for m, later in enumerate(layers):
        # Of a unit's error and of an input, the derivatives by every earlier pre-activation.
        by_error = _derivatives(back, errors, inputs, later.name, of_error=True)
        by_input = _derivatives(back, errors, inputs, later.name, of_error=False) if m else {}
        for layer in layers[: m + 1]:
            left = with_bias[layer.name]  # (samples, j)
            for k, row in enumerate(later.places):
                # (samples, i, q): of the gradient at (k, q), by the pre-activation of unit i
                change = by_error[layer.name][k][:, :, None] * with_bias[later.name][:, None, :]
                if layer is not later:
                    change[..., :-1] += errors[later.name][:, k, None, None] * by_input[layer.name].permute(1, 2, 0)
                block = torch.einsum("nj,niq->ijq", left, change)
                matrix[layer.places[:, :, None], row[None, None, :]] += block
                if layer is not later:
                    matrix[row[:, None, None], layer.places[None]] += block.permute(2, 0, 1)


def _derivatives(
    back: Callable[..., tuple[dict[str, Tensor]]],
    errors: dict[str, Tensor],
    inputs: dict[str, Tensor],
    name: str,
    of_error: bool,
) -> dict[str, Tensor]:
    """Derivatives of every column of a layer's errors, or inputs, by all pre-activations, (columns, samples, units)."""
    of = (errors if of_error else inputs)[name]
    basis = torch.eye(of.shape[1], dtype=of.dtype, device=of.device)

    def pull(column: Tensor) -> dict[str, Tensor]:
        asked = [{key: torch.zeros_like(value) for key, value in part.items()} for part in (errors, inputs)]
        asked[0 if of_error else 1][name] = column.expand_as(of)
        return back(tuple(asked))[0]

    products: dict[str, Tensor] = vmap(pull)(basis)
    return products
