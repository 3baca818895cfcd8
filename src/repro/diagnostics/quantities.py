"""The quantities of a layer: one object each, with all there is to say of it. No torch is imported here.

Each measures tensors with a leading replica axis and gives one number a replica. Checks, measuring (`measure.py`), the
headings of tables and the table in `docs/quantities.md` come from `REGISTRY`; the tests hold each against a slow twin.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Quantity:
    """Something that is measured in a layer.

    Attributes:
        name: as in `diagnostics.quantities`.
        heading: of its column in the table of a run's layers; None where it has none.
        reads: what it is measured from: activations, units (activations, steps of time among the samples), saturated,
            gradient, noise, weight_gradient, single_sign, weight, p, beta, through_time of a layer (see `Traces`);
            update (its weight before and after one), both_gradients (under the backward rule and exact), model.
        measure: from that to the values (replicas,), or to several of them by name.
        writes: the names in the table, in words.
        unit: unit and range, in words.
        says: its definition, in the notation of `docs/quantities.md`.
    """

    name: str
    heading: str | None
    reads: str
    measure: Callable[..., Any]
    writes: str
    unit: str
    says: str

    @property
    def column(self) -> str:
        """The quantity in the table that stands under the heading."""
        return self.name if f"`{self.name}`" in self.writes else self.writes.split("`")[1]

    def rows(self, *values: "Tensor") -> Iterator[tuple[str, "Tensor"]]:
        """Names and values, each (replicas,)."""
        found = self.measure(*values)
        yield from found.items() if isinstance(found, dict) else [(self.name, found)]


def activation_mean(out: "Tensor") -> "Tensor":
    """Mean over samples and units, (replicas, samples, units, ...) to (replicas,)."""
    return out.double().flatten(1).mean(1)


def activation_std(out: "Tensor") -> "Tensor":
    """Standard deviation over samples and units together (not per unit), biased, 0 or more."""
    return out.double().flatten(1).std(1, correction=0)


def saturated_share(saturated: "Tensor") -> "Tensor":
    """Share of (sample, unit) pairs in the flat part of the activation, where its slope is below 0.02; in [0, 1]."""
    return saturated.double().flatten(1).mean(1)


def dead_share(out: "Tensor") -> "Tensor":
    """Share of units (channels of a convolution) whose output is exactly 0 for every sample and place; in [0, 1]."""
    samples = out.flatten(3).movedim(-1, 1).flatten(1, 2) if out.dim() > 3 else out  # (replicas, samples, units)
    return ((samples.amin(1) == 0) & (samples.amax(1) == 0)).double().mean(1)


def gradient_norm(gradient: "Tensor") -> "Tensor":
    """Mean over samples of the L2 norm of ∂(sample's loss)/∂(pre-activation).

    Args:
        gradient: of the *mean* loss, (replicas, samples, units, ...); a sample's own is `samples` times that.
    """
    norms: Tensor = gradient.double().flatten(2).norm(dim=2)
    return norms.mean(1) * gradient.shape[1]


def weight_gradient_norm(gradient: "Tensor") -> "Tensor":
    """L2 norm of the mean loss's gradient with respect to the layer's weight, no penalty, before clipping."""
    norm: Tensor = gradient.double().flatten(1).norm(dim=1)
    return norm


def gradient_cosine(gradient: "Tensor", exact: "Tensor") -> "Tensor":
    """Cosine between the weight's gradient under the backward rule and the exact one; 0 where one of them is 0."""
    one, two = gradient.double().flatten(1), exact.double().flatten(1)
    sizes = one.norm(dim=1) * two.norm(dim=1)
    cosine: Tensor = ((one * two).sum(1) / sizes).masked_fill(sizes == 0, 0.0)
    return cosine


def gradient_norm_ratio(gradient: "Tensor", exact: "Tensor") -> "Tensor":
    """Norm of the weight's gradient under the backward rule over the exact one's.

    Infinite where the exact gradient is 0, NaN where both are.
    """
    return weight_gradient_norm(gradient) / weight_gradient_norm(exact)


def weight_norm(weight: "Tensor") -> "Tensor":
    """L2 norm of the layer's weight, (replicas, *weight) to (replicas,)."""
    norm: Tensor = weight.detach().double().flatten(1).norm(dim=1)
    return norm


def single_sign_share(single: "Tensor") -> "Tensor":
    """Share of samples all of whose inputs to the layer have one sign, so that their weight gradients have; in [0, 1].

    ∂ℓᵢ/∂W is an outer product of ∂ℓᵢ/∂a and the inputs: with inputs of one sign each unit's part of it has one sign.
    """
    return single.double().flatten(1).mean(1)


def update_ratio(before: "Tensor", after: "Tensor") -> "Tensor":
    """‖after − before‖ / ‖before‖ of the layer's weight over the last update; 0/0 counts as 0."""
    change = (after - before).double().flatten(1).norm(dim=1)
    size = before.double().flatten(1).norm(dim=1)
    ratio: Tensor = (change / size).masked_fill(change == 0, 0.0)
    return ratio


def vanishing_ratio(first: "Tensor", last: "Tensor") -> "Tensor":
    """The first hidden layer's gradient_norm over the last hidden one's: 1 = even, 0 = vanished, above 1 = growing."""
    return first / last


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


def gradient_through_time(gradient: "Tensor") -> "Tensor":
    """Mean over samples of the L2 norm of ∂(sample's last loss)/∂h_t, for every step t, (replicas, steps).

    Args:
        gradient: of the *mean* loss, (replicas, samples, steps, units).
    """
    norms: Tensor = gradient.double().norm(dim=3)
    return norms.mean(1) * gradient.shape[1]


def _mean(values: "Tensor") -> "Tensor":
    return values.double().flatten(1).mean(1)


def _mean_size(p: "Tensor") -> "Tensor":
    return p.detach().double().abs().mean(-1)


def _entries(name: str) -> Callable[["Tensor"], dict[str, "Tensor"]]:
    """Every entry of a parameter, numbered."""

    def measure(values: "Tensor") -> dict[str, "Tensor"]:
        return {f"{name}_{i:03d}": one for i, one in enumerate(values.detach().double().flatten(1).unbind(1))}

    return measure


def _beta(beta: "Tensor") -> dict[str, "Tensor"]:
    beta = beta.detach().double()
    return {"beta_mean": beta.mean(1), "beta_std": beta.std(1, correction=0), "beta_min": beta.amin(1),
            "beta_max": beta.amax(1)}  # fmt: skip


def _steps(gradient: "Tensor") -> dict[str, "Tensor"]:
    values = gradient_through_time(gradient)
    return {f"gradient_through_time_{t:02d}": one for t, one in enumerate(values.unbind(1))}


def _histogram(out: "Tensor", bins: int) -> dict[str, "Tensor"]:
    low, high, shares = histogram(out, bins)
    return {"histogram_low": low, "histogram_high": high} | {
        f"histogram_share_{i:02d}": share for i, share in enumerate(shares.unbind(1))
    }


# In the order in which a layer's rows are written.
REGISTRY = {
    q.name: q
    for q in (
        Quantity(
            "activation_mean",
            "mean",
            "activations",
            activation_mean,
            "`activation_mean`",
            "as *h*",
            "mean of *h*ᵢᵤ over samples and units together",
        ),
        Quantity(
            "activation_std",
            "std",
            "activations",
            activation_std,
            "`activation_std`",
            "as *h*, ≥ 0",
            "√(mean of (*h*ᵢᵤ − `activation_mean`)²), over samples and units together, biased",
        ),
        Quantity(
            "saturated_share",
            "saturated",
            "saturated",
            saturated_share,
            "`saturated_share`",
            "0…1",
            "share of pairs (i, u) with |f′(*a*ᵢᵤ)| < 0.02; hard and noisy units: |*a*ᵢᵤ| at or beyond "
            "the knee (1 for tanh, 2 for sigmoid)",
        ),
        Quantity(
            "dead_share",
            "dead",
            "units",
            dead_share,
            "`dead_share`",
            "0…1",
            "share of units (channels) with *h*ᵢᵤ = 0 exactly for every sample (and place)",
        ),
        Quantity(
            "gradient_norm",
            "gradient norm",
            "gradient",
            gradient_norm,
            "`gradient_norm`",
            "loss / *a*, ≥ 0",
            "(1/B) Σᵢ ‖∂ℓᵢ/∂*a*ᵢ‖₂; with batch norm ℓᵢ is replaced by B·L, since samples depend on each other",
        ),
        Quantity(
            "noise_std",
            "noise",
            "noise",
            _mean,
            "`noise_std`",
            "as *h* (nan, nah) or *a* (nani, nanil, nanis), ≥ 0",
            "mean of σ(*a*ᵢᵤ) over samples and units, the standard deviation of a noisy unit's noise (Eq."
            " 9 of Gulcehre et al. 2016, or the fixed one)",
        ),
        Quantity(
            "histogram",
            None,
            "activations",
            _histogram,
            "`histogram_low`, `histogram_high`, `histogram_share_00` …",
            "as *h*; shares 0…1",
            "least and greatest *h*ᵢᵤ; share of *h*ᵢᵤ in each of `diagnostics.histogram` equally wide "
            "bins between the two, which sum to 1",
        ),
        Quantity(
            "weight_gradient_norm",
            "weight gradient norm",
            "weight_gradient",
            weight_gradient_norm,
            "`weight_gradient_norm`",
            "loss / W, ≥ 0",
            "‖∂L/∂W‖₂ (Frobenius), before clipping and penalties",
        ),
        Quantity(
            "single_sign_share",
            None,
            "single_sign",
            single_sign_share,
            "`single_sign_share`",
            "0…1",
            "share of samples whose inputs *x*ᵢ to a linear layer are all ≥ 0 or all ≤ 0. Since ∂ℓᵢ/∂W = "
            "(∂ℓᵢ/∂*a*ᵢ) *x*ᵢᵀ, they are those in whose weight gradient no unit's entries differ in sign",
        ),
        Quantity(
            "weight_norm",
            None,
            "weight",
            weight_norm,
            "`weight_norm`",
            "as W, ≥ 0",
            "‖W‖₂ (Frobenius); a parameter's value, not measured on the probe",
        ),
        Quantity(
            "weight_entries",
            None,
            "weight",
            _entries("weight_entry"),
            "`weight_entry_000` …",
            "as W",
            "every entry of W, row by row (a row for each unit); parameters' values",
        ),
        Quantity(
            "noise_p",
            "|p|",
            "p",
            _mean_size,
            "`noise_p`",
            "1, ≥ 0",
            "mean of |*p*| over the units of a noisy layer; a parameter's value, not measured on the probe",
        ),
        Quantity(
            "noise_p_units",
            None,
            "p",
            _entries("noise_p"),
            "`noise_p_000` …",
            "1",
            "*p* of each unit of a noisy layer, with its sign (σ goes by |*p*| alone); a parameter's "
            "value, not measured on the probe",
        ),
        Quantity(
            "beta",
            "β",
            "beta",
            _beta,
            "`beta_mean`, `beta_std`, `beta_min`, `beta_max`",
            "1 / *a*",
            "distribution of β over the units of an ESP layer, or over the outputs (layer `output`, where"
            " `architecture.output_beta` is set); parameters' values",
        ),
        Quantity("beta_units", None, "beta", _entries("beta"), "`beta_000` …", "1 / *a*", "β of each unit"),
        Quantity(
            "gradient_through_time",
            None,
            "through_time",
            _steps,
            "`gradient_through_time_00` …",
            "loss / *h*, ≥ 0",
            "(1/B) Σᵢ ‖∂ℓᵢ′/∂*h*ₜ‖₂ for each step t of the window, ℓᵢ′ being the loss of sample i's last "
            "prediction in time",
        ),
        Quantity(
            "update_ratio",
            "update ratio",
            "update",
            update_ratio,
            "`update_ratio`",
            "1, ≥ 0",
            "‖W after the last update − W before it‖₂ / ‖W before it‖₂; not at step 0",
        ),
        Quantity(
            "gradient_cosine",
            "cosine with exact",
            "both_gradients",
            gradient_cosine,
            "`gradient_cosine`",
            "−1…1",
            "cosine between ∂L/∂W under the backward rule and the exact ∂L/∂W, on the same batch and "
            "noise; 0 where one of them is 0",
        ),
        Quantity(
            "gradient_norm_ratio",
            "norm over exact",
            "both_gradients",
            gradient_norm_ratio,
            "`gradient_norm_ratio`",
            "1, ≥ 0",
            "norm of the first over that of the second; infinite where the exact gradient is 0, undefined"
            " (NaN) where both are",
        ),
        Quantity(
            "vanishing_ratio",
            None,
            "model",
            vanishing_ratio,
            "`vanishing_ratio`",
            "1; 1 = even, → 0 vanishing, > 1 growing",
            "`gradient_norm` of the first hidden layer over that of the last (layer `model`, depth 0); in"
            " an LSTM the gradient through time of the first step over that of the last, in the last "
            "layer",
        ),
    )
}

ALWAYS = ("histogram", "vanishing_ratio")
"""What follows from other settings, and is not asked for by name."""
WANTED = tuple(name for name in REGISTRY if name not in ALWAYS)
COMPARED = tuple(q.name for q in REGISTRY.values() if q.reads == "both_gradients")


def markdown() -> str:
    """The table in `docs/quantities.md`."""
    lines = ["| quantity | definition | unit, range |", "|---|---|---|"]
    for q in REGISTRY.values():
        asked = "" if f"`{q.name}`" in q.writes or q.name in ALWAYS else f" (asked for as `{q.name}`)"
        cells = (cell.replace("|", "\\|") for cell in (f"{q.writes}{asked}", q.says, q.unit))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
