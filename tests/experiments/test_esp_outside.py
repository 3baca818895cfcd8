"""Which of the authors' numbers lie outside all our seeds."""

import pandas as pd

from repro.experiments.esp_mean_field.plots import spectra
from repro.experiments.esp_mean_field.plots.outside import outside


def study(losses: list[float], step: int = 40) -> spectra.Study:
    """One ReLU net with these losses; of everything else 1 and 2."""
    rows = [
        {"net": "10", "unit": "relu", "run": "r", "seed": seed, "step": at, "epoch": at, "metric": metric}
        | {"value": loss + (step - at) if metric == "loss" else float(seed % 2 + 1)}
        for seed, loss in enumerate(losses)
        for at in (0, step)
        for _, metric, _ in spectra.END_POINTS
    ]
    theirs = {column: 1.5 for _, _, column in spectra.END_POINTS} | {"net": "10", "activation": "relu"}
    authors = pd.DataFrame([theirs | {"epoch": 0, "loss": 7.0}, theirs | {"epoch": 40, "loss": 0.5}])
    return spectra.Study(pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame(), authors, {"10": "2-10-1"})


def test_numbers_beyond_all_seeds_are_named_with_our_range() -> None:
    one, together = outside(study([0.1, 0.2, 0.4])).to_dict("records")
    assert one["which"] == "loss 0.5 [0.1, 0.4]"
    assert (one["epoch"], one["numbers"], one["outside"]) == ("40", "7", "1")
    assert one["loss outside since"] == "0"
    assert one["by chance, at most"] == "3.5"  # 2 / (3 + 1) of each number
    assert (together["outside"], together["which"]) == ("1", "1 of 1 end points")


def test_numbers_among_the_seeds_are_not() -> None:
    one, together = outside(study([0.1, 0.5, 0.2])).to_dict("records")
    assert (one["which"], one["outside"], together["which"]) == ("–", "0", "0 of 1 end points")
    assert one["loss outside since"] == "–"


def test_the_epoch_since_which_the_loss_is_outside() -> None:
    found = study([0.1, 0.2, 0.4])
    found.authors.loc[found.authors["epoch"] == 0, "loss"] = 40.2
    assert outside(found)["loss outside since"].iloc[0] == "40"


def test_the_nearest_measured_epoch_is_named() -> None:
    assert outside(study([0.1, 0.2], step=50))["epoch"].iloc[0] == "40, ours 50"


def test_numbers_that_were_not_saved_are_not_compared() -> None:
    row = outside(study([0.1, 0.2]), without=("loss", "λ max")).iloc[0]
    assert (row["numbers"], row["which"]) == ("5", "–")
