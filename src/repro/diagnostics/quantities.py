"""The quantities of a layer. Each takes tensors with a leading replica axis and returns one number a replica.

`docs/quantities.md` gives formula and unit of each; the tests hold each against a slow twin in float64.
"""

from collections.abc import Iterable, Iterator, Mapping

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


def gradient_cosine(gradient: Tensor, exact: Tensor) -> Tensor:
    """Cosine between the weight's gradient under the backward rule and the exact one; 0 where one of them is 0."""
    one, two = gradient.double().flatten(1), exact.double().flatten(1)
    sizes = torch.linalg.vector_norm(one, dim=1) * torch.linalg.vector_norm(two, dim=1)
    return torch.where(sizes == 0, 0.0, (one * two).sum(1) / sizes)


def gradient_norm_ratio(gradient: Tensor, exact: Tensor) -> Tensor:
    """Norm of the weight's gradient under the backward rule over the exact one's.

    Infinite where the exact gradient is 0, NaN where both are.
    """
    return weight_gradient_norm(gradient) / weight_gradient_norm(exact)


def weight_norm(weight: Tensor) -> Tensor:
    """L2 norm of the layer's weight, (replicas, *weight) to (replicas,)."""
    norm: Tensor = torch.linalg.vector_norm(weight.detach().double().flatten(1), dim=1)
    return norm


def single_sign_share(single: Tensor) -> Tensor:
    """Share of samples all of whose inputs to the layer have one sign, so that their weight gradients have; in [0, 1].

    ∂ℓᵢ/∂W is an outer product of ∂ℓᵢ/∂a and the inputs: with inputs of one sign each unit's part of it has one sign.
    """
    return single.double().flatten(1).mean(1)


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


def gradient_through_time(gradient: Tensor) -> Tensor:
    """Mean over samples of the L2 norm of ∂(sample's last loss)/∂h_t, for every step t, (replicas, steps).

    Args:
        gradient: of the *mean* loss, (replicas, samples, steps, units).
    """
    norms: Tensor = torch.linalg.vector_norm(gradient.double(), dim=3)
    return norms.mean(1) * gradient.shape[1]


COMPARED = {"gradient_cosine": gradient_cosine, "gradient_norm_ratio": gradient_norm_ratio}
"""What compares a backward rule with exact back-propagation, of each layer's weight."""


def of_backward(layers: list[Layer], traces: Traces, exact: Traces, wanted: Iterable[str]) -> Iterator[Row]:
    """Every wanted comparison of a backward rule with exact back-propagation, traced on the same batch and noise."""
    for layer in layers:
        for quantity in COMPARED if layer.weight is not None else ():
            if quantity in wanted and layer.weight is not None:
                pair = (found.weight_gradient[layer.weight] for found in (traces, exact))
                yield layer.name, layer.depth, quantity, COMPARED[quantity](*pair)


def of_layers(layers: list[Layer], traces: Traces, parameters: Mapping[str, Tensor], wanted: Iterable[str],
              bins: int) -> Iterator[Row]:  # fmt: skip
    """Every wanted quantity of every layer, and the vanishing ratio of the model.

    The ratio compares hidden layers; in a recurrent net it compares the first step with the last, in the last layer.
    """
    wanted = set(wanted)
    norms: list[Tensor] = []
    in_time: Tensor | None = None
    for layer in layers:
        for quantity, values in _of_layer(layer, traces, wanted, bins):
            yield layer.name, layer.depth, quantity, values
            if quantity == "gradient_norm" and layer.weight:
                norms.append(values)
        if layer.weight is not None and "weight_norm" in wanted:
            yield layer.name, layer.depth, "weight_norm", weight_norm(parameters[layer.weight])
        if layer.weight is not None and "weight_entries" in wanted:
            for i, values in enumerate(parameters[layer.weight].detach().double().flatten(1).unbind(1)):
                yield layer.name, layer.depth, f"weight_entry_{i:03d}", values
        if layer.p is not None and "noise_p" in wanted:
            yield layer.name, layer.depth, "noise_p", parameters[layer.p].detach().double().abs().mean(-1)
        if layer.p is not None and "noise_p_units" in wanted:
            for i, values in enumerate(parameters[layer.p].detach().double().unbind(-1)):
                yield layer.name, layer.depth, f"noise_p_{i:03d}", values
        if layer.beta is not None:
            yield from ((layer.name, layer.depth, *row) for row in _of_beta(parameters[layer.beta], wanted))
        if layer.through_time is not None and "gradient_through_time" in wanted:
            in_time = gradient_through_time(traces.through_time[layer.through_time])
            for t, values in enumerate(in_time.unbind(1)):
                yield layer.name, layer.depth, f"gradient_through_time_{t:02d}", values
    if norms:
        yield "model", 0, "vanishing_ratio", vanishing_ratio(norms[0], norms[-1])
    elif in_time is not None:
        yield "model", 0, "vanishing_ratio", vanishing_ratio(in_time[:, 0], in_time[:, -1])


def _of_beta(beta: Tensor, wanted: set[str]) -> Iterator[tuple[str, Tensor]]:
    """How the βs of a layer, (replicas, units), are distributed, and each of them."""
    beta = beta.detach().double()
    if "beta" in wanted:
        yield "beta_mean", beta.mean(1)
        yield "beta_std", beta.std(1, correction=0)
        yield "beta_min", beta.amin(1)
        yield "beta_max", beta.amax(1)
    if "beta_units" in wanted:
        yield from ((f"beta_{i:03d}", values) for i, values in enumerate(beta.unbind(1)))


def _of_layer(layer: Layer, traces: Traces, wanted: set[str], bins: int) -> Iterator[tuple[str, Tensor]]:
    if layer.site is not None:
        out = traces.out[layer.site].double()  # once for all that need it
        units = out.flatten(1, 2) if out.dim() == 4 else out  # steps of time count as samples
        for quantity, measure, of in (("activation_mean", activation_mean, out),
                                      ("activation_std", activation_std, out),
                                      ("saturated_share", saturated_share, traces.saturated[layer.site]),
                                      ("dead_share", dead_share, units),
                                      ("gradient_norm", gradient_norm, traces.gradient[layer.site])):  # fmt: skip
            if quantity in wanted:
                yield quantity, measure(of)
        if "noise_std" in wanted and layer.site in traces.noise:
            yield "noise_std", traces.noise[layer.site].double().flatten(1).mean(1)
        if bins:
            low, high, shares = histogram(out, bins)
            yield "histogram_low", low
            yield "histogram_high", high
            for i, share in enumerate(shares.unbind(1)):
                yield f"histogram_share_{i:02d}", share
    if "weight_gradient_norm" in wanted and layer.weight is not None:
        yield "weight_gradient_norm", weight_gradient_norm(traces.weight_gradient[layer.weight])
    if "single_sign_share" in wanted and layer.weight in traces.single_sign:
        yield "single_sign_share", single_sign_share(traces.single_sign[layer.weight])
