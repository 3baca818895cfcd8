"""What holds for both data sets of sequences that are made batch by batch: unique numbers and associative recall."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_associative_recall import feed as recall
from test_unique_numbers import feed as numbers

from loading import refusal_of
from repro.experiments.noisy_activations.schedules.growth import Growth


@pytest.mark.parametrize("feed", [numbers, recall], ids=["unique_numbers", "associative_recall"])
def test_nothing_global_is_touched(feed: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    feed().batch(0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Growth(0, 0.6), ["curriculum.start", "1 or more"]),
        (lambda: Growth(3, 0.0), ["curriculum.share", "above 0", "at most 1"]),
        (lambda: Growth(3, 1.5), ["curriculum.share", "1.5"]),
        (lambda: numbers(curriculum=Growth(27, 0.6)), ["curriculum.start=27", "dataset.length=26"]),
        (lambda: numbers(batch_size=None), ["trainer.batch_size", "number"]),
        (lambda: numbers(curriculum=object()), ["dataset=unique_numbers", "another kind of curriculum"]),
        (lambda: recall(batch_size=None), ["trainer.batch_size", "number"]),
        (lambda: recall(curriculum=object()), ["dataset=associative_recall", "curriculum=null"]),
    ],
)
def test_what_does_not_go_together(make: Callable[[], Any], parts: list[str]) -> None:
    text = refusal_of(make)
    assert all(part in text for part in parts)
