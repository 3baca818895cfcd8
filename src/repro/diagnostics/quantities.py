"""The quantities of a layer: one object each, with all there is to say of it. No torch is imported here.

Each measures tensors with a leading replica axis and gives one number a replica. Checks, measuring (`measure.py`), the
headings of tables and the table in `docs/quantities.md` come from `REGISTRY`; the tests hold each against a slow twin.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from repro.diagnostics import information, pictures, separation
from repro.diagnostics.quantity import REGISTRY, Quantity, quantity

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["REGISTRY", "Quantity", "quantity"]


def _mean(values: "Tensor") -> "Tensor":
    return values.double().flatten(1).mean(1)


def deviation(values: "Tensor", dim: int) -> "Tensor":
    """Biased standard deviation along an axis, in two passes: as exact as `torch.std`, in a tenth of its time."""
    centred = values - values.mean(dim, keepdim=True)
    return centred.square_().mean(dim).sqrt_()


def _entries(name: str) -> Callable[["Tensor"], dict[str, "Tensor"]]:
    """Every entry of a parameter, numbered."""

    def measure(values: "Tensor") -> dict[str, "Tensor"]:
        return {f"{name}_{i:03d}": one for i, one in enumerate(values.detach().double().flatten(1).unbind(1))}

    return measure


@quantity(
    "activation_mean",
    "activations",
    unit="as *h*",
    heading="mean",
    says="mean of *h*ᵢᵤ over samples and units together",
)
def activation_mean(out: "Tensor") -> "Tensor":
    """Mean over samples and units, (replicas, samples, units, ...) to (replicas,)."""
    return out.double().flatten(1).mean(1)


@quantity(
    "activation_std",
    "activations",
    unit="as *h*, ≥ 0",
    heading="std",
    says="√(mean of (*h*ᵢᵤ − `activation_mean`)²), over samples and units together, biased",
)
def activation_std(out: "Tensor") -> "Tensor":
    """Standard deviation over samples and units together (not per unit), biased, 0 or more."""
    return deviation(out.double().flatten(1), 1)


@quantity(
    "saturated_share",
    "saturated",
    unit="0…1",
    heading="saturated",
    says="share of pairs (i, u) with |f′(*a*ᵢᵤ)| < 0.02; hard and noisy units: |*a*ᵢᵤ| at or beyond the knee (1 for "
    "tanh, 2 for sigmoid)",
)
def saturated_share(saturated: "Tensor") -> "Tensor":
    """Share of (sample, unit) pairs in the flat part of the activation, where its slope is below 0.02; in [0, 1]."""
    return saturated.double().flatten(1).mean(1)


@quantity(
    "dead_share",
    "units",
    unit="0…1",
    heading="dead",
    says="share of units (channels) with *h*ᵢᵤ = 0 exactly for every sample (and place)",
)
def dead_share(out: "Tensor") -> "Tensor":
    """Share of units (channels of a convolution) whose output is exactly 0 for every sample and place; in [0, 1]."""
    samples = out.flatten(3).movedim(-1, 1).flatten(1, 2) if out.dim() > 3 else out  # (replicas, samples, units)
    return ((samples.amin(1) == 0) & (samples.amax(1) == 0)).double().mean(1)


@quantity(
    "unit_spread",
    "units",
    unit="as *h*, ≥ 0",
    says="mean over samples (and places) of the biased standard deviation of *h*ᵢᵤ over units (channels); 0: all "
    "alike, or there is one",
)
def unit_spread(out: "Tensor") -> "Tensor":
    """(replicas, samples, units, ...) to (replicas,); 0 or more."""
    return deviation(out.double(), 2).flatten(1).mean(1)


@quantity(
    "gradient_norm",
    "gradient",
    unit="loss / *a*, ≥ 0",
    heading="gradient norm",
    says="(1/B) Σᵢ ‖∂ℓᵢ/∂*a*ᵢ‖₂; with batch norm ℓᵢ is replaced by B·L, since samples depend on each other",
)
def gradient_norm(gradient: "Tensor") -> "Tensor":
    """Mean over samples of the L2 norm of ∂(sample's loss)/∂(pre-activation).

    Args:
        gradient: of the *mean* loss, (replicas, samples, units, ...); a sample's own is `samples` times that.
    """
    norms: Tensor = gradient.double().flatten(2).norm(dim=2)
    return norms.mean(1) * gradient.shape[1]


@quantity(
    "mean_gradient_norm",
    "gradient",
    unit="loss / *a*, ≥ 0",
    says="‖(1/B) Σᵢ ∂ℓᵢ/∂*a*ᵢ‖₂, the norm of the mean over samples, in which they may cancel; with batch norm as above",
)
def mean_gradient_norm(gradient: "Tensor") -> "Tensor":
    """L2 norm of ∂(mean loss)/∂(pre-activation) summed over samples, which is that of a bias at each unit and place."""
    norm: Tensor = gradient.double().sum(1).flatten(1).norm(dim=1)
    return norm


quantity(
    "noise_std",
    "noise",
    unit="as *h* (nan, nah) or *a* (nani, nanil, nanis), ≥ 0",
    heading="noise",
    says="mean of σ(*a*ᵢᵤ) over samples and units, the standard deviation of a noisy unit's noise (Eq. 9 of Gulcehre "
    "et al. 2016, or the fixed one)",
)(_mean)


for _name, _reads, _unit, _says, _measure in information.QUANTITIES:
    quantity(_name, _reads, _unit, _says)(_measure)


def histogram(out: "Tensor", bins: int) -> tuple["Tensor", "Tensor", "Tensor"]:
    """Shares of equally wide bins between each replica's least and greatest activation.

    Returns:
        low (replicas,), high (replicas,), shares (replicas, bins), each row summing to 1.
    """
    flat = out.double().flatten(1).nan_to_num()
    low, high = flat.amin(1), flat.amax(1)
    width = (high - low).masked_fill(high <= low, 1.0)
    # In place, since fresh memory costs more than the arithmetic.
    places = flat.sub_(low[:, None]).div_(width[:, None]).mul_(bins).long().clamp_(0, bins - 1)
    places += places.new_full((len(flat), 1), bins).cumsum(0) - bins
    counts = places.flatten().bincount(minlength=bins * len(flat)).view(len(flat), bins)
    return low, high, counts.double() / flat.shape[1]


@quantity(
    "histogram",
    "activations",
    unit="as *h*; shares 0…1",
    writes="`histogram_low`, `histogram_high`, `histogram_share_00` …",
    says="least and greatest *h*ᵢᵤ; share of *h*ᵢᵤ in each of `diagnostics.histogram` equally wide bins between the "
    "two, which sum to 1",
)
def _histogram(out: "Tensor", bins: int) -> dict[str, "Tensor"]:
    low, high, shares = histogram(out, bins)
    return {"histogram_low": low, "histogram_high": high} | {
        f"histogram_share_{i:02d}": share for i, share in enumerate(shares.unbind(1))
    }


@quantity(
    "weight_gradient_norm",
    "weight_gradient",
    unit="loss / W, ≥ 0",
    heading="weight gradient norm",
    says="‖∂L/∂W‖₂ (Frobenius), before clipping and penalties",
)
def weight_gradient_norm(gradient: "Tensor") -> "Tensor":
    """L2 norm of the mean loss's gradient with respect to the layer's weight, no penalty, before clipping."""
    norm: Tensor = gradient.double().flatten(1).norm(dim=1)
    return norm


@quantity(
    "single_sign_share",
    "single_sign",
    unit="0…1",
    says="share of samples whose inputs *x*ᵢ to a linear layer are all ≥ 0 or all ≤ 0. Since ∂ℓᵢ/∂W = (∂ℓᵢ/∂*a*ᵢ) "
    "*x*ᵢᵀ, they are those in whose weight gradient no unit's entries differ in sign",
)
def single_sign_share(single: "Tensor") -> "Tensor":
    """Share of samples all of whose inputs to the layer have one sign, so that their weight gradients have; in [0, 1].

    ∂ℓᵢ/∂W is an outer product of ∂ℓᵢ/∂a and the inputs: with inputs of one sign each unit's part of it has one sign.
    """
    return single.double().flatten(1).mean(1)


@quantity(
    "weight_norm", "weight", unit="as W, ≥ 0", says="‖W‖₂ (Frobenius); a parameter's value, not measured on the probe"
)
def weight_norm(weight: "Tensor") -> "Tensor":
    """L2 norm of the layer's weight, (replicas, *weight) to (replicas,)."""
    norm: Tensor = weight.detach().double().flatten(1).norm(dim=1)
    return norm


quantity(
    "weight_entries",
    "weight",
    unit="as W",
    writes="`weight_entry_000` …",
    says="every entry of W, row by row (a row for each unit); parameters' values",
)(_entries("weight_entry"))


quantity("bias_entries", "bias", "as *a*", "every entry of the layer's bias; its values", writes="`bias_entry_000` …")(
    _entries("bias_entry")
)


quantity("neighbour_correlation", "weight", "−1…1", pictures.SAYS)(pictures.neighbour_correlation)


quantity("probe_accuracy", "classes", "0…1", separation.SAYS)(separation.probe_accuracy)


@quantity(
    "noise_p",
    "p",
    unit="1, ≥ 0",
    heading="|p|",
    says="mean of |*p*| over the units of a noisy layer; a parameter's value, not measured on the probe",
)
def _mean_size(p: "Tensor") -> "Tensor":
    return p.detach().double().abs().mean(-1)


quantity(
    "noise_p_units",
    "p",
    unit="1",
    writes="`noise_p_000` …",
    says="*p* of each unit of a noisy layer, with its sign (σ goes by |*p*| alone); a parameter's value, not measured "
    "on the probe",
)(_entries("noise_p"))


@quantity(
    "beta",
    "beta",
    unit="1 / *a*",
    heading="β",
    writes="`beta_mean`, `beta_std`, `beta_min`, `beta_max`",
    says="distribution of β over the units of an ESP layer, or over the outputs (layer `output`, where "
    "`architecture.output_beta` is set); parameters' values",
)
def _beta(beta: "Tensor") -> dict[str, "Tensor"]:
    beta = beta.detach().double()
    return {
        "beta_mean": beta.mean(1),
        "beta_std": beta.std(1, correction=0),
        "beta_min": beta.amin(1),
        "beta_max": beta.amax(1),
    }


quantity(
    "knots",
    "knots",
    unit="as inputs",
    writes="`knot_000` …",
    says="every knot of a layer's splines, input by input; a state of the net, not measured on the probe",
)(_entries("knot"))


quantity("beta_units", "beta", unit="1 / *a*", writes="`beta_000` …", says="β of each unit")(_entries("beta"))


def gradient_through_time(gradient: "Tensor") -> "Tensor":
    """Mean over samples of the L2 norm of ∂(sample's last loss)/∂h_t, for every step t, (replicas, steps).

    Args:
        gradient: of the *mean* loss, (replicas, samples, steps, units).
    """
    norms: Tensor = gradient.double().norm(dim=3)
    return norms.mean(1) * gradient.shape[1]


@quantity(
    "gradient_through_time",
    "through_time",
    unit="loss / *h*, ≥ 0",
    writes="`gradient_through_time_00` …",
    says="(1/B) Σᵢ ‖∂ℓᵢ′/∂*h*ₜ‖₂ for each step t of the window, ℓᵢ′ being the loss of sample i's last prediction in "
    "time",
)
def _steps(gradient: "Tensor") -> dict[str, "Tensor"]:
    values = gradient_through_time(gradient)
    return {f"gradient_through_time_{t:02d}": one for t, one in enumerate(values.unbind(1))}


@quantity(
    "update_ratio",
    "update",
    unit="1, ≥ 0",
    heading="update ratio",
    says="‖W after the last update − W before it‖₂ / ‖W before it‖₂; not at step 0",
)
def update_ratio(before: "Tensor", after: "Tensor") -> "Tensor":
    """‖after − before‖ / ‖before‖ of the layer's weight over the last update; 0/0 counts as 0."""
    change = (after - before).double().flatten(1).norm(dim=1)
    size = before.double().flatten(1).norm(dim=1)
    ratio: Tensor = (change / size).masked_fill(change == 0, 0.0)
    return ratio


@quantity(
    "gradient_cosine",
    "both_gradients",
    unit="−1…1",
    heading="cosine with exact",
    says="cosine between ∂L/∂W under the backward rule and the exact ∂L/∂W, on the same batch and noise; 0 where one "
    "of them is 0",
)
def gradient_cosine(gradient: "Tensor", exact: "Tensor") -> "Tensor":
    """Cosine between the weight's gradient under the backward rule and the exact one; 0 where one of them is 0."""
    one, two = gradient.double().flatten(1), exact.double().flatten(1)
    sizes = one.norm(dim=1) * two.norm(dim=1)
    cosine: Tensor = ((one * two).sum(1) / sizes).masked_fill(sizes == 0, 0.0)
    return cosine


@quantity(
    "gradient_norm_ratio",
    "both_gradients",
    unit="1, ≥ 0",
    heading="norm over exact",
    says="norm of the first over that of the second; infinite where the exact gradient is 0, undefined (NaN) where "
    "both are",
)
def gradient_norm_ratio(gradient: "Tensor", exact: "Tensor") -> "Tensor":
    """Norm of the weight's gradient under the backward rule over the exact one's.

    Infinite where the exact gradient is 0, NaN where both are.
    """
    return weight_gradient_norm(gradient) / weight_gradient_norm(exact)


@quantity(
    "vanishing_ratio",
    "model",
    unit="1; 1 = even, → 0 vanishing, > 1 growing",
    says="`gradient_norm` of the first hidden layer over that of the last (layer `model`, depth 0); in an LSTM the "
    "gradient through time of the first step over that of the last, in the last layer",
)
def vanishing_ratio(first: "Tensor", last: "Tensor") -> "Tensor":
    """The first hidden layer's gradient_norm over the last hidden one's: 1 = even, 0 = vanished, above 1 = growing."""
    return first / last


ALWAYS = ("histogram", "vanishing_ratio")  # what follows from other settings, and is not asked for by name
WANTED = tuple(name for name in REGISTRY if name not in ALWAYS)
COMPARED = tuple(q.name for q in REGISTRY.values() if q.reads == "both_gradients")
