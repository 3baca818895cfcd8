"""The quantities of a layer. Each takes tensors with a leading replica axis and returns one number a replica.

`docs/quantities.md` gives formula and unit of each; the tests hold each against a slow twin in float64.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from repro.diagnostics.probe import Layer, Traces

Row = tuple[str, int, str, Tensor]  # layer, depth, quantity, values (replicas,)


def activation_mean(out: Tensor) -> Tensor:
    """Mean over samples and units, (replicas, samples, units, ...) to (replicas,)."""
    return out.double().flatten(1).mean(1)


def activation_std(out: Tensor) -> Tensor:
    """Standard deviation over samples and units together (not per unit), biased, 0 or more."""
    return out.double().flatten(1).std(1, correction=0)


def saturated_share(saturated: Tensor) -> Tensor:
    """Share of (sample, unit) pairs in the flat part of the activation, where its slope is below 0.02; in [0, 1]."""
    return saturated.double().flatten(1).mean(1)


def dead_share(out: Tensor) -> Tensor:
    """Share of units (channels of a convolution) whose output is exactly 0 for every sample and place; in [0, 1]."""
    samples = out.flatten(3).movedim(-1, 1).flatten(1, 2) if out.dim() > 3 else out  # (replicas, samples, units)
    return ((samples.amin(1) == 0) & (samples.amax(1) == 0)).double().mean(1)


def gradient_norm(gradient: Tensor) -> Tensor:
    """Mean over samples of the L2 norm of ∂(sample's loss)/∂(pre-activation).

    Args:
        gradient: of the *mean* loss, (replicas, samples, units, ...); a sample's own is `samples` times that.
    """
    norms: Tensor = torch.linalg.vector_norm(gradient.double().flatten(2), dim=2)
    return norms.mean(1) * gradient.shape[1]


def weight_gradient_norm(gradient: Tensor) -> Tensor:
    """L2 norm of the mean loss's gradient with respect to the layer's weight, no penalty, before clipping."""
    norm: Tensor = torch.linalg.vector_norm(gradient.double().flatten(1), dim=1)
    return norm


def update_ratio(before: Tensor, after: Tensor) -> Tensor:
    """‖after − before‖ / ‖before‖ of the layer's weight over the last update; 0/0 counts as 0."""
    change = (after - before).double().flatten(1).norm(dim=1)
    size = before.double().flatten(1).norm(dim=1)
    return torch.where(change == 0, 0.0, change / size)


def vanishing_ratio(first: Tensor, last: Tensor) -> Tensor:
    """The first hidden layer's gradient_norm over the last hidden one's: 1 = even, 0 = vanished, above 1 = growing."""
    return first / last


def histogram(out: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of equally wide bins between each replica's least and greatest activation.

    Returns:
        low (replicas,), high (replicas,), shares (replicas, bins), each row summing to 1.
    """
    flat = out.double().flatten(1).nan_to_num()
    low, high = flat.amin(1), flat.amax(1)
    width = torch.where(high > low, high - low, 1.0)
    # In place, since fresh memory costs more than the arithmetic.
    places = flat.sub_(low[:, None]).div_(width[:, None]).mul_(bins).long().clamp_(0, bins - 1)
    places += bins * torch.arange(len(flat), device=out.device)[:, None]
    counts = torch.bincount(places.flatten(), minlength=bins * len(flat)).view(len(flat), bins)
    return low, high, counts.double() / flat.shape[1]


def of_layers(layers: list[Layer], traces: Traces, wanted: Iterable[str], bins: int) -> Iterator[Row]:
    """Every wanted quantity of every layer, and the vanishing ratio of the model."""
    wanted = set(wanted)
    norms: list[Tensor] = []
    for layer in layers:
        for quantity, values in _of_layer(layer, traces, wanted, bins):
            yield layer.name, layer.depth, quantity, values
            if quantity == "gradient_norm":
                norms.append(values)
    if norms:
        yield "model", 0, "vanishing_ratio", vanishing_ratio(norms[0], norms[-1])


def _of_layer(layer: Layer, traces: Traces, wanted: set[str], bins: int) -> Iterator[tuple[str, Tensor]]:
    if layer.site is not None:
        out = traces.out[layer.site].double()  # once for all that need it
        for quantity, measure, of in (("activation_mean", activation_mean, out),
                                      ("activation_std", activation_std, out),
                                      ("saturated_share", saturated_share, traces.saturated[layer.site]),
                                      ("dead_share", dead_share, out),
                                      ("gradient_norm", gradient_norm, traces.gradient[layer.site])):  # fmt: skip
            if quantity in wanted:
                yield quantity, measure(of)
        if bins:
            low, high, shares = histogram(out, bins)
            yield "histogram_low", low
            yield "histogram_high", high
            for i, share in enumerate(shares.unbind(1)):
                yield f"histogram_share_{i:02d}", share
    if "weight_gradient_norm" in wanted:
        yield "weight_gradient_norm", weight_gradient_norm(traces.weight_gradient[layer.weight])
