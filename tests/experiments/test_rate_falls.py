"""Learning to Execute: when the rate first falls, from a table of made-up curves."""

from pathlib import Path

import pandas as pd

from repro.experiments.noisy_activations import learning_to_execute as script
from repro.plots.experiment import Tables


def further(rates: dict[int, list[float]], accuracies: dict[int, float]) -> dict[str, str]:
    """The row of a net with these rates at epochs 0, 1, ... of each seed."""
    tables = Tables(Path())
    runs = [{"run": "r", "variant": "nah", "seed": seed, "test_accuracy": value} for seed, value in accuracies.items()]
    curves = [
        {
            "run": "r",
            "variant": "nah",
            "seed": seed,
            "step": 10 * i,
            "epoch": i,
            "metric": "learning_rate",
            "value": rate,
        }
        for seed, own in rates.items()
        for i, rate in enumerate(own)
    ]
    vars(tables).update(runs=pd.DataFrame(runs), curves=pd.DataFrame(curves))  # as if they had been read
    (row,) = script.further_tables(tables)["rate_falls"].to_dict("records")
    return row


def test_first_falls_and_what_goes_with_them() -> None:
    row = further({0: [0.5, 0.5, 0.4, 0.4], 1: [0.5, 0.4, 0.3, 0.2], 2: [0.5, 0.5, 0.5, 0.4]}, {0: 0.6, 1: 0.5, 2: 0.7})
    assert list(row.values()) == ["NAH", "3", "3", "1", "2", "3", "1", "0.4"]


def test_a_rate_that_never_falls_is_left_out_of_the_epochs() -> None:
    row = further({0: [0.5, 0.5], 1: [0.5, 0.4]}, {0: 0.6, 1: 0.5})
    assert (row["seeds"], row["rate falls in"], row["first, epoch"]) == ("2", "1", "1")
    assert row["correlation with test accuracy"] == ""
