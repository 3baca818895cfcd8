"""Which way a metric is better: as its task declares it, as registered, or by its name."""

import subprocess
import sys

import pytest

from repro.storage.metrics import ANY, LOSS, POSITIVE, SHARE, Metric, better, is_timed, value_range
from repro.training.summary import RATIO, metrics_of

OWN = (LOSS, Metric("distance", "m", "lower", "how far off"), Metric("length", "1", None, "of an answer"))


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("loss", "lower"),
        ("valid_loss", "lower"),
        ("best_valid_loss", "lower"),
        ("test_loss_at_best_valid", "lower"),
        ("test_accuracy", "higher"),
        ("valid_perplexity", "lower"),
        ("test_bit_error", "lower"),
        ("train_zero_residuals", "higher"),
        ("valid_squared_error", "lower"),
        ("valid_distance", "higher"),
    ],
)
def test_direction(name: str, way: str) -> None:
    assert better(name) == way


def test_what_a_task_declares_goes_first() -> None:
    assert better("valid_distance", OWN) == "lower"
    assert better("valid_length", OWN) is None
    assert better("loss", (Metric("loss", "1", "higher", "a gain"),)) == "higher"


def test_ranges_are_registered_or_follow_from_the_name() -> None:
    assert value_range("best_valid_accuracy") == value_range("test_right_share") == SHARE
    assert value_range("valid_perplexity") == POSITIVE
    assert value_range("test_loss") == value_range("test_distance") == ANY


def test_best_values_follow_the_declaration() -> None:
    values = {"distance": (3.0, 1.0, 2.0), "length": (5.0, 6.0, 4.0), "gain": (1.0, 3.0, 2.0)}
    rows = [
        (step, split, name, value[step] + (split == "test") * 10)
        for name, value in values.items()
        for step in range(3)
        for split in ("valid", "test")
    ]
    series: dict[tuple[str, str], list[tuple[int, float]]] = {RATIO: [(0, 0.5), (2, 0.25)]}
    for step, split, name, value in rows:
        series.setdefault((split, name), []).append((step, value))
    found = metrics_of(series, OWN)
    assert (found["first_vanishing_ratio"], found["vanishing_ratio"]) == (0.5, 0.25)
    assert found["best_valid_distance"] == 1
    assert found["test_distance_at_best_valid"] == 11
    assert found["best_valid_gain"] == 3
    assert found["test_gain_at_best_valid"] == 13
    assert found["valid_length"] == 4
    assert not {"best_valid_length", "test_length_at_best_valid"} & found.keys()


def test_tables_are_read_without_torch() -> None:
    code = "import repro.storage.metrics, repro.claims.select, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0


@pytest.mark.parametrize(
    ("column", "timed"),
    [
        ("cost_step_ratio", True),
        ("vectorization_loops_time_ratio", True),
        ("gradient_descent_full_milliseconds", True),
        ("timing_ratio", True),
        ("hopfield_wrong_bits_ratio", False),
        ("train_loss", False),
    ],
)
def test_what_a_clock_measured_is_told_by_its_name(column: str, timed: bool) -> None:
    assert is_timed(column) == timed
