"""Between which values metrics and quantities lie."""

import pytest

from repro.diagnostics.quantities import REGISTRY
from repro.diagnostics.ranges import range_of
from repro.storage.metrics import ANY, POSITIVE, SHARE


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("test_accuracy", SHARE),
        ("dead_share", SHARE),
        ("best_valid_perplexity", POSITIVE),
        ("gradient_through_time_07", POSITIVE),
        ("noise_p", POSITIVE),
        ("noise_p_003", ANY),
        ("gradient_cosine", (-1.0, 1.0)),
        ("loss", ANY),
    ],
)
def test_ranges_are_those_that_metrics_and_quantities_declare(name: str, within: tuple[float, float]) -> None:
    assert range_of(name) == within


def test_every_quantity_is_without_a_bound_or_known_to_have_one() -> None:
    shares = {"saturated_share", "dead_share", "single_sign_share", "probe_accuracy", "linear_probe_accuracy"}
    free = {
        "activation_mean",
        "histogram",
        "weight_entries",
        "bias_entries",
        "noise_p_units",
        "beta",
        "beta_units",
        "knots",
        "vanishing_ratio",
    }
    for name, quantity in REGISTRY.items():
        cosine = (-1.0, 1.0) if name in ("gradient_cosine", "neighbour_correlation") else POSITIVE
        assert quantity.within == (SHARE if name in shares else ANY if name in free else cosine), name
